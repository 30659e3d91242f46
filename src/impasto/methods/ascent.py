"""Gradient ascent: a picture that excites a unit, a channel or a class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.canvas import Canvas, Fourier, Pixels
from impasto.errors import InputError
from impasto.features.encoder import Encoder, check_layers
from impasto.methods.attribution import Unit
from impasto.objective import AlphaNorm, Objective, TotalVariation
from impasto.objective.statistics import gram
from impasto.objective.terms import Term
from impasto.optimize import Adam, Goal, Stage, State, Step, Turns, minimize
from impasto.resample import blur
from impasto.settings import AscentSettings
from impasto.transforms import move, transformed


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
) -> Iterator[Step]:
    """Pictures that excite units, one each, at once: `argmax_x f(x) + R(x)` (METHODS §5).

    Args:
        encoder: with the units' layer.
        units: of one layer; the same unit several times gives several different answers.
        settings: all the rest.
        device: where to compute.
        resume: see `minimize`.
    """
    layers = {unit.layer for unit in units}
    if len(layers) != 1:
        raise InputError(f"the units are of {len(layers)} layers; give units of one")
    check_layers(layers, encoder.layers)
    size = (settings.size, settings.size)
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
            terms.append((settings.diversity_weight, Alike(units[0].layer)))
        objective = Objective(encoder, terms)
        if not (settings.shift or settings.scale or settings.degrees):
            return objective
        return transformed(objective, move(settings.shift, settings.scale, settings.degrees), settings.seed)

    return minimize(canvas, [Stage(size, settings.steps, build)], lambda _: Adam(settings.rate), resume)
