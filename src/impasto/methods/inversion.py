"""Inversion: Mahendran and Vedaldi 2015, "Understanding deep image representations by inverting them"."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from impasto.canvas import CANVASES, gray
from impasto.errors import unknown
from impasto.features.classifier import CLASSIFIER_LAYERS
from impasto.features.encoder import Encoder, check_layers
from impasto.methods.gatys import content_term
from impasto.methods.styles import check_sides, scaled
from impasto.objective import AlphaNorm, Objective, TotalVariation
from impasto.optimize import LBFGS, OPTIMIZERS, Adam, Optimizer, Stage, State, Step, minimize
from impasto.settings import check_numbers, known_fields


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
            ("optimizer", self.optimizer, OPTIMIZERS),
            ("pooling", self.pooling, ("max", "avg")),
        ):
            if value not in known:
                raise unknown(kind, value, known)
        check_numbers(self, "size steps", lambda x: x >= 1, "at least 1")
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
