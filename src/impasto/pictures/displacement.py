"""Pictures seen from another place."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

#: Pixels down and to the right; less than 0 for up and to the left.
Displacement = tuple[int, int]


def mirrored(maps: Tensor, by: Displacement) -> Tensor:
    """`(B, C, H, W)` displaced: what leaves is cut off, and what opens at the other side is filled by a mirror. The
    size stays, as kernels of convolutions are made anew for each size."""
    if by == (0, 0):
        return maps  # no copy: a print may be large
    down, right = by
    height, width = maps.shape[-2:]
    cut = maps[..., max(0, -down) : height - max(0, down), max(0, -right) : width - max(0, right)]
    sides = (max(0, right), max(0, -right), max(0, down), max(0, -down))
    return F.pad(cut, sides, mode="reflect")


def rolled(maps: Tensor, by: Displacement) -> Tensor:
    """`(B, C, H, W)` displaced round the edges."""
    return maps.roll(by, (2, 3))


def followed(maps: Tensor, by: Displacement, size: tuple[int, int]) -> Tensor:
    """A mask or a map, `(B, C, h, w)`, that goes with a picture of `(H, W)` that is displaced (`mirrored`)."""
    down, right = (round(n * int(s) / full) for n, s, full in zip(by, maps.shape[-2:], size, strict=True))
    return mirrored(maps, (down, right))
