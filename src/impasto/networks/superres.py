"""Super-resolution: a small picture becomes a large one whose features are right (Johnson et al. 2016, "Perceptual
losses for real-time style transfer and super-resolution", §4.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import InputError
from impasto.memory import too_large
from impasto.networks.tiles import OVERHEAD

FACTORS = (2, 4, 8)
#: Side of the smallest squares that memory is saved by.
LEAST_TILE = 32


def shrink(images: Tensor, factor: int) -> Tensor:
    """`(B, 3, H, W)` in [0, 1] to `(B, 3, H/factor, W/factor)` by an antialiased bicubic filter, as papers do.

    Raises:
        InputError: if a side is no multiple of the factor.
    """
    height, width = images.shape[-2:]
    if height % factor or width % factor:
        raise InputError(f"the picture is {width}x{height}; to be shrunk, both sides must be multiples of {factor}")
    size = (height // factor, width // factor)
    return F.interpolate(images, size, mode="bicubic", antialias=True).clamp(0, 1)


def enlarge(images: Tensor, factor: int) -> Tensor:
    """`(B, 3, h, w)` to `(B, 3, factor h, factor w)` by bicubic interpolation: what a network has to be better than.

    Values may lie a little outside of [0, 1]."""
    return F.interpolate(images, scale_factor=float(factor), mode="bicubic")


class SuperResolution(nn.Module):
    """Adds detail to the bicubic enlargement. All layers work at low resolution; the last one's channels are unfolded
    to pixels (Shi et al. 2016, "Real-time single image and video super-resolution using an efficient sub-pixel
    convolutional neural network").

    It departs from Johnson's network, which is that of styles, in having no normalization: the contrast of a picture is
    to be kept, and a tile of it must come out as it does in the whole (as Lim et al. 2017, "Enhanced deep residual
    networks for single image super-resolution").

    Args:
        factor: 2, 4 or 8.
        width: channels.
        blocks: residual blocks.

    Attributes:
        reach: how many pixels of the small picture around a place decide about it.
        held: bytes that it takes for each pixel of the small picture.

    Raises:
        InputError: if the factor is another.
    """

    def __init__(self, factor: int = 4, width: int = 48, blocks: int = 6) -> None:
        super().__init__()
        if factor not in FACTORS:
            raise InputError(f"factor is {factor}; it must be 2, 4 or 8")
        self.options: dict[str, Any] = {"factor": factor, "width": width, "blocks": blocks}
        self.factor, self.reach, self.held = factor, 3 + 2 * blocks, 20.0 * width + 16 * factor**2
        self.stem = _conv(3, width)
        self.blocks = nn.ModuleList(
            [nn.Sequential(_conv(width, width), nn.ReLU(), _conv(width, width)) for _ in range(blocks)]
        )
        self.gather = _conv(width, width)
        self.head = _conv(width, 3 * factor**2)
        # It begins as the bicubic enlargement.
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(cast(Tensor, self.head.bias))

    def forward(self, images: Tensor) -> Tensor:
        """`(B, 3, h, w)`, RGB, [0, 1], to `(B, 3, factor h, factor w)`, which may lie a little outside of [0, 1]."""
        stem = x = self.stem(images - 0.5)
        for block in self.blocks:
            x = x + block(x)
        detail = self.head(torch.relu(stem + self.gather(x)))  # (B, 3 factor², h, w)
        return enlarge(images, self.factor) + F.pixel_shuffle(detail, self.factor)


def _conv(inward: int, outward: int) -> nn.Conv2d:
    return nn.Conv2d(inward, outward, 3, padding=1)


@torch.inference_mode()
def upscale(network: SuperResolution, image: Tensor, tile: int = 256, *, max_memory: float | None = None) -> Tensor:
    """A picture of any size, `factor` times as large, in memory that a tile decides.

    Tiles overlap by `reach`, so that the result does not depend on them but by rounding.

    Args:
        network: trained.
        image: `(B, 3, h, w)`, RGB, [0, 1].
        tile: side of the squares, pixels of the small picture; smaller where memory is short.
        max_memory: bytes that the process may take; None for no limit.

    Returns:
        `(B, 3, factor h, factor w)` in [0, 1].

    Raises:
        InputError: if a tile has no pixel, or the large picture does not fit into `max_memory`.
    """
    if tile < 1:
        raise InputError(f"tile is {tile}; it must be at least 1 pixel")
    factor, (height, width) = network.factor, image.shape[-2:]
    if max_memory is not None:
        held = OVERHEAD + 4 * image.numel() * (1 + 2 * factor**2)  # twice, for the file
        each = len(image) * network.held
        fits = max(0.0, (max_memory - held) / each) ** 0.5 - 2 * network.reach
        if fits < min(LEAST_TILE, tile, height, width):
            needs, size = held + each * (LEAST_TILE + 2 * network.reach) ** 2, (factor * height, factor * width)
            raise too_large("a picture of", size, needs, max_memory, "enlarge a smaller one or allow more")
        tile = min(tile, int(fits))
    found = image.new_empty(len(image), 3, factor * height, factor * width)
    for rows, top in _spans(height, tile, network.reach):
        for columns, left in _spans(width, tile, network.reach):
            large = network(image[..., rows, columns])
            inner = found[..., factor * top : factor * (top + tile), factor * left : factor * (left + tile)]
            y, x = factor * (top - rows.start), factor * (left - columns.start)
            inner.copy_(large[..., y : y + inner.shape[2], x : x + inner.shape[3]].clamp_(0, 1))
    return found


def _spans(length: int, tile: int, reach: int) -> Iterator[tuple[slice, int]]:
    """For each tile of a line what it has to see, and where it begins."""
    for start in range(0, length, tile):
        yield slice(max(0, start - reach), min(length, start + tile + reach)), start
