"""Encoders that can be run on a part of a picture, a stretch at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from torch import Tensor

from impasto.errors import InputError
from impasto.features.encoder import Encoder

#: From a map `(B, C, h, w)`, or a part of one, to a stretch's output and the maps of its layers, which may be in
#: bfloat16.
Run = Callable[[Tensor], tuple[Tensor, dict[str, Tensor]]]


@dataclass(frozen=True)
class Level:
    """The shape of a map against that of a span's input.

    Attributes:
        halvings: how often its height and width are halved, rounded down.
        channels: how many it has.
    """

    halvings: int
    channels: int


@dataclass(frozen=True)
class Span:
    """A stretch of an encoder, whose outputs depend on its input near the same place only.

    `run` pads every border as the encoder pads the picture's: on a part whose border lies inside of the picture, its
    results are wrong up to `halo` cells from there, and are to be cut off.

    Attributes:
        run: from the input, or a part that begins at a multiple of `unit` cells.
        layers: those that were asked for and lie in it.
        output: what the next span takes.
        halo: cells of the input, a multiple of `unit`.
        held: numbers a cell of the input that one forward and backward pass keeps, as if they were float32.
        apart: whether it can be run on a part at all.
    """

    run: Run
    layers: Mapping[str, Level]
    output: Level
    halo: int
    held: float
    apart: bool = True

    @property
    def unit(self) -> int:
        """Cells of the input that one cell of the output stands for, each way."""
        return 1 << self.output.halvings


@runtime_checkable
class Spanned(Encoder, Protocol):
    """An encoder that is a row of spans."""

    def spans(self, layers: Iterable[str], size: tuple[int, int]) -> list[Span]:
        """The spans that lead to `layers`, the first of which takes pictures; none if it has none.

        Args:
            layers: names out of `layers`, in any order.
            size: `(H, W)` of the whole picture.

        Raises:
            InputError: if a layer is not known, or the picture is too small for it.
        """
        ...


def spans_of(encoder: Encoder, layers: Iterable[str], size: tuple[int, int]) -> list[Span]:
    """`encoder.spans(layers, size)`, of parts that can be run by themselves.

    Raises:
        InputError: also if it has no such spans.
    """
    found = encoder.spans(layers, size) if isinstance(encoder, Spanned) else []
    if not (found and all(span.apart for span in found)):
        raise InputError(
            f"the encoder {encoder.name} cannot be run in tiles; lite and the VGGs can, with padding zeros"
        )
    return found
