"""Resizing keeps what it should."""

from __future__ import annotations

import torch

from impasto.pictures.resample import lanczos


def test_a_ramp_stays_a_ramp_and_a_flat_color_flat() -> None:
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 40, 64)
    small = lanczos(ramp, (20, 32))
    assert small.shape == (1, 3, 20, 32)
    torch.testing.assert_close(
        small[0, 0, 3, 4:-4], (ramp[0, 0, 0, 0::2] + ramp[0, 0, 0, 1::2])[4:-4] / 2, atol=2e-3, rtol=0
    )
    torch.testing.assert_close(lanczos(torch.full((1, 3, 30, 30), 0.4), (17, 51)), torch.full((1, 3, 17, 51), 0.4))


def test_fine_stripes_average_out_instead_of_aliasing() -> None:
    stripes = torch.tensor([0.0, 1.0]).repeat(32).expand(1, 3, 64, 64)
    assert (lanczos(stripes, (16, 16))[..., 3:-3] - 0.5).abs().max() < 0.02
