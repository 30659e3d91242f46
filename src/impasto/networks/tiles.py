"""Pictures too large for one piece: painted in tiles that share the statistics of the whole."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from impasto.networks.conditioning import Grain, OfWhole
from impasto.networks.generator import Generator

#: Told how many tiles are done, and of how many.
Progress = Callable[[int, int], None]
#: Side of a tile without its halo.
TILE = 1024
#: The statistics are those of so many squares of such a side, evenly spread.
PARTS, PART = 16, 512


@torch.no_grad()
def in_pieces(
    generator: Generator,
    images: Tensor,
    style: Tensor,
    progress: Progress = lambda done, total: None,
    *,
    tile: int = TILE,
) -> Tensor:
    """`generator(images, style)`; in tiles where the picture has more pixels than `generator.largest`.

    Normalizations and matched colors look at the whole picture, a tile alone would show as one. So what they look at is
    measured first, on squares evenly spread over the picture, which go through the network together as if they were one
    picture, and kept for all tiles. With a halo as wide as what a pixel depends on, tiles then fit without a seam;
    beside one piece, the only difference is that of the statistics.

    Args:
        generator: the network, in `eval()`; one with `halo` 0 cannot be divided.
        images: `(1, 3, H, W)`, RGB, [0, 1]; a batch of large pictures is not divided.
        style: `(1, P)`.
        progress: told after each tile.
        tile: their side, pixels, a multiple of `generator.divisor`.
    """
    if not generator.halo or len(images) > 1 or math.prod(images.shape[-2:]) <= generator.largest:
        return generator(images, style)
    with held(generator) as origin:
        generator(parts(images, generator.divisor), style)
        return _tiled(generator, images, style, origin, progress, tile)


@contextmanager
def held(generator: Generator) -> Iterator[Callable[[int, int], None]]:
    """Inside, statistics of whole pictures are measured in the first pass and kept for all that follow.

    Yields:
        To be told where the next piece begins, row and column.
    """
    modules = list(generator.modules())

    def origin(top: int, left: int) -> None:
        for module in modules:
            if isinstance(module, Grain):
                module.origin = (top // module.cell, left // module.cell)

    looking = [m for m in modules if isinstance(m, OfWhole)]
    for module in looking:
        module.kept = {}
    try:
        yield origin
    finally:
        for module in looking:
            module.kept = None
        origin(0, 0)


def parts(image: Tensor, divisor: int) -> Tensor:
    """Squares evenly spread over a picture `(1, 3, H, W)`, `(n, 3, PART, PART)`, or less high or wide where it is;
    their places are multiples of `divisor`."""
    height, width = image.shape[-2:]
    size = min(PART, height), min(PART, width)
    rows = max(1, min(height // size[0], round(math.sqrt(PARTS * height / width))))
    columns = max(1, min(width // size[1], PARTS // rows))

    def places(whole: int, side: int, count: int) -> list[int]:
        last = (whole - side) // divisor
        steps = torch.linspace(0, last, count) if count > 1 else torch.tensor([last / 2])
        return [divisor * int(s) for s in steps.round()]

    corners = itertools.product(places(height, size[0], rows), places(width, size[1], columns))
    return torch.cat([image[..., top : top + size[0], left : left + size[1]] for top, left in corners])


def _tiled(
    generator: Generator,
    image: Tensor,
    style: Tensor,
    origin: Callable[[int, int], None],
    progress: Progress,
    tile: int,
) -> Tensor:
    height, width = (int(n) for n in image.shape[-2:])
    halo, result = generator.halo, torch.empty_like(image)
    corners = list(itertools.product(range(0, height, tile), range(0, width, tile)))
    for done, (top, left) in enumerate(corners, 1):
        above, before = max(0, top - halo), max(0, left - halo)
        below, after = min(height, top + tile + halo), min(width, left + tile + halo)
        origin(above, before)
        painted = generator(image[..., above:below, before:after], style)
        own = result[..., top : top + tile, left : left + tile]
        own.copy_(painted[..., top - above :, left - before :][..., : own.shape[2], : own.shape[3]])
        progress(done, len(corners))
    return result
