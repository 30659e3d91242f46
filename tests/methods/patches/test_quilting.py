"""Image quilting: what fits, where it is cut, and that it is the sample's."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from skimage import data
from torch import Tensor

from impasto.errors import InputError
from impasto.methods.patches.quilting import _Quilt, _Search, _starts, blocks_of, fill_hole, quilt, seam, transfer
from impasto.methods.patches.settings import PatchSettings, TransferSettings
from impasto.methods.patches.synthesis import Sample
from impasto.pictures.color import luma

SETTINGS = PatchSettings(block=12)


def gravel(side: int = 64) -> Tensor:
    """A piece of a gravel path, in color."""
    gray = torch.from_numpy(data.gravel()[: 2 * side : 2, : 2 * side : 2].copy()).float() / 255
    return torch.stack([gray, gray.square(), gray.sqrt()])[None]


def steps(pixels: Tensor, dim: int) -> Tensor:
    """Mean difference of neighboring rows or columns, of the last and the first at the end."""
    others = [d for d in range(4) if d != dim]
    return (pixels - pixels.roll(-1, dim)).abs().mean(others)


def test_a_seam_is_the_best_of_all_lines() -> None:
    random = np.random.default_rng(0)
    for _ in range(20):
        errors = random.random((5, 4))
        lines = [p for p in itertools.product(range(4), repeat=5) if (np.abs(np.diff(p)) <= 1).all()]
        rows, costs = np.arange(5), [errors[np.arange(5), p].sum() for p in lines]
        path = seam(errors)
        assert np.abs(np.diff(path)).max() <= 1 and errors[rows, path].sum() == pytest.approx(min(costs))
        assert errors[rows, path].sum() <= errors.sum(0).min() + 1e-12  # any straight cut


def test_errors_are_sums_of_weighted_squares() -> None:
    sample = gravel(30)[0].movedim(0, -1).numpy()
    usable = np.ones((30, 30), bool)
    usable[3, 4] = False
    random = np.random.default_rng(0)
    target, weights = random.random((7, 7, 3)).astype(np.float32), random.random((7, 7, 3)).astype(np.float32)
    found = _Search(Sample(sample, usable), 7)(target, weights)
    windows = np.lib.stride_tricks.sliding_window_view(sample, (7, 7), (0, 1)).transpose(0, 1, 3, 4, 2)
    expected = (weights * (windows - target) ** 2).sum((2, 3, 4))
    assert np.isinf(found[:4, :5]).all() and np.isfinite(found[4:]).all()
    np.testing.assert_allclose(found[4:], expected[4:], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("size", "tileable"), [((70, 41), False), ((9, 80), False), ((61, 50), True)])
def test_a_texture_is_of_the_sample_s_pixels_without_a_gap(size: tuple[int, int], tileable: bool) -> None:
    picture = torch.cat([gravel(), torch.ones(1, 1, 64, 64)], 1)
    picture[:, 3, :10] = 0  # transparent: never used
    made = quilt(picture, size, SETTINGS, seed=1, tileable=tileable)
    rows, columns = made.source
    assert made.pixels.shape == (1, 3, size[1], size[0])
    assert torch.equal(made.pixels[0], picture[0, :3, rows, columns]) and rows.min() >= 10


@pytest.mark.parametrize("dim", [2, 3])
def test_opposite_sides_of_a_tile_fit(dim: int) -> None:
    ends, inside = {True: 0.0, False: 0.0}, {True: 0.0, False: 0.0}
    for tileable, seed in itertools.product((True, False), range(3)):
        at = steps(quilt(gravel(), (96, 96), SETTINGS, seed=seed, tileable=tileable).pixels, dim)
        ends[tileable] += float(at[-1])
        inside[tileable] += float(at[:-1].mean())
    assert ends[True] <= 1.1 * inside[True] and ends[False] > 1.5 * inside[False]


def test_the_sample_is_not_copied_whole() -> None:
    made = quilt(gravel(), (96, 96), SETTINGS)
    offsets = made.source - torch.stack(torch.meshgrid(torch.arange(96), torch.arange(96), indexing="ij"))
    _, counts = (offsets[0] * 1000 + offsets[1]).unique(return_counts=True)
    assert counts.max() < 96 * 96 / 16


def test_blocks_overlap_as_they_must() -> None:
    for side in (50, 51, 64, 100):
        starts = _starts(side, 12, 2, False)
        assert starts[0] == 0 and starts[-1] == side - 12 and max(np.diff(starts)) <= 10
        around = [*_starts(side, 12, 2, True), side]
        assert around[0] == 0 and max(np.diff(around)) <= 10


def test_a_hole_is_filled_and_nothing_else() -> None:
    picture, hole = gravel(), torch.zeros(64, 64, dtype=torch.bool)
    hole[20:38, 44:64] = True  # up to the edge
    hole[25, 45:50] = False
    made = fill_hole(torch.where(hole, 0.0, picture), hole, SETTINGS.changed(reach=40))
    rows, columns = made.source
    assert torch.equal(rows >= 0, hole) and torch.equal(made.pixels[..., ~hole], picture[..., ~hole])
    assert not hole[rows[hole], columns[hole]].any()


@pytest.mark.parametrize("corner", [(0, 0), (0, 40), (40, 0), (40, 40)])
def test_a_hole_in_a_corner_is_begun_where_something_is_known(corner: tuple[int, int]) -> None:
    checks = ((torch.arange(64)[:, None] // 4 + torch.arange(64) // 4) % 2).expand(1, 3, -1, -1).float()
    hole = torch.zeros(64, 64, dtype=torch.bool)
    hole[corner[0] : corner[0] + 24, corner[1] : corner[1] + 24] = True
    for seed in range(3):
        assert torch.equal(fill_hole(torch.where(hole, 0.5, checks), hole, SETTINGS, seed=seed).pixels, checks)


def test_a_block_is_cut_along_all_blocks_that_are_there() -> None:
    sample = Sample.of(gravel())
    quilted = _Quilt(sample, (36, 36), 12, 4, False)
    middle = (1, 1)
    assert {(axis, step): quilted._overlap(middle, axis, step) for axis in (0, 1) for step in (-1, 1)} == dict.fromkeys(
        itertools.product((0, 1), (-1, 1)), 0
    )
    for place in quilted.places:
        if place != middle:
            quilted.lay(place, (3, 5))
    assert all(quilted._overlap(middle, axis, step) == 4 for axis in (0, 1) for step in (-1, 1))
    before = quilted.source.copy()
    quilted.lay(middle, (40, 40))
    cut = (quilted.source != before)[8:20, 8:20]
    assert cut[4:8, 4:8].all() and not cut.all()
    assert all(0 < side.sum() < side.size for side in (cut[:4], cut[8:], cut[:, :4], cut[:, 8:]))


def test_a_hole_that_nothing_visible_touches_is_refused() -> None:
    picture = torch.cat([gravel(), torch.ones(1, 1, 64, 64)], 1)
    picture[:, 3, :40] = 0
    hole = torch.zeros(64, 64, dtype=torch.bool)
    hole[2:5, 2:5] = True
    with pytest.raises(InputError, match="transparent"):
        fill_hole(picture, hole, SETTINGS)


def test_a_block_larger_than_what_is_around_a_hole_is_refused() -> None:
    hole = torch.zeros(64, 64, dtype=torch.bool)
    hole[30:33, 30:33] = True
    with pytest.raises(InputError, match=r"a block of 12 pixels .* the 7x7 pixels around the hole: .* a larger reach"):
        fill_hole(gravel(), hole, SETTINGS.changed(reach=2))


def test_the_rounds_of_a_transfer_are_told_as_one() -> None:
    told = list[tuple[int, int]]()
    settings = TransferSettings(block=16, rounds=2)
    transfer(gravel(32), gravel(), settings, progress=lambda done, total: told.append((done, total)))
    assert told == [(n, len(told)) for n in range(1, len(told) + 1)]


def test_a_transfer_is_as_dark_and_light_as_the_photograph() -> None:
    photo = torch.from_numpy(data.camera()[::8, ::8].copy()).float().div(255).expand(1, 3, -1, -1)[..., :48]
    settings = TransferSettings(block=12)
    made = transfer(photo, gravel(), settings)
    rows, columns = made.source
    assert blocks_of(settings, (64, 48)) == [12, 8, 8] and made.pixels.shape == (1, 3, 64, 48)
    assert torch.equal(made.pixels[0], gravel()[0, :, rows, columns])

    def likeness(picture: Tensor) -> float:
        both = torch.stack([torch.nn.functional.avg_pool2d(luma(p), 4).flatten() for p in (picture, photo)])
        return float(torch.corrcoef(both)[0, 1])

    assert likeness(made.pixels) > 0.75 > likeness(quilt(gravel(), (48, 64), SETTINGS).pixels) + 0.3


def test_what_does_not_fit_is_refused() -> None:
    for make, said in (
        (lambda: quilt(gravel(8), (30, 30), SETTINGS), "does not fit"),
        (lambda: quilt(gravel(), (12, 30), SETTINGS, tileable=True), "not larger than a block of 12"),
    ):
        with pytest.raises(InputError, match=said):
            make()
