"""Receptive fields: those of the textbook, and what a change of one pixel shows."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from impasto.features import ModuleEncoder, load_encoder
from impasto.features.receptive import ReceptiveField, receptive_field


@pytest.mark.parametrize(
    ("layer", "start", "stride", "size"),
    [("relu1_1", -1, 1, 3), ("relu2_1", -4, 2, 10), ("relu3_1", -10, 4, 24), ("relu4_1", -30, 8, 68)],
)
def test_fields_of_vgg_are_those_of_its_convolutions(layer: str, start: int, stride: int, size: int) -> None:
    expected = ReceptiveField((start, start), (stride, stride), (size, size))
    assert receptive_field(load_encoder("lite"), layer) == expected


def network() -> nn.Module:
    """Strides, a shortcut, a normalization, functions of all kinds, and weights that are 0."""
    layers = [nn.Conv2d(3, 4, (7, 5), 2, (3, 2)), nn.BatchNorm2d(4), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    made = nn.Sequential(*layers, nn.Conv2d(4, 6, 3, groups=2, dilation=2), nn.GELU(), nn.AvgPool2d(2))
    with torch.no_grad():
        layers[0].weight[:, :, 0] = 0
    return made


def test_a_field_is_all_that_can_change_a_cell() -> None:
    encoder = ModuleEncoder(network(), [str(i) for i in range(7)])
    field = receptive_field(encoder, "6")
    assert field is not None and field.size[0] > field.size[1]
    picture = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(0))
    cell = (4, 5)
    rows, columns = field.of(cell)
    outside = torch.rand(1, 3, 96, 96, generator=torch.Generator().manual_seed(1))
    outside[..., rows, columns] = picture[..., rows, columns]
    before, after = (encoder(x, ["6"])["6"][..., cell[0], cell[1]] for x in (picture, outside))
    torch.testing.assert_close(after, before)


def test_a_layer_that_sees_everything_has_no_field() -> None:
    made = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.AdaptiveAvgPool2d(1))
    encoder = ModuleEncoder(made, ["0", "1", "2"])
    assert receptive_field(encoder, "0") is not None
    assert receptive_field(encoder, "1") is None and receptive_field(encoder, "2") is None


def test_cells_that_lie_on_no_grid_of_their_own_have_no_field() -> None:
    down = [nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(4, 4, 3, 2, 1)]
    fixed = ModuleEncoder(nn.Sequential(*down, nn.AdaptiveAvgPool2d(6)), ["1", "2"])
    assert receptive_field(fixed, "1") is not None and receptive_field(fixed, "2") is None  # depends on the size
    for times in (2, 8):
        for mode in ("nearest", "bilinear"):
            encoder = ModuleEncoder(nn.Sequential(*down, nn.Upsample(scale_factor=times, mode=mode)), ["2"])
            assert receptive_field(encoder, "2") is None
