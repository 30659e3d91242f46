"""The objective that networks are trained for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from impasto.networks.loss import Grid, shown


def grid(image: Tensor) -> float:
    return Grid()(image, {}).item()


def test_a_pattern_in_every_cell_costs_its_energy() -> None:
    cell = torch.randn(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    tiled = cell.repeat(1, 1, 12, 12)
    energy = cell.flatten(2).var(2, correction=0).mean().item()
    # Wherever two windows in each direction fall, and brightness that changes slowly, do not matter.
    brightness = torch.linspace(0, 1, 192)[:, None]
    assert abs(grid(tiled) / energy - 1) < 1e-4
    assert abs(grid((tiled + brightness)[..., 3:, 5:]) / energy - 1) < 0.02
    # Cells of eight, of four and of two are cells of sixteen.
    for side in (8, 4, 2):
        assert grid(cell[..., :side, :side].repeat(1, 1, 24, 24)) > 0.01


def test_what_differs_from_cell_to_cell_costs_next_to_nothing() -> None:
    noise = torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(0))
    assert grid(noise) < noise.var().item() / 40
    assert grid(torch.full((1, 3, 20, 20), 0.3)) < 1e-9
    assert grid(noise[..., :17, :17]) == 0


def test_the_loss_sees_what_a_screen_shows_and_finds_a_way_back() -> None:
    x = torch.tensor([-1.0, 0.25, 3.0], requires_grad=True)
    seen = shown(x)
    torch.testing.assert_close(seen, torch.tensor([-0.1, 0.25, 1.2]))
    assert torch.autograd.grad(seen.sum(), x)[0].tolist() == pytest.approx([0.1, 1.0, 0.1])
