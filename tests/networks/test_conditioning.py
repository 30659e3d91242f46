"""Layers that networks share."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from impasto.networks.conditioning import PRIME, Conv, edged, in_32_bits, noise


def test_noise_is_the_same_in_32_bits() -> None:
    rows, columns = torch.tensor([0, 1, 700, 32767])[:, None], torch.tensor([0, 1, 999, 32767])[None]
    found = noise(rows, columns, [0, 3])
    assert torch.equal(noise(rows.int(), columns.int(), [0, 3], in_32_bits), found)
    assert not torch.equal(noise(rows.int(), columns.int(), [0, 3]), found)
    # By Python's integers.
    n = (999 * 104729 + 700 * 7919 + 4 * 1299709 % PRIME) % PRIME
    for _ in range(2):
        n = (n * ((n * 15731 + 789221) % PRIME) + 1376312) % PRIME
    assert found[1, 2, 2].item() == pytest.approx((n / PRIME - 0.5) * 12**0.5, abs=1e-6)
    (many,) = noise(torch.arange(200)[:, None], torch.arange(300)[None], [0])
    assert abs(many.mean()) < 0.02 and abs(many.std() - 1) < 0.02


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
