"""DeepDream: Mordvintsev, Olah, Tyka 2015, "Inceptionism"."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from impasto.canvas import Canvas
from impasto.errors import InputError
from impasto.features.encoder import Encoder, check_layers
from impasto.methods.plan import PICTURE, fitted, map_bytes
from impasto.methods.styles import SHORTEST, check_sides, scaled, scaled_size
from impasto.objective import Activation
from impasto.objective.matching import best_match
from impasto.objective.statistics import Place, Sum, positions
from impasto.objective.terms import Term, from_sums
from impasto.objective.tiled import objective, whole_maps
from impasto.optimize import Evaluate, Parts, Stage, State, Step, minimize
from impasto.resample import lanczos
from impasto.settings import LONGEST, check_numbers, known_fields
from impasto.transforms import roll, transformed

#: Bytes a pixel of the picture, the dream, the rolled picture, gradients, one step, and gaps that octaves leave.
DREAMING = 10 * PICTURE


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
        check_numbers(self, "size jitter", lambda x: 0 <= x <= LONGEST, f"at least 0 and at most {LONGEST}")
        check_numbers(self, "octave_scale", lambda x: x > 1, "a finite number above 1")
        check_numbers(self, "rate", lambda x: x > 0, "a finite number above 0")

    def changed(self, **changes: Any) -> DreamSettings:
        """A copy with some fields changed; `None` leaves a field as it is."""
        return replace(self, **known_fields(self, changes))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as in a report."""
        return asdict(self)


class Dreamt:
    """A picture and what was dreamt into it: enlarged, the picture is taken afresh and only the dream is resampled.

    Args:
        picture: `(1, 3, H, W)`, RGB, [0, 1].
    """

    def __init__(self, picture: Tensor) -> None:
        self.picture = picture
        self._base = picture
        self.parameters = picture.detach().clone()

    def image(self) -> Tensor:
        return self.parameters

    @torch.no_grad()
    def keep_in_range(self) -> None:
        self.parameters.clamp_(0, 1)

    @torch.no_grad()
    def resize(self, size: tuple[int, int]) -> None:
        detail = self.parameters - self._base
        self._base = lanczos(self.picture, size)
        if detail.shape[-2:] != self._base.shape[-2:]:
            detail = torch.nn.functional.interpolate(detail, size=size, mode="bicubic", align_corners=False)
        self.parameters = detail.add_(self._base).clamp_(0, 1)


class NormalizedSteps:
    """Gradient steps of a fixed mean size: `x ← x − rate · g / mean|g|`."""

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def step(self, canvas: Canvas, evaluate: Evaluate) -> tuple[float, Parts]:
        loss, gradient, parts = evaluate()
        mean = gradient.abs().mean().clamp_min(1e-30)
        canvas.parameters.sub_(gradient.mul_(self.rate).div_(mean))  # in place, as large pictures take memory
        canvas.keep_in_range()
        return loss, parts

    def state(self) -> dict[str, Tensor]:
        return {}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """There is nothing to remember."""


@dataclass(frozen=True)
class Guided:
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
        return from_sums(self, features)

    def measure(self, layer: str, maps: Tensor, place: Place | None = None) -> Sum:
        """The sum of products, `(1,)`, of so many positions."""
        rows = positions(maps)[0]
        total = (rows * self.guide[best_match(rows, self.guide)]).sum(1).sum()[None]
        return Sum(total, total.new_full((1,), len(rows)))

    def value(self, sums: Mapping[str, Sum]) -> Tensor:
        return -sums[self.layer].mean()[0] / self.guide.square().sum(1).mean().clamp_min(1e-12)


def dream(
    encoder: Encoder,
    image: Tensor,
    settings: DreamSettings,
    *,
    guide: Tensor | None = None,
    resume: State | None = None,
    max_memory: float | None = None,
) -> Iterator[Step]:
    """`image` with what a layer sees in it made stronger, octave by octave, the detail carried along.

    Args:
        encoder: with the layer.
        image: `(1, 3, H, W)`, RGB, [0, 1].
        settings: all the rest.
        guide: a picture to dream of instead of whatever there is, `(1, 3, H', W')`.
        resume: see `minimize`.
        max_memory: bytes that the process may take; octaves that need more are computed in tiles, which changes the
            dream by rounding only. None for no limit.

    Raises:
        InputError: before the first step, if something does not fit together, or not into `max_memory`.
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
    held, layers = 4.0 * image.numel() + DREAMING * math.prod(sizes[-1]), [settings.layer]
    if guide is not None:
        if settings.channel >= 0:
            raise InputError("a guide is for a whole layer; leave out the channel or the guide")
        size = scaled_size(guide, max(sizes[-1]))
        held += 4.0 * guide.numel() + 2 * map_bytes(encoder, settings.layer, size)
        _, space = fitted(encoder, layers, size, held, max_memory, gradient=False, what="a guide of")
        maps = whole_maps(encoder, scaled(guide, max(size)), layers, space)[settings.layer]
        term = Guided(settings.layer, positions(maps)[0])

    def stage(size: tuple[int, int]) -> Stage:
        _, space = fitted(encoder, layers, size, held, max_memory)
        sought = objective(encoder, [(1.0, term)], space)
        return Stage(size, settings.steps, lambda: transformed(sought, roll(settings.jitter), settings.seed))

    stages = [stage((size[0], size[1])) for size in sizes]
    return minimize(Dreamt(picture), stages, lambda _: NormalizedSteps(settings.rate), resume)
