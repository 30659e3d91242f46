"""DeepDream: Mordvintsev, Olah, Tyka 2015, "Inceptionism"."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

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
from impasto.options import AUTO, known
from impasto.resample import lanczos
from impasto.settings import DreamSettings


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
    picture = image if settings.size == AUTO else scaled(image, known(settings.size))
    sizes = [
        tuple(round(int(side) / settings.octave_scale**k) for side in picture.shape[-2:])
        for k in reversed(range(settings.octaves))
    ]
    check_sides("picture", image, picture)
    sizes = [size for size in sizes if min(size) >= 2 * SHORTEST] or [sizes[-1]]
    term: Term = Activation(settings.layer, settings.channel)
    if guide is not None:
        if settings.channel is not None:
            raise InputError("a guide is for a whole layer; leave out the channel or the guide")
        with torch.no_grad():
            maps = encoder(scaled(guide, max(sizes[-1])), [settings.layer])[settings.layer]
        term = Guided(settings.layer, positions(maps)[0])

    def build() -> Goal | StepGoals:
        return transformed(Objective(encoder, [(1.0, term)]), roll(settings.jitter), settings.seed)

    stages = [Stage((size[0], size[1]), settings.steps, build) for size in sizes]
    return minimize(Detail(picture), stages, lambda _: NormalizedSteps(settings.rate), resume)


def nearer(picture: Tensor, ratio: float = 0.05) -> Tensor:
    """A picture `(B, C, H, W)` enlarged about its center and cut to its size."""
    height, width = (int(side) for side in picture.shape[-2:])
    dy, dx = round(height * ratio / 2), round(width * ratio / 2)
    return lanczos(picture[..., dy : height - dy, dx : width - dx], (height, width))
