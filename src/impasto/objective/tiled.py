"""Objectives of pictures larger than memory: exact, since all that they know of a map adds up over positions.

An encoder is a row of spans (`impasto.features.spans`). Each is run on tiles of its input with a halo around them,
which is cut off; its output is kept whole, its other maps are added to sums and dropped. From the sums come the loss
and its gradient with respect to each of them, on matrices of channels only. Then, from the last span to the first,
each tile is run once more and that gradient, with the one of the span's output, is pushed back to the input. So a
gradient costs two forward passes and a backward pass, and memory only the spans' outputs and what one tile holds.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.features.encoder import Encoder, streamed
from impasto.features.spans import Level, Span, spans_of
from impasto.objective import Objective
from impasto.objective.statistics import Place, Statistic, Sum, resized_mask, whole
from impasto.objective.terms import Additive, Term

#: Bytes held while a number of a tile's maps is made and differentiated: itself, its gradient, the convolutions'
#: transforms, copies without the halo, and what a heap that keeps freed memory loses between its pieces.
BYTES_HELD = 24


def tile_area(span: Span, workspace: float) -> float:
    """Cells of a span's input, halo included, whose maps and gradients fit into `workspace` bytes."""
    return workspace / (BYTES_HELD * span.held)


@dataclass(frozen=True)
class Side:
    """Rows or columns of a tile, in cells of a span's input.

    Attributes:
        start, stop: its own.
        low, high: with the halo.
        length: of the whole input.
    """

    start: int
    stop: int
    low: int
    high: int
    length: int

    def own(self, halvings: int) -> slice:
        """Its own part of the whole map of a layer."""
        return slice(self.start >> halvings, self.stop >> halvings)

    def inner(self, halvings: int) -> slice:
        """Its own part of the map that comes out of a run on it."""
        low = self.low >> halvings
        return slice((self.start >> halvings) - low, (self.stop >> halvings) - low)


@dataclass(frozen=True)
class Tile:
    """A part of a span's input, `rows` by `columns`."""

    rows: Side
    columns: Side

    def cut(self, whole: Tensor) -> Tensor:
        """The tile with its halo, out of the span's input `(B, C, H, W)`."""
        return whole[..., self.rows.low : self.rows.high, self.columns.low : self.columns.high]

    def own(self, maps: Tensor, level: Level) -> Tensor:
        """What a run on `cut` gives, without the halo, in the same memory layout."""
        part = maps[..., self.rows.inner(level.halvings), self.columns.inner(level.halvings)]
        last = maps.is_contiguous(memory_format=torch.channels_last) and not maps.is_contiguous()
        return part.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)

    def place(self, level: Level) -> Place:
        """Where `own` lies in the whole map."""
        size = (self.rows.length >> level.halvings, self.columns.length >> level.halvings)
        return Place(size, self.rows.own(level.halvings), self.columns.own(level.halvings))


def tiles(span: Span, size: tuple[int, int], workspace: float) -> list[Tile]:
    """Tiles that cover a span's input of `(H, W)` cells, nearly equal, each as large as `tile_area`.

    The shorter side of the input is taken whole where a square would reach beyond it. No tile is smaller than twice
    its halo, so that work stays bounded whatever the workspace.
    """
    area, least = tile_area(span, workspace), 2 * span.halo + span.unit
    short = min(max(math.sqrt(area), least), min(size))
    spans = [max(short, least) if side == min(size) else max(area / short, least) for side in size]
    if size[0] == size[1]:
        spans = [max(short, least)] * 2
    rows, columns = (_sides(length, span, int(reach)) for length, reach in zip(size, spans, strict=True))
    return [Tile(r, c) for r in rows for c in columns]


