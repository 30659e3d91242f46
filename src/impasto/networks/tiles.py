"""Pictures too large for one piece: painted in tiles that share the statistics of the whole."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from impasto.memory import too_large
from impasto.networks.conditioning import Grain, OfWhole
from impasto.networks.generator import Generator

#: Told how many tiles are done, and of how many.
Progress = Callable[[int, int], None]
#: Sides of tiles without their halo; the first that fits into memory is taken.
TILES = (1024, 512, 256)
#: The statistics are those of so many squares of such a side, evenly spread; of fewer where memory is short.
PARTS, PART, LEAST_PARTS = 16, 512, 4
#: Bytes that are there whatever the picture's size, and those of the pictures around the network, for each pixel.
OVERHEAD, PICTURES = 0.4e9, 60


@torch.no_grad()
def in_pieces(
    generator: Generator,
    images: Tensor,
    style: Tensor,
    progress: Progress = lambda done, total: None,
    *,
    tile: int = 0,
    max_memory: float | None = None,
) -> Tensor:
    """`generator(images, style)`; in tiles where the picture has more pixels than `generator.largest`, or needs more
    memory than there is.

    Normalizations and matched colors look at the whole picture, a tile alone would show as one. So what they look at is
    measured first, on squares evenly spread over the picture, which go through the network together as if they were one
    picture, and kept for all tiles. With a halo as wide as what a pixel depends on, tiles then fit without a seam;
    beside one piece, the only difference is that of the statistics.

    Args:
        generator: the network, in `eval()`; one with `halo` 0 cannot be divided.
        images: `(1, 3, H, W)`, RGB, [0, 1]; a batch of large pictures is not divided.
        style: `(1, P)`.
        progress: told after each tile.
        tile: their side, pixels, a multiple of `generator.divisor`; the largest of `TILES` that fits if 0.
        max_memory: bytes that the process may take; None for no limit.

    Raises:
        InputError: if it does not fit into them.
    """
    found = pieces(generator, (int(images.shape[-2]), int(images.shape[-1])), max_memory)
    if found is None or len(images) > 1:
        return generator(images, style)
    with held(generator) as origin:
        if not all(m.kept for m in generator.modules() if isinstance(m, OfWhole)):
            generator(parts(images, generator.divisor, found[1]), style)
        return _tiled(generator, images, style, origin, progress, tile or found[0])


def pieces(
    generator: Generator, size: tuple[int, int], max_memory: float | None, given: float = 0.0
) -> tuple[int, int] | None:
    """How a picture of `(H, W)` is painted in `max_memory` bytes: the tiles' side, and of how many squares the
    statistics are; None for one piece. `given` bytes are held besides.

    Raises:
        InputError: if it does not fit.
    """
    pixels, limit = math.prod(size), math.inf if max_memory is None else max_memory
    base = OVERHEAD + PICTURES * pixels + given
    room = (limit - base) / generator.held  # pixels of a piece
    if pixels <= room and (pixels <= generator.largest or not generator.halo):
        return None
    sides = [side for side in TILES if (side + 2 * generator.halo) ** 2 <= room]
    count = int(min(PARTS, room // PART**2))
    if generator.halo and sides and count >= LEAST_PARTS:
        return sides[0], count
    least = max(LEAST_PARTS * PART**2, (TILES[-1] + 2 * generator.halo) ** 2) if generator.halo else pixels
    fix = "choose a smaller size or allow more"
    raise too_large("a picture of", size, base + generator.held * min(pixels, least), limit, fix)


@contextmanager
def held(generator: Generator) -> Iterator[Callable[[int, int], None]]:
    """Inside, statistics of whole pictures are measured in the first pass and kept for all that follow; what is kept
    already stays so.

    Yields:
        To be told where the next piece begins, row and column.
    """
    grains = [(m, m.origin) for m in generator.modules() if isinstance(m, Grain)]

    def origin(top: int, left: int) -> None:
        for grain, (down, right) in grains:
            grain.origin = (down + top // grain.cell, right + left // grain.cell)

    looking = [m for m in generator.modules() if isinstance(m, OfWhole) and m.kept is None]
    for module in looking:
        module.kept = {}
    try:
        yield origin
    finally:
        for module in looking:
            module.kept = None
        origin(0, 0)


def parts(image: Tensor, divisor: int, count: int = PARTS) -> Tensor:
    """Squares evenly spread over a picture `(1, 3, H, W)`, `(n, 3, PART, PART)`, or less high or wide where it is;
    their places are multiples of `divisor`."""
    height, width = image.shape[-2:]
    size = min(PART, height), min(PART, width)
    rows = max(1, min(height // size[0], count, round(math.sqrt(count * height / width))))
    columns = max(1, min(width // size[1], count // rows))

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
