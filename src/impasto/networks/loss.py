"""The objective that networks are trained for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.features.encoder import Encoder
from impasto.objective import Content, Objective, Style, Term, TotalVariation
from impasto.settings import STYLE_LAYERS


@dataclass(frozen=True)
class LossSettings:
    """The objective of a training: that of `impasto.methods.gatys`, on average over photographs.

    Attributes:
        content_layers, style_layers: that the terms read.
        content_weight, style_weight, tv_weight: of the terms; content and style are relative errors.
        soft: the logarithm of style errors above 1, for batches of many styles.
    """

    content_layers: tuple[str, ...] = ("relu4_1",)
    style_layers: tuple[str, ...] = STYLE_LAYERS["gram"]
    content_weight: float = 1.0
    style_weight: float = 5.0
    tv_weight: float = 0.0
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
        return [(self.style_weight, style), (self.tv_weight, TotalVariation())]
