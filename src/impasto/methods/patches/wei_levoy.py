"""Wei and Levoy 2000, "Fast texture synthesis using tree-structured vector quantization": from coarse to fine, each
pixel from the place of the sample whose neighborhood is most like its own: the pixels made before it in its level, and
those around it in the coarser one.

Pixels are made in slanting lines, in which none is in another's neighborhood: all of a line are matched at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.methods.patches.settings import PatchSettings
from impasto.methods.patches.synthesis import Array, Progress, Sample, Synthesis
from impasto.pictures.resample import blur

#: Deviation of the blur between the levels of the pyramid.
SIGMA = 1.0
#: Whether neighborhoods go all around, and to what depth from the edges each pass then goes, in windows; 0: all.
PASSES = ((False, (0,)), (True, (0, 1, 1)))
#: Error of distances in float32, in units of the largest square of a neighborhood.
ROUNDING = 1e-5
#: Of the tree: neighborhoods in a leaf at most, nodes that are followed down, dimensions in which it is searched, and
#: neighborhoods that are then compared in all dimensions.
LEAF, FOLLOWED, DIMENSIONS, COMPARED = 16, 6, 24, 8
#: Steps by which the direction is found along which a node is halved.
POWERS = 4


def wei_levoy(
    sample: Tensor,
    size: tuple[int, int],
    settings: PatchSettings,
    *,
    seed: int = 0,
    tileable: bool = False,
    progress: Progress = lambda done, total: None,
) -> Synthesis:
    """A texture from noise of the sample's pixels, level by level.

    Args:
        sample: `(1, 3, H, W)`, RGB, [0, 1], or with its opacity `(1, 4, H, W)`: neighborhoods with transparent pixels
            are not used.
        size: width and height.
        settings: window, levels, search.
        seed: of the noise.
        tileable: whether each level is made once more, and its edges twice more, with neighborhoods that go all
            around a pixel and over the edges; else what is begun in noise is cut off.
        progress: told how many pixels are made, after each level.

    Raises:
        InputError: if no neighborhood fits into the sample, or the texture is too small for one.
    """
    margin = 0 if tileable else 2 * settings.window
    shape = (size[1] + margin, size[0] + margin)
    pyramid = _pyramid(Sample.of(sample), shape, settings)
    random, passes = np.random.default_rng(seed), PASSES if tileable else PASSES[:1]
    shapes = [tuple(-(-side // 2**number) for side in shape) for number in range(len(pyramid))]
    done, total = 0, sum(math.prod(sides) for sides in shapes)
    coarser: _Level | None = None
    for number in reversed(range(len(pyramid))):
        level = _Level(pyramid[number], random.choice(np.flatnonzero(pyramid[number].usable), shapes[number]))
        for around, depths in passes:
            neighborhood = _Neighborhood(settings.window, around, coarser is not None)
            places, vectors = neighborhood.of_sample(level.sample, None if coarser is None else coarser.sample)
            match = SEARCHES[settings.search](vectors)
            for depth in depths:
                for cells, wanted in neighborhood.lines(level, coarser, depth * settings.window):
                    level.put(cells, places[match(wanted)])
        coarser, done = level, done + len(level.source)
        progress(done, total)
    assert coarser is not None
    return coarser.sample.synthesis(coarser.source.reshape(shape)[margin:, margin:])


def _pyramid(sample: Sample, shape: tuple[int, int], settings: PatchSettings) -> list[Sample]:
    """The sample, and smaller and smaller ones, as many as leave room for neighborhoods.

    Raises:
        InputError: if there is no room even in the sample or the texture.
    """
    found = [sample]
    least = (settings.window // 2 + 1) ** 2 + settings.window // 2  # else lines would meet behind the edge
    if min(shape) < least:
        raise InputError(
            f"{shape[1]}x{shape[0]} pixels are too few for a window of {settings.window}: {least} are needed"
        )
    sample.middles(settings.window)
    while len(found) < settings.levels and min(shape) // 2 ** len(found) >= least:
        colors = torch.from_numpy(found[-1].colors).movedim(2, 0)[None]
        usable = torch.from_numpy(found[-1].usable)[None, None].float()
        seen = blur(usable, SIGMA)[0, 0, ::2, ::2].numpy() > 0.999
        smaller = Sample(np.ascontiguousarray(blur(colors, SIGMA)[0, :, ::2, ::2].movedim(0, 2)), seen)
        if min(seen.shape) < 2 * settings.window or not smaller.fits(settings.window):
            break
        found.append(smaller)
    return found


class _Level:
    """A level of the texture, round its edges.

    Attributes:
        sample: the level of the sample.
        shape: height and width.
        source: `(N,)`, flat index in the sample.
        colors: `(N, 3)`.
    """

    def __init__(self, sample: Sample, source: Array) -> None:
        self.sample, self.shape, self.source = sample, source.shape, source.ravel()
        self.own = sample.colors.reshape(-1, 3)
        self.colors = self.own[self.source]

    def put(self, cells: Array, source: Array) -> None:
        """Copy pixels."""
        self.source[cells], self.colors[cells] = source, self.own[source]


class _Neighborhood:
    """What is compared: pixels around one in its level, and the square around it in the coarser one.

    Args:
        window: side of the neighborhood in its level; about as many pixels in the coarser one.
        around: all around, and not only what is made before in lines from left to right.
        coarser: whether there is a coarser level.
    """

    def __init__(self, window: int, around: bool, coarser: bool) -> None:
        self.radius = window // 2
        square = [(y, x) for y in range(-self.radius, self.radius + 1) for x in range(-self.radius, self.radius + 1)]
        half = range(-((self.radius + 1) // 2), (self.radius + 1) // 2 + 1)
        self.own = np.array([at for at in square if at < (0, 0) or (around and at > (0, 0))])
        self.above = np.array([(y, x) for y in half for x in half] if coarser else [], np.int64).reshape(-1, 2)

    def of_sample(self, sample: Sample, coarser: Sample | None) -> tuple[Array, Array]:
        """The pixels of the sample with a whole neighborhood, as flat indices, and their vectors, `(N, D)`."""
        width = sample.usable.shape[1]
        rows, columns = np.divmod(np.flatnonzero(sample.usable), width)
        levels = [(sample, rows, columns, self.own)]
        if coarser is not None:
            levels.append((coarser, rows // 2, columns // 2, self.above))
        whole, parts = np.ones(len(rows), bool), []
        for level, row, column, offsets in levels:
            y, x = row[:, None] + offsets[:, 0], column[:, None] + offsets[:, 1]
            h, w = level.usable.shape
            whole &= ((y >= 0) & (y < h) & (x >= 0) & (x < w)).all(1)
            y, x = y.clip(0, h - 1), x.clip(0, w - 1)
            whole &= level.usable[y, x].all(1)
            parts.append((level, y, x))
        vectors = [level.colors[y[whole], x[whole]].reshape(int(whole.sum()), -1) for level, y, x in parts]
        return (rows * width + columns)[whole], np.concatenate(vectors, 1)

    def lines(self, level: _Level, coarser: _Level | None, depth: int = 0) -> Iterator[tuple[Array, Array]]:
        """The pixels of each slanting line, and their vectors as they are when it is their turn; only those that are
        less than `depth` from an edge, if it is not 0."""
        height, width = level.shape
        step = self.radius + 1
        tables = [(level, _table(level.shape, self.own, 1))]
        if coarser is not None:
            tables.append((coarser, _table(coarser.shape, self.above, 2)))
        for line in range(width + step * (height - 1)):
            rows = np.arange(max(0, -(-(line - width + 1) // step)), min(height - 1, line // step) + 1)
            columns = line - step * rows
            if depth:
                inside = np.minimum(np.minimum(rows, height - 1 - rows), np.minimum(columns, width - 1 - columns))
                rows, columns = rows[inside < depth], columns[inside < depth]
            parts = [of.colors[y[rows] + x[columns]].reshape(len(rows), -1) for of, (y, x) in tables]
            yield rows * width + columns, np.concatenate(parts, 1)


def _table(shape: tuple[int, ...], offsets: Array, scale: int) -> tuple[Array, Array]:
    """For each row and each column of a level that is `scale` times as large as one of `shape`: what they add to the
    flat indices of the neighbors in that, round the edges."""
    rows, columns = (np.arange(side * scale)[:, None] // scale for side in shape)
    return (rows + offsets[:, 0]) % shape[0] * shape[1], (columns + offsets[:, 1]) % shape[1]


class Exhaustive:
    """The nearest of vectors `(N, D)`: all are looked at."""

    def __init__(self, vectors: Array) -> None:
        self.center = vectors.mean(0, dtype=np.float64)
        self.vectors = vectors
        centered = (vectors - self.center).astype(np.float32)
        self.matrix = torch.from_numpy(centered)
        self.squares = (centered**2).sum(1)
        self.slack = ROUNDING * float(self.squares.max())

    def __call__(self, wanted: Array) -> Array:
        """The first of the nearest ones of each of `(B, D)`."""
        found = torch.mm(torch.from_numpy((-2 * (wanted - self.center)).astype(np.float32)), self.matrix.T).numpy()
        found += self.squares
        near = np.flatnonzero(found <= found.min(1, keepdims=True) + 2 * self.slack)
        queries, places = np.divmod(near, found.shape[1])
        differences = self.vectors[places].astype(np.float64) - wanted[queries]
        order = np.lexsort((places, (differences**2).sum(1), queries))
        first: Array = order[np.searchsorted(queries[order], np.arange(len(wanted)))]
        return places[first]


class Tree:
    """One of the nearest of vectors `(N, D)`: a tree of their means is gone down.

    Each node's vectors are halved across the direction in which they differ most (the paper: by Lloyd's iterations), so
    that all leaves are alike and many vectors go down at once, several nodes followed for each; in the dimensions that
    hold most of the variance, until the last few are compared in all.
    """

    def __init__(self, vectors: Array) -> None:
        self.vectors, self.center = vectors, vectors.mean(0)
        centered = torch.from_numpy(vectors - self.center)
        _, axes = torch.linalg.eigh(centered.T.double() @ centered.double())
        self.axes = axes[:, -DIMENSIONS:].float().contiguous()
        reduced = centered @ self.axes
        depth = max(0, math.ceil(math.log2(len(vectors) / LEAF)))
        leaf = -(-len(vectors) // 2**depth)
        order = torch.arange(leaf * 2**depth) % len(vectors)
        self.means = [reduced.mean(0, keepdim=True).numpy()]
        for level in range(depth):
            nodes = reduced[order].view(2**level, -1, reduced.shape[1])
            along = nodes - nodes.mean(1, keepdim=True)
            axis = torch.nn.functional.one_hot(along.square().sum(1).argmax(1), reduced.shape[1]).float()[..., None]
            for _ in range(POWERS):
                axis = along.transpose(1, 2) @ (along @ axis)
                axis = axis / axis.norm(dim=1, keepdim=True).clamp_min(1e-12)
            inside = (along @ axis)[..., 0].argsort(1)
            order = order.view(2**level, -1).gather(1, inside).flatten()
            self.means.append(reduced[order.view(2 ** (level + 1), -1)].mean(1).numpy())
        self.order = order.view(2**depth, leaf).numpy()
        self.leaves = reduced[order].view(2**depth, leaf, -1).numpy()

    def __call__(self, wanted: Array) -> Array:
        """Of each of `(B, D)` the nearest one that is found."""
        reduced = (wanted - self.center) @ self.axes.numpy()
        rows = np.arange(len(wanted))[:, None]
        nodes = np.zeros((len(wanted), 1), np.int64)
        for means in self.means[1:]:
            nodes = (2 * nodes[:, :, None] + np.arange(2)).reshape(len(wanted), -1)
            if nodes.shape[1] > FOLLOWED:
                distances = ((means[nodes] - reduced[:, None]) ** 2).sum(2)
                nodes = nodes[rows, np.argpartition(distances, FOLLOWED - 1, 1)[:, :FOLLOWED]]
        near = self.order[nodes].reshape(len(wanted), -1)
        distances = ((self.leaves[nodes] - reduced[:, None, None]) ** 2).sum(3).reshape(len(wanted), -1)
        if near.shape[1] > COMPARED:
            near = near[rows, np.argpartition(distances, COMPARED - 1, 1)[:, :COMPARED]]
        distances = ((self.vectors[near] - wanted[:, None]) ** 2).sum(2)
        best: Array = near[rows[:, 0], distances.argmin(1)]
        return best


SEARCHES: dict[str, Callable[[Array], Exhaustive | Tree]] = {"tree": Tree, "exhaustive": Exhaustive}
