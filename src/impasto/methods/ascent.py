"""Gradient ascent: a picture that excites a unit, a channel or a class."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from impasto.canvas import Canvas, Fourier, Pixels
from impasto.errors import InputError, unknown
from impasto.features.encoder import Encoder, check_layers
from impasto.methods.attribution import Unit
from impasto.methods.plan import FULLY_CONNECTED, SPECTRUM, fitted, optimizer_bytes
from impasto.objective import AlphaNorm, Objective, TotalVariation
from impasto.objective.statistics import gram
from impasto.objective.terms import Term
from impasto.optimize import Adam, Goal, Stage, State, Step, Turns, minimize
from impasto.resample import blur
from impasto.settings import LONGEST, StylizeSettings, check_numbers, known_fields
from impasto.transforms import move, transformed


@dataclass(frozen=True)
class AscentSettings:
    """Everything that decides how a unit is shown.

    Attributes:
        size: of the square picture in pixels.
        encoder: a key of `impasto.features.ENCODERS`, or `auto`: VGG-19 where it is found, else `lite`.
        pooling: `max` or `avg`.
        canvas: `pixels`, or `fourier` with decorrelated colors.
        norm_weight: of `Σ (2x − 1)²` (Simonyan et al. 2014).
        tv_weight: of the squared total variation.
        blur_every, blur_sigma: a Gaussian blur after every so many steps, in pixels (Yosinski et al. 2015); 0 for none.
        clip_percentile: pixels whose contribution is below this percentile become gray (the same); 0 for none.
        shift, scale, degrees: random moves before each evaluation (Olah et al. 2017), see `impasto.transforms.move`.
        diversity: weight against likeness of several answers.
        rate, steps, seed: of Adam and of all that is random.
    """

    size: int = 224
    encoder: str = "auto"
    pooling: str = "max"
    canvas: str = "fourier"
    norm_weight: float = 0.0
    tv_weight: float = 0.0
    blur_every: int = 0
    blur_sigma: float = 0.5
    clip_percentile: float = 0.0
    shift: float = 8.0
    scale: float = 0.1
    degrees: float = 10.0
    diversity: float = 1.0
    rate: float = 0.05
    steps: int = 200
    seed: int = 0

    def __post_init__(self) -> None:
        if self.canvas not in ("pixels", "fourier"):
            raise unknown("canvas", self.canvas, ("pixels", "fourier"))
        if self.pooling not in ("max", "avg"):
            raise unknown("pooling", self.pooling, ("max", "avg"))
        check_numbers(self, "size", lambda x: 32 <= x <= LONGEST, f"at least 32 and at most {LONGEST}")
        check_numbers(self, "steps", lambda x: x >= 1, "at least 1")
        check_numbers(self, "rate", lambda x: x > 0, "a finite number above 0")
        check_numbers(
            self,
            "norm_weight tv_weight blur_every blur_sigma clip_percentile shift scale degrees diversity",
            lambda x: x >= 0,
            "a finite number, at least 0",
        )

    def changed(self, **changes: Any) -> AscentSettings:
        """A copy with some fields changed; `None` leaves a field as it is."""
        return replace(self, **known_fields(self, changes))

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as in a report."""
        return asdict(self)


def olah() -> AscentSettings:
    """Olah, Mordvintsev, Schubert 2017, "Feature visualization": spectrum, decorrelated colors, random moves, Adam."""
    return AscentSettings()


def simonyan() -> AscentSettings:
    """Simonyan, Vedaldi, Zisserman 2014, §2: gradient ascent from a gray picture with an L2 penalty, nothing else."""
    return AscentSettings(canvas="pixels", norm_weight=0.3, shift=0.0, scale=0.0, degrees=0.0, rate=0.01)


def yosinski() -> AscentSettings:
    """Yosinski et al. 2015, "Understanding neural networks through deep visualization", §3: decay, a blur of 0.5 to 1
    pixels every four steps, and clipping of pixels that contribute little."""
    return AscentSettings(
        canvas="pixels", norm_weight=0.1, blur_every=4, blur_sigma=0.7, clip_percentile=10.0, shift=0.0, scale=0.0,
        degrees=0.0, rate=0.02,
    )  # fmt: skip


ASCENT_PRESETS: dict[str, Callable[[], AscentSettings]] = {"olah": olah, "simonyan": simonyan, "yosinski": yosinski}


