"""Strokes that grow with the picture: a network paints strokes of one size in pixels, so a large picture is painted
small first, as its preview is, and then again, each time about twice as large, from what was painted before.

A pass gives what is finer than the one before could show, and leaves the rest (as in a Laplacian pyramid: Burt and
Adelson 1983, "The Laplacian pyramid as a compact image code"): reduced, every size is the same picture.
"""

from __future__ import annotations

import itertools
import math

import torch.nn.functional as F
from torch import Tensor

from impasto.networks.painter import Painter
from impasto.networks.tiles import Progress
from impasto.pictures.resample import lanczos

#: Long side of the first pass: networks know the scale of their styles at it.
FIRST = 512
#: How much of a pass's own detail is taken: with all of it, outlines are drawn twice and strokes become hollow.
SHARE = 0.6
#: Bytes for each pixel that are held besides in the last of several passes.
HELD = 24


def passes(size: tuple[int, int], long_side: int) -> list[tuple[int, int]]:
    """`(H, W)` of each pass over a picture or a part of one, the last its own; a single one below about 725 pixels.

    Args:
        size: of what is painted.
        long_side: of the whole picture.
    """
    count = max(0, round(math.log2(long_side / FIRST)))
    ratios = [(FIRST / long_side) ** (k / count) for k in range(count, 0, -1)]
    return [(max(1, round(size[0] * r)), max(1, round(size[1] * r))) for r in ratios] + [size]


def grown(
    painter: Painter, picture: Tensor, vector: Tensor, sizes: list[tuple[int, int]], progress: Progress
) -> Tensor:
    """`picture` painted in `passes`, `(1, 3, H, W)` in [0, 1] both.

    Args:
        painter: the network.
        picture: of the last of the sizes.
        vector: of the style, `(1, P)`.
        sizes: of the passes.
        progress: told after each tile of the last one.
    """
    *earlier, last = sizes
    if not earlier:
        return painter(picture, vector, progress)
    painted = painter(lanczos(picture, earlier[0]), vector)
    for before, size in itertools.pairwise(sizes):
        photo = lanczos(picture, size)
        seen = resized(painted - resized(photo, before), size).add_(photo).clamp_(0, 1)  # its finer detail comes now
        fine = painter(seen, vector, progress) if size == last else painter(seen, vector)
        del photo, seen
        painted = resized(painted - SHARE * resized(fine, before), size).add_(fine, alpha=SHARE).clamp_(0, 1)
    return painted


def resized(picture: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture, or a difference of two, at `(H, W)`."""
    return F.interpolate(picture, size=size, mode="bicubic", antialias=True)
