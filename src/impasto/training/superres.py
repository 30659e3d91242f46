"""What trains super-resolution: pictures shrunk, and their features and pixels as they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from impasto.errors import InputError, unknown
from impasto.features.encoder import Encoder, check_layers
from impasto.networks.superres import SuperResolution, enlarge, shrink
from impasto.objective import Content, Objective
from impasto.optimize import Goal
from impasto.pictures.displacement import Displacement, followed
from impasto.training.photos import Photos, Stream, random_shift, shifted

Loss = Literal["feature", "pixel"]


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

    def displaced(self, by: Displacement, size: tuple[int, int]) -> Near:
        return Near(followed(self.target, by, size), followed(self.plain, by, size))


@dataclass(frozen=True)
class Pair:
    """Photographs `(B, 3, side, side)`, the same, shrunk, and by how much they are shifted for the loss."""

    large: Tensor
    small: Tensor
    shift: tuple[int, int]


class SuperResolutionTask:
    """Photographs are shrunk, and are to be what they were.

    The paper's feature loss leaves a hatching that a layer behind a pooling hardly sees, least of all `lite`'s. Here
    the loss reads pictures in a random position of the pooling's cells, and pixels count a little, too.

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
        return shifted(self.network(batch.small), batch.shift)

    def goal(self, batch: Pair) -> Goal:
        target = shifted(batch.large, batch.shift)
        if self.encoder is None:
            return pixel_goal(target)
        with torch.no_grad():
            kept = self.encoder(target, [self.layer])
        feature = Content(kept, {self.layer: 1.0}, "relative", name="feature")
        pixel = Near(target, shifted(enlarge(batch.small, self.factor), batch.shift))
        return Objective(self.encoder, [(1.0, feature), (self.pixel_weight, pixel)])
