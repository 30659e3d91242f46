"""Gradient ascent: a picture that excites a unit, a channel or a class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.canvas import Blurred, Latent, gray, likely
from impasto.errors import InputError
from impasto.features.encoder import Encoder, check_layers
from impasto.methods.attribution import Unit, gradient
from impasto.methods.plan import FULLY_CONNECTED, SPECTRUM, fitted, optimizer_bytes
from impasto.methods.settings import AscentSettings, StylizeSettings
from impasto.objective import AlphaNorm, Objective, TotalVariation
from impasto.objective.statistics import gram
from impasto.objective.terms import Placeless, Term
from impasto.optimize import Adam, Goal, Stage, State, Step, StepGoals, minimize
from impasto.optimize.moving import move, transformed


@dataclass(frozen=True)
class Excite(Placeless):
    """Minus the activation of a unit in each picture of a batch, in units of its layer's root mean square.

    Where a unit answers nothing, every gradient ends at its ReLU; then gradients pass ReLUs where they are positive
    (`deconv` of `relu_rule`), until it answers.

    Attributes:
        units: one for each picture, all of one layer.
        encoder: of the features.
    """

    units: Sequence[Unit]
    encoder: Encoder
    name: str = "unit"

    @property
    def layers(self) -> tuple[str, ...]:
        return (self.units[0].layer,)

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        maps = features[self.units[0].layer]
        scale = maps.detach().square().mean().sqrt().clamp_min(1e-6)
        answers = torch.cat([unit.of(maps[i : i + 1]) for i, unit in enumerate(self.units)])
        total = answers.sum()
        for i, answer in enumerate(answers.tolist()):  # a GPU is waited for once
            if answer == 0:
                one = image[i : i + 1]
                up = gradient(self.encoder, one, self.units[i], "deconv")
                total = total + (up * (one - one.detach())).sum()  # 0, with this gradient
        return -total / scale


@dataclass(frozen=True)
class Similarity(Placeless):
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


@torch.inference_mode(False)
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
    each = optimizer_bytes(StylizeSettings(optimizer="adam", levels=1).resolved(""), 0) + SPECTRUM[settings.canvas]
    held = settings.size**2 * len(units) * each + FULLY_CONNECTED * units[0].classifier
    what = f"{len(units)} pictures of" if len(units) > 1 else "a picture of"
    fitted(
        encoder,
        [*layers],
        size,
        held,
        max_memory,
        batch=len(units),
        whole="the gradient of a unit needs the whole picture",
        what=what,
    )
    generator = torch.Generator().manual_seed(settings.seed)
    canvas = gray(settings.canvas, size, generator, batch=len(units), deviation=0.01, device=device)
    latent = canvas if isinstance(canvas, Latent) else None
    if settings.blur_every:
        steps = 0 if resume is None else resume.step
        canvas = Blurred(canvas, settings.blur_every, settings.blur_sigma, settings.clip_percentile, steps)

    def build() -> Goal | StepGoals:
        terms: list[tuple[float, Term]] = [
            (1.0, Excite(units, encoder)),
            (settings.norm_weight, AlphaNorm(2.0)),
            (settings.tv_weight, TotalVariation()),
        ]
        if len(units) > 1 and len(set(units)) < len(units) and not units[0].classifier:
            terms.append((settings.diversity_weight, Similarity(units[0].layer)))
        objective = likely(Objective(encoder, terms), latent, settings.prior_weight * len(units))
        if not (settings.shift or settings.scale or settings.degrees):
            return objective
        return transformed(objective, move(settings.shift, settings.scale, settings.degrees), settings.seed)

    return minimize(canvas, [Stage(size, settings.steps, build)], lambda _: Adam(settings.rate), resume)