def _sides(length: int, span: Span, reach: int) -> list[Side]:
    """`length` cells in nearly equal parts that with their halos are at most `reach` cells long."""
    cells = max(1, length // span.unit)
    count = 1 if reach >= length else math.ceil(cells * span.unit / max(span.unit, reach - 2 * span.halo))
    count = min(count, cells)
    edges = [*(i * cells // count * span.unit for i in range(count)), length]
    halo = span.halo
    return [Side(a, b, max(0, a - halo), min(length, b + halo), length) for a, b in itertools.pairwise(edges)]


class _Sweep:
    """Passes over one picture, tile by tile."""

    def __init__(self, encoder: Encoder, layers: Iterable[str], workspace: float, image: Tensor) -> None:
        self.spans = spans_of(encoder, layers, whole(image).size)
        self.workspace = workspace / len(image)

    def _tiles(self, span: Span, x: Tensor) -> list[Tile]:
        return tiles(span, whole(x).size, self.workspace)

    @torch.no_grad()
    def forward(self, image: Tensor, see: Callable[[str, Tensor, Place], None]) -> list[Tensor]:
        """Shows `see` each layer's map in parts; returns the inputs of all spans, the image first."""
        inputs = [image]
        for span in self.spans:
            x, last = inputs[-1], span is self.spans[-1]
            height, width = (side >> span.output.halvings for side in whole(x).size)
            out = x.new_empty(0 if last else len(x), span.output.channels, height, width)
            for tile in self._tiles(span, x):
                y, found = span.run(tile.cut(x))
                for layer, maps in found.items():
                    see(layer, tile.own(maps, span.layers[layer]), tile.place(span.layers[layer]))
                if not last:
                    tile.place(span.output).of(out).copy_(tile.own(y, span.output))
            if not last:
                inputs.append(out)
        return inputs

    def backward(
        self, inputs: list[Tensor], pull: Callable[[str, Tensor, Place], Iterator[tuple[Tensor, Tensor]]]
    ) -> Tensor:
        """The gradient with respect to the image, `(B, 3, H, W)`.

        Args:
            inputs: of all spans; given back one after the other.
            pull: for a part of a layer's map, what was made of it and the gradients with respect to that.
        """
        above: Tensor | None = None
        for span in reversed(self.spans):
            x = inputs.pop()
            below = torch.zeros_like(x)
            for tile in self._tiles(span, x):
                part = tile.cut(x).detach().requires_grad_()
                with torch.enable_grad():
                    y, found = span.run(part)
                    pairs = [
                        pair
                        for layer, maps in found.items()
                        for pair in pull(layer, tile.own(maps, span.layers[layer]), tile.place(span.layers[layer]))
                    ]
                    if above is not None:
                        pairs.append((tile.own(y, span.output), tile.place(span.output).of(above)))
                tile.cut(below).add_(_gradient(pairs, part))
                del y, found, pairs
            above = below
        assert above is not None
        return above


def _gradient(pairs: Sequence[tuple[Tensor, Tensor]], part: Tensor) -> Tensor:
    """Of `part`, from results and the gradients with respect to them."""
    (gradient,) = torch.autograd.grad([y for y, _ in pairs], [part], [g for _, g in pairs])
    return gradient


def check_additive(terms: Iterable[Term]) -> None:
    """Each term adds up over positions or reads the image alone.

    Raises:
        InputError: if one does neither.
    """
    for term in terms:
        if term.layers and not isinstance(term, Additive):
            raise InputError(
                f"the {term.name} term compares whole maps ({type(term).__name__}) and cannot be computed in tiles; "
                "prints need a style loss that adds up: gram, moments or wasserstein"
            )


@dataclass(frozen=True)
class TiledObjective:
    """The same number and gradient as an `Objective`'s, up to rounding, in bounded memory.

    Attributes:
        encoder: a `Spanned` one.
        terms: pairs of weight and term, each `Additive` or without layers; a weight of 0 leaves the term out.
        workspace: bytes for the maps of one tile.

    Raises:
        InputError: when it is made, if a term cannot be computed in tiles.
    """

    encoder: Encoder
    terms: Sequence[tuple[float, Term]]
    workspace: float

    def __post_init__(self) -> None:
        check_additive(term for weight, term in self.terms if weight)

    def __call__(self, image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """As `Objective`; the gradient is computed at once, so that the backward pass only hands it on."""
        gradient, parts = self._evaluate(image.detach())
        total = torch.stack([value for _, value in parts]).sum()
        named: dict[str, Tensor] = {}
        for name, value in parts:
            named[name] = named.get(name, 0) + value
        loss: Tensor = _Known.apply(image, total, gradient)  # type: ignore[no-untyped-call]
        return loss, named

    def _evaluate(self, image: Tensor) -> tuple[Tensor, list[tuple[str, Tensor]]]:
        """The gradient, and the weighted value of each term."""
        active = [(weight, term) for weight, term in self.terms if weight]
        seen = [(weight, term) for weight, term in active if isinstance(term, Additive) and term.layers]
        gradient, parts = self._of_maps(image, seen) if seen else (torch.zeros_like(image), [])
        for weight, term in active:
            if not term.layers:
                pixels = image.detach().requires_grad_()
                with torch.enable_grad():
                    value = weight * term(pixels, {})
                gradient += torch.autograd.grad(value, pixels)[0]
                parts.append((term.name, value.detach()))
        return gradient, parts

    def _of_maps(
        self, image: Tensor, terms: Sequence[tuple[float, Additive]]
    ) -> tuple[Tensor, list[tuple[str, Tensor]]]:
        sweep = _Sweep(self.encoder, {n for _, term in terms for n in term.layers}, self.workspace, image)
        sums: dict[tuple[int, str], Sum] = {}

        def see(layer: str, maps: Tensor, place: Place) -> None:
            for number, (_, term) in enumerate(terms):
                if layer in term.layers:
                    found, key = term.measure(layer, maps, place), (number, layer)
                    sums[key] = sums[key] + found if key in sums else found

        inputs = sweep.forward(image, see)
        parts, slopes = _slopes(terms, sums)

        def pull(layer: str, maps: Tensor, place: Place) -> Iterator[tuple[Tensor, Tensor]]:
            for number, (_, term) in enumerate(terms):
                if layer in term.layers:
                    yield term.measure(layer, maps, place).total, slopes[number, layer]

        return sweep.backward(inputs, pull), parts


def objective(
    encoder: Encoder, terms: Sequence[tuple[float, Term]], workspace: float | None = None
) -> Objective | TiledObjective:
    """The objective of these terms, in tiles if there is a workspace."""
    return Objective(encoder, terms) if workspace is None else TiledObjective(encoder, terms, workspace)


def _slopes(
    terms: Sequence[tuple[float, Additive]], sums: Mapping[tuple[int, str], Sum]
) -> tuple[list[tuple[str, Tensor]], dict[tuple[int, str], Tensor]]:
    """The weighted value of each term, and the loss's gradient with respect to each sum's total."""
    leaves = {key: found.total.detach().requires_grad_() for key, found in sums.items()}
    with torch.enable_grad():
        values = [
            (term.name, weight * term.value({n: Sum(leaves[i, n], sums[i, n].mass) for n in term.layers}))
            for i, (weight, term) in enumerate(terms)
        ]
        gradients = torch.autograd.grad(torch.stack([value for _, value in values]).sum(), list(leaves.values()))
    return [(name, value.detach()) for name, value in values], dict(zip(leaves, gradients, strict=True))


class _Known(torch.autograd.Function):
    """A number whose gradient is already known."""

    @staticmethod
    def forward(ctx: Any, image: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        return gradient * grads[0], None, None


@torch.no_grad()
def measured(
    encoder: Encoder,
    image: Tensor,
    layers: Iterable[str],
    statistic: Statistic,
    mask: Tensor | None = None,
    workspace: float | None = None,
) -> dict[str, Tensor]:
    """Layer -> the mean statistic of a picture, `(B, …)`.

    Args:
        encoder: a `Spanned` one if there is a workspace.
        image: `(B, 3, H, W)`, RGB, [0, 1].
        layers: names out of the encoder's.
        statistic: what is measured.
        mask: of the positions, `(B or 1, 1, h, w)`, averaged to each layer's size; all count if None.
        workspace: bytes for the maps of one tile; None for all at once.
    """
    sums: dict[str, Sum] = {}

    def see(layer: str, maps: Tensor, place: Place) -> None:
        weights = None if mask is None else place.of(resized_mask(mask, place.size))
        found = statistic.measure(maps, weights)
        sums[layer] = sums[layer] + found if layer in sums else found

    if workspace is None:
        for layer, maps in streamed(encoder, image, layers):
            see(layer, maps, whole(maps))
    else:
        _Sweep(encoder, layers, workspace, image).forward(image, see)
    return {layer: found.mean() for layer, found in sums.items()}


@torch.no_grad()
def whole_maps(
    encoder: Encoder, image: Tensor, layers: Iterable[str], workspace: float | None = None
) -> dict[str, Tensor]:
    """Layer -> its whole map `(B, C, H', W')`, as `encoder(image, layers)` gives it; for the other arguments see
    `measured`."""
    if workspace is None:
        return encoder(image, layers)
    found: dict[str, Tensor] = {}

    def see(layer: str, maps: Tensor, place: Place) -> None:
        if layer not in found:
            found[layer] = image.new_empty(*maps.shape[:2], *place.size)
        place.of(found[layer]).copy_(maps)

    _Sweep(encoder, layers, workspace, image).forward(image, see)
    return found
