"""The objective that networks are trained for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.features.encoder import Encoder
from impasto.networks.patterns import Blocks, Grid, Spectrum, spectrum
from impasto.objective import Content, Objective, Style, Term, TotalVariation, gram
from impasto.options import FLAG, option
from impasto.training.settings import LossWeights


def shown(pictures: Tensor) -> Tensor:
    """Pictures as they will be seen, in [0, 1], with a tenth of what lies beyond, so that a gradient leads back. A
    network trained without it counts on contrast that no screen shows: at 512 pixels, the style error of dark and of
    white paintings was up to twice as large after clamping as before.
    """
    inside = pictures.clamp(0, 1)
    return inside + 0.1 * (pictures - inside)


@dataclass(frozen=True, kw_only=True)
class LossSettings(LossWeights):
    """The objective of a training: that of `impasto.methods.stylize`, on average over photographs, and what keeps a
    network from patterns that an encoder does not mind (`Grid`, `Blocks`, `Spectrum`)."""

    soft: bool = option(False, FLAG, "The logarithm of style errors above 1, for batches of many styles.")

    @torch.no_grad()
    def measured(self, encoder: Encoder, paintings: Tensor) -> dict[str, Tensor]:
        """What the terms want of paintings `(B, 3, H, W)`: layer -> mean Gram matrix `(B, C, C)`, and `spectrum`."""
        found = {n: gram(f).mean() for n, f in encoder(paintings, self.style_layers).items()}
        return found | ({"spectrum": spectrum(paintings)} if self.spectrum_weight else {})

    def objective(self, encoder: Encoder, images: Tensor, targets: Mapping[str, Tensor]) -> Objective:
        """For a batch of photographs, `(B, 3, H, W)`, and what was `measured` of `B` styles, or of one."""
        with torch.no_grad():
            kept = encoder(images, self.content_layers)
        share = {n: 1 / len(self.content_layers) for n in self.content_layers}
        content = Content(kept, share, "relative")
        return Objective(encoder, [(self.content_weight, content), *self.style_terms(targets)])

    def style_terms(self, targets: Mapping[str, Tensor]) -> list[tuple[float, Term]]:
        """All but the content, for what was `measured` of styles."""
        even = {n: 1 / len(self.style_layers) for n in self.style_layers}
        style = Style({n: targets[n] for n in even}, even, "relative", soft=self.soft)
        found: list[tuple[float, Term]] = [(self.style_weight, style), (self.tv_weight, TotalVariation())]
        found += [(self.grid_weight, Grid()), (self.blocks_weight, Blocks())]
        if self.spectrum_weight:
            found.append((self.spectrum_weight, Spectrum(targets["spectrum"])))
        return found
