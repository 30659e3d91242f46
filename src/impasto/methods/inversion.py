"""Inversion: Mahendran and Vedaldi 2015, "Understanding deep image representations by inverting them"."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from impasto.canvas import gray
from impasto.features.encoder import Encoder, check_layers
from impasto.methods.gatys import content_term
from impasto.methods.styles import check_sides, scaled
from impasto.objective import AlphaNorm, Objective, TotalVariation
from impasto.optimize import LBFGS, Adam, Optimizer, Stage, State, Step, minimize
from impasto.settings import InversionSettings


@torch.inference_mode(False)
def invert(
    encoder: Encoder, image: Tensor, settings: InversionSettings, *, resume: State | None = None
) -> Iterator[Step]:
    """A picture whose features at one layer are those of `image` (eq. 1: `‖Φ(x) − Φ₀‖²/‖Φ₀‖² + λ_α R_α + λ_V R_{V^β}`).

    Args:
        encoder: of the features.
        image: `(1, 3, H, W)`, RGB, [0, 1].
        settings: the layer and all the rest.
        resume: see `minimize`.
    """
    check_layers([settings.layer], encoder.layers)
    picture = scaled(image, settings.size)
    check_sides("picture", image, picture)
    size = (int(picture.shape[-2]), int(picture.shape[-1]))

    def build() -> Objective:
        features = content_term(encoder, picture, [settings.layer], "relative")
        tv = TotalVariation("power", settings.beta / 2)
        norm = AlphaNorm(settings.alpha)
        return Objective(encoder, [(1.0, features), (settings.tv_weight, tv), (settings.norm_weight, norm)])

    generator = torch.Generator().manual_seed(settings.seed)
    canvas = gray(settings.canvas, size, generator, device=picture.device)
    return minimize(canvas, [Stage(size, settings.steps, build)], optimizer(settings), resume)


def optimizer(settings: InversionSettings) -> Callable[[Stage], Optimizer]:
    """What makes the optimizer; the first step of L-BFGS is longer in a spectrum's units."""
    if settings.optimizer == "adam":
        return lambda _: Adam(settings.rate)
    return lambda _: LBFGS(first=0.02 if settings.canvas == "pixels" else 0.2)
