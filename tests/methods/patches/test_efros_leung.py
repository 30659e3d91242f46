"""Efros and Leung: the paper's loop, pixel for pixel."""

from __future__ import annotations

import itertools
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

from impasto.errors import InputError
from impasto.methods.patches.efros_leung import efros_leung, fill_hole
from impasto.methods.patches.settings import PatchSettings
from impasto.methods.patches.synthesis import holes_in

PLAIN = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "classic_plain.py"))["efros_leung"]
SETTINGS = PatchSettings(window=5)


def sample(side: int = 24, top: int = 0) -> Tensor:
    """A piece of a brick wall, in color."""
    gray = torch.from_numpy(data.brick()[top : top + 2 * side : 2, : 2 * side : 2].copy()).float() / 255
    return torch.stack([gray, gray.square(), gray.sqrt()])[None]


@pytest.mark.parametrize(
    ("size", "changes", "tileable"),
    [
        ((20, 14), {}, False),
        ((11, 13), {}, True),
        ((16, 16), {"window": 7, "max_error": 1e-3}, False),  # which must be relaxed again and again
        ((16, 12), {"tolerance": 1.0}, False),
    ],
)
def test_it_is_the_plain_loop_pixel_for_pixel(size: tuple[int, int], changes: dict, tileable: bool) -> None:  # type: ignore[type-arg]
    settings = SETTINGS.changed(**changes)
    made = efros_leung(sample(), size, settings, seed=3, tileable=tileable)
    plain, source = PLAIN(
        sample()[0].movedim(0, -1).numpy(), size, settings.window, settings.tolerance, settings.max_error, 3, tileable
    )
    assert made.pixels.shape == (1, 3, size[1], size[0])
    assert np.array_equal(made.source.numpy(), source)
    assert np.array_equal(made.pixels[0].movedim(0, -1).numpy(), plain.astype(np.float32))


def test_opposite_sides_of_a_tile_fit() -> None:
    gravel = torch.from_numpy(data.gravel()[:96:2, :96:2].copy()).float().div(255).expand(1, 3, -1, -1)
    for tileable in (True, False):
        end, inside = 0.0, 0.0
        for seed, dim in itertools.product(range(2), (2, 3)):
            pixels = efros_leung(gravel, (44, 44), PatchSettings(window=7), seed=seed, tileable=tileable).pixels
            steps = (pixels - pixels.roll(-1, dim)).abs().mean([d for d in range(4) if d != dim])
            end, inside = end + float(steps[-1]), inside + float(steps[:-1].mean())
        assert (end <= 1.1 * inside) == tileable


def test_a_pattern_goes_on_exactly() -> None:
    checks = (torch.arange(24)[:, None] // 3 + torch.arange(24) // 3) % 2
    made = efros_leung(checks.expand(1, 3, -1, -1).float(), (30, 30), PatchSettings(window=9)).pixels[0, 0]
    assert torch.equal(made[6:], made[:-6]) and torch.equal(made[3:], 1 - made[:-3])


def test_pixels_are_where_the_coherence_says() -> None:
    picture = sample()
    picture = torch.cat([picture, torch.ones(1, 1, 24, 24)], 1)
    picture[:, 3, :, :8] = 0  # transparent: never used
    made = efros_leung(picture, (16, 16), SETTINGS)
    rows, columns = made.source
    assert torch.equal(made.pixels[0], picture[0, :3, rows, columns]) and columns.min() >= 8
    shown = made.coherence()
    assert shown.shape == (1, 3, 16, 16) and torch.allclose(shown[0, 0] * 23, columns.float(), atol=1e-4)


def test_a_hole_is_filled_and_nothing_else() -> None:
    picture, hole = sample(40), torch.zeros(40, 40, dtype=torch.bool)
    hole[10:18, 30:40] = True  # up to the edge
    made = fill_hole(torch.where(hole, 0.0, picture), hole, SETTINGS)
    rows, columns = made.source
    assert torch.equal(rows >= 0, hole) and torch.equal(made.pixels[..., ~hole], picture[..., ~hole])
    assert torch.equal(made.pixels[0][:, hole], picture[0, :, rows[hole], columns[hole]])
    assert not hole[rows[hole], columns[hole]].any()
    near = fill_hole(picture, hole, SETTINGS.changed(reach=6)).source[:, hole]
    assert near[0].min() >= 4 and near[0].max() < 24 and near[1].min() >= 24


def test_holes_are_filled_one_after_the_other() -> None:
    picture, holes = sample(60), torch.zeros(60, 60, dtype=torch.bool)
    holes[5:9, 5:9] = holes[10:13, 5:8] = holes[50:54, 50:54] = True
    pieces = list(holes_in(holes))
    assert [int(p.sum()) for p in pieces] == [25, 16] and torch.equal(pieces[0] | pieces[1], holes)
    told = list[tuple[int, int]]()
    settings = SETTINGS.changed(reach=8)
    made = fill_hole(picture, holes, settings, progress=lambda done, total: told.append((done, total)))
    assert torch.equal(made.source[0] >= 0, holes) and told[-1] == (41, 41) and told == sorted(told)
    assert made.source[:, 50:54, 50:54].min() >= 42 and made.source[:, 5:13, 5:9].max() < 21


@pytest.mark.parametrize(("mask", "said"), [(0, "black all over"), (1, "white all over")])
def test_a_mask_without_a_hole_is_refused(mask: int, said: str) -> None:
    with pytest.raises(InputError, match=said):
        fill_hole(sample(), torch.full((24, 24), bool(mask)), SETTINGS)


def test_what_does_not_fit_is_refused() -> None:
    for made, said in (
        (lambda: efros_leung(sample(4), (16, 16), PatchSettings()), "does not fit"),
        (lambda: efros_leung(sample(), (8, 8), PatchSettings(), tileable=True), "smaller than the window"),
        (lambda: PatchSettings(window=4), "must be odd"),
    ):
        with pytest.raises(InputError, match=said):
            made()


def test_a_hole_that_nothing_visible_touches_is_refused() -> None:
    picture = torch.cat([sample(), torch.ones(1, 1, 24, 24)], 1)
    picture[:, 3, :12] = 0
    hole = torch.zeros(24, 24, dtype=torch.bool)
    hole[2:5, 2:5] = True
    with pytest.raises(InputError, match="transparent"):
        fill_hole(picture, hole, SETTINGS)
