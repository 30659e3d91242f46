"""Wei and Levoy 2000, "Fast texture synthesis using tree-structured vector quantization": from coarse to fine, each
pixel from the place of the sample whose neighborhood is most like its own: the pixels made before it in its level, and
those around it in the coarser one.

Pixels are made in slanting lines, in which none is in another's neighborhood: all of a line are matched at once.
"""

from __future__ import annotations

import itertools
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
LEAF, FOLLOWED, DIMENSIONS, COMPARED = 16, 10, 32, 8
#: Depth in the tree at which all nodes are looked at.
FIRST = 6
#: Steps by which the direction is found along which a node is halved.
POWERS = 2


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
        InputError: if no neighborhood fits into the sample, or a tileable texture is too small for one.
    """
    margin = 0 if tileable else max(2 * settings.window, shortest(settings.window) - min(size))
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


def shortest(window: int) -> int:
    """Side that a level must have at least, else slanting lines would meet behind the edge."""
    return (window // 2 + 1) ** 2 + window // 2


def _pyramid(sample: Sample, shape: tuple[int, int], settings: PatchSettings) -> list[Sample]:
    """The sample, and smaller and smaller ones, as many as leave room for neighborhoods.

    Raises:
        InputError: if there is no room even in the sample or the texture.
    """
    found, least = [sample], shortest(settings.window)
    if min(shape) < least:
        raise InputError(
            f"a tileable texture of {shape[1]}x{shape[0]} is too small for a window of {settings.window}: both sides "
            f"must be {least} or more, or the window smaller"
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
        parts = [(sample, self.own, 1)] if coarser is None else [(sample, self.own, 1), (coarser, self.above, 2)]
        whole = sample.usable.copy()
        for level, offsets, scale in parts:
            whole &= _whole(level.usable, offsets).repeat(scale, 0).repeat(scale, 1)[: len(whole), : whole.shape[1]]
        rows, columns = np.nonzero(whole)
        if not len(rows):
            raise InputError("no neighborhood fits into what can be used of the sample: choose a smaller window")
        vectors = []
        for level, offsets, scale in parts:
            width = level.usable.shape[1]
            cells = (rows // scale * width + columns // scale)[:, None] + offsets[:, 0] * width + offsets[:, 1]
            vectors.append(level.colors.reshape(-1, 3).take(cells, 0).reshape(len(rows), -1))
        return rows * whole.shape[1] + columns, np.concatenate(vectors, 1)

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


def _whole(usable: Array, offsets: Array) -> Array:
    """Where all pixels at the offsets are usable, `(h, w)`."""
    reach = int(np.abs(offsets).max())
    padded, (height, width) = np.pad(usable, reach), usable.shape
    found = np.ones_like(usable)
    for y, x in offsets + reach:
        found &= padded[y : y + height, x : x + width]
    return found


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
        _, axes = torch.linalg.eigh((centered.T @ centered).double())
        self.axes = axes[:, -DIMENSIONS:].float().contiguous().numpy()
        reduced = centered @ torch.from_numpy(self.axes)
        depth = max(0, math.ceil(math.log2(len(vectors) / LEAF)))
        order = torch.arange(-(-len(vectors) // 2**depth) * 2**depth) % len(vectors)
        depths = [*range(min(depth, FIRST), depth, 2), depth]
        self.means = {0: _scored(reduced.mean(0, keepdim=True))}
        for level in range(depth):
            order = _halved(reduced, order.view(2**level, -1)).view(2 ** (level + 1), -1)
            if level + 1 in depths:
                self.means[level + 1] = _scored(reduced[order].mean(1))
        self.steps = [2 ** (after - before) for before, after in itertools.pairwise(depths)]
        self.depths, self.order = depths, order.view(2**depth, -1).numpy()
        self.leaves = _scored(reduced[order]).reshape(2**depth, -1)

    def __call__(self, wanted: Array) -> Array:
        """Of each of `(B, D)` the nearest one that is found."""
        reduced = np.concatenate([(wanted - self.center) @ self.axes, np.ones((len(wanted), 1), np.float32)], 1)
        nodes = _least(reduced @ self.means[self.depths[0]].T, FOLLOWED)
        for depth, step in zip(self.depths[1:], self.steps, strict=True):
            nodes = (step * nodes[:, :, None] + np.arange(step)).reshape(len(wanted), -1)
            scores = np.einsum("bnk,bk->bn", self.means[depth].take(nodes, 0), reduced)
            nodes = np.take_along_axis(nodes, _least(scores, FOLLOWED), 1)
        near = self.order.take(nodes, 0).reshape(len(wanted), -1)
        leaves = self.leaves.take(nodes, 0).reshape(*near.shape, -1)
        near = np.take_along_axis(near, _least(np.einsum("bnk,bk->bn", leaves, reduced), COMPARED), 1)
        differences = self.vectors.take(near, 0) - wanted[:, None]
        best = np.einsum("bnk,bnk->bn", differences, differences).argmin(1)
        return np.asarray(near[np.arange(len(wanted)), best])


def _scored(vectors: Tensor) -> Array:
    """Vectors `(…, K)` as `(…, K + 1)`, whose products with `(q, 1)` are `|v|² - 2 v q`: the smaller the nearer."""
    return torch.cat([-2 * vectors, vectors.square().sum(-1, keepdim=True)], -1).numpy()


def _least(scores: Array, count: int) -> Array:
    """The places of the least of each row's scores, `(B, count)` or all."""
    if scores.shape[1] <= count:
        return np.broadcast_to(np.arange(scores.shape[1]), scores.shape)
    return np.argpartition(scores, count - 1, 1)[:, :count]


def _halved(vectors: Tensor, nodes: Tensor) -> Tensor:
    """Numbers of vectors, `(nodes, n)`, with each node's in the order of where they lie along its longest direction."""
    along = vectors[nodes]
    along -= along.mean(1, keepdim=True)
    axis = torch.nn.functional.one_hot(along.square().sum(1).argmax(1), vectors.shape[1]).float()[..., None]
    for _ in range(POWERS):
        axis = along.transpose(1, 2) @ (along @ axis)
        axis = axis / axis.norm(dim=1, keepdim=True).clamp_min(1e-12)
    return nodes.gather(1, (along @ axis)[..., 0].argsort(1))


SEARCHES: dict[str, Callable[[Array], Exhaustive | Tree]] = {"tree": Tree, "exhaustive": Exhaustive}
