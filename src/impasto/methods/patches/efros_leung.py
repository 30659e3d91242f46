"""Efros and Leung 1999, "Texture synthesis by non-parametric sampling": pixel by pixel, each from a place of the sample
whose neighborhood is like its own.

The result is that of the paper's loop, pixel for pixel: pixels that are not in each other's windows are matched at
once by one product of matrices, which finds those that may be near enough; these few are measured again exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import conv2d

from impasto.errors import InputError
from impasto.methods.patches.settings import PatchSettings
from impasto.methods.patches.synthesis import Array, Progress, Sample, Synthesis, filled, invisible

#: Deviation of the windows' Gaussian is their side by this, and so much larger the absolute threshold becomes where
#: nothing is near enough: the authors' numbers.
SIDES_PER_DEVIATION, RELAXED = 6.4, 1.1
#: Side of the piece of the sample that a texture grows from.
SEED_SIDE = 3
#: Rounds in which pixels near the edges of a tile are chosen again.
MENDED = 4
#: Distances that are held at once, and windows that are measured exactly at once.
HELD, MEASURED = 2**23, 2**14
#: Error of distances in float32, in units of the largest square of a value.
ROUNDING = 1e-5


def efros_leung(
    sample: Tensor,
    size: tuple[int, int],
    settings: PatchSettings,
    *,
    seed: int = 0,
    tileable: bool = False,
    progress: Progress = lambda done, total: None,
) -> Synthesis:
    """A texture that grows from a piece of the sample in its middle.

    Args:
        sample: `(1, 3, H, W)`, RGB, [0, 1], or with its opacity `(1, 4, H, W)`: windows with transparent pixels are not
            used.
        size: width and height.
        settings: window, tolerance, max error.
        seed: of the choice among what is near enough.
        tileable: whether windows go round the edges; pixels near these, where what grew from two sides met, are chosen
            again with all that is around them known.
        progress: told how many pixels are made.

    Raises:
        InputError: if no window fits into the sample, or it is larger than a tileable texture.
    """
    source = Sample.of(sample)
    canvas = _Canvas((size[1], size[0]), settings.window, tileable)
    random = np.random.default_rng(seed)
    middles = source.middles(SEED_SIDE)
    first = middles[random.integers(len(middles))]
    around = np.arange(SEED_SIDE) - SEED_SIDE // 2
    rows, columns = (min(side, SEED_SIDE) for side in canvas.shape)
    offsets = around[:rows, None] * source.usable.shape[1] + around[None, :columns]
    top, left = (canvas.shape[0] - rows) // 2, (canvas.shape[1] - columns) // 2
    canvas.put(canvas.cells[top : top + rows, left : left + columns], first + offsets, source)
    match = _Matcher(source, settings)
    _grow(canvas, match, random, settings.max_error, progress)
    if tileable:
        _mend(canvas, match, random)
    return source.synthesis(canvas.result())


def fill_hole(
    picture: Tensor,
    hole: Tensor,
    settings: PatchSettings,
    *,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> Synthesis:
    """A picture whose hole is filled from what is around it.

    Args:
        picture: `(1, 3 or 4, H, W)`; see `efros_leung`.
        hole: `(H, W)`, bool: what is to be filled.
        settings: window, tolerance, max error, and the reach around the hole.
        seed, progress: see `efros_leung`.

    Raises:
        InputError: if there is no hole, no window without a part of it, or nothing visible beside it.
    """
    random, total, done = np.random.default_rng(seed), int(hole.sum()), 0

    def fill(around: Sample, missing: Array) -> Array:
        nonlocal done
        canvas = _Canvas((missing.shape[0], missing.shape[1]), settings.window, False)
        places = np.arange(missing.size).reshape(missing.shape)
        canvas.put(canvas.cells[around.usable], places[around.usable], around)
        canvas.open[canvas.cells[~missing]] = False
        before = done
        _grow(canvas, _Matcher(around, settings), random, settings.max_error, lambda n, _: progress(before + n, total))
        done += int(missing.sum())
        return canvas.result()

    return filled(picture, hole, settings.reach, fill)


class _Canvas:
    """Where a texture grows: flat arrays with a border, or round the edges.

    Attributes:
        shape: height and width of the texture.
        cells: `(H, W)`, the index of each of its pixels.
        colors: `(N, 3)` float32.
        known: `(N,)`, whether a pixel has its color.
        open: `(N,)`, whether it is still to be made.
        source: `(N,)`, flat index in the sample; -1 where it is not from there.
    """

    def __init__(self, shape: tuple[int, int], window: int, tileable: bool) -> None:
        if tileable and min(shape) < window:
            raise InputError(
                f"a tileable texture of {shape[1]}x{shape[0]} is smaller than the window of {window}: choose a larger "
                "size, or a smaller window"
            )
        self.shape, self.radius = shape, window // 2
        border = 0 if tileable else self.radius
        self.whole = (shape[0] + 2 * border, shape[1] + 2 * border)
        indices = np.arange(self.whole[0] * self.whole[1]).reshape(self.whole)
        self.cells = indices[border : border + shape[0], border : border + shape[1]]
        self.colors = np.zeros((indices.size, 3), np.float32)
        self.known, self.open = np.zeros(indices.size, bool), np.zeros(indices.size, bool)
        self.open[self.cells] = True
        self.source = np.full(indices.size, -1)

    def put(self, cells: Array, source: Array, sample: Sample) -> None:
        """Copy pixels."""
        self.colors[cells] = sample.colors.reshape(-1, 3)[source]
        self.source[cells], self.known[cells], self.open[cells] = source, True, False

    def windows(self, cells: Array) -> Array:
        """Indices of the pixels around some, `(len(cells), window²)`."""
        around = np.arange(-self.radius, self.radius + 1)
        rows = (cells[:, None] // self.whole[1] + around) % self.whole[0]
        columns = (cells[:, None] % self.whole[1] + around) % self.whole[1]
        found: Array = (rows[:, :, None] * self.whole[1] + columns[:, None, :]).reshape(len(cells), -1)
        return found

    def frontier(self) -> tuple[Array, Array]:
        """The open pixels beside known ones, in order, and how many of their eight neighbors are known."""
        known, around = self.known.reshape(self.whole), np.zeros(self.whole, np.int8)
        for row in (-1, 0, 1):
            for column in (-1, 0, 1):
                around += np.roll(known, (row, column), (0, 1))
        cells = np.flatnonzero(self.open & (around.ravel() > 0))
        return cells, around.ravel()[cells]

    def result(self) -> Array:
        """Where each pixel is from, `(H, W)`."""
        return self.source[self.cells]


class _Matcher:
    """Finds places of the sample whose neighborhoods are like given ones.

    The distance of a window `t`, known where `m` is 1, to one of the sample's, `s`, is the mean over the known pixels
    and the colors of their squared differences, weighted by a Gaussian `g`: `Σ g m |t - s|² / (3 Σ g m)`. It is
    `Σ w t² - 2 Σ w t s + Σ w s²`: one convolution of the sample and its squares.
    """

    def __init__(self, sample: Sample, settings: PatchSettings) -> None:
        side, width = settings.window, sample.usable.shape[1]
        self.sample, self.tolerance = sample, settings.tolerance
        middles = sample.middles(side)
        around = np.arange(side) - side // 2
        self.offsets = (around[:, None] * width + around).ravel()
        line = np.exp(-0.5 * (around / (side / SIDES_PER_DEVIATION)) ** 2)
        self.gaussian = np.outer(line, line).ravel()
        self.exact = sample.colors.reshape(-1, 3).astype(np.float64)
        self.center = self.exact[middles].mean(0)
        centered = self.exact - self.center
        squares = (centered**2).sum(1, keepdims=True)
        self.slack = ROUNDING * float(squares.max())
        planes = np.concatenate([centered, squares], 1).T.reshape(1, 4, -1, width)
        self.planes = torch.from_numpy(planes.astype(np.float32))
        places = np.arange(len(self.exact)).reshape(-1, width)
        half = side // 2
        self.middles = places[half : len(places) - half, half : width - half].ravel()
        self.unusable = np.where(np.isin(self.middles, middles), np.float32(0), np.float32(np.inf))

    def __call__(self, colors: Array, known: Array, chance: Array) -> tuple[Array, Array]:
        """Of each window one of the places near enough to it, and how far that is.

        Args:
            colors: `(B, window², 3)`.
            known: `(B, window²)`.
            chance: `(B,)` in [0, 1), which one of them is taken.

        Returns:
            Flat indices of pixels of the sample, and distances.
        """
        weights = known * self.gaussian
        weights /= 3 * weights.sum(1, keepdims=True)
        windows, places = self._near(colors, weights)
        distances = self._exact(colors, weights, windows, places)
        starts = np.searchsorted(windows, np.arange(len(colors)))
        nearest = np.minimum.reduceat(distances, starts)
        enough = distances <= (1 + self.tolerance) * nearest[windows]
        windows, places, distances = windows[enough], places[enough], distances[enough]
        counts = np.bincount(windows, minlength=len(colors))
        chosen = np.cumsum(counts) - counts + (chance * counts).astype(np.int64)
        return self.middles[places[chosen]], distances[chosen]

    def _near(self, colors: Array, weights: Array) -> tuple[Array, Array]:
        """Pairs of a window and a place that may be near enough, in order."""
        centered = colors - self.center
        cross = -2 * weights[..., None] * centered
        side = math.isqrt(weights.shape[1])
        filters = np.concatenate([cross.transpose(0, 2, 1), weights[:, None]], 1).reshape(-1, 4, side, side)
        own = (weights[..., None] * centered**2).sum((1, 2))
        found = conv2d(self.planes, torch.from_numpy(filters.astype(np.float32)))[0].flatten(1).numpy()
        found += self.unusable
        nearest = np.maximum(found.min(1) + own + self.slack, 0)
        limits = (1 + self.tolerance) * nearest + self.slack - own
        return np.divmod(np.flatnonzero(found <= limits[:, None]), found.shape[1])

    def _exact(self, colors: Array, weights: Array, windows: Array, places: Array) -> Array:
        parts = [np.zeros(0)]
        for start in range(0, len(windows), MEASURED):
            window, place = windows[start : start + MEASURED], places[start : start + MEASURED]
            theirs = self.exact[self.middles[place][:, None] + self.offsets]
            parts.append((weights[window] * ((theirs - colors[window]) ** 2).sum(2)).sum(1))
        return np.concatenate(parts)


def _grow(canvas: _Canvas, match: _Matcher, random: np.random.Generator, max_error: float, progress: Progress) -> None:
    """The paper's loop: pass by pass over the pixels beside known ones, those with most of them first."""
    total = int(canvas.open.sum())
    while canvas.open.any():
        cells, around = canvas.frontier()
        if not len(cells):
            raise invisible()
        order = random.permutation(len(cells))
        order = order[np.argsort(-around[order], kind="stable")]
        chance = random.random(len(cells))
        windows = canvas.windows(cells[order])
        made = 0
        for group in _groups(canvas, cells[order], windows, HELD // len(match.middles)):
            near = windows[group]
            source, error = match(canvas.colors[near], canvas.known[near], chance[group])
            good = error < max_error
            canvas.put(cells[order][group][good], source[good], match.sample)
            made += int(good.sum())
        progress(total - int(canvas.open.sum()), total)
        if not made:
            max_error *= RELAXED


def _mend(canvas: _Canvas, match: _Matcher, random: np.random.Generator) -> None:
    """Choose the pixels near the edges of a tile again, in rounds."""
    near = np.ones(canvas.shape, bool)
    side = 2 * canvas.radius + 1
    near[side : canvas.shape[0] - side, side : canvas.shape[1] - side] = False
    for _ in range(MENDED):
        cells = canvas.cells[near][random.permutation(int(near.sum()))]
        chance, windows = random.random(len(cells)), canvas.windows(cells)
        for group in _groups(canvas, cells, windows, HELD // len(match.middles)):
            known = canvas.known[windows[group]]
            known[:, known.shape[1] // 2] = False
            source, _error = match(canvas.colors[windows[group]], known, chance[group])
            canvas.put(cells[group], source, match.sample)


def _groups(canvas: _Canvas, cells: Array, windows: Array, most: int) -> Iterator[Array]:
    """Pixels that can be matched at once, as positions in `cells`: what is earlier in the order and in the window of
    one of them is in an earlier group."""
    turn = np.zeros(len(canvas.known), np.int64)
    for cell, window in zip(cells, windows, strict=True):
        turn[cell] = turn[window].max() + 1
    turns = turn[cells]
    order = np.argsort(turns, kind="stable")
    for group in np.split(order, np.flatnonzero(np.diff(turns[order])) + 1):
        for start in range(0, len(group), max(1, most)):
            yield group[start : start + max(1, most)]
