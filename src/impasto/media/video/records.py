"""What readers and writers of video share."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol, TypeAlias

from torch import Tensor

#: Told of what a user should know.
Tell: TypeAlias = Callable[[str], None]
#: Frames a second of what has no rate.
USUAL_RATE = Fraction(25)
#: Seconds that two equal times may differ by.
SLACK = Fraction(1, 20_000)


def ignore(text: str) -> None:
    """Tell nobody."""


class Loss(str):
    """A note of something that was lost: a command that hears it ends with exit code 1."""


@dataclass(frozen=True, eq=False)
class Frame:
    """A picture of a video.

    Attributes:
        pixels: `(1, 3, H, W)`, RGB, [0, 1].
        seconds: since the first.
    """

    pixels: Tensor
    seconds: float


@dataclass(frozen=True)
class Index:
    """The times of all pictures of a video.

    Attributes:
        times: in seconds by the file's clock, in order.
        end: of the last picture.
        heard: end of the last picture and of sound.
        exact: whether pictures come at just these times, so that one can start at any.
    """

    times: tuple[Fraction, ...]
    end: Fraction
    heard: Fraction
    exact: bool = True

    def after(self, seconds: float) -> int:
        """Number of the first picture that is not before so many seconds after the first."""
        return bisect_left(self.times, self.times[0] + Fraction(seconds) - SLACK) if self.times else 0


class Source(Protocol):
    """Pictures with their times by a clock of their own."""

    rate: Fraction

    def index(self) -> Index:
        """The times of all pictures."""
        ...

    def pictures(self, number: int, tell: Tell) -> Iterator[tuple[Tensor, Fraction]]:
        """Pictures `(1, 3, H, W)` and their times, from the one with that number in the index on."""
        ...
