"""What the eye sees of a network and an encoder hardly minds."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from impasto.networks.patterns import Blocks, Grid, Spectrum, spectrum


def of_noise(side: int, seed: int) -> Tensor:
    return torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(seed))


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


def test_borders_of_cells_cost_though_no_cell_is_like_another() -> None:
    cells = torch.rand(2, 3, 40, 30, generator=torch.Generator().manual_seed(0))
    blocky = cells.repeat_interleave(8, 2).repeat_interleave(8, 3)
    # All changes at one of eight places: (8 - 1)² / 8 + 7 / 8. It does not matter at which.
    for picture in (blocky, blocky[..., 3:, 5:], blocky.repeat(1, 1, 2, 1)):
        assert Blocks()(picture, {}).item() == pytest.approx(7, abs=0.05)
    assert grid(blocky) < 0.01
    # Half as large, at two of eight.
    assert Blocks()(blocky[..., ::2, ::2], {}).item() == pytest.approx(3, abs=0.05)


def test_changes_that_are_spread_evenly_cost_nothing() -> None:
    noise = torch.rand(1, 3, 320, 240, generator=torch.Generator().manual_seed(0))
    assert Blocks()(noise, {}).item() < 1e-3
    flat = torch.full((1, 3, 24, 24), 0.3, requires_grad=True)
    found = Blocks()(flat, {})
    assert torch.isfinite(torch.autograd.grad(found, flat)[0]).all()
    assert Blocks()(noise[..., :7, :7], {}).item() == 0


def test_a_weave_that_the_painting_has_not_costs_and_one_of_another_direction_too() -> None:
    rows, columns = torch.arange(192.0)[:, None], torch.arange(192.0)
    weave, other = (0.1 * torch.cos(2 * torch.pi * 0.3 * (rows + s * columns)) for s in (1, -1))
    painting = of_noise(320, 0)
    term = Spectrum(spectrum(painting))
    same, much = term(of_noise(192, 1), {}).item(), term(of_noise(192, 1) + 3 * weave, {}).item()
    assert same < 0.02 and much > 5 * same
    assert term(0.5 * of_noise(192, 1), {}).item() == pytest.approx(math.log(4) ** 2, rel=0.1)
    mine = Spectrum(spectrum(0.5 + weave[None, None].expand(1, 3, -1, -1)))
    assert mine((0.5 + weave)[None, None].expand(2, 3, -1, -1), {}).item() < 1e-6
    assert mine((0.5 + other)[None, None].expand(1, 3, -1, -1), {}).item() > 1


def test_colored_grain_costs_where_the_painting_has_gray() -> None:
    gray = of_noise(192, 0)[:, :1].expand(1, 3, -1, -1)
    colored = of_noise(192, 1)  # of the same energy in red, in green and in blue
    term = Spectrum(spectrum(gray))
    assert term(of_noise(192, 2)[:, :1].expand(1, 3, -1, -1), {}).item() < 0.02
    assert term(colored, {}).item() > 5


def test_a_spectrum_has_all_energy_and_each_painting_its_own() -> None:
    pictures = torch.cat([of_noise(67, 0), 0.5 * of_noise(67, 1)])
    found = spectrum(pictures)
    assert found.shape == (2, 3, 16, 9)
    both = torch.tensor([1.0, *[2.0] * 7, 1.0])  # real pictures: half of the frequencies stand for two
    hann = torch.hann_window(16)
    energy = (found * both).sum((2, 3)) / 256 / (hann[:, None] * hann).square().sum()
    assert energy.shape == (2, 3)
    torch.testing.assert_close(energy.sum(1), pictures.var((2, 3)).sum(1), rtol=0.1, atol=0)
    torch.testing.assert_close(spectrum(pictures[1:]), found[1:])


def test_a_picture_smaller_than_a_window_has_a_spectrum() -> None:
    found = spectrum(of_noise(9, 0))
    assert found.shape == (1, 3, 16, 9) and torch.isfinite(found).all() and found.sum() > 0
