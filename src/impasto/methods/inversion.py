"""Inversion: Mahendran and Vedaldi 2015, "Understanding deep image representations by inverting them"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from impasto.canvas import Canvas, Fourier, Pixels
from impasto.errors import unknown
from impasto.features.classifier import CLASSIFIER_LAYERS
from impasto.features.encoder import Encoder, check_layers
from impasto.methods.gatys import content_term
from impasto.methods.plan import FULLY_CONNECTED, SPECTRUM, fitted, map_bytes, optimizer_bytes
from impasto.methods.styles import check_sides, scaled, scaled_size
from impasto.objective import AlphaNorm, TotalVariation
from impasto.objective.terms import Term
from impasto.objective.tiled import objective
from impasto.optimize import LBFGS, OPTIMIZERS, Adam, Goal, Optimizer, Stage, State, Step, minimize
from impasto.settings import LONGEST, StylizeSettings, check_numbers, known_fields

CANVASES = ("pixels", "fourier")


@dataclass(frozen=True)
class InversionSettings:
    """Everything that decides what `invert` makes of a picture.

    Attributes:
        layer: what is inverted; `fc6`, `fc7`, `logits` and `prob` need a full VGG.
        size: long side of the picture in pixels; VGG was trained at 224.
        encoder: a key of `impasto.features.ENCODERS`, or `auto`: VGG-19 where it is found, else `lite`.
        pooling: `max` or `avg`.
        beta: of the total variation `(dx² + dy²)^{β/2}`.
        alpha: of the norm.
        tv_weight, norm_weight: of these two, per pixel, against a relative error of features.
        canvas: `pixels` or `fourier`.
        optimizer: `lbfgs` or `adam`.
        rate: of Adam.
        steps: how many.
        seed: of the noise to start from.
    """

    layer: str = "relu4_2"
    size: int = 224
    encoder: str = "auto"
    pooling: str = "max"
    beta: float = 2.0
    alpha: float = 6.0
    tv_weight: float = 1.0
    norm_weight: float = 0.01
    canvas: str = "pixels"
    optimizer: str = "lbfgs"
    rate: float = 0.05
    steps: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        for kind, value, known in (
            ("canvas", self.canvas, CANVASES),
            ("optimizer", self.optimizer, tuple(OPTIMIZERS)),
            ("pooling", self.pooling, ("max", "avg")),
        ):
            if value not in known:
                raise unknown(kind, value, known)
        check_numbers(self, "size steps", lambda x: x >= 1, "at least 1")
        check_numbers(self, "size", lambda x: x <= LONGEST, f"at most {LONGEST}")
        check_numbers(self, "beta alpha rate", lambda x: x > 0, "a finite number above 0")
        check_numbers(self, "tv_weight norm_weight", lambda x: x >= 0, "a finite number, at least 0")

    @property
    def classifier(self) -> bool:
        """Whether the layer is one of the fully connected ones."""
        return self.layer in CLASSIFIER_LAYERS

    def changed(self, **changes: Any) -> InversionSettings:
        """A copy with some fields changed; `None` leaves a field as it is."""
        return replace(self, **known_fields(self, changes))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as in a report."""
        return asdict(self)


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
    held += pixels * (
        optimizer_bytes(StylizeSettings(optimizer=settings.optimizer, levels=1), pixels) + SPECTRUM[settings.canvas]
    )
    _, space = fitted(encoder, layers, size, held, max_memory)
    picture = scaled(image, settings.size)
    check_sides("picture", image, picture)

    def build() -> Goal:
        tv, norm = TotalVariation("power", settings.beta / 2), AlphaNorm(settings.alpha)
        terms: list[tuple[float, Term]] = [(settings.tv_weight, tv), (settings.norm_weight, norm)]
        features = content_term(encoder, picture, layers, "relative", space)
        return objective(encoder, [(1.0, features), *terms], space)

    canvas = start(size, settings, picture.device)
    return minimize(canvas, [Stage(size, settings.steps, build)], optimizer(settings), resume)


def start(size: tuple[int, int], settings: InversionSettings, device: torch.device) -> Canvas:
    """Gray with noise."""
    generator = torch.Generator().manual_seed(settings.seed)
    if settings.canvas == "fourier":
        canvas = Fourier.random(size, generator)
        return Fourier(canvas.image().detach().to(device))
    return Pixels((0.5 + 0.05 * torch.randn((1, 3, *size), generator=generator)).clamp(0, 1).to(device))


def optimizer(settings: InversionSettings) -> Callable[[Stage], Optimizer]:
    """What makes the optimizer; the first step of L-BFGS is longer in a spectrum's units."""
    if settings.optimizer == "adam":
        return lambda _: Adam(settings.rate)
    return lambda _: LBFGS(first=0.02 if settings.canvas == "pixels" else 0.2)
