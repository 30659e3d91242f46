"""Color by hand."""

from __future__ import annotations

import copy

import pytest
import torch
from skimage import data
from torch import Tensor

from impasto.canvas import Luminance
from impasto.errors import InputError
from impasto.features.fingerprint import fingerprint
from impasto.features.gray import GrayEncoder
from impasto.features.vgg import VGG
from impasto.pictures.color import (
    chroma,
    color_distance,
    color_moments,
    is_gray,
    luma,
    match_histogram,
    match_luminance,
    match_moments,
    mixed_colors,
    with_colors,
)
from impasto.pictures.resample import lanczos


def photo() -> Tensor:
    return torch.from_numpy(data.astronaut()[::8, ::8].copy()).permute(2, 0, 1)[None] / 255


def painting() -> Tensor:
    return torch.from_numpy(data.immunohistochemistry()[::9, ::7].copy()).permute(2, 0, 1)[None] / 255


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    return x[0].flatten(1).mean(1), torch.cov(x[0].flatten(1), correction=0)


def test_luma_and_chroma_by_hand() -> None:
    red = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1)
    assert luma(red).item() == pytest.approx(0.299)
    torch.testing.assert_close(chroma(red).flatten(), torch.tensor([0.701, -0.299, -0.299]))


@pytest.mark.parametrize("form", ["cholesky", "symmetric"])
def test_matched_moments_are_the_contents(form: str) -> None:
    style, content = painting() * 0.2 + 0.4, photo() * 0.2 + 0.4  # nothing is clipped
    (mean, cov), (goal, goal_cov) = moments(match_moments(style, content, form)), moments(content)
    torch.testing.assert_close(mean, goal, atol=1e-5, rtol=0)
    torch.testing.assert_close(cov, goal_cov, atol=3e-4, rtol=0)


@pytest.mark.parametrize("form", ["cholesky", "symmetric"])
def test_a_gray_or_flat_style_is_matched_without_blowing_up(form: str) -> None:
    gray = luma(painting()).expand(-1, 3, -1, -1)
    for style in (gray, torch.full((1, 3, 8, 8), 0.3)):
        found = match_moments(style, photo(), form)
        assert found.isfinite().all() and found.std() < 0.6
    flat = match_moments(painting(), torch.full((1, 3, 8, 8), 0.3), form)
    torch.testing.assert_close(flat, torch.full_like(flat, 0.3), atol=0.1, rtol=0)


def test_a_matched_histogram_has_the_contents_values_in_the_styles_order() -> None:
    style = torch.tensor([0.1, 0.9, 0.5, 0.5]).view(1, 1, 2, 2).expand(1, 3, 2, 2)
    content = torch.tensor([0.2, 0.3, 0.4, 0.8]).view(1, 1, 1, 4).expand(1, 3, 1, 4)
    found = match_histogram(style, content)[0, 0].flatten().tolist()
    assert found == pytest.approx([0.2, 0.8, 0.35, 0.35])


def test_a_matched_histogram_of_pictures_of_other_sizes() -> None:
    found, content = match_histogram(painting(), photo()), photo()
    for q in (0.1, 0.5, 0.9):
        torch.testing.assert_close(
            found[0].flatten(1).quantile(q, dim=1), content[0].flatten(1).quantile(q, dim=1), atol=0.05, rtol=0
        )


def test_matched_luminance_has_mean_and_deviation() -> None:
    style, content = luma(painting()) * 0.3 + 0.3, luma(photo()) * 0.3 + 0.3
    found = match_luminance(style, content)
    assert found.mean().item() == pytest.approx(content.mean().item(), abs=1e-5)
    assert found.std().item() == pytest.approx(content.std().item(), rel=1e-3)


def test_the_luminance_canvas_keeps_the_chroma_to_one_level_whatever_is_done_to_it() -> None:
    content = photo()
    canvas = Luminance(content, torch.rand(1, 3, 32, 32))
    canvas.resize((int(content.shape[2]), int(content.shape[3])))
    canvas.parameters["luma"].add_(torch.randn_like(canvas.parameters["luma"]))
    canvas.keep_in_range()
    image = canvas.image()
    assert image.min() >= -1e-6 and image.max() <= 1 + 1e-6
    eight = (image * 255).round() / 255
    assert (chroma(eight) - chroma(content)).abs().max() <= 1 / 255


