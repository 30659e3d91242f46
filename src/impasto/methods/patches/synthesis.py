"""What the methods that copy pixels share: the sample, the canvas with what is known, and where pixels are from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from impasto.errors import InputError

Array: TypeAlias = npt.NDArray[Any]
#: Pixels between holes that are filled as one, at most.
APART = 16
#: Told how many pixels are made, and of how many.
Progress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class Synthesis:
    """A picture of copied pixels.

    Attributes:
        pixels: `(1, 3, H, W)`, RGB, [0, 1].
        source: `(2, H, W)` int64: row and column of the sample where each pixel is from; -1 where it was there before.
        shape: height and width of the sample.
        alpha: the picture's opacity, `(1, 1, H, W)`, [0, 1]; None if it is opaque.
    """

    pixels: Tensor
    source: Tensor
    shape: tuple[int, int]
    alpha: Tensor | None = None

    def coherence(self) -> Tensor:
        """Where each pixel is from, as a picture `(1, 3, H, W)`: red grows with the column, green with the row; what
        was there before is gray. A patch without a step is one piece of the sample, copied whole."""
        rows, columns = self.source / (torch.tensor(self.shape)[:, None, None] - 1).clamp(min=1)
        shown = torch.stack([columns, rows, 1 - (rows + columns) / 2])
        return torch.where(self.source[:1] < 0, 0.5, shown)[None].float()


@dataclass(frozen=True, eq=False)
class Sample:
    """Pixels to copy.

    Attributes:
        colors: `(h, w, 3)` float32, [0, 1].
        usable: `(h, w)`, whether a pixel may be copied or compared.
        is_around: whether it is what is around a hole, for messages.
    """

    colors: Array
    usable: Array
    is_around: bool = False

    @staticmethod
    def of(picture: Tensor) -> Sample:
        """Of a picture `(1, 3 or 4, h, w)`; what is more transparent than opaque is not used."""
        planes = picture[0].movedim(0, -1).cpu().float().contiguous().numpy()
        usable = planes[..., 3] > 0.5 if planes.shape[2] == 4 else np.ones(planes.shape[:2], bool)
        return Sample(np.ascontiguousarray(planes[..., :3]), usable)

    def fits(self, side: int) -> bool:
        """Whether a window of that side can be used whole."""
        if min(self.usable.shape) < side:
            return False
        return bool(np.lib.stride_tricks.sliding_window_view(self.usable, (side, side)).all((2, 3)).any())

    def middles(self, side: int, what: str = "window") -> Array:
        """Flat indices of the pixels in the middle of the windows of that side that can be used whole, in order.

        Args:
            side: in pixels.
            what: it is the side of, for the message.

        Raises:
            InputError: if there is none.
        """
        if min(self.usable.shape) >= side:
            whole = np.lib.stride_tricks.sliding_window_view(self.usable, (side, side)).all((2, 3))
            rows, columns = np.nonzero(whole)
            if len(rows):
                return np.asarray((rows + side // 2) * self.usable.shape[1] + columns + side // 2)
        height, width = self.usable.shape
        where = f"the {width}x{height} pixels around the hole" if self.is_around else f"the sample of {width}x{height}"
        raise InputError(
            f"a {what} of {side} pixels does not fit into what can be used of {where}: choose a smaller one"
            + (", or a larger reach" if self.is_around else "")
        )

    def synthesis(self, source: Array) -> Synthesis:
        """The picture of pixels from `source`, `(H, W)`, flat indices."""
        pixels, shape = self.colors.reshape(-1, 3)[source], (int(self.usable.shape[0]), int(self.usable.shape[1]))
        places = np.stack(np.divmod(source, shape[1]))
        return Synthesis(torch.from_numpy(pixels).movedim(-1, 0)[None], torch.from_numpy(places), shape)


def invisible() -> InputError:
    """The error for a hole that nothing opaque touches."""
    return InputError("the hole has only transparent pixels around it: mask what is beside something visible")


def holes_in(mask: Tensor) -> Iterator[Tensor]:
    """The holes of a mask, `(H, W)`, bool, one after the other; those that are nearly side by side are one.

    Raises:
        InputError: if there is none, or nothing else.
    """
    if not mask.any() or mask.all():
        color = "white" if mask.any() else "black"
        raise InputError(f"the mask is {color} all over: paint the hole white, the rest black")
    left = mask.clone()
    while left.any():
        hole, size = torch.zeros_like(left), 0
        hole.view(-1)[left.flatten().nonzero()[0]] = True
        while int(hole.sum()) > size:
            size = int(hole.sum())
            near = max_pool2d(hole[None].float(), (2 * APART + 1, 1), 1, (APART, 0))
            hole = (max_pool2d(near, (1, 2 * APART + 1), 1, (0, APART))[0] > 0) & left
        left &= ~hole
        yield hole


def box_of(hole: Tensor, reach: int) -> tuple[slice, slice]:
    """Rows and columns of a hole, `(H, W)`, bool, and of `reach` pixels around it."""
    sides = []
    for line in (hole.any(1), hole.any(0)):
        places = line.nonzero()
        sides.append(slice(max(0, int(places.min()) - reach), int(places.max()) + 1 + reach))
    return sides[0], sides[1]


#: From part of a picture and what is missing in it, `(h, w)`, to where in that part each pixel is from, flat indices.
Fill: TypeAlias = Callable[[Sample, Array], Array]


def filled(picture: Tensor, mask: Tensor, reach: int, fill: Fill) -> Synthesis:
    """A picture whose holes are filled, each from what is around it; each pixel comes with its opacity.

    Args:
        picture: `(1, 3 or 4, H, W)`; what is transparent is not copied.
        mask: `(H, W)`, bool: what is to be filled.
        reach: pixels around a hole that are looked at.
        fill: of each hole.
    """
    pixels, source = picture.cpu().float().clone(), torch.full((2, *mask.shape), -1)
    for hole in holes_in(mask.cpu()):
        box = box_of(hole, reach)
        part, missing, here = Sample.of(pixels[..., *box]), mask[box].cpu().numpy(), hole[box].numpy()
        part = Sample(part.colors, part.usable & ~missing, is_around=True)
        rows, columns = np.divmod(fill(part, here)[here], here.shape[1])
        source[:, hole] = torch.from_numpy(np.stack([rows + box[0].start, columns + box[1].start]))
        pixels[..., hole] = pixels[..., *source[:, hole]]
    alpha = pixels[:, 3:] if pixels.shape[1] == 4 else None
    return Synthesis(pixels[:, :3], source, (int(mask.shape[0]), int(mask.shape[1])), alpha)
