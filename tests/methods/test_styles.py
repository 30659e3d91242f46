"""From paintings, masks and maps to terms."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from impasto.cache import StatisticsCache
from impasto.errors import InputError
from impasto.methods.gatys import divided
from impasto.methods.styles import (
    Region,
    StyleImage,
    average_statistics,
    by_segment,
    divide,
    rotated,
    segments,
    style_terms,
    whole,
)
from impasto.objective import STYLE_LOSSES
from impasto.settings import StylizeSettings

LAYERS = ("relu1_1", "relu2_1")
SETTINGS = StylizeSettings(style_layers=LAYERS, content_layers=("relu2_2",), size=32)


def picture(seed: int, height: int = 40, width: int = 32) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(seed))


def half(side: str, size: int = 32) -> Tensor:
    mask = torch.zeros(1, 1, size, size)
    mask[..., : size // 2] = 1
    return mask if side == "left" else 1 - mask


def test_a_blend_is_the_weighted_average_of_statistics(tiny) -> None:  # type: ignore[no-untyped-def]
    alone = [average_statistics(tiny, [StyleImage(picture(s))], 32, SETTINGS) for s in (1, 2)]
    both = average_statistics(tiny, [StyleImage(picture(1), 3.0), StyleImage(picture(2), 1.0)], 32, SETTINGS)
    for layer in LAYERS:
        torch.testing.assert_close(both[layer], 0.75 * alone[0][layer] + 0.25 * alone[1][layer])


def test_several_style_scales_are_averaged(tiny) -> None:  # type: ignore[no-untyped-def]
    style = [StyleImage(picture(1))]
    alone = [average_statistics(tiny, style, 32, SETTINGS.changed(style_scales=(s,))) for s in (0.75, 1.5)]
    both = average_statistics(tiny, style, 32, SETTINGS.changed(style_scales=(0.75, 1.5)))
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
    found = [average_statistics(encoder, styles, 32, SETTINGS, cache=cache) for _ in range(2)]  # type: ignore[arg-type]
    assert len(looked) == 1
    torch.testing.assert_close(found[0], found[1])
    average_statistics(encoder, styles, 48, SETTINGS, cache=cache)  # type: ignore[arg-type]
    assert len(looked) == 2
    next((tmp_path / "new").iterdir()).write_bytes(b"damaged")
    average_statistics(encoder, styles, 32, SETTINGS, cache=cache)  # type: ignore[arg-type]
    average_statistics(encoder, styles, 48, SETTINGS, cache=cache)  # type: ignore[arg-type]
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
            style_terms(tiny, [region], 32, SETTINGS)
