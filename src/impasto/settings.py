"""Settings: frozen dataclasses, from which command line, reports and resume files take their fields."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from impasto.errors import InputError, unknown
from impasto.objective import CONVENTIONS
from impasto.optimize import OPTIMIZERS

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


@dataclass(frozen=True)
class StylizeSettings:
    """Everything that decides what `stylize` makes of its two pictures.

    Attributes:
        size: long side of the result in pixels; the style is read at the same size.
        encoder: a key of `impasto.features.ENCODERS`.
        pooling: `max` as the encoders were trained, or `avg`.
        content_weight, style_weight, tv_weight: weights of the terms.
        content_layers, style_layers: layers that they read.
        style_layer_weights: one for each of `style_layers`; equal ones if empty. They are normalized to sum to 1.
        convention: how losses are scaled, a key of `impasto.objective.CONVENTIONS`.
        tv: definition of total variation: `squared`, `absolute`, or `power` with `tv_gamma`.
        optimizer: `lbfgs` or `adam`.
        history: pairs that L-BFGS remembers.
        rate: learning rate of Adam, in units of the range [0, 1].
        steps: of each scale.
        scales: how many, each twice as large as the one before.
        init: start from `content`, `noise`, `style`, or the path of a picture.
        seed: of the noise.
    """

    size: int = 512
    encoder: str = "lite"
    pooling: str = "max"
    content_weight: float = 1.0
    style_weight: float = 10.0
    tv_weight: float = 0.0
    content_layers: tuple[str, ...] = ("relu4_2",)
    style_layers: tuple[str, ...] = STYLE_LAYERS
    style_layer_weights: tuple[float, ...] = ()
    convention: str = "relative"
    tv: str = "squared"
    tv_gamma: float = 1.0
    optimizer: str = "lbfgs"
    history: int = 10
    rate: float = 0.02
    steps: int = 100
    scales: int = 1
    init: str = "content"
    seed: int = 0

    def __post_init__(self) -> None:
        for field in ("content_layers", "style_layers", "style_layer_weights"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        for field in ("size", "steps", "scales", "history"):
            if getattr(self, field) < 1:
                raise InputError(f"{field} is {getattr(self, field)}; it must be at least 1")
        weights = ("content_weight", "style_weight", "tv_weight")
        for name, value in [(n, getattr(self, n)) for n in weights] + [
            ("style_layer_weights", w) for w in self.style_layer_weights
        ]:
            if not (math.isfinite(value) and value >= 0):
                raise InputError(f"{name.replace('_', ' ')} is {value}; it must be a finite number, at least 0")
        for name in ("rate", "tv_gamma"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) > 0):
                raise InputError(f"{name} is {getattr(self, name)}; it must be a finite number above 0")
        if not any(getattr(self, n) for n in weights):
            raise InputError("all weights are 0; give the content or the style a weight")
        self._check_choices()

    def _check_choices(self) -> None:
        for kind, value, known in (
            ("pooling", self.pooling, ("max", "avg")),
            ("total variation", self.tv, ("squared", "absolute", "power")),
            ("optimizer", self.optimizer, tuple(OPTIMIZERS)),
            ("convention", self.convention, tuple(CONVENTIONS)),
        ):
            if value not in known:
                raise unknown(kind, value, known)
        given = len(self.style_layer_weights)
        if given and (given != len(self.style_layers) or sum(self.style_layer_weights) == 0):
            raise InputError(
                f"there are {given} style layer weights for {len(self.style_layers)} style layers; "
                "give one for each, not all 0"
            )

    def layer_weights(self) -> dict[str, float]:
        """Style layer -> weight; they sum to 1."""
        given = self.style_layer_weights or (1.0,) * len(self.style_layers)
        return {n: w / sum(given) for n, w in zip(self.style_layers, given, strict=True)}

    def changed(self, **changes: Any) -> StylizeSettings:
        """A copy with some fields changed; `None` leaves a field as it is.

        Raises:
            InputError: if there is no such field, or a value is out of its range.
        """
        known = [f.name for f in fields(self)]
        for name in changes:
            if name not in known:
                raise unknown("setting", name, known)
        return replace(self, **{k: v for k, v in changes.items() if v is not None})

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as in a report."""
        return asdict(self)
