"""Canvases to begin with."""

from __future__ import annotations

import torch

from impasto.canvas import CANVASES
from impasto.canvas.base import Canvas
from impasto.canvas.decoder import open_prior
from impasto.canvas.fourier import Fourier
from impasto.canvas.latent import Latent
from impasto.canvas.names import PRIORS
from impasto.canvas.pixels import Pixels
from impasto.errors import unknown


def gray(
    name: str,
    size: tuple[int, int],
    generator: torch.Generator,
    *,
    batch: int = 1,
    deviation: float = 0.05,
    device: str | torch.device = "cpu",
) -> Canvas:
    """Gray pictures with noise, the same ones on every device.

    Args:
        name: one of `CANVASES`.
        size: `(H, W)`.
        generator: of the noise.
        batch: how many pictures.
        deviation: of the pixels' noise; a spectrum's is of its own kind.
        device: where to optimize.

    Raises:
        InputError: if there is no such canvas.
        WeightsError: if it needs weights that are not on this machine, or damaged.
    """
    if name in PRIORS:
        return Latent.random(open_prior(name).to(device), size, generator, batch)
    if name == "fourier":
        return Fourier(Fourier.random(size, generator, batch).image().detach().to(device))
    if name != "pixels":
        raise unknown("canvas", name, CANVASES)
    return Pixels((0.5 + deviation * torch.randn((batch, 3, *size), generator=generator)).clamp(0, 1).to(device))
