"""The objective that networks are trained for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.features.encoder import Encoder
from impasto.objective import Content, Objective, Style, Term, TotalVariation
from impasto.settings import STYLE_LAYERS


@dataclass(frozen=True)
class Grid:
    """The energy of what neighboring cells of so many pixels have in common. A network that unfolds its pixels out of
    channels can match a texture's energy by one pattern repeated in every cell, which the eye sees at once.

    In each window of `n` cells, with `x` a cell's pixels without their mean and `E` the mean over cells,
    `(n (E x)² − E x²) / (n − 1)` estimates the energy of the repeated part without bias; it is taken where it is
    positive, and averaged.

    Attributes:
        period: side of a cell, pixels: that of the coarsest maps (`quarter` with a level at a sixteenth).
        window: side of a window, cells.
    """

    period: int = 16
    window: int = 6
    name: str = "grid"
    layers: tuple[str, ...] = ()

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        height, width = (n // self.period * self.period for n in image.shape[-2:])
        folded = F.pixel_unshuffle(image[..., :height, :width], self.period)
        cells = folded.view(*image.shape[:2], -1, *folded.shape[2:])  # (B, C, period², h, w)
        detail = (cells - cells.mean(2, keepdim=True)).flatten(1, 2)
        window = (min(self.window, height // self.period), min(self.window, width // self.period))
        count = window[0] * window[1]
        if count < 2:
            return image.new_zeros(())
        common = F.avg_pool2d(detail, window).square()
        return torch.relu(count * common - F.avg_pool2d(detail.square(), window)).mean() / (count - 1)


def shown(pictures: Tensor) -> Tensor:
    """Pictures as they will be seen, in [0, 1], with a tenth of what lies beyond, so that a gradient leads back. A
    network trained without it counts on contrast that no screen shows: at 512 pixels, the style error of dark and of
    white paintings was up to twice as large after clamping as before.
    """
    inside = pictures.clamp(0, 1)
    return inside + 0.1 * (pictures - inside)


@dataclass(frozen=True)
class LossSettings:
    """The objective of a training: that of `impasto.methods.gatys`, on average over photographs.

    Attributes:
        content_layers, style_layers: that the terms read.
        content_weight, style_weight, tv_weight: of the terms; content and style are relative errors.
        grid_weight: against patterns repeated in every cell of 16×16 pixels (`Grid`).
        soft: the logarithm of style errors above 1, for batches of many styles.
    """

    content_layers: tuple[str, ...] = ("relu4_1",)
    style_layers: tuple[str, ...] = STYLE_LAYERS["gram"]
    content_weight: float = 1.0
    style_weight: float = 5.0
    tv_weight: float = 0.0
    grid_weight: float = 300.0
    soft: bool = False

    def objective(self, encoder: Encoder, images: Tensor, targets: Mapping[str, Tensor]) -> Objective:
        """For a batch of photographs, `(B, 3, H, W)`, and Gram matrices of styles, layer -> `(B or 1, C, C)`."""
        with torch.no_grad():
            wanted = encoder(images, self.content_layers)
        share = {n: 1 / len(self.content_layers) for n in self.content_layers}
        content = Content(wanted, share, "relative")
        return Objective(encoder, [(self.content_weight, content), *self.style_terms(targets)])

    def style_terms(self, targets: Mapping[str, Tensor]) -> list[tuple[float, Term]]:
        """All but the content, for Gram matrices of styles, layer -> `(B or 1, C, C)`."""
        even = {n: 1 / len(self.style_layers) for n in self.style_layers}
        style = Style({n: targets[n] for n in even}, even, "relative", soft=self.soft)
        return [(self.style_weight, style), (self.tv_weight, TotalVariation()), (self.grid_weight, Grid())]
