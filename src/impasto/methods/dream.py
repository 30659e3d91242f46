"""DeepDream: Mordvintsev, Olah, Tyka 2015, "Inceptionism"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from impasto.canvas import Detail
from impasto.errors import InputError
from impasto.features.encoder import Encoder, check_layers
from impasto.methods.styles import SHORTEST, check_sides, scaled
from impasto.objective import Activation, Objective
from impasto.objective.matching import best_match
from impasto.objective.statistics import positions
from impasto.objective.terms import Placeless, Term
from impasto.optimize import Goal, NormalizedSteps, Stage, State, Step, StepGoals, minimize
from impasto.optimize.moving import roll, transformed
from impasto.settings import check_numbers, known_fields


@dataclass(frozen=True)
class DreamSettings:
    """Everything that decides what is dreamt of.

    Attributes:
        layer: whose activation grows.
        channel: of it; -1 for all.
        size: long side of the picture in pixels; 0 for its own.
        encoder: a key of `impasto.features.ENCODERS`, or `auto`: VGG-19 where it is found, else `lite`.
        pooling: `max` or `avg`.
        octaves, octave_scale: how many sizes, and the ratio between them.
        steps: of each octave.
        rate: mean change of a value by one step, in units of [0, 1].
        jitter: pixels that the picture is rolled by at random.
        seed: of that.
    """

    layer: str = "relu4_2"
    channel: int = -1
    size: int = 0
    encoder: str = "auto"
    pooling: str = "max"
    octaves: int = 4
    octave_scale: float = 1.4
    steps: int = 10
    rate: float = 1.5 / 255
    jitter: int = 32
    seed: int = 0

    def __post_init__(self) -> None:
        check_numbers(self, "octaves steps", lambda x: x >= 1, "at least 1")
        check_numbers(self, "size jitter", lambda x: x >= 0, "at least 0")
        check_numbers(self, "octave_scale", lambda x: x > 1, "a finite number above 1")
        check_numbers(self, "rate", lambda x: x > 0, "a finite number above 0")

    def changed(self, **changes: Any) -> DreamSettings:
        """A copy with some fields changed; `None` leaves a field as it is."""
        return replace(self, **known_fields(self, changes))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as in a report."""
        return asdict(self)


@dataclass(frozen=True)
class Guided(Placeless):
    """Minus the product of each position's features with those of the guide that fit them best (google/deepdream).

    Attributes:
        layer: which.
        guide: the guide's features, `(K, C)`.
    """

    layer: str
    guide: Tensor
    name: str = "dream"

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        rows = positions(features[self.layer])[0]
        with torch.no_grad():
            match = best_match(rows, self.guide)
        return -(rows * self.guide[match]).sum(1).mean() / self.guide.square().sum(1).mean().clamp_min(1e-12)


@torch.inference_mode(False)
def dream(
    encoder: Encoder,
    image: Tensor,
    settings: DreamSettings,
    *,
    guide: Tensor | None = None,
    resume: State | None = None,
) -> Iterator[Step]:
    """`image` with what a layer sees in it made stronger, octave by octave, the detail carried along.

    Args:
        encoder: with the layer.
        image: `(1, 3, H, W)`, RGB, [0, 1].
        settings: all the rest.
        guide: a picture to dream of instead of whatever there is, `(1, 3, H', W')`.
        resume: see `minimize`.
    """
    check_layers([settings.layer], encoder.layers)
    picture = scaled(image, settings.size) if settings.size else image
    sizes = [
        tuple(round(int(side) / settings.octave_scale**k) for side in picture.shape[-2:])
        for k in reversed(range(settings.octaves))
    ]
    check_sides("picture", image, picture)
    sizes = [size for size in sizes if min(size) >= 2 * SHORTEST] or [sizes[-1]]
    term: Term = Activation(settings.layer, None if settings.channel < 0 else settings.channel)
    if guide is not None:
        if settings.channel >= 0:
            raise InputError("a guide is for a whole layer; leave out the channel or the guide")
        with torch.no_grad():
            maps = encoder(scaled(guide, max(sizes[-1])), [settings.layer])[settings.layer]
        term = Guided(settings.layer, positions(maps)[0])

    def build() -> Goal | StepGoals:
        return transformed(Objective(encoder, [(1.0, term)]), roll(settings.jitter), settings.seed)

    stages = [Stage((size[0], size[1]), settings.steps, build) for size in sizes]
    return minimize(Detail(picture), stages, lambda _: NormalizedSteps(settings.rate), resume)