@dataclass(frozen=True)
class Excite:
    """Minus the activation of a unit in each picture of a batch, in units of its layer's root mean square.

    Attributes:
        units: one for each picture, all of one layer.
    """

    units: Sequence[Unit]
    name: str = "unit"

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.units[0].layer,)

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        maps = features[self.units[0].layer]
        scale = maps.detach().square().mean().sqrt().clamp_min(1e-6)
        answers = [unit.of(maps[i : i + 1]) for i, unit in enumerate(self.units)]
        return -torch.cat(answers).sum() / scale


@dataclass(frozen=True)
class Alike:
    """How alike the pictures of a batch are: mean cosine between their Gram matrices at a layer (Olah et al. 2017)."""

    layer: str
    name: str = "alike"

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.layer,)

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        rows = torch.nn.functional.normalize(gram(features[self.layer]).mean().flatten(1), dim=1)
        cosines = rows @ rows.T
        count = len(rows)
        return (cosines.sum() - count) / max(1, count * (count - 1))


class Tidied:
    """A canvas that is blurred every so often and whose weakest pixels become gray (Yosinski et al. 2015, §3)."""

    def __init__(self, canvas: Canvas, settings: AscentSettings) -> None:
        self.canvas = canvas
        self.settings = settings
        self.count = 0

    @property
    def parameters(self) -> Tensor:
        return self.canvas.parameters

    @parameters.setter
    def parameters(self, value: Tensor) -> None:
        self.canvas.parameters = value

    def image(self) -> Tensor:
        return self.canvas.image()

    @torch.no_grad()
    def keep_in_range(self) -> None:
        self.canvas.keep_in_range()
        self.count += 1
        s, x = self.settings, self.canvas.parameters
        if s.blur_every and self.count % s.blur_every == 0:
            x.copy_(blur(x, s.blur_sigma))
            if s.clip_percentile:
                size = (x - 0.5).norm(dim=1, keepdim=True)
                weakest = size.flatten(1).quantile(s.clip_percentile / 100, dim=1).view(-1, 1, 1, 1)
                x.copy_(torch.where(size < weakest, 0.5, x))

    def resize(self, size: tuple[int, int]) -> None:
        self.canvas.resize(size)


def ascend(
    encoder: Encoder,
    units: Sequence[Unit],
    settings: AscentSettings,
    *,
    device: str = "cpu",
    resume: State | None = None,
    max_memory: float | None = None,
) -> Iterator[Step]:
    """Pictures that excite units, one each, at once: `argmax_x f(x) + R(x)` (METHODS §5).

    Args:
        encoder: with the units' layer.
        units: of one layer; the same unit several times gives several different answers.
        settings: all the rest.
        device: where to compute.
        resume: see `minimize`.
        max_memory: bytes that the process may take; None for no limit.

    Raises:
        InputError: before the first step, if the units are not of one layer, or do not fit into `max_memory`.
    """
    layers = {unit.layer for unit in units}
    if len(layers) != 1:
        raise InputError(f"the units are of {len(layers)} layers; give units of one")
    check_layers(layers, encoder.layers)
    size = (settings.size, settings.size)
    each = optimizer_bytes(StylizeSettings(optimizer="adam", levels=1), 0) + SPECTRUM[settings.canvas]
    held = settings.size**2 * len(units) * each + FULLY_CONNECTED * units[0].classifier
    what = f"{len(units)} pictures of" if len(units) > 1 else "a picture of"
    fitted(encoder, [*layers], size, held, max_memory, batch=len(units), whole="a unit is looked at at once", what=what)
    generator = torch.Generator().manual_seed(settings.seed)
    if settings.canvas == "fourier":
        # A start in the picture's own space, so that it can be moved to another device.
        canvas: Canvas = Fourier(Fourier.random(size, generator, len(units)).image().detach().to(device))
    else:
        start = 0.5 + 0.01 * torch.randn((len(units), 3, *size), generator=generator)
        canvas = Pixels(start.to(device))
    if settings.blur_every:
        canvas = Tidied(canvas, settings)

    def build() -> Goal | Turns:
        terms: list[tuple[float, Term]] = [
            (1.0, Excite(units)),
            (settings.norm_weight, AlphaNorm(2.0)),
            (settings.tv_weight, TotalVariation()),
        ]
        if len(units) > 1 and len(set(units)) < len(units) and not units[0].classifier:
            terms.append((settings.diversity, Alike(units[0].layer)))
        objective = Objective(encoder, terms)
        if not (settings.shift or settings.scale or settings.degrees):
            return objective
        return transformed(objective, move(settings.shift, settings.scale, settings.degrees), settings.seed)

    return minimize(canvas, [Stage(size, settings.steps, build)], lambda _: Adam(settings.rate), resume)
