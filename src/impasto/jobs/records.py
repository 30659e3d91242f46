"""What happens while a job runs, in small records that fronts show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.optimize import Step


@dataclass(frozen=True)
class Note:
    """Something that a user should know.

    Attributes:
        text: one line.
        lost: whether something of the input was lost: the command line ends with exit code 1.
    """

    text: str
    lost: bool = False


@dataclass(frozen=True)
class Progress:
    """So much of a piece of work is done.

    Attributes:
        what: is done, such as "reading styles".
        done, total: in pieces; `total` is 0 while it is not known.
        text: beside the bar, such as the loss.
    """

    what: str
    done: float
    total: float
    text: str = ""


@dataclass(frozen=True)
class Wrote:
    """A file was written.

    Attributes:
        path: of the file.
        text: about it, such as its size; may be empty.
    """

    path: str
    text: str = ""


@dataclass(frozen=True)
class Measured:
    """Numbers that were asked for, by row and column.

    Attributes:
        rows: name -> column -> number.
    """

    rows: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, eq=False)
class Painted:
    """A frame was painted.

    Attributes:
        pixels: `(1, 3, H, W)`, RGB, [0, 1].
        seconds: when it is shown, since the first.
        took: seconds that the network took for it.
    """

    pixels: Tensor
    seconds: float
    took: float


@dataclass(frozen=True)
class Learnt:
    """A step of a training; see `impasto.training.TrainStep`."""

    step: int
    done: float
    loss: float
    seconds: float
    held_out: Mapping[str, float] | None = None


Record: TypeAlias = "Note | Progress | Wrote | Measured | Painted | Learnt | Step"
Tell: TypeAlias = "Callable[[Record], None]"