def test_the_gray_encoder_does_not_see_color(tiny) -> None:  # type: ignore[no-untyped-def]
    gray = GrayEncoder(tiny)
    picture = photo()
    recolored = luma(picture).expand(-1, 3, -1, -1)
    a, b = gray(picture, ["relu2_1"]), gray(recolored, ["relu2_1"])
    torch.testing.assert_close(a["relu2_1"], b["relu2_1"], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("form", ["cholesky", "symmetric"])
def test_matched_moments_by_hand(form: str) -> None:
    # One pixel pair per axis: the covariance is diagonal, so that both forms scale each channel by the ratio of
    # deviations, here 1/2, 2 and 1.
    axes = torch.cat([torch.eye(3), -torch.eye(3)]).T.view(1, 3, 2, 3)
    scale = torch.tensor([0.1, 0.05, 0.2]).view(1, 3, 1, 1)
    ratio = torch.tensor([0.5, 2.0, 1.0]).view(1, 3, 1, 1)
    found = match_moments(0.4 + scale * axes, 0.6 + ratio * scale * axes, form)
    torch.testing.assert_close(found, 0.6 + ratio * scale * axes, atol=1e-6, rtol=0)


def test_an_unknown_form_is_refused() -> None:
    with pytest.raises(InputError, match="cholesky"):
        match_moments(painting(), photo(), "qr")


@pytest.mark.parametrize("form", ["cholesky", "symmetric"])
def test_the_noise_of_a_gray_style_does_not_become_color(form: str) -> None:
    gray = luma(painting()).expand(-1, 3, -1, -1)
    noisy = gray + torch.randn(gray.shape, generator=torch.Generator().manual_seed(0)) / 255
    found, clean = match_moments(noisy, photo(), form), match_moments(gray, photo(), form)
    assert (found - clean).abs().mean() < 3 / 255


@pytest.mark.parametrize("value", [0.0, 0.3, 1.0])
def test_matched_to_a_single_color_a_style_is_that_color(value: float) -> None:
    content = torch.full((1, 3, 9, 7), value)
    content[:, 1] = 0.5
    goal = content[..., :1, :1].expand_as(painting())
    for form in ("cholesky", "symmetric"):
        torch.testing.assert_close(match_moments(painting(), content, form), goal, atol=1e-4, rtol=0)
    torch.testing.assert_close(match_histogram(painting(), content), goal)
    light = match_luminance(luma(painting()), luma(content))
    torch.testing.assert_close(light, luma(goal), atol=1e-5, rtol=0)


@pytest.mark.slow
def test_a_matched_histogram_of_more_pixels_than_a_float_counts() -> None:
    content = torch.arange(2**24 + 4).view(1, 1, 4, -1).expand(1, 3, -1, -1) / 2**24
    style = torch.tensor([0.1, 0.9]).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    torch.testing.assert_close(match_histogram(style, content)[0, 0, 0], content[0, 0].flatten()[[0, -1]])


@pytest.mark.parametrize("size", [(24, 31), (64, 64)])
def test_the_luminance_canvas_keeps_random_chroma_at_every_size(size: tuple[int, int]) -> None:
    content = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    canvas = Luminance(content, torch.rand(1, 3, 20, 20))
    canvas.resize(size)
    canvas.parameters["luma"].add_(torch.randn_like(canvas.parameters["luma"]))
    canvas.keep_in_range()
    image, goal = canvas.image(), chroma(lanczos(content, size))
    assert image.min() >= -1e-6 and image.max() <= 1 + 1e-6
    assert (chroma((image * 255).round() / 255) - goal).abs().max() <= 1 / 255


def test_the_luminance_canvas_starts_from_the_content_and_passes_gradients_of_all_channels() -> None:
    canvas = Luminance(photo(), photo())
    torch.testing.assert_close(canvas.image(), photo(), atol=1e-6, rtol=0)
    parameters = canvas.parameters["luma"].requires_grad_()
    weights = torch.tensor([1.0, 2.0, 4.0]).view(1, 3, 1, 1)
    (gradient,) = torch.autograd.grad((weights * canvas.image()).sum(), parameters)
    torch.testing.assert_close(gradient, torch.full_like(gradient, 7.0))


def test_gray_encoders_of_other_pooling_or_weights_share_no_cached_statistics(tiny: VGG) -> None:
    other = copy.deepcopy(tiny)
    other.pooling = "avg"
    keys = {fingerprint(e) for e in (tiny, other, GrayEncoder(tiny), GrayEncoder(other))}
    assert len(keys) == 4
    assert fingerprint(GrayEncoder(tiny)) == fingerprint(GrayEncoder(tiny))


def beside(picture: Tensor, color: float) -> tuple[Tensor, Tensor]:
    """A picture with a flat part of the same size that does not count, and the weights."""
    flat = torch.full_like(picture, color)
    return torch.cat([picture, flat], 3), torch.cat([torch.ones_like(flat), torch.zeros_like(flat)], 3)[:, :1]


@pytest.mark.parametrize("function", ["cholesky", "symmetric", "histogram", "luminance"])
def test_positions_of_weight_0_do_not_count_in_either_picture(function: str) -> None:
    def match(style: Tensor, content: Tensor, *weights: Tensor | None) -> Tensor:
        if function == "histogram":
            return match_histogram(style, content, *weights)
        if function == "luminance":
            return match_luminance(luma(style), luma(content), *weights)
        return match_moments(style, content, function, *weights)

    expected = match(painting(), photo())
    (style, seen), (content, visible) = beside(painting(), 1.0), beside(photo(), 0.0)
    found = match(style, content, seen, visible)
    torch.testing.assert_close(found[..., : expected.shape[-1]], expected, atol=1e-4, rtol=0)
    assert found.shape[-2:] == style.shape[-2:] and found.min() >= 0 and found.max() <= 1
    assert (match(style, content)[..., : expected.shape[-1]] - expected).abs().max() > 0.05


def test_half_a_weight_counts_half() -> None:
    style = torch.tensor([0.0, 1.0]).view(1, 1, 1, 2).expand(1, 3, 1, 2)
    weights = torch.tensor([1.0, 0.5]).view(1, 1, 1, 2)
    doubled = torch.tensor([0.0, 0.0, 1.0]).view(1, 1, 1, 3).expand(1, 3, 1, 3)
    for form in ("cholesky", "symmetric"):
        found, expected = match_moments(photo(), style, form, None, weights), match_moments(photo(), doubled, form)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
    found, expected = (match_luminance(luma(photo()), luma(c), None, w) for c, w in ((style, weights), (doubled, None)))
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_gray_picture_may_have_noise_but_no_spot_of_color() -> None:
    gray = luma(photo()).expand(-1, 3, -1, -1)
    noisy = gray + 2 / 255 * torch.randn(gray.shape, generator=torch.Generator().manual_seed(0)).clamp(-2, 2)
    assert is_gray(gray) and is_gray(noisy) and not is_gray(photo())
    spot = gray.clone()
    spot[:, 0, :2, :2] = 1
    spot[:, 2, :2, :2] = 0
    assert not is_gray(spot)


def test_the_distance_of_colors_by_hand() -> None:
    a = (torch.zeros(3, 1).double(), torch.diag(torch.tensor([4.0, 1.0, 0.0])).double())
    b = (torch.tensor([[3.0], [0.0], [0.0]]).double(), torch.diag(torch.tensor([1.0, 1.0, 4.0])).double())
    # Of means 9; of deviations 2, 1, 0 and 1, 1, 2 along the same axes 1 + 0 + 4.
    assert color_distance(a, b) == pytest.approx(14**0.5, rel=1e-5)
    assert color_distance(a, a) == pytest.approx(0, abs=1e-4)


def test_pictures_together_have_the_moments_of_all_their_pixels() -> None:
    a, b = torch.rand(2, 1, 3, 8, 9, generator=torch.Generator().manual_seed(0)).unbind()
    b = b**3
    mean, covariance = mixed_colors([color_moments(a), color_moments(b)], [2.0, 1.0])
    expected = color_moments(torch.cat([a, a, b], 3))
    torch.testing.assert_close(mean, expected[0])
    torch.testing.assert_close(covariance, expected[1])


def test_with_colors_of_a_black_and_white_picture_through_clipping() -> None:
    lines = (torch.rand(1, 1, 40, 40, generator=torch.Generator().manual_seed(0)) < 0.8).float().expand(-1, 3, -1, -1)
    goal = color_moments(lines)
    once = match_moments(photo(), lines, "symmetric")
    found = with_colors(photo(), goal, near=1 / 255)
    assert color_distance(color_moments(once), goal) > 3 * color_distance(color_moments(found), goal)
    assert float(chroma(found).abs().max()) < 0.02 and float(found.min()) >= 0 and float(found.max()) <= 1


def test_colors_that_are_right_are_left_alone_and_only_what_counts_is_measured() -> None:
    picture = photo()
    assert with_colors(picture, color_moments(picture)) is picture
    nearly = with_colors(picture, color_moments(painting()))
    assert 4 / 255 < color_distance(color_moments(nearly), color_moments(painting())) <= 6 / 255
    weights = torch.zeros_like(picture[:, :1])
    weights[..., :20] = 1
    found = with_colors(picture, color_moments(painting()), weights, 1 / 255)
    assert color_distance(color_moments(found, weights), color_moments(painting())) < 2 / 255
