"""Wei and Levoy: the plain loop, pixel for pixel; the tree is nearly as good."""

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
from impasto.methods.patches.settings import PatchSettings
from impasto.methods.patches.synthesis import Sample
from impasto.methods.patches.wei_levoy import Exhaustive, Tree, _pyramid, wei_levoy

PLAIN = runpy.run_path(str(Path(__file__).parents[3] / "benchmarks" / "classic_plain.py"))["wei_levoy"]
SETTINGS = PatchSettings(window=5, levels=2, search="exhaustive")


def gravel(height: int = 24, width: int = 30) -> Tensor:
    """A piece of a gravel path, in color."""
    gray = torch.from_numpy(data.gravel()[: 2 * height : 2, : 2 * width : 2].copy()).float() / 255
    return torch.stack([gray, gray.square(), gray.sqrt()])[None]


@pytest.mark.parametrize(("levels", "size"), [(1, (14, 12)), (2, (17, 13))])
def test_it_is_the_plain_loop_pixel_for_pixel(levels: int, size: tuple[int, int]) -> None:
    settings, margin = SETTINGS.changed(levels=levels), 10
    shape = (size[1] + margin, size[0] + margin)
    pyramid = _pyramid(Sample.of(gravel()), shape, settings)
    assert len(pyramid) == levels
    made = wei_levoy(gravel(), size, settings, seed=2)
    plain = PLAIN([level.colors for level in pyramid], shape, 5, 2)
    assert np.array_equal(made.source.numpy(), plain[:, margin:, margin:])


@pytest.mark.parametrize("search", ["tree", "exhaustive"])
@pytest.mark.parametrize("tileable", [False, True])
def test_a_texture_is_of_the_sample_s_pixels(search: str, tileable: bool) -> None:
    picture = torch.cat([gravel(), torch.ones(1, 1, 24, 30)], 1)
    picture[:, 3, :, :6] = 0  # transparent: never used
    told = list[tuple[int, int]]()
    settings = SETTINGS.changed(search=search)
    made = wei_levoy(
        picture, (23, 19), settings, tileable=tileable, progress=lambda done, total: told.append((done, total))
    )
    rows, columns = made.source
    assert made.pixels.shape == (1, 3, 19, 23) and columns.min() >= 6
    assert torch.equal(made.pixels[0], picture[0, :3, rows, columns])
    assert told[-1][0] == told[-1][1] and told == sorted(told)


def test_opposite_sides_of_a_tile_fit() -> None:
    for tileable in (True, False):
        end, inside = 0.0, 0.0
        for seed, dim in itertools.product(range(2), (2, 3)):
            settings = PatchSettings(window=5)
            pixels = wei_levoy(gravel(40, 40), (48, 48), settings, seed=seed, tileable=tileable).pixels
            steps = (pixels - pixels.roll(-1, dim)).abs().mean([d for d in range(4) if d != dim])
            end, inside = end + float(steps[-1]), inside + float(steps[:-1].mean())
        assert (end <= 1.1 * inside) == tileable and (end > 1.4 * inside) != tileable


def test_the_tree_finds_what_is_nearly_the_nearest() -> None:
    windows = np.lib.stride_tricks.sliding_window_view(gravel(60, 60)[0].numpy(), (7, 7), (1, 2))
    vectors = np.ascontiguousarray(windows.transpose(1, 2, 0, 3, 4).reshape(54 * 54, -1))
    known, wanted = vectors[::2], vectors[1::2]
    errors = [((known[search(known)(wanted)] - wanted) ** 2).sum(1).mean() for search in (Exhaustive, Tree)]
    assert errors[0] <= errors[1] <= 1.1 * errors[0]
    assert (Tree(known)(known[:100]) == np.arange(100)).mean() > 0.9


def test_the_first_of_equal_neighborhoods_is_taken() -> None:
    vectors = np.repeat(np.eye(4, dtype=np.float32), 3, 0)
    assert Exhaustive(vectors)(np.eye(4, dtype=np.float32)).tolist() == [0, 3, 6, 9]


def test_a_texture_may_be_as_small_as_one_likes() -> None:
    for size in ((1, 1), (2, 9), (30, 1)):
        made = wei_levoy(gravel(), size, SETTINGS.changed(window=9, search="tree"))
        assert made.pixels.shape == (1, 3, size[1], size[0])
        assert torch.equal(made.pixels[0], gravel()[0][:, *made.source])


def test_what_does_not_fit_is_refused() -> None:
    for make, said in (
        (lambda: wei_levoy(gravel(4, 30), (30, 30), SETTINGS), "does not fit"),
        (
            lambda: wei_levoy(gravel(), (8, 30), SETTINGS, tileable=True),
            "8x30 is too small .* must be 11 or more",
        ),
    ):
        with pytest.raises(InputError, match=said):
            make()
