"""From paintings, masks and maps to terms."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from impasto.errors import InputError
from impasto.media import read_image
from impasto.methods.regions import (
    Region,
    StyleImage,
    by_segment,
    divide,
    flat_colors,
    labeled,
    opaque_box,
    scaled,
    segments,
    whole,
)
from impasto.methods.settings import StylizeSettings
from impasto.methods.stylize import divided, recolor, start, stylize
from impasto.methods.targets import rotated, style_targets, style_terms
from impasto.objective import STYLE_LOSSES
from impasto.objective.cache import StatisticsCache
from impasto.objective.matching import NEAREST
from impasto.pictures.color import chroma, color_distance, color_moments, mixed_colors

LAYERS = ("relu1_1", "relu2_1")
SETTINGS = StylizeSettings(style_layers=LAYERS, content_layers=("relu2_2",), size=32)


def picture(seed: int, height: int = 40, width: int = 32) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def half(side: str, size: int = 32) -> Tensor:
    mask = torch.zeros(1, 1, size, size)
    mask[..., : size // 2] = 1
    return mask if side == "left" else 1 - mask


def test_a_blend_is_the_weighted_average_of_statistics(tiny) -> None:  # type: ignore[no-untyped-def]
    alone = [style_targets(tiny, [StyleImage(picture(s))], 32, SETTINGS) for s in (1, 2)]
    both = style_targets(tiny, [StyleImage(picture(1), 3.0), StyleImage(picture(2), 1.0)], 32, SETTINGS)
    for layer in LAYERS:
        torch.testing.assert_close(both[layer], 0.75 * alone[0][layer] + 0.25 * alone[1][layer])


def test_several_style_scales_are_averaged(tiny) -> None:  # type: ignore[no-untyped-def]
    style = [StyleImage(picture(1))]
    alone = [style_targets(tiny, style, 32, SETTINGS.changed(style_scales=(s,))) for s in (0.75, 1.5)]
    both = style_targets(tiny, style, 32, SETTINGS.changed(style_scales=(0.75, 1.5)))
    torch.testing.assert_close(both["relu1_1"], (alone[0]["relu1_1"] + alone[1]["relu1_1"]) / 2)


def test_a_painting_is_read_when_it_is_wanted_and_its_statistics_are_kept(tiny, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    looked: list[int] = []

    def encoder(images: Tensor, layers: tuple[str, ...]) -> dict[str, Tensor]:
        looked.append(1)
        return tiny(images, layers)  # type: ignore[no-any-return]

    encoder.name, encoder.layers = "counting", tiny.layers  # type: ignore[attr-defined]
    encoder.fingerprint = lambda: "counting"  # type: ignore[attr-defined]
    styles = [StyleImage(lambda: picture(1))]
    cache = StatisticsCache(tmp_path / "new")
    found = [style_targets(encoder, styles, 32, SETTINGS, cache=cache) for _ in range(2)]  # type: ignore[arg-type]
    assert len(looked) == 1
    torch.testing.assert_close(found[0], found[1])
    style_targets(encoder, styles, 48, SETTINGS, cache=cache)  # type: ignore[arg-type]
    assert len(looked) == 2
    next((tmp_path / "new").iterdir()).write_bytes(b"damaged")
    style_targets(encoder, styles, 32, SETTINGS, cache=cache)  # type: ignore[arg-type]
    style_targets(encoder, styles, 48, SETTINGS, cache=cache)  # type: ignore[arg-type]
    assert len(looked) == 3


def test_the_cache_forgets_what_was_used_longest_ago(tmp_path: Path) -> None:
    cache = StatisticsCache(tmp_path, most=5000)
    for number in range(4):
        cache.put(f"entry{number}", {"x": torch.zeros(500)})
    assert cache.get("entry3") is not None and len(list(tmp_path.iterdir())) == 2


def test_masks_overlap_nowhere_and_an_empty_one_is_refused() -> None:
    soft = divide([half("left"), torch.ones(1, 1, 32, 32)], 0.05)
    total = soft[0] + soft[1]
    assert total.max() <= 1 + 1e-6 and soft[0][..., 0].mean() == pytest.approx(0.5, abs=0.01)
    with pytest.raises(InputError, match="mask 2 is empty"):
        divide([half("left"), torch.zeros(1, 1, 32, 32)], 0.05)


def test_what_no_mask_covers_gets_the_free_styles_or_stays_as_it_is() -> None:
    a, b = StyleImage(picture(1)), StyleImage(picture(2))
    like = picture(0, 32, 32)
    regions, untouched = divided([Region([a], half("left")), Region([b])], SETTINGS, like)
    assert untouched is None and len(regions) == 2
    assert regions[1].mask is not None and regions[1].mask[..., -1].min() > 0.99
    regions, untouched = divided([Region([a], half("left"))], SETTINGS, like)
    assert len(regions) == 1 and untouched is not None and untouched[..., -1].min() > 0.99
    regions, untouched = divided([Region([], half("left")), Region([b])], SETTINGS, like)
    assert len(regions) == 1 and untouched is not None and untouched[..., 0].min() > 0.99
    assert divided(whole(picture(1)), SETTINGS, like)[1] is None


def test_what_stays_does_so_below_another_mask_too() -> None:
    like, sharp, everywhere = picture(0, 32, 32), SETTINGS.changed(feather=0.0), torch.ones(1, 1, 32, 32)
    regions, untouched = divided([Region([StyleImage(picture(1))], everywhere), Region([], half("left"))], sharp, like)
    assert untouched is not None and torch.equal(untouched, half("left"))
    assert len(regions) == 1 and regions[0].mask is not None and torch.equal(regions[0].mask, 1 - half("left"))


def test_the_colors_of_a_map_are_classes() -> None:
    ours = torch.zeros(1, 3, 16, 16)
    ours[:, 0, :, :8] = 1  # red and black
    theirs = torch.zeros(1, 3, 8, 12)
    theirs[:, 0, 4:] = 0.95  # nearly red
    (first, second) = segments(ours, [theirs])
    red = first if first[0][0, 0, 0, 0] == 1 else second
    assert red[0][..., :8].min() == 1 and red[0][..., 8:].max() == 0
    assert red[1][..., 4:, :].min() == 1 and red[1][..., :4, :].max() == 0
    regions = by_segment([Region([StyleImage(picture(1), guide=theirs)])], ours)
    assert len(regions) == 2 and all(r.mask is not None and r.styles[0].mask is not None for r in regions)


def test_a_rotation_turns_picture_and_mask_and_leaves_out_what_comes_from_outside() -> None:
    square = picture(3, 16, 16)
    turned, mask, guide = rotated(square, None, square, 90.0)
    torch.testing.assert_close(turned, square.rot90(1, (2, 3)), atol=1e-4, rtol=0)
    assert mask is not None and mask.min() > 0.99
    torch.testing.assert_close(guide, turned, atol=1e-4, rtol=0)
    assert rotated(square, None, None, 45.0)[1][0, 0, 0, 0] == 0  # type: ignore[index]


@pytest.mark.parametrize("loss", STYLE_LOSSES)
def test_masks_give_each_style_its_region_with_every_statistic(tiny, loss: str) -> None:  # type: ignore[no-untyped-def]
    settings = SETTINGS.changed(style_loss=loss, style_layers=LAYERS, balance=0.5)
    regions = [Region([StyleImage(picture(1))], half("left")), Region([StyleImage(picture(2))], half("right"))]
    image = picture(5, 32, 32)
    features = tiny(image, LAYERS)

    def gradients(terms: list) -> list[Tensor]:  # type: ignore[type-arg]
        x = features["relu1_1"].clone().requires_grad_()
        return [torch.autograd.grad(t(image, {**features, "relu1_1": x}), x, retain_graph=True)[0] for _, t in terms]

    terms = style_terms(tiny, regions, 32, settings)
    left, right = gradients(terms)
    assert left[..., :12].abs().sum() > 0 and left[..., 20:].abs().max() == 0
    assert right[..., 20:].abs().sum() > 0 and right[..., :12].abs().max() == 0
    assert sum(weight for weight, _ in terms) == pytest.approx(0.5 * settings.style_weight)


def test_a_blend_that_sums_to_zero_or_is_negative_is_refused(tiny) -> None:  # type: ignore[no-untyped-def]
    for shares in ((0.0, 0.0), (1.0, -0.5), (float("nan"), 1.0)):
        region = Region([StyleImage(picture(i), s) for i, s in enumerate(shares)])
        with pytest.raises(InputError, match="blend"):
            style_terms(tiny, [region], 32, SETTINGS.resolved("tiny"))


def on_a_sheet(picture: Tensor, size: int = 96) -> Tensor:
    """A picture in the middle of a transparent sheet of its mean color, `(1, 4, size, size)`."""
    height, width = picture.shape[-2:]
    sheet = torch.cat([picture.mean((2, 3), keepdim=True), torch.zeros(1, 1, 1, 1)], 1).repeat(1, 1, size, size)
    top, left = (size - height) // 2, (size - width) // 2
    sheet[..., top : top + height, left : left + width] = torch.cat([picture, torch.ones_like(picture[:, :1])], 1)
    return sheet


@pytest.mark.parametrize("loss", STYLE_LOSSES)
def test_transparent_parts_of_a_painting_do_not_count(tiny, loss: str) -> None:  # type: ignore[no-untyped-def]
    settings = SETTINGS.changed(style_loss=loss, style_layers=LAYERS, size=96).resolved("tiny")
    flat, cut, alone = (
        [Region([StyleImage(p)])] for p in (on_a_sheet(picture(1))[:, :3], on_a_sheet(picture(1)), picture(1))
    )
    image = picture(5, 96, 96)

    def losses(regions: list[Region], size: int) -> float:
        ((weight, term),) = style_terms(tiny, regions, size, settings)
        return weight * float(term(image, tiny(image, LAYERS)))

    expected = losses(alone, 40)  # at the size that it has on the sheet
    assert losses(cut, 96) == pytest.approx(expected, rel=0.1)
    assert abs(losses(flat, 96) - expected) > 2 * abs(losses(cut, 96) - expected)


def test_masked_positions_do_not_move_the_center_of_nearest() -> None:
    maps = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    maps[..., 4:] += 100
    bank = NEAREST.bank([maps], [1.0], [half("left", 8)], [None])
    torch.testing.assert_close(bank.center, maps[..., :4].mean((2, 3), keepdim=True))


@pytest.mark.parametrize("color", ["content-match", "histogram", "content-luminance"])
def test_a_cut_out_and_its_sheet_give_paintings_the_same_colors(color: str) -> None:
    content, settings = 0.2 + 0.5 * picture(2), SETTINGS.changed(color=color)
    sheet = on_a_sheet(content)
    expected = recolor(settings, content)(picture(1), None)
    found = recolor(settings, sheet[:, :3], sheet[:, 3:])(picture(1), None)
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)
    style = on_a_sheet(picture(1))
    found = recolor(settings, content)(style[:, :3], style[:, 3:])[..., 28:68, 32:64]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=0)


def last(steps) -> Tensor:  # type: ignore[no-untyped-def]
    *_, step = steps
    return step.image()  # type: ignore[no-any-return]


def test_the_transparent_part_of_the_content_takes_no_part_in_its_style(tiny) -> None:  # type: ignore[no-untyped-def]
    sheet = on_a_sheet(picture(2), 64)
    settings = SETTINGS.changed(size=64, steps=3, scales=1, optimizer="lbfgs", jitter=0)
    found = last(stylize(tiny, sheet, picture(1), settings))
    flat = last(stylize(tiny, sheet[:, :3], picture(1), settings))
    corner = sheet[:, :3, :8, :8]
    assert (found[..., :8, :8] - corner).abs().max() < 0.2 * (flat[..., :8, :8] - corner).abs().max()
    with pytest.raises(InputError, match="transparent everywhere"):
        stylize(tiny, sheet * torch.tensor([1, 1, 1, 0]).view(1, 4, 1, 1), picture(1), settings)


def test_the_opaque_box_has_its_margin_within_the_picture() -> None:
    assert opaque_box(on_a_sheet(picture(1, 10, 20), 40)[:, 3:]) == (slice(15, 25), slice(10, 30))
    rows, columns = opaque_box(on_a_sheet(picture(1, 10, 20), 40)[:, 3:], 12)
    assert torch.zeros(40, 40)[rows, columns].shape == (34, 40)
    assert torch.zeros(9, 9)[opaque_box(torch.full((1, 1, 9, 9), 0.01))].shape == (9, 9)


@pytest.mark.parametrize("color", ["style", "content-match", "histogram"])
def test_gray_in_gray_out(tiny, color: str) -> None:  # type: ignore[no-untyped-def]
    noise = torch.randn(1, 3, 40, 32, generator=torch.Generator().manual_seed(3)).clamp(-2, 2) / 255
    gray = (picture(2)[:, :1] + noise).clamp(0, 1)
    settings = SETTINGS.changed(color=color, steps=4, scales=1, style_weight=1e6)
    for painting in (gray.flip(2), picture(1)[:, :1].expand(-1, 3, -1, -1)):
        found = last(stylize(tiny, gray, painting, settings))
        assert chroma(found).abs().max() < 0.5 / 255 and (found - scaled(gray, 32)).abs().mean() > 0.003
    assert chroma(last(stylize(tiny, picture(2), gray, settings))).abs().max() > 0.1
    if color == "style":
        assert chroma(last(stylize(tiny, gray, picture(1), settings))).abs().max() > 0.02


def test_a_gray_painting_makes_a_gray_doodle(tiny) -> None:  # type: ignore[no-untyped-def]
    settings, painting = (
        SETTINGS.changed(steps=2, content_weight=0.0, init="noise"),
        picture(1)[:, :1].expand(-1, 3, -1, -1),
    )
    doodle = {"guide": picture(2)}
    for style, is_gray in ((painting, True), (picture(1), False)):
        region = Region([StyleImage(style, guide=picture(2))])
        found = last(stylize(tiny, None, [region], settings, **doodle))
        assert bool(chroma(found).abs().max() < 1e-5) is is_gray


def label_map(labels: int, step: float, size: int = 96) -> Tensor:
    """Vertical stripes of gray `0, step, 2 step, …`, `(1, 3, size, size)`."""
    stripes = torch.arange(size) * labels // size * step
    return stripes.view(1, 1, 1, -1).repeat(1, 3, size, 1)


@pytest.mark.parametrize(("labels", "step"), [(6, 1 / 255), (6, 1 / 65535), (3, 20 / 255), (16, 10 / 255)])
def test_all_flat_colors_of_a_map_are_classes_however_alike(labels: int, step: float) -> None:
    ours = label_map(labels, step)
    found = segments(ours, [ours.flip(3)])
    assert len(found) == labels
    for masks in found:
        torch.testing.assert_close(masks[0], masks[1].flip(3))
        assert masks[0].mean() == pytest.approx(1 / labels)


def test_a_label_that_the_picture_lacks_joins_no_other() -> None:
    ours, theirs = label_map(3, 1 / 255), label_map(4, 1 / 255)
    found = segments(ours, [theirs])
    assert [float(theirs.mean()) for _, theirs in found] == pytest.approx([0.25] * 3)
    lacking = segments(theirs, [ours])
    assert sorted(float(m.mean()) for _, m in lacking) == pytest.approx([0, 1 / 3, 1 / 3, 1 / 3])


def test_a_thin_line_is_a_class_and_a_soft_edge_is_none() -> None:
    line = torch.zeros(1, 3, 200, 200)
    line[:, 0, :, 100:] = 1
    for k, share in enumerate((0.2, 0.4, 0.6, 0.8)):
        line[:, 0, :, 98 + k] = share
    line[:, 2, 50:53] = 1
    line[:, 0, 50:53] = 0
    assert sorted(flat_colors(line).tolist()) == [[0, 0, 0], [0, 0, 1], [1, 0, 0]]


@pytest.mark.parametrize("quality", [60, 90])
def test_noise_of_jpeg_is_no_class(quality: int) -> None:
    drawn = Image.new("RGB", (192, 192), (200, 30, 30))
    pen = ImageDraw.Draw(drawn)
    for number, color in enumerate(("navy", "white", "green", "yellow")):
        pen.ellipse((20 + 40 * number, 30, 55 + 40 * number, 160), fill=color)
    buffer = io.BytesIO()
    drawn.save(buffer, "JPEG", quality=quality)
    assert len(flat_colors(read_image(Image.open(buffer)).pixels)) == 5
    photo = picture(3, 96, 96)
    assert len(flat_colors(photo)) == 0 and len(segments(photo, [photo])) > 1


def test_for_patches_numbers_of_labels_become_channels() -> None:
    guide = label_map(6, 1 / 255)
    regions, channels = labeled([Region([StyleImage(picture(1), guide=guide.flip(3))])], guide)
    assert channels.shape == (1, 6, 96, 96) and float(channels.sum(1).min()) == 1
    torch.testing.assert_close(regions[0].styles[0].guide, channels.flip(3))
    colors = label_map(3, 0.5)
    assert labeled(regions, colors)[1] is colors


def test_a_class_that_is_transparent_in_the_painting_is_served_by_all_of_it() -> None:
    ours = label_map(2, 1.0, 32)
    painting = torch.cat([picture(1, 32, 32), 1 - ours[:, :1]], 1)
    first, second = by_segment([Region([StyleImage(painting, guide=ours)])], ours)
    masks = [r.styles[0].opened().mask for r in (first, second)]
    assert all(m is not None and m.mean() == 0.5 for m in masks)


def test_a_painting_that_is_too_small_is_named(tiny) -> None:  # type: ignore[no-untyped-def]
    region = Region([StyleImage(picture(1)), StyleImage(picture(2, 12, 12), name="style starry.jpg")])
    with pytest.raises(InputError, match=r"the style starry.jpg is 12x12 pixels"):
        style_terms(tiny, [region], 32, SETTINGS.resolved("tiny"))


def test_the_paintings_colors_come_region_by_region_and_several_together(tiny) -> None:  # type: ignore[no-untyped-def]
    dark, light, third = 0.3 * picture(1), 1 - 0.3 * picture(2), picture(3)
    regions = [
        Region([StyleImage(dark)], half("left")),
        Region([StyleImage(light, 3.0), StyleImage(third, 1.0)], half("right")),
    ]
    settings = SETTINGS.changed(color="painting", steps=2, feather=0.0)
    *_, last = stylize(tiny, picture(4, 32, 32), regions, settings)
    seen = [color_moments(scaled(p, 32)) for p in (dark, light, third)]
    goals = [seen[0], mixed_colors(seen[1:], [3.0, 1.0])]
    for side, goal in zip(("left", "right"), goals, strict=True):
        assert color_distance(color_moments(last.image(), half(side)), goal) < 7 / 255
    *_, other = stylize(tiny, picture(4, 32, 32), regions, settings.changed(color="style"))
    assert other.losses == last.losses


def test_what_no_style_covers_keeps_its_colors(tiny) -> None:  # type: ignore[no-untyped-def]
    regions = [Region([StyleImage(0.3 * picture(1))], half("left")), Region([], half("right"))]
    content = picture(4, 32, 32)
    *_, last = stylize(tiny, content, regions, SETTINGS.changed(color="painting", steps=2, feather=0.0))
    assert torch.equal(last.image()[..., 18:], content[..., 18:])


def test_a_run_in_the_paintings_colors_resumes(tiny) -> None:  # type: ignore[no-untyped-def]
    settings = SETTINGS.changed(color="painting", keep_detail=True, scales=2, size=48, steps=3)
    steps = [(s.image(), s.state()) for s in stylize(tiny, picture(4), 0.4 * picture(1), settings)]
    *_, last = stylize(tiny, picture(4), 0.4 * picture(1), settings, resume=steps[1][1])
    assert torch.equal(last.image(), steps[-1][0])


def test_kept_detail_is_the_first_pictures(tiny) -> None:  # type: ignore[no-untyped-def]
    """Steps that change nothing leave the first picture, and not what the coarse scale has of it."""
    settings = SETTINGS.changed(content_weight=1.0, style_weight=0.0, scales=2, size=64, steps=1)
    content = picture(4, 64, 64)
    found = {}
    for kept in (True, False):
        run = stylize(tiny, content, content, settings.changed(keep_detail=kept))
        found[kept] = next(s.image() for s in run if s.scale == 2)
    torch.testing.assert_close(found[True], content, atol=1e-3, rtol=0)
    assert (found[False] - content).square().mean() > 100 * (found[True] - content).square().mean()


def test_a_recolored_start_is_the_content_in_the_paintings_colors(tiny) -> None:  # type: ignore[no-untyped-def]
    content, painting = picture(4, 32, 32), 0.3 * picture(1, 32, 32)
    settings = SETTINGS.changed(init="recolored")
    first = start(content.shape, content, whole(painting), settings)
    assert color_distance(color_moments(first), color_moments(painting)) < 2 / 255
    kept = start(content.shape, content, whole(painting), settings.changed(color="content-luminance"))
    assert torch.equal(kept, content)
