"""The fast generator and its parts."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from impasto.networks.conditioning import ConditionalNorm, Mixing, Recorder, Slots, mixed
from impasto.networks.quarter import Bottom, Quarter, Recolor, folded, style_colors, unfolded


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("styles", [1, 2])
def test_a_conditional_norm_is_instance_normalization_scaled_and_shifted(
    layout: torch.memory_format, styles: int
) -> None:
    torch.manual_seed(0)
    slots = Slots()
    slots.take(3)
    norm = ConditionalNorm(4, slots)
    x = (torch.randn(2, 4, 5, 6) * 3 + 1).contiguous(memory_format=layout).requires_grad_()
    style, weight = torch.randn(styles, slots.size, requires_grad=True), torch.randn(2, 4, 5, 6)
    plain = torch.nn.functional.instance_norm(x)
    expected = plain * (1 + style[:, 3:7, None, None]) + style[:, 7:, None, None]
    found = norm(x, style)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)
    theirs = torch.autograd.grad((weight * expected).sum(), (x, style))
    ours = torch.autograd.grad((weight * found).sum(), (x, style))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_a_batch_norm_keeps_its_statistics_for_test_time() -> None:
    slots = Slots()
    norm = ConditionalNorm(2, slots, "batch")
    x, zero = torch.randn(4, 2, 6, 6) + 5, torch.zeros(1, slots.size)
    for _ in range(200):
        norm(x, zero)
    norm.eval()
    torch.testing.assert_close(norm(x[:1], zero).mean(), norm(x, zero)[0].mean(), atol=1e-4, rtol=0)
    assert abs(norm(x, zero).mean()) < 0.05


def test_mixing_begins_as_nothing_and_is_a_matrix_at_each_position() -> None:
    torch.manual_seed(0)
    slots = Slots()
    mixing, x = Mixing(5, slots, 2), torch.randn(2, 5, 3, 4)
    style = torch.randn(2, slots.size)
    torch.testing.assert_close(mixing(x, style), x)
    torch.nn.init.normal_(mixing.outward.weight)
    u, v = mixing.outward.weight[..., 0, 0], mixing.inward.weight[..., 0, 0]
    matrix = torch.eye(5) + u @ (torch.eye(2) + style[1].view(2, 2)) @ v
    torch.testing.assert_close(mixing(x, style)[1, :, 2, 1], matrix @ x[1, :, 2, 1], atol=1e-5, rtol=1e-5)


def test_recoloring_gives_the_mean_and_covariance_of_the_style() -> None:
    torch.manual_seed(0)
    mix = torch.rand(2, 3, 3, dtype=torch.float64)
    content = (mix[0] @ torch.rand(1, 3, 2000, dtype=torch.float64)).view(1, 3, 40, 50)
    rows = (mix[1] @ torch.rand(1, 3, 900, dtype=torch.float64)) / 3
    colors = style_colors(rows @ rows.transpose(1, 2) / 900, rows.mean(2))
    slots = Slots()
    recolor = Recolor(slots.take(9)).double()
    got = recolor(content, colors).flatten(2)[0]
    torch.testing.assert_close(got.mean(1), rows[0].mean(1), atol=1e-6, rtol=0)
    # The ridge keeps flat pictures from being blown up; it costs a little contrast.
    ratio = torch.cov(got).diagonal() / torch.cov(rows[0]).diagonal()
    assert float(ratio.min()) > 0.5 and float(ratio.max()) < 1.01


def test_recoloring_keeps_what_is_lighter_lighter() -> None:
    gray = torch.linspace(0, 1, 32).view(1, 1, 1, 32).expand(1, 3, 8, 32)
    colors = torch.tensor([[0.9, 0.1, 0.0, 0.3, -0.1, 0.1, 0.05, 0.02, 0.1]])
    light = Recolor(slice(0, 9))(gray, colors).mean(1)[0, 0]
    assert (light.diff() > 0).all()


def test_an_untrained_generator_adds_nothing_finer_than_its_cells() -> None:
    torch.manual_seed(0)
    network = Quarter(8, 8, 1, 2).eval()
    with torch.inference_mode():
        flat = network(torch.full((1, 3, 64, 64), 0.3), network.plain_style()[None])
    cells = flat.unflatten(3, (32, 2)).unflatten(2, (32, 2))  # (1, 3, 32, 2, 32, 2)
    torch.testing.assert_close(cells, cells[:, :, :, :1, :, :1].expand_as(cells), atol=1e-5, rtol=0)


def test_a_bottom_adds_nothing_at_first_and_then_something_two_pixels_wide() -> None:
    torch.manual_seed(0)
    slots = Slots()
    bottom, x = Bottom(3, 4, slots), torch.randn(1, 3, 8, 6)
    style = torch.zeros(1, slots.size)
    torch.testing.assert_close(bottom(x, style), x)
    bottom.up.weight.data = torch.randn(3, 4, 1, 1).repeat_interleave(4, 0)  # pixels that unfold alike
    added = (bottom(x, style) - x).unflatten(3, (3, 2)).unflatten(2, (4, 2))  # (1, 3, 4, 2, 3, 2)
    assert added.abs().max() > 0.1
    torch.testing.assert_close(added, added[:, :, :, :1, :, :1].expand_as(added), atol=1e-5, rtol=0)


def test_a_painting_with_its_own_moments_is_what_the_plain_network_makes_of_it() -> None:
    """The recorded γ and β undo every normalization."""
    torch.manual_seed(0)
    network, painting = Quarter(8, 8, 2, 2).eval(), torch.rand(1, 3, 40, 48)
    vector = network.moments(painting)
    assert vector.shape == (1, network.style_size)
    seen = network._seen(painting, painting - 0.5, vector)
    torch.testing.assert_close(network._worked(seen, vector), network._worked(seen, Recorder()), atol=1e-3, rtol=1e-3)


def test_moments_of_a_mask_are_those_of_its_part() -> None:
    torch.manual_seed(0)
    slots, x = Slots(), torch.rand(1, 4, 6, 8)
    norm, mask = ConditionalNorm(4, slots), torch.zeros(1, 1, 6, 8)
    mask[..., :4] = 1
    part, whole = Recorder(mask), Recorder()
    norm(x, part)
    norm(x[..., :4], whole)
    torch.testing.assert_close(part.vector(8), whole.vector(8))
    assert part.vector(10)[0, 8:].tolist() == [0, 0]


@pytest.mark.parametrize("half", [False, True])
def test_pixels_are_folded_as_torch_does(half: bool) -> None:
    image, cells = torch.rand(2, 3, 8, 12), torch.rand(2, 12, 4, 5)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        expected = [4 * F.pixel_unshuffle(mixed(image), 4), F.pixel_shuffle(mixed(cells), 2)]
        assert expected[0].dtype == (torch.bfloat16 if half else torch.float32)
        torch.testing.assert_close([folded(image), unfolded(cells)], expected, atol=0, rtol=0)
