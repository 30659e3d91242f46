"""Pictures in one pass."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

import impasto
from impasto.errors import InputError
from impasto.jobs.scene import Scene
from impasto.media import write_image
from impasto.methods.growth import passes
from impasto.methods.instant import Painter, instant, open_painter, painting_vector
from impasto.methods.regions import Region, StyleImage, scaled
from impasto.methods.settings import StylizeSettings
from impasto.networks.models import Model, save_model
from impasto.pictures.color import chroma, color_distance, color_moments

SETTINGS = StylizeSettings(size=64)


@pytest.fixture
def painter(small_model: Model) -> Painter:
    return open_painter(small_model)


@pytest.fixture
def photo() -> Tensor:
    torch.manual_seed(1)
    return torch.rand(1, 3, 60, 80)


def styles(*seeds: int) -> list[StyleImage]:
    return [StyleImage(torch.rand(1, 3, 50, 50, generator=torch.Generator().manual_seed(s)) ** (s + 1)) for s in seeds]


def test_a_painting_or_its_vector_gives_the_same(painter: Painter, photo: Tensor) -> None:
    painting = styles(0)
    found = instant(painter, photo, [Region(painting)], SETTINGS)
    assert found.shape == (1, 3, 48, 64) and float(found.min()) >= 0 and float(found.max()) <= 1
    torch.testing.assert_close(found, instant(painter, photo, painting_vector(painter, painting), SETTINGS))


def test_clipping_does_not_keep_a_picture_from_the_paintings_colors(painter: Painter, photo: Tensor) -> None:
    """An engraving: black and white, so that what is matched once is clipped, and then has other colors."""
    lines = (torch.rand(1, 1, 50, 50, generator=torch.Generator().manual_seed(0)) < 0.6).float().expand(-1, 3, -1, -1)
    goal = color_moments(scaled(lines, 512))
    vector = painting_vector(painter, [StyleImage(lines)])
    before, after = (instant(painter, photo, vector, SETTINGS.changed(color=c)) for c in ("style", "painting"))
    assert color_distance(color_moments(before), goal) > 2 * color_distance(color_moments(after), goal)


def test_in_bfloat16_the_picture_is_nearly_the_same(small_model: Model, photo: Tensor) -> None:
    vector = small_model.blended({"dots": 1.0})
    full, half = (instant(open_painter(small_model, precision=p), photo, vector, SETTINGS) for p in ("fp32", "bf16"))
    assert half.dtype == torch.float32
    assert 0 < float((full - half).square().mean().sqrt()) < 0.01
    result = impasto.instant(photo, {"waves": 0.5, "dots": 0.5}, model=small_model, size=64, precision="bf16")
    torch.testing.assert_close(
        result.pixels,
        instant(
            open_painter(small_model, precision="bf16"),
            photo,
            small_model.blended(dict.fromkeys(small_model.styles, 1.0)),
            SETTINGS.changed(color="painting"),
        ),
    )
    assert isinstance(result.settings, StylizeSettings) and result.settings.precision == "bf16"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_of_a_tiny_photograph_every_pixel_is_a_number(precision: str) -> None:
    photo, painting = torch.rand(2, 1, 3, 16, 16, generator=torch.Generator().manual_seed(0)).unbind()
    assert impasto.instant(photo, painting, size=16, precision=precision).pixels.isfinite().all()


def test_a_blend_lies_between_and_a_share_of_0_is_nothing(painter: Painter) -> None:
    a, b = styles(0, 1)
    only = painting_vector(painter, [a])
    torch.testing.assert_close(painting_vector(painter, [a, StyleImage(b.picture, 0.0)]), only)
    assert not torch.allclose(painting_vector(painter, [a, b]), only)


def test_strength_goes_from_the_content_to_the_style(painter: Painter, photo: Tensor) -> None:
    region, picture = [Region(styles(1))], scaled(photo, 64)
    found = [instant(painter, photo, region, SETTINGS, strength=s) for s in (0.0, 0.01, 0.5, 0.999, 1.0)]
    torch.testing.assert_close(found[0], picture)
    assert float((found[1] - picture).abs().mean()) < 0.05
    assert float((found[3] - found[4]).abs().max()) < 0.05
    with pytest.raises(InputError, match="between 0"):
        instant(painter, photo, region, SETTINGS, strength=1.5)


def test_a_model_of_its_own_styles_blends_pictures_for_strength(small_model: Model, photo: Tensor) -> None:
    own = Painter(Model("quarter", small_model.generator, small_model.styles))
    vector, picture = own.model.blended({"dots": 1}), scaled(photo, 64)
    half, full = (instant(own, photo, vector, SETTINGS, strength=s) for s in (0.5, 1.0))
    torch.testing.assert_close(half, (picture + full) / 2)
    with pytest.raises(InputError, match="own styles only"):
        instant(own, photo, [Region(styles(0))], SETTINGS)


def test_masks_divide_the_picture(painter: Painter, photo: Tensor) -> None:
    left = torch.zeros(1, 1, 60, 80)
    left[..., :40] = 1
    a, b = styles(0), styles(1)
    settings = SETTINGS.changed(feather=0.0)
    found = instant(painter, photo, [Region(a, left), Region(b)], settings)
    torch.testing.assert_close(
        found[..., :28], instant(painter, photo, [Region(a)], settings)[..., :28], atol=1e-5, rtol=0
    )
    torch.testing.assert_close(
        found[..., 36:], instant(painter, photo, [Region(b)], settings)[..., 36:], atol=1e-5, rtol=0
    )
    kept = instant(painter, photo, [Region(a, left)], settings)
    torch.testing.assert_close(kept[..., 36:], scaled(photo, 64)[..., 36:], atol=1e-5, rtol=0)


def test_content_luminance_keeps_the_chroma(painter: Painter, photo: Tensor) -> None:
    found = instant(painter, photo, [Region(styles(1))], SETTINGS.changed(color="content-luminance"))
    torch.testing.assert_close(chroma(found), chroma(scaled(photo, 64)), atol=1e-5, rtol=0)


def cut_out(picture: Tensor, top: int, left: int, size: tuple[int, int]) -> Tensor:
    """On a transparent sheet of the mean color, `(1, 4, *size)`."""
    sheet = torch.cat([picture.mean((2, 3), keepdim=True), torch.zeros(1, 1, 1, 1)], 1).repeat(1, 1, *size)
    rows, columns = slice(top, top + picture.shape[2]), slice(left, left + picture.shape[3])
    sheet[..., rows, columns] = torch.cat([picture, torch.ones_like(picture[:, :1])], 1)
    return sheet


def test_transparent_parts_of_a_painting_do_not_count(painter: Painter) -> None:
    painting = torch.rand(1, 3, 256, 256, generator=torch.Generator().manual_seed(0)) ** 3
    sheet = cut_out(painting, 128, 128, (512, 512))
    alone = painting_vector(painter, [StyleImage(painting)])
    found, flat = (painting_vector(painter, [StyleImage(p)]) for p in (sheet, sheet[:, :3]))
    colors = slice(-9, None)  # of the vector: measured pixel by pixel
    torch.testing.assert_close(found[:, colors], alone[:, colors], atol=0.05, rtol=0.05)
    assert (found - alone).norm() < 0.5 * (flat - alone).norm()


def test_of_a_cut_out_only_the_opaque_part_is_painted(painter: Painter, photo: Tensor) -> None:
    sheet = cut_out(photo, 200, 300, (400, 400))
    settings, region = SETTINGS.changed(size=400), [Region(styles(1))]
    found = instant(painter, sheet, region, settings)
    box = sheet[:, :3, 184:276, 284:396]
    torch.testing.assert_close(found[..., 184:276, 284:396], painter(box, painting_vector(painter, styles(1))))
    torch.testing.assert_close(found[..., :184, :], sheet[:, :3, :184])
    with pytest.raises(InputError, match="transparent everywhere"):
        instant(painter, torch.zeros(1, 4, 40, 40), region, settings)


def test_gray_in_gray_out(painter: Painter, photo: Tensor) -> None:
    gray, painting = (p[:, :1].expand(-1, 3, -1, -1) for p in (photo, styles(1)[0].pixels()))
    found = instant(painter, gray, [Region([StyleImage(painting)])], SETTINGS)
    assert chroma(found).abs().max() < 1e-6
    assert chroma(instant(painter, gray, [Region(styles(1))], SETTINGS)).abs().max() > 0.02


def test_a_blend_of_nothing_is_refused(painter: Painter, photo: Tensor) -> None:
    for share in (0.0, -1.0, float("inf")):
        with pytest.raises(InputError, match="blend"):
            painting_vector(painter, [StyleImage(photo, share)])


def test_a_painter_is_opened_by_path(small_model: Model, tmp_path: Path) -> None:
    save_model(small_model, tmp_path / "m.safetensors")
    assert open_painter(tmp_path / "m.safetensors").model.any_style
    with pytest.raises(InputError, match="there is no model"):
        open_painter("nothing.safetensors")


def test_a_very_large_picture_comes_in_tiles_and_tells_so(
    small_model: Model, photo: Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    painting, settings = [Region(styles(0))], StylizeSettings(size=1100)
    painter = open_painter(small_model)
    whole = instant(painter, photo, painting, settings)
    monkeypatch.setattr(small_model.generator, "largest", 1e5)
    told: list[tuple[int, int]] = []
    found = instant(painter, photo, painting, settings, progress=lambda done, total: told.append((done, total)))
    assert told == [(1, 2), (2, 2)]
    assert 0 < float((found - whole).abs().mean()) < 0.02  # statistics of parts


def test_a_large_picture_reduced_is_its_preview(painter: Painter, photo: Tensor) -> None:
    painting, settings = [Region(styles(0))], StylizeSettings(size=1100)
    preview = instant(painter, photo, painting, StylizeSettings(size=512))
    large, thin = (instant(painter, photo, painting, settings, grow=grow) for grow in (True, False))
    far, near = (float((scaled(p, 512) - preview).abs().mean()) for p in (thin, large))
    assert near < 0.01 < 0.02 < far
    again = scaled(preview, 1100)
    assert float((large - again).abs().mean()) > 0.01  # and what is finer is painted, too
    sheet = torch.cat([photo, torch.zeros(1, 1, 60, 80)], 1)
    sheet[:, 3, 10:40, 20:70] = 1
    assert instant(painter, sheet, painting, settings).shape == large.shape


def test_every_pass_is_about_twice_as_large_as_the_one_before() -> None:
    assert passes((300, 700), 700) == [(300, 700)]
    assert passes((300, 800), 800) == [(192, 512), (300, 800)]
    assert passes((100, 4), 4096) == [(12, 1), (25, 1), (50, 2), (100, 4)]  # a small part of a large picture


def test_an_optimization_begins_with_what_a_trained_network_paints(
    small_model: Model, photo: Tensor, tmp_path: Path
) -> None:
    path, paintings = tmp_path / "two.safetensors", [tmp_path / f"{n}.png" for n in small_model.styles]
    for painting in paintings:
        write_image(painting, torch.rand(1, 3, 40, 40))
    save_model(Model("quarter", small_model.generator, small_model.styles), path)
    painter, settings = open_painter(path), SETTINGS.changed(init=str(path), precision="fp32")
    for blend, shares in (((), {"waves": 0.5, "dots": 0.5}), ((0.25, 0.75), {"waves": 0.25, "dots": 0.75})):
        scene = Scene(paintings, blend)
        found = scene.first(photo, scene.regions(photo), settings)
        expected = instant(open_painter(path, precision="fp32"), photo, painter.model.blended(shares), SETTINGS)
        torch.testing.assert_close(found, expected)
    other = Scene([photo])
    with pytest.raises(InputError, match="waves"):
        other.first(photo, other.regions(photo), settings)
    save_model(Model("quarter", small_model.generator, {"dots": small_model.styles["dots"]}), path)
    alone = instant(open_painter(path, precision="fp32"), photo, small_model.blended({"dots": 1.0}), SETTINGS)
    torch.testing.assert_close(other.first(photo, other.regions(photo), settings), alone, atol=1e-3, rtol=0)
    result = impasto.stylize(photo, paintings[0], size=64, steps=1, encoder="lite", init=str(path))
    assert result.pixels.shape == alone.shape
    with pytest.raises(InputError, match="needs a photograph"):
        other.first(None, other.regions(None), settings)


def test_what_does_not_fit_is_refused_before_anything_is_resized(small_model: Model, photo: Tensor) -> None:
    vector = small_model.blended({"dots": 1.0})
    painter = open_painter(small_model, max_memory=1e9)
    with pytest.raises(InputError, match=r"a picture of 32768x24576 needs .* GB and max-memory is 1.0 GB: choose"):
        instant(painter, photo, vector, StylizeSettings(size=32768))
    torch.testing.assert_close(
        instant(painter, photo, vector, SETTINGS), instant(open_painter(small_model), photo, vector, SETTINGS)
    )
    with pytest.raises(InputError, match=r"a picture of 80x60 needs 0.4 GB and max-memory is 0.1 GB"):
        open_painter(small_model, max_memory=1e8)(photo, vector)
