"""What in a picture a unit or a class answers to: gradients with respect to the image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor

from impasto.errors import InputError, unknown
from impasto.features.classifier import CLASSIFIER_LAYERS
from impasto.features.encoder import Encoder, check_layers
from impasto.features.receptive import ReceptiveField
from impasto.features.relu import Rule, relu_rule
from impasto.methods.plan import FULLY_CONNECTED, PICTURE, fitted, map_bytes
from impasto.objective.tiled import whole_maps


@dataclass(frozen=True)
class Unit:
    """A unit, a channel, or a class of a network.

    Attributes:
        layer: its name; `logits` for classes (the score before softmax).
        channel: counted from 0.
        position: `(y, x)` in the layer's map; None for the whole channel.
    """

    layer: str
    channel: int
    position: tuple[int, int] | None = None

    @staticmethod
    def named(text: str) -> Unit:
        """From `LAYER:CHANNEL` or `LAYER:CHANNEL:Y,X`.

        Raises:
            InputError: if it is of another form.
        """
        layer, _, rest = text.partition(":")
        channel, _, place = rest.partition(":")
        parts = place.split(",") if place else []
        if not (channel.isdecimal() and len(parts) in (0, 2) and all(p.isdecimal() for p in parts)):
            raise InputError(f"{text!r} is no unit; write LAYER:CHANNEL or LAYER:CHANNEL:Y,X, such as relu5_1:17")
        return Unit(layer, int(channel), (int(parts[0]), int(parts[1])) if parts else None)

    def __str__(self) -> str:
        """As `named` takes it."""
        place = "" if self.position is None else ":{},{}".format(*self.position)
        return f"{self.layer}:{self.channel}{place}"

    @property
    def classifier(self) -> bool:
        """Whether it is in the fully connected layers."""
        return self.layer in CLASSIFIER_LAYERS

    def of(self, maps: Tensor) -> Tensor:
        """Its activation in each picture of a batch of maps `(B, C, H, W)`: `(B,)`; a channel's is its mean.

        Raises:
            InputError: if the layer has no such channel or position.
        """
        _, channels, height, width = maps.shape
        if self.channel >= channels:
            raise InputError(f"{self.layer} has {channels} channels, counted from 0; there is no {self.channel}")
        if self.position is None:
            return maps[:, self.channel].mean((1, 2))
        y, x = self.position
        if not (y < height and x < width):
            raise InputError(f"the map of {self.layer} has {height} rows and {width} columns; there is no {y},{x}")
        return maps[:, self.channel, y, x]


@torch.inference_mode(False)
def gradient(encoder: Encoder, images: Tensor, unit: Unit, rule: Rule = "plain") -> Tensor:
    """The gradient of a unit's activation, or of a class score before softmax, with respect to the images.

    Args:
        encoder: with the unit's layer.
        images: `(B, 3, H, W)`, RGB, [0, 1].
        unit: whose.
        rule: `plain` (Simonyan et al. 2014), `deconv` or `guided`, see `relu_rule`.

    Returns:
        `(B, 3, H, W)`.
    """
    check_layers([unit.layer], encoder.layers)
    # A copy that is no leaf: a network may change its input in place.
    image = images.detach().clone().requires_grad_()
    with torch.enable_grad(), relu_rule(rule):
        score = unit.of(encoder(image * 1.0, [unit.layer])[unit.layer]).sum()
        (found,) = torch.autograd.grad(score, image)
    return found


def smoothgrad(
    encoder: Encoder, image: Tensor, unit: Unit, *, samples: int = 25, noise: float = 0.15, seed: int = 0
) -> Tensor:
    """The mean gradient under noise (Smilkov et al. 2017, eq. 1).

    Args:
        noise: standard deviation, as a fraction of the picture's range.
        samples: how many; the paper takes 50 and sees little change beyond.
    """
    generator = torch.Generator().manual_seed(seed)
    spread = noise * float(image.max() - image.min())
    total = torch.zeros_like(image)
    for _ in range(samples):
        noisy = image + spread * torch.randn(image.shape, generator=generator).to(image)
        total += gradient(encoder, noisy, unit)
    return total / samples


def strength(gradients: Tensor) -> Tensor:
    """A gradient as a gray picture: largest magnitude over colors (Simonyan et al. 2014, §3.1), white at its 99th
    percentile.

    Returns:
        `(B, 3, H, W)` in [0, 1].
    """
    size = gradients.abs().amax(1, keepdim=True)
    top = size.flatten(1).quantile(0.99, dim=1).clamp_min(1e-12).view(-1, 1, 1, 1)
    return (size / top).clamp(0, 1).expand(-1, 3, -1, -1)


def signed(gradients: Tensor) -> Tensor:
    """A gradient as colors around gray, scaled by three deviations; shows what deconvolution and guided gradients
    draw. `(B, 3, H, W)` in [0, 1]."""
    spread = gradients.flatten(1).std(1).clamp_min(1e-12).view(-1, 1, 1, 1)
    return (0.5 + gradients / (6 * spread)).clamp(0, 1)


#: Kinds of pictures of what a unit answers to.
KINDS = ("saliency", "smoothgrad", "deconv", "guided")


def attribution(
    encoder: Encoder,
    image: Tensor,
    unit: Unit,
    kind: str = "saliency",
    *,
    max_memory: float | None = None,
    **options: Any,
) -> Tensor:
    """A picture of what in `image` a unit answers to.

    Args:
        encoder: with the unit's layer.
        image: `(1, 3, H, W)`, RGB, [0, 1].
        unit: a unit, a channel, or a class.
        kind: one of `KINDS`.
        max_memory: bytes that the process may take; None for no limit.
        options: of `smoothgrad`.

    Returns:
        `(1, 3, H, W)` in [0, 1]: `strength` for the first two, `signed` for the others.

    Raises:
        InputError: if there is no such kind or unit, or the picture does not fit into `max_memory`.
    """
    if kind not in KINDS:
        raise unknown("kind", kind, KINDS)
    size = (int(image.shape[-2]), int(image.shape[-1]))
    held = 2.0 * PICTURE * image.numel() + FULLY_CONNECTED * unit.classifier
    layers = check_layers([unit.layer], encoder.layers)
    fitted(encoder, layers, size, held, max_memory, whole="the gradient of a unit needs the whole picture")
    if kind == "smoothgrad":
        return strength(smoothgrad(encoder, image, unit, **options))
    if kind == "saliency":
        return strength(gradient(encoder, image, unit))
    return signed(gradient(encoder, image, unit, cast(Rule, kind)))


def patch(
    encoder: Encoder, picture: Tensor, unit: Unit, cell: tuple[int, int], field: ReceptiveField | None
) -> tuple[Tensor, Tensor]:
    """What a cell of a unit's map sees in a picture, and what guided backpropagation shows there.

    Only what the cell sees is computed, from a place that is a multiple of the layer's stride: the gradient is that of
    the whole picture.

    Args:
        encoder: with the unit's layer.
        picture: `(1, 3, H, W)`, RGB, [0, 1].
        unit: whose.
        cell: row and column of the layer's map.
        field: the layer's receptive field; None for all of the picture.

    Returns:
        Two pictures of the field's size, `(1, 3, h, w)` in [0, 1]; white and gray where it is outside.
    """
    if field is None:
        return picture, signed(gradient(encoder, picture, Unit(unit.layer, unit.channel, cell), "guided"))
    seen, parts, inner = field.of(cell), [], []
    for what, stride, side in zip(seen, field.stride, picture.shape[-2:], strict=True):
        first = max(0, what.start) // stride * stride
        parts.append(slice(first, min(side, max(what.stop, first + stride))))
        inner.append(first // stride)
    at = Unit(unit.layer, unit.channel, (cell[0] - inner[0], cell[1] - inner[1]))
    slope = gradient(encoder, picture[..., parts[0], parts[1]], at, "guided")
    whole = torch.zeros_like(picture)
    whole[..., parts[0], parts[1]] = slope
    return _cut(picture, seen, 1.0), signed(_cut(whole, seen, 0.0))


def _cut(picture: Tensor, where: tuple[slice, slice], outside: float) -> Tensor:
    """A part of a picture that may reach over its borders."""
    (height, width), (rows, columns) = picture.shape[-2:], where
    part = picture[..., max(0, rows.start) : rows.stop, max(0, columns.start) : columns.stop]
    room = (-columns.start, columns.stop - width, -rows.start, rows.stop - height)
    return torch.nn.functional.pad(part, [max(0, n) for n in room], value=outside)


def filters(encoder: Encoder) -> Tensor:
    """The first layer's filters as pictures, `(C, 3, h, w)` in [0, 1]: each scaled to its largest weight, 0 is gray.

    Raises:
        InputError: if the encoder has no first convolution over three colors.
    """
    network = encoder if isinstance(encoder, torch.nn.Module) else getattr(encoder, "network", None)
    modules = network.modules() if isinstance(network, torch.nn.Module) else iter(())
    for module in modules:
        if isinstance(module, torch.nn.Conv2d) and module.in_channels == 3:
            weight = module.weight.detach()
            return 0.5 + 0.5 * weight / weight.abs().amax((1, 2, 3), keepdim=True).clamp_min(1e-12)
    raise InputError(
        f"{encoder.name} has no convolution over three colors whose filters could be shown: choose an encoder with one"
    )


def activations(
    encoder: Encoder, image: Tensor, layer: str, most: int = 16, *, max_memory: float | None = None
) -> tuple[Tensor, list[int]]:
    """The strongest maps of a layer, by mean, largest first.

    Args:
        max_memory: bytes that the process may take; maps that need more are computed in tiles. None for no limit.

    Returns:
        Maps `(N, 1, H, W)`, each scaled to [0, 1], and their channels.

    Raises:
        InputError: if there is no such layer, or its maps do not fit into `max_memory`.
    """
    layers, size = check_layers([layer], encoder.layers), (int(image.shape[-2]), int(image.shape[-1]))
    held = 4.0 * image.numel() + 2 * map_bytes(encoder, layer, size)
    _, space = fitted(encoder, layers, size, held, max_memory, gradient=False)
    maps = whole_maps(encoder, image, layers, space)[layer][0]
    order = maps.flatten(1).mean(1).argsort(descending=True)[:most]
    chosen = maps[order]
    low, high = chosen.amin((1, 2), keepdim=True), chosen.amax((1, 2), keepdim=True)
    return ((chosen - low) / (high - low).clamp_min(1e-12))[:, None], order.tolist()
