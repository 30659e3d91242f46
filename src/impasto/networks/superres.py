"""Super-resolution: a small picture becomes a large one whose features are right (Johnson et al. 2016, "Perceptual
losses for real-time style transfer and super-resolution", §4.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import InputError, unknown
from impasto.features.encoder import Encoder, check_layers
from impasto.memory import too_large
from impasto.networks.photos import Photos, Stream, random_shift, shifted
from impasto.networks.tiles import OVERHEAD
from impasto.objective import Content, Objective
from impasto.optimize import Goal

FACTORS = (2, 4, 8)
#: Side of the smallest squares that memory is saved by.
LEAST_TILE = 32
Loss = Literal["feature", "pixel"]


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


def pixel_goal(target: Tensor) -> Goal:
    """`mean((x − y)²)` of pixels, `(B, 3, H, W)`: what a perceptual loss is compared with."""

    def goal(image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = (image - target).square().mean()
        return loss, {"pixel": loss.detach()}

    return goal


@dataclass(frozen=True)
class Near:
    """Squared error of pixels, relative to that of the bicubic enlargement.

    Attributes:
        target: photographs `(B, 3, H, W)`.
        plain: their enlargements, as large.
    """

    target: Tensor
    plain: Tensor
    name: str = "pixel"
    layers: tuple[str, ...] = ()

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        errors = [(x - self.target).square().mean() for x in (image, self.plain)]
        return errors[0] / errors[1].clamp_min(1e-8)


@dataclass(frozen=True)
class Pair:
    """Photographs `(B, 3, side, side)`, the same, shrunk, and by how much they are shifted to be looked at."""

    large: Tensor
    small: Tensor
    shift: tuple[int, int]


class SuperResolutionTask:
    """Photographs are shrunk, and are to be what they were.

    The paper's feature loss leaves a hatching that a layer behind a pooling hardly sees, least of all `lite`'s. Here
    pictures are looked at in a random position of the pooling's cells, and pixels count a little, too.

    Args:
        network: what is trained.
        photos: files to train on; scenes are made up if there is none.
        held_out: photographs kept apart, to look at.
        encoder: of the feature loss; none is needed for the pixel loss.
        loss: `feature`: relative squared error of a layer (paper, eq. 2); `pixel`: of pixels.
        layer: of the encoder; the paper has `relu2_2`.
        pixel_weight: of pixels in the feature loss, relative to the bicubic enlargement; the paper has 0.
        batch, side: photographs at a time, and their size, a multiple of the factor. The paper has 4 and 288.
        seed: of every choice.
        workers: processes that decode photographs.

    Raises:
        InputError: if the loss is neither, or lacks its encoder, or the side does not fit.
    """

    def __init__(
        self,
        network: SuperResolution,
        photos: Sequence[Path],
        held_out: Sequence[Path],
        encoder: Encoder | None = None,
        *,
        loss: Loss = "feature",
        layer: str = "relu2_2",
        pixel_weight: float = 0.2,
        batch: int = 4,
        side: int = 192,
        seed: int = 0,
        workers: int = 0,
    ) -> None:
        if loss not in get_args(Loss):
            raise unknown("loss", loss, get_args(Loss))
        if loss == "feature":
            if encoder is None:
                raise InputError("the feature loss has no encoder; give one, or take the pixel loss")
            check_layers([layer], encoder.layers)
        if side % network.factor:
            raise InputError(f"side is {side}; it must be a multiple of the factor, {network.factor}")
        self.network: nn.Module = network
        self.factor = network.factor
        self.photos = Stream(Photos(photos, side, seed), batch, workers)
        self.photos_apart = Stream(Photos(held_out, side, seed + 1, (1.0, 1.0)), batch)
        self.encoder, self.layer = encoder if loss == "feature" else None, layer
        self.pixel_weight = pixel_weight
        self.device, self.seed = network.head.weight.device, seed

    def batch(self, number: int) -> Pair:
        large = self.photos(number) if number >= 0 else self.photos_apart(-number)
        shift = random_shift(self.seed, number)
        return Pair(large.to(self.device), shrink(large, self.factor).to(self.device), shift)

    def output(self, batch: Pair) -> Tensor:
        return shifted(cast(Tensor, self.network(batch.small)), batch.shift)

    def goal(self, batch: Pair) -> Goal:
        target = shifted(batch.large, batch.shift)
        if self.encoder is None:
            return pixel_goal(target)
        with torch.no_grad():
            wanted = self.encoder(target, [self.layer])
        feature = Content(wanted, {self.layer: 1.0}, "relative", name="feature")
        pixel = Near(target, shifted(enlarge(batch.small, self.factor), batch.shift))
        return Objective(self.encoder, [(1.0, feature), (self.pixel_weight, pixel)])
