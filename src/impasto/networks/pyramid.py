"""Textures from noise, and pictures in a style, by a pyramid of scales."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from impasto.errors import InputError, unknown
from impasto.networks.conditioning import ConditionalNorm, Conv, Norm, Padding, Slots, padded
from impasto.networks.generator import Generator

Source = Literal["picture", "noise"]


class Block(nn.Module):
    """Two 3×3 convolutions and a 1×1, each with normalization and ReLU.

    Args:
        inward, channels: of the map that comes in, and of all others.
        slots: of the style vector.
        norm: of the normalizations.
        padding: torch's name of the padding mode.
    """

    def __init__(self, inward: int, channels: int, slots: Slots, norm: Norm, padding: Padding) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [
                Conv(inward, channels, 3, padding=1, padding_mode=padding),
                Conv(channels, channels, 3, padding=1, padding_mode=padding),
                nn.Conv2d(channels, channels, 1),
            ]
        )
        self.norms = nn.ModuleList([ConditionalNorm(channels, slots, norm) for _ in self.convs])

    def forward(self, x: Tensor, style: Tensor) -> Tensor:
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = torch.relu(norm(conv(x), style))
        return x


class Join(nn.Module):
    """A coarse map at twice its size beside a fine one, both normalized, so that neither drowns the other.

    Args:
        coarse, fine: their channels.
        slots: of the style vector.
        norm: of the normalizations.
    """

    def __init__(self, coarse: int, fine: int, slots: Slots, norm: Norm) -> None:
        super().__init__()
        self.coarse_norm = ConditionalNorm(coarse, slots, norm)
        self.fine_norm = ConditionalNorm(fine, slots, norm)

    def forward(self, coarse: Tensor, fine: Tensor, style: Tensor) -> Tensor:
        larger = F.interpolate(coarse, scale_factor=2.0)
        return torch.cat([self.coarse_norm(larger, style), self.fine_norm(fine, style)], 1)


class Pyramid(Generator):
    """From the coarsest scale to the finest, each scale's own input joins what came from below (Ulyanov et al. 2016,
    "Texture networks: feed-forward synthesis of textures and stylized images", §4.1 and figure 2).

    While it trains, the noise is drawn anew from torch's global generator in every pass; in `eval()` it is the same for
    pictures of one size, which is why it cannot be painted in tiles.

    Args:
        scales: how many; each is half as large as the one before. The paper has 5 for textures, 6 for style.
        width: channels of a scale; they add up from the coarsest on.
        source: what goes in at every scale: the `picture`, averaged, joined with noise; or `noise` alone, for
            textures, whose opposite sides are then neighbors.
        noise: channels of noise, uniform in [0, 1]; 0 for none beside the picture.
        norm: `instance`, or `batch` as in the paper.

    Raises:
        InputError: if a choice is not one of those, or nothing goes in.
    """

    def __init__(
        self, scales: int = 6, width: int = 8, source: Source = "picture", noise: int = 3, norm: Norm = "instance"
    ) -> None:
        super().__init__()
        for kind, value, known in (("source", source, get_args(Source)), ("norm", norm, get_args(Norm))):
            if value not in known:
                raise unknown(kind, value, known)
        if source == "noise" and noise < 1:
            raise InputError(f"there are {noise} channels of noise, and nothing else goes in; give at least 1")
        self.options: dict[str, Any] = {
            "scales": scales,
            "width": width,
            "source": source,
            "noise": noise,
            "norm": norm,
        }
        self.scales, self.noise, self.divisor = scales, noise, 2 ** (scales - 1)
        self.from_noise, self.draws = source == "noise", noise > 0
        padding: Padding = "replicate" if source == "picture" else "circular"
        inward, slots = noise + (3 if source == "picture" else 0), Slots()
        # From coarse to fine.
        self.entries = nn.ModuleList([Block(inward, width, slots, norm, padding) for _ in range(scales)])
        widths = [width * k for k in range(1, scales + 1)]
        self.joins = nn.ModuleList([Join(w, width, slots, norm) for w in widths[:-1]])
        self.blocks = nn.ModuleList([Block(w, w, slots, norm, padding) for w in widths[1:]])
        self.head = nn.Conv2d(widths[-1], 3, 1)
        self.style_size, self.held = slots.size, 23.0 * scales * width

    def inputs(self, images: Tensor, generator: torch.Generator | None = None) -> list[Tensor]:
        """What goes in at each scale, from fine to coarse: `(B, C, H/2^k, W/2^k)` with the sides padded to a multiple
        of `divisor`.

        Args:
            images: `(B, 3, H, W)`; of a network for textures only their number and size count.
            generator: of the noise, on the CPU; torch's global one if not given.
        """
        whole, found = padded(images, self.divisor), []
        for k in range(self.scales):
            parts = [F.avg_pool2d(whole, 2**k)] if not self.from_noise else []
            if self.noise:
                size = (len(images), self.noise, whole.shape[2] // 2**k, whole.shape[3] // 2**k)
                parts.append(torch.rand(size, generator=generator).to(images))
            found.append(torch.cat(parts, 1))
        return found

    def forward(self, images: Tensor | Sequence[Tensor], style: Tensor) -> Tensor:
        """`(B, 3, H, W)` and `(B or 1, P)` to `(B, 3, H, W)`; or what `inputs` returned, where the noise is to be
        known, to its finest size."""
        if isinstance(images, Tensor):
            height, width = images.shape[-2:]
            generator = None if self.training else torch.Generator().manual_seed(0)
            return self._join(self.inputs(images, generator), style)[..., :height, :width]
        return self._join(images, style)

    def _join(self, maps: Sequence[Tensor], style: Tensor) -> Tensor:
        coarse, *finer = reversed(maps)
        x = self.entries[0](coarse, style)
        for entry, join, block, fine in zip(self.entries[1:], self.joins, self.blocks, finer, strict=True):
            x = block(join(x, entry(fine, style), style), style)
        colors: Tensor = self.head(x)
        return 0.5 + colors

    @torch.no_grad()
    def texture(self, size: tuple[int, int], style: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Textures of any size; one whose sides are multiples of `divisor` continues at its opposite side.

        Args:
            size: `(H, W)`.
            style: `(B, P)`.
            generator: of the noise, on the CPU; always the same noise if not given.

        Returns:
            `(B, 3, H, W)` in [0, 1].

        Raises:
            InputError: if the network takes pictures.
        """
        if not self.from_noise:
            return super().texture(size, style, generator)
        blank = style.new_zeros(len(style), 3, *size)
        maps = self.inputs(blank, generator or torch.Generator().manual_seed(0))
        return self._join(maps, style)[..., : size[0], : size[1]].clamp(0, 1)
