"""The generator that most of the literature uses, and its variants."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from impasto.errors import unknown
from impasto.networks.conditioning import ConditionalNorm, Conv, Norm, Residual, Slots, padded, whole_cells
from impasto.networks.generator import Generator

Output = Literal["sigmoid", "tanh", "plain"]
Upsampling = Literal["nearest", "transposed"]
#: The Caffe networks' mean color, RGB in [0, 1].
VGG_MEAN = (123.68 / 255, 116.779 / 255, 103.939 / 255)


class Layer(nn.Module):
    """`relu(norm(conv(x)))`.

    Args:
        conv: the convolution, with whatever goes before it.
        channels: that it puts out.
        slots: of the style vector.
        norm: of the normalization.
    """

    def __init__(self, conv: nn.Module, channels: int, slots: Slots, norm: Norm) -> None:
        super().__init__()
        self.conv, self.norm = conv, ConditionalNorm(channels, slots, norm)

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        return torch.relu(self.norm(self.conv(x), style))


def reflecting(inward: int, outward: int, size: int, stride: int = 1) -> nn.Conv2d:
    """A convolution that sees the map mirrored at its borders."""
    return Conv(inward, outward, size, stride, padding=size // 2, padding_mode="reflect")


def enlarging(inward: int, outward: int, kind: Upsampling) -> nn.Module:
    """To twice the size: every position repeated and a convolution, which leaves no checkerboard (Odena et al. 2016,
    "Deconvolution and checkerboard artifacts"), or a transposed convolution as in the paper."""
    if kind == "transposed":
        return nn.ConvTranspose2d(inward, outward, 3, 2, padding=1, output_padding=1)
    return nn.Sequential(nn.Upsample(scale_factor=2), reflecting(inward, outward, 3))


class Johnson(Generator):
    """Two convolutions of stride 2, residual blocks at a quarter of the resolution, and back (Johnson et al. 2016,
    "Perceptual losses for real-time style transfer and super-resolution", supplement, table 1).

    With instance normalization it is the network of Ulyanov et al. 2017 ("Improved texture networks"), and since the
    style vector holds every γ and β, also the one of Dumoulin et al. 2017 ("A learned representation for artistic
    style"). It departs from the paper in mirroring at the borders of every convolution instead of the picture's alone.

    Args:
        width: channels at full resolution; twice and four times as many below. The paper has 32.
        blocks: residual blocks.
        norm: `instance`, or `batch` as in the paper.
        output: how values become colors. `sigmoid`: of a last normalization (Dumoulin). `tanh`: 150/255 of it around
            the mean color of VGG's pictures (Johnson). `plain`: around 0.5, without bounds (PyTorch's example).
        upsampling: `nearest`, or `transposed` as in the paper.

    Raises:
        InputError: if a choice is not one of those.
    """

    divisor = 4
    largest = 4e6
    mean: Tensor

    def __init__(
        self,
        width: int = 32,
        blocks: int = 5,
        norm: Norm = "instance",
        output: Output = "sigmoid",
        upsampling: Upsampling = "nearest",
    ) -> None:
        super().__init__()
        for kind, value, known in (
            ("norm", norm, get_args(Norm)),
            ("output", output, get_args(Output)),
            ("upsampling", upsampling, get_args(Upsampling)),
        ):
            if value not in known:
                raise unknown(kind, value, known)
        self.options: dict[str, Any] = {
            "width": width,
            "blocks": blocks,
            "norm": norm,
            "output": output,
            "upsampling": upsampling,
        }
        slots, deep = Slots(), 4 * width
        self.inward = nn.ModuleList(
            [
                Layer(reflecting(3, width, 9), width, slots, norm),
                Layer(reflecting(width, 2 * width, 3, 2), 2 * width, slots, norm),
                Layer(reflecting(2 * width, deep, 3, 2), deep, slots, norm),
            ]
        )
        self.blocks = nn.ModuleList([Residual(deep, slots, norm, "reflect") for _ in range(blocks)])
        self.outward = nn.ModuleList(
            [
                Layer(enlarging(deep, 2 * width, upsampling), 2 * width, slots, norm),
                Layer(enlarging(2 * width, width, upsampling), width, slots, norm),
            ]
        )
        self.head = reflecting(width, 3, 9)
        self.output = output
        self.head_norm = ConditionalNorm(3, slots, norm) if output == "sigmoid" else None
        self.register_buffer("mean", torch.tensor(VGG_MEAN).view(1, 3, 1, 1), persistent=False)
        self.style_size = slots.size
        # 9×9 and 3×3 at full resolution, 3×3 at half and at a quarter, on the way down and on the way up.
        reach = (4 + 1 + 1 + 4) + 2 * (1 + 1) + 4 * 2 * blocks
        self.halo, self.held = whole_cells(reach, self.divisor), 32.0 * width

    def forward(self, images: Tensor, style: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        # Mirroring takes maps of at least 2 positions at a quarter of the resolution.
        x = padded(images, self.divisor, 8) - self.mean
        for layer in (*self.inward, *self.blocks, *self.outward):  # to H/4, W/4, and back
            x = layer(x, style)
        return self._colors(self.head(x), style)[..., :height, :width]

    def _colors(self, x: Tensor, style: Tensor) -> Tensor:
        if self.head_norm is not None:
            return torch.sigmoid(self.head_norm(x, style))
        return self.mean + 150 / 255 * torch.tanh(x) if self.output == "tanh" else 0.5 + x
