"""Efros and Freeman 2001, "Image quilting for texture synthesis and transfer": blocks of the sample, each cut along the
line where it differs least from those before.

A block that goes on in the sample where its neighbor ends fits without an error, and so the sample would be copied
whole: that block is not taken while there is another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.methods.patches.settings import PatchSettings, QuiltSettings, TransferSettings
from impasto.methods.patches.synthesis import Array, Progress, Sample, Synthesis, filled, invisible
from impasto.options import AUTO, known
from impasto.pictures.color import luma, match_histogram
from impasto.pictures.resample import blur

#: Blocks are this part of the sample's short side if nothing is said, and within these bounds.
PART, SMALLEST, LARGEST = 5, 8, 64
#: Of transfer: part of the picture's long side, and deviation of the blur of lumas in pixels.
TRANSFER_PART, BLUR = 24, 1.0
#: Sides that Fourier transforms are quick at are multiples of this.
QUICK = 16
#: Error of sums in float32 by Fourier transforms, in units of the sum of squares.
ROUNDING = 1e-6
#: Shapes of what is known for which the sample's own sums are kept.
KEPT = 64


def quilt(
    sample: Tensor,
    size: tuple[int, int],
    settings: QuiltSettings,
    *,
    seed: int = 0,
    tileable: bool = False,
    progress: Progress = lambda done, total: None,
) -> Synthesis:
    """A texture of blocks.

    Args:
        sample: `(1, 3, H, W)`, RGB, [0, 1], or with its opacity `(1, 4, H, W)`: blocks with transparent pixels are not
            used.
        size: width and height.
        settings: block, overlap, tolerance.
        seed: of the choice among blocks that fit.
        tileable: whether the last blocks overlap the first ones.
        progress: told how many blocks are laid.

    Raises:
        InputError: if no block fits into the sample, or a tileable texture is not larger than one.
    """
    source, random = Sample.of(sample), np.random.default_rng(seed)
    block = block_of(settings, source)
    canvas = _Quilt(source, (size[1], size[0]), block, overlap_of(settings, block), tileable)
    search = _Search(source, block)
    for done, place in enumerate(canvas.places, 1):
        errors = search(*canvas.seen(place))
        canvas.forbid(errors, place)
        canvas.lay(place, near(errors, settings.tolerance, search.slack, random))
        progress(done, len(canvas.places))
    return source.synthesis(canvas.source[: size[1], : size[0]])


def fill_hole(
    picture: Tensor,
    hole: Tensor,
    settings: PatchSettings,
    *,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> Synthesis:
    """A picture whose hole is filled by blocks of what is around it.

    Args:
        picture: `(1, 3 or 4, H, W)`; see `quilt`.
        hole: `(H, W)`, bool: what is to be filled.
        settings: block, overlap, tolerance, and the reach around the hole.
        seed, progress: see `quilt`; pixels are told.

    Raises:
        InputError: if there is no hole, no block without a part of it, or nothing visible beside it.
    """
    random, total, done = np.random.default_rng(seed), int(hole.sum()), 0

    def fill(around: Sample, missing: Array) -> Array:
        nonlocal done
        block = block_of(settings, around)
        search = _Search(around, block)
        canvas = _Quilt(around, missing.shape, block, overlap_of(settings, block), False, missing)
        for place in canvas.inwards():
            canvas.lay(place, near(search(*canvas.seen(place)), settings.tolerance, search.slack, random))
        done += int(missing.sum())
        progress(done, total)
        return canvas.source[: missing.shape[0], : missing.shape[1]]

    return filled(picture, hole, settings.reach, fill)


def transfer(
    photo: Tensor,
    painting: Tensor,
    settings: TransferSettings,
    *,
    seed: int = 0,
    progress: Progress = lambda done, total: None,
) -> Synthesis:
    """A photograph of blocks of a painting (§3): they fit to each other, to the round before, and to how dark and light
    the photograph is, after the histogram of its luma was made the painting's.

    Args:
        photo: `(1, 3, H, W)`, RGB, [0, 1].
        painting: as the sample of `quilt`.
        settings: block, overlap, tolerance, rounds.
        seed, progress: see `quilt`.

    Raises:
        InputError: if no block fits into the painting.
    """
    source, random = Sample.of(painting), np.random.default_rng(seed)
    shape = (int(photo.shape[2]), int(photo.shape[3]))
    colors = torch.from_numpy(source.colors).movedim(2, 0)[None]
    lumas = luma(colors).expand(-1, 3, -1, -1)
    alike = match_histogram(
        luma(photo.cpu().float()).expand(-1, 3, -1, -1),
        lumas,
        None,
        torch.from_numpy(source.usable)[None, None].float(),
    )
    wanted, theirs = (blur(x, BLUR)[0, 0].numpy() for x in (alike, lumas))
    planes = Sample(np.concatenate([source.colors, theirs[..., None]], 2), source.usable)
    blocks, laid = blocks_of(settings, shape), 0
    total = sum(len(_places(shape, block, overlap_of(settings, block), False)[1]) for block in blocks)
    canvas, before = None, None
    for turn, block in enumerate(blocks):
        share = 0.1 + 0.8 * turn / max(1, settings.rounds - 1)
        canvas = _Quilt(source, shape, block, overlap_of(settings, block), False)
        search = _Search(planes, block)
        light = np.pad(wanted, [(0, whole - side) for whole, side in zip(canvas.whole, shape, strict=True)], "edge")
        for place in canvas.places:
            target, weights = _aims(canvas, place, before, light, share)
            canvas.lay(place, near(search(target, weights), settings.tolerance, search.slack, random))
            laid += 1
            progress(laid, total)
        before = canvas.colors
    assert canvas is not None
    return source.synthesis(canvas.source[: shape[0], : shape[1]])


def _aims(
    canvas: _Quilt, place: tuple[int, ...], before: Array | None, light: Array, share: float
) -> tuple[Array, Array]:
    """Colors and luma that a block should have, `(B, B, 4)`, and their weights: `share` for what is known there and for
    the round before, the rest for the luma."""
    area, cells = canvas.block**2, canvas.cells(place)
    target, weights = canvas.seen(place)
    weights = weights * (share / (3 * area))
    if before is not None:
        both = weights + share / (3 * area)
        target = (weights * target + share / (3 * area) * before[cells]) / both
        weights = both
    rest = np.full((canvas.block, canvas.block, 1), (1 - share) / area)
    return np.concatenate([target, light[cells][..., None]], 2), np.concatenate([weights, rest], 2)


def blocks_of(settings: TransferSettings, shape: tuple[int, int]) -> list[int]:
    """Sides of the blocks of each round."""
    first = max(shape) // TRANSFER_PART if settings.block == AUTO else known(settings.block)
    return [max(SMALLEST, round(first * (2 / 3) ** turn)) for turn in range(settings.rounds)]


def block_of(settings: QuiltSettings, sample: Sample) -> int:
    """Side of the blocks."""
    short = min(sample.usable.shape)
    return min(max(short // PART, SMALLEST), LARGEST) if settings.block == AUTO else known(settings.block)


def overlap_of(settings: QuiltSettings, block: int) -> int:
    """Pixels by which blocks overlap."""
    return max(1, round(settings.overlap * block))


def seam(errors: Array) -> Array:
    """The line from the first row to the last along which the sum of errors, `(n, width)`, is least: its column in each
    row, which changes by one at most from row to row."""
    cost = errors.copy()
    for before, row in itertools.pairwise(cost):
        least = before.copy()
        np.minimum(least[1:], before[:-1], out=least[1:])
        np.minimum(least[:-1], before[1:], out=least[:-1])
        row += least
    path = np.zeros(len(cost), np.int64)
    path[-1] = cost[-1].argmin()
    for row in range(len(cost) - 2, -1, -1):
        first = max(0, path[row + 1] - 1)
        path[row] = first + cost[row, first : path[row + 1] + 2].argmin()
    return path


def near(errors: Array, tolerance: float, slack: float, random: np.random.Generator) -> tuple[int, int]:
    """Row and column of one of the blocks whose error, `(h, w)`, is near the least."""
    fits = np.flatnonzero(errors <= (1 + tolerance) * max(float(errors.min()), 0) + slack)
    row, column = divmod(int(random.choice(fits)), errors.shape[1])
    return row, column


class _Search:
    """Sums of weighted squared differences between a block and every block of the sample: `Σ w (t - s)²` is
    `Σ w t² - 2 Σ w t s + Σ w s²`, where the sums over the sample are products of Fourier transforms.

    Args:
        sample: its colors may have more planes, `(h, w, C)`.
        block: side of the blocks.

    Raises:
        InputError: if no block fits into the sample.
    """

    def __init__(self, sample: Sample, block: int) -> None:
        planes, usable = sample.colors, sample.usable
        self.block, self.center = block, planes.mean((0, 1))
        self.places = (usable.shape[0] - block + 1, usable.shape[1] - block + 1)
        half = block // 2
        middles = np.zeros(usable.shape, bool)
        middles.ravel()[sample.middles(block, "block")] = True
        corners = middles[half : half + self.places[0], half : half + self.places[1]]
        self.unusable = np.where(corners, np.float32(0), np.float32(np.inf))
        self.sides = tuple(math.ceil(side / QUICK) * QUICK for side in usable.shape)
        values = torch.from_numpy((planes - self.center).astype(np.float32)).movedim(2, 0)
        self.spectra, self.squares = torch.fft.rfft2(values, self.sides), torch.fft.rfft2(values**2, self.sides)
        self._own: dict[bytes, Array] = {}
        self.slack = 0.0

    def __call__(self, target: Array, weights: Array) -> Array:
        """Of a block `(B, B, C)` with weights of the same shape, the error at every corner in the sample."""
        target, key = target - self.center, weights.tobytes()
        if key not in self._own:
            if len(self._own) >= KEPT:
                self._own.clear()
            self._own[key] = self._products(self.squares, weights) + self.unusable
        fixed = float((weights * target**2).sum())
        self.slack = ROUNDING * fixed
        errors: Array = self._own[key] - 2 * self._products(self.spectra, weights * target) + fixed
        return errors

    def _products(self, spectra: Tensor, filters: Array) -> Array:
        values = torch.from_numpy(np.ascontiguousarray(filters.transpose(2, 0, 1), np.float32))
        rows = torch.fft.rfft(values, self.sides[1])
        whole = torch.fft.fft(rows, self.sides[0], dim=1)
        found = torch.fft.irfft2((spectra * whole.conj()).sum(0), self.sides)
        return np.asarray(found[: self.places[0], : self.places[1]])


class _Quilt:
    """The texture while blocks are laid on it, in rows.

    Args:
        sample: what blocks are of.
        shape: height and width of the texture.
        block, overlap: in pixels.
        tileable: whether blocks go round the edges.
        missing: `(H, W)`, of a picture, which the sample is, what is to be made; all of a texture if None.

    Attributes:
        source: `(H, W)` or larger, flat index in the sample; -1 where it is not from there.
        places: numbers of row and column of the blocks, in the order in which they are laid.
    """

    def __init__(
        self,
        sample: Sample,
        shape: tuple[int, int],
        block: int,
        overlap: int,
        tileable: bool,
        missing: Array | None = None,
    ) -> None:
        if tileable and min(shape) <= block:
            raise InputError(
                f"a tileable texture of {shape[1]}x{shape[0]} is not larger than a block of {block}: choose a larger "
                "size, or a smaller block"
            )
        self.sample, self.block, self.tileable, self.apart = sample, block, tileable, overlap // 2
        self.starts, self.places = _places(shape, block, overlap, tileable)
        self.whole = shape if tileable else (max(shape[0], block), max(shape[1], block))
        self.colors = np.zeros((*self.whole, 3), np.float32)
        self.known, self.source = np.zeros(self.whole, bool), np.full(self.whole, -1)
        self.open = np.ones(self.whole, bool) if missing is None else missing
        if missing is not None:
            self.colors[:], self.known[:] = sample.colors, sample.usable
        self.laid: dict[tuple[int, ...], tuple[int, int]] = {}

    def seen(self, place: tuple[int, ...]) -> tuple[Array, Array]:
        """The colors where a block will lie, `(B, B, 3)`, and 1 where they are known."""
        cells = self.cells(place)
        return self.colors[cells], np.repeat(self.known[cells][..., None], 3, 2).astype(np.float32)

    def inwards(self) -> Iterator[tuple[int, ...]]:
        """The places at which something is missing, each when it is the one where most is known.

        Raises:
            InputError: if nothing is known at any of them.
        """
        known = {p: self._known_at(p) for p in self.places if self.open[self.cells(p)].any()}
        while known:
            place = max(known, key=known.__getitem__)
            if not known.pop(place):
                raise invisible()
            yield place
            for beside in itertools.product(*(range(number - 1, number + 2) for number in place)):
                if beside in known:
                    known[beside] = self._known_at(beside)

    def _known_at(self, place: tuple[int, ...]) -> int:
        return int(self.known[self.cells(place)].sum())

    def forbid(self, errors: Array, place: tuple[int, ...]) -> None:
        """Rule out the blocks that go on in the sample where the neighbors left and above end, or nearly there."""
        corner, before = np.array(self._corner(place)), errors.copy()
        for neighbor in ((place[0], place[1] - 1), (place[0] - 1, place[1])):
            if neighbor in self.laid:
                row, column = self.laid[neighbor] + corner - self._corner(neighbor)
                errors[
                    max(0, row - self.apart) : row + self.apart + 1,
                    max(0, column - self.apart) : column + self.apart + 1,
                ] = np.inf
        if not np.isfinite(errors).any():
            errors[:] = before

    def lay(self, place: tuple[int, ...], corner: tuple[int, int]) -> None:
        """Copy a block of the sample, cut along the seams."""
        cells, side = self.cells(place), self.block
        rows, columns = (np.arange(first, first + side) for first in corner)
        colors = self.sample.colors[np.ix_(rows, columns)]
        errors = ((self.colors[cells] - colors) ** 2).sum(2) * self.known[cells]
        new = np.ones((side, side), bool)
        for axis, step in itertools.product((0, 1), (-1, 1)):
            width = self._overlap(place, axis, step)
            if width:
                view, cut = (errors.T, new.T) if axis == 0 else (errors, new)
                view, cut = (view[:, ::-1], cut[:, ::-1]) if step > 0 else (view, cut)
                cut[:, :width] &= np.arange(width) >= seam(view[:, :width])[:, None]
        new = (new | ~self.known[cells]) & self.open[cells]
        inside = tuple(index[new] for index in np.broadcast_arrays(*cells))
        self.colors[inside] = colors[new]
        self.source[inside] = (rows[:, None] * self.sample.usable.shape[1] + columns)[new]
        self.known[inside] = True
        self.laid[place] = corner

    def _corner(self, place: tuple[int, ...]) -> tuple[int, int]:
        return self.starts[0][place[0]], self.starts[1][place[1]]

    def cells(self, place: tuple[int, ...]) -> tuple[Array, ...]:
        """Indices of the pixels on which a block lies."""
        corner, around = self._corner(place), np.arange(self.block)
        return np.ix_((corner[0] + around) % self.whole[0], (corner[1] + around) % self.whole[1])

    def _overlap(self, place: tuple[int, ...], axis: int, step: int) -> int:
        """Pixels by which a block overlaps the one a step before or after it, if that is laid; at most half of it."""
        starts, number = self.starts[axis], place[axis] + step
        number = number % len(starts) if self.tileable else number
        if (*place[:axis], number, *place[axis + 1 :]) not in self.laid:
            return 0
        apart = step * (starts[number] - starts[place[axis]]) % self.whole[axis]
        return min(self.block - apart, self.block // 2)


def _places(
    shape: tuple[int, ...], block: int, overlap: int, tileable: bool
) -> tuple[tuple[list[int], ...], list[tuple[int, ...]]]:
    """Where the rows and columns of blocks begin, and the numbers of row and column of each block."""
    starts = tuple(_starts(side, block, overlap, tileable) for side in shape)
    return starts, list(itertools.product(*(range(len(line)) for line in starts)))


def _starts(side: int, block: int, overlap: int, tileable: bool) -> list[int]:
    """Where blocks begin, as evenly as can be, so that they overlap by `overlap` or more."""
    if tileable:
        count = max(2, math.ceil(side / (block - overlap)))
        return [round(i * side / count) for i in range(count)]
    count = max(1, math.ceil((side - overlap) / (block - overlap)))
    return [round(i * (side - block) / max(1, count - 1)) for i in range(count)]
