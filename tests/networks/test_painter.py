"""What paints in one pass: models of textures beside models of styles."""

from __future__ import annotations

import pytest
import torch

from impasto.errors import InputError
from impasto.networks.models import Model
from impasto.networks.painter import open_painter, texture_from_model
from impasto.networks.pyramid import Pyramid


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


def test_what_makes_textures_paints_no_pictures_and_the_other_way_round(small_model: Model) -> None:
    with pytest.raises(InputError, match="this model makes textures out of noise"):
        open_painter(textures("bricks"))
    with pytest.raises(InputError, match="turns pictures into pictures"):
        texture_from_model(small_model, (32, 32), style="dots")
    with pytest.raises(InputError, match="size is 0x32; both sides must be at least 1 pixel"):
        texture_from_model(textures("bricks"), (0, 32))
