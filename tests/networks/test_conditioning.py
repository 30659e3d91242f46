"""Layers that networks share."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn

from impasto.networks.conditioning import Conv, edged, noise, noise_tiles


def test_noise_is_white_and_the_same_by_pythons_integers() -> None:
    odd, even = tiles = noise_tiles(2)
    found = noise(tiles, 0, 0, 150, 200)
    for n, row, column in ((0, 0, 0), (0, 63, 64), (1, 149, 199)):
        added = int(odd[n, row % 64, column % 64]) + int(even[n, row % 63, column % 63])
        assert found[n, row, column].item() == pytest.approx((abs(abs(added) - 128) - 64) * math.sqrt(3 / 4095))
    many = noise(tiles, 100, 7, 1000, 800)
    assert abs(many.mean()) < 0.01 and abs(many.std() - 1) < 0.01 and len(many.unique()) == 64
    for other in (many[:, 1:], many[:, :, 1:], many[:, 64:], many[:, 63:], many.flip(0)):
        assert abs((other * many[:, : other.shape[1], : other.shape[2]]).mean()) < 0.02


def test_noise_of_a_part_is_part_of_the_noise() -> None:
    tiles = noise_tiles(2)
    whole = noise(tiles, -70, -3, 300, 200)
    assert torch.equal(whole[:, 80:, 50:], noise(tiles, 10, 47, 220, 150))


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_noise_has_no_more_digits_than_half_precision(kind: torch.dtype) -> None:
    odd, even = (tile[:, :63, :63] for tile in noise_tiles(2))
    added = odd.int() + even.int()
    steps = (odd.to(kind) + even.to(kind), (added.to(kind).abs() - 128).abs() - 64)
    assert torch.equal(steps[0].int(), added) and torch.equal(steps[1].int(), (added.abs() - 128).abs() - 64)


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_is_torchs_and_keeps_the_type_of_what_it_pads(mode: str, stride: int) -> None:
    torch.manual_seed(0)
    ours = Conv(3, 4, (3, 5), stride, padding=(1, 2), padding_mode=mode)  # type: ignore[arg-type]
    theirs = nn.Conv2d(3, 4, (3, 5), stride, padding=(1, 2), padding_mode=mode)  # type: ignore[arg-type]
    theirs.load_state_dict(ours.state_dict())
    x = torch.rand(2, 3, 11, 9)
    torch.testing.assert_close(ours(x), theirs(x))
    with torch.autocast("cpu", torch.bfloat16):
        # torch pads in float32, which bfloat16 is again after it: not a bit is lost on either way.
        torch.testing.assert_close(ours(x.bfloat16()), theirs(x.bfloat16()), rtol=0, atol=0)


def test_a_convolution_is_given_borders_in_the_type_of_its_map(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[torch.dtype] = []
    plain = torch.nn.functional.conv2d

    def watched(x: torch.Tensor, *rest: Any) -> torch.Tensor:
        given.append(x.dtype)
        return plain(x, *rest)

    monkeypatch.setattr(torch.nn.functional, "conv2d", watched)
    with torch.autocast("cpu", torch.bfloat16):
        Conv(3, 4, 3, padding=1, padding_mode="replicate")(torch.rand(1, 3, 6, 6).bfloat16())
    assert given == [torch.bfloat16]


def test_borders_keep_the_type_in_mixed_precision() -> None:
    x = torch.rand(1, 2, 4, 4).bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = edged(x, (1, 2, 3, 0))
    assert found.dtype == torch.bfloat16 and found.shape == (1, 2, 7, 7)
    assert torch.equal(found[:, :, 3:, 1:5], x) and torch.equal(found[:, :, 0, 0], x[:, :, 0, 0])
