"""Inversion: Mahendran and Vedaldi 2015, "Understanding deep image representations by inverting them"."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from impasto.canvas import Latent, gray, likely
from impasto.features.encoder import Encoder, check_layers
from impasto.methods.plan import FULLY_CONNECTED, SPECTRUM, fitted, map_bytes, optimizer_bytes
from impasto.methods.regions import check_sides, scaled, scaled_size
from impasto.methods.settings import InversionSettings, StylizeSettings
from impasto.methods.stylize import content_term
from impasto.objective import AlphaNorm, TotalVariation
from impasto.objective.terms import Term
from impasto.objective.tiled import objective
from impasto.optimize import LBFGS, Adam, Goal, Optimizer, Stage, State, Step, minimize


@torch.inference_mode(False)
def invert(
    encoder: Encoder,
    image: Tensor,
    settings: InversionSettings,
    *,
    resume: State | None = None,
    max_memory: float | None = None,
) -> Iterator[Step]:
    """A picture whose features at one layer are those of `image` (eq. 1: `‖Φ(x) − Φ₀‖²/‖Φ₀‖² + λ_α R_α + λ_V R_{V^β}`).

    Args:
        encoder: of the features.
        image: `(1, 3, H, W)`, RGB, [0, 1].
        settings: the layer and all the rest.
        resume: see `minimize`.
        max_memory: bytes that the process may take; a picture that needs more is computed in tiles. None for no limit.

    Raises:
        InputError: before the first step, if a picture or layer cannot be used, or does not fit into `max_memory`.
    """
    layers = check_layers([settings.layer], encoder.layers)
    size = scaled_size(image, settings.size)
    pixels = size[0] * size[1]
    held = 4.0 * image.numel() + map_bytes(encoder, settings.layer, size) + FULLY_CONNECTED * settings.classifier
    search = StylizeSettings(optimizer=settings.optimizer, levels=1).resolved("")
    held += pixels * (optimizer_bytes(search, pixels) + SPECTRUM[settings.canvas])
    _, space = fitted(encoder, layers, size, held, max_memory)
    picture = scaled(image, settings.size)
    check_sides("picture", image, picture)

    def build() -> Goal:
        tv, norm = TotalVariation("power", settings.beta / 2), AlphaNorm(settings.alpha)
        terms: list[tuple[float, Term]] = [(settings.tv_weight, tv), (settings.norm_weight, norm)]
        features = content_term(encoder, picture, layers, "relative", space)
        found = objective(encoder, [(1.0, features), *terms], space)
        return likely(found, latent, settings.prior_weight)

    generator = torch.Generator().manual_seed(settings.seed)
    canvas = gray(settings.canvas, size, generator, device=picture.device)
    latent = canvas if isinstance(canvas, Latent) else None
    return minimize(canvas, [Stage(size, settings.steps, build)], optimizer(settings), resume)


def optimizer(settings: InversionSettings) -> Callable[[Stage], Optimizer]:
    """What makes the optimizer; the first step of L-BFGS is longer in a spectrum's units."""
    if settings.optimizer == "adam":
        return lambda _: Adam(settings.rate)
    return lambda _: LBFGS(first=0.02 if settings.canvas == "pixels" else 0.2)
