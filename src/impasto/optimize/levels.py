"""Pyramids of what lies over a picture."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor


def pyramid(image: Tensor, levels: int) -> list[Tensor]:
    """`(B, C, H, W)` and `levels - 1` more, each of half the sides of the one before (rounded up)."""
    found = [image]
    for _ in range(levels - 1):
        half = [max(1, -(-int(side) // 2)) for side in found[-1].shape[-2:]]
        found.append(F.interpolate(found[-1], size=half, mode="bilinear", align_corners=False, antialias=True))
    return found


def collapsed(levels: Sequence[Tensor]) -> Tensor:
    """The sum of a pyramid's levels, each enlarged to the first one's size."""
    found = levels[-1]
    for level in reversed(levels[:-1]):
        size = (int(level.shape[-2]), int(level.shape[-1]))
        found = F.interpolate(found, size=size, mode="bilinear", align_corners=False).add_(level)
    return found
