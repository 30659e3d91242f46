"""What paints in one pass: models of textures beside models of styles; scenes that move."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.networks import tiles
from impasto.networks.models import Model
from impasto.networks.painter import Painter, open_painter, texture_from_model
from impasto.networks.pyramid import Pyramid
from impasto.networks.quarter import Quarter


def textures(*names: str) -> Model:
    torch.manual_seed(0)
    network = Pyramid(3, 4, source="noise").eval()
    return Model("pyramid", network, {n: network.plain_style() + torch.randn(network.style_size) for n in names})


@pytest.mark.parametrize("size", [(1, 1), (30, 7), (40, 24)])
def test_a_texture_of_any_size_comes_from_the_seed(size: tuple[int, int]) -> None:
    model = textures("bricks")
    found = texture_from_model(model, size, seed=1)
    assert found.shape == (1, 3, size[1], size[0]) and found.min() >= 0 and found.max() <= 1
    assert torch.equal(found, texture_from_model(model, size, seed=1))
    if size != (1, 1):
        assert not torch.equal(found, texture_from_model(model, size, seed=2))


def test_one_of_several_textures_is_named() -> None:
    model = textures("bricks", "grass")
    assert not torch.equal(*(texture_from_model(model, (32, 32), style=name) for name in model.styles))
    with pytest.raises(InputError, match="several textures; name one with --style: bricks, grass"):
        texture_from_model(model)
    with pytest.raises(InputError, match="did you mean bricks"):
        texture_from_model(model, style="brick")


def test_pictures_at_once_go_in_halves_where_there_is_not_the_memory(small_model: Model) -> None:
    sizes = []

    def run(images: Tensor, style: Tensor) -> Tensor:
        sizes.append(len(images))
        if len(images) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return small_model(images, style)

    photos, style = list(torch.rand(5, 1, 3, 16, 16)), small_model.blended({next(iter(small_model.styles)): 1.0})
    found = Painter(small_model, run).together(photos, style)
    assert sizes == [5, 2, 3, 1, 2]
    torch.testing.assert_close(torch.cat(found), torch.cat([small_model(photo, style) for photo in photos]))


def test_what_makes_textures_paints_no_pictures_and_the_other_way_round(small_model: Model) -> None:
    with pytest.raises(InputError, match="this model makes textures out of noise"):
        open_painter(textures("bricks"))
    with pytest.raises(InputError, match="turns pictures into pictures"):
        texture_from_model(small_model, (32, 32), style="dots")
    with pytest.raises(InputError, match="size is 0x32; both sides must be at least 1 pixel"):
        texture_from_model(textures("bricks"), (0, 32))


def scene(painter: Painter, place: tuple[int, int], origin: tuple[int, int]) -> Tensor:
    """A part of one scene, `(1, 3, 240, 256)` beginning at `place`, painted as if it began at `origin`."""
    torch.manual_seed(1)
    whole = torch.rand(1, 3, 300, 300).cumsum(3) % 1
    cut = whole[..., place[0] : place[0] + 240, place[1] : place[1] + 256]
    return painter.moved(origin)(cut, painter.model.generator.plain_style()[None])


@pytest.fixture
def grained() -> Painter:
    torch.manual_seed(0)
    generator = Quarter(8, 8, 1, 0, fine=4, deepest=4).eval()
    for value in generator.parameters():
        if not value.any():
            torch.nn.init.normal_(value, std=0.1)
    return Painter(Model("quarter", generator))


@pytest.mark.parametrize("by", [(16, 16), (1, 0), (5, 2), (19, 33)])
def test_a_picture_that_moves_is_painted_moved(grained: Painter, by: tuple[int, int]) -> None:
    painter, halo = grained.held(), grained.model.generator.halo
    before, after = scene(painter, (0, 0), (0, 0)), scene(painter, by, by)
    inside = (slice(None), slice(None), slice(halo, 240 - by[0] - halo), slice(halo, 256 - by[1] - halo))
    still = before[..., by[0] :, by[1] :][inside]
    assert still.shape[2] > 8
    torch.testing.assert_close(after[inside], still, atol=1e-5, rtol=0)
    away = scene(painter, by, (0, 0))[inside]
    assert (away - still).abs().max() > 1e-3


def test_where_nothing_moves_pictures_stay_bit_for_bit(grained: Painter) -> None:
    alone = scene(grained, (0, 0), (0, 0))
    shot = grained.held()
    first = scene(shot, (0, 0), (0, 0))
    torch.testing.assert_close(first, alone, atol=1e-5, rtol=0)
    scene(grained, (9, 9), (9, -9))
    assert torch.equal(scene(grained, (0, 0), (0, 0)), alone)
    assert torch.equal(scene(shot, (0, 0), (0, 0)), first)


def test_a_shots_statistics_serve_tiles_too(grained: Painter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiles, "TILES", (64,))
    shot = grained.held()
    whole = scene(shot, (0, 0), (3, 5))
    shot.model.generator.largest = 0
    torch.testing.assert_close(scene(shot, (0, 0), (3, 5)), whole, atol=1e-5, rtol=0)
