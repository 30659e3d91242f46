"""Texture synthesis: Gatys, Ecker, Bethge 2015, "Texture synthesis using convolutional neural networks"."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from impasto.canvas import GrayPixels, Pixels
from impasto.features.encoder import Encoder, check_layers
from impasto.features.profile import profile_of
from impasto.methods.plan import plan
from impasto.methods.regions import (
    SHORTEST,
    Region,
    StyleImage,
    all_gray,
    check_sides,
    opaque_box,
    room,
    scaled_size,
    split_alpha,
)
from impasto.methods.settings import StylizeSettings, TextureSettings
from impasto.methods.solvers import optimizer
from impasto.methods.targets import style_terms
from impasto.objective.tiled import objective
from impasto.optimize import Goal, Stage, State, Step, StepGoals, minimize
from impasto.optimize.moving import jittered
from impasto.options import AUTO, known
from impasto.pictures.displacement import mirrored, rolled


def opaque_part(sample: Tensor) -> Tensor:
    """A sample `(1, 3 or 4, H, W)` cut to the box of what is opaque; see `texture`."""
    alpha = split_alpha(sample)[1]
    return sample if alpha is None else sample[..., *opaque_box(alpha)]


@torch.inference_mode(False)
def texture(
    encoder: Encoder,
    sample: Tensor,
    settings: TextureSettings,
    *,
    resume: State | None = None,
    max_memory: float | None = None,
) -> Iterator[Step]:
    """A texture like `sample`, of any size, from noise: its style alone, coarse to fine.

    Args:
        encoder: of the features; with `padding` circular if the texture is to be tileable.
        sample: `(1, 3, H, W)`, RGB, [0, 1], or with its opacity `(1, 4, H, W)`: it is cut to its `opaque_part`, and
            what is transparent in that does not count.
        settings: all the rest.
        resume: see `minimize`.
        max_memory: bytes that the process may take; textures and samples that need more are computed in tiles, but for
            tileable ones. None for no limit.

    Raises:
        InputError: before the first step, if the sample cannot be used, or does not fit into `max_memory`.
    """
    sample = opaque_part(sample)
    width, height = settings.size
    if settings.tileable:  # of whole cells at every scale, and reduced in the end
        width, height = (math.ceil(side / settings.cell) * settings.cell for side in settings.size)
    long_side = max(settings.size) if settings.sample_size == AUTO else known(settings.sample_size)
    if settings.own_size:
        long_side = max(sample.shape[-2:])
    style = _style(encoder, settings)
    regions = [Region([StyleImage(sample, name="sample")])]

    def stage(shrink: int) -> Stage:
        size = round(long_side / shrink)
        shape, read = (round(height / shrink), round(width / shrink)), scaled_size(sample, size)
        check_sides("sample", sample, sample.new_empty(read, device="meta"))
        most, given = room(known(style.jitter), shape), 4.0 * sample.numel()
        at = plan(encoder, style, shape, settings.steps, max_memory, content=False, paintings=[read], given=given)

        def build() -> Goal | StepGoals:
            terms = style_terms(encoder, regions, size, style, workspace=at.reader(encoder, known(style.style_layers)))
            goal = objective(encoder, terms, at.workspace)
            around = rolled if settings.tileable else mirrored
            return jittered(lambda _: goal, most, settings.seed, around) if most else goal

        return Stage(shape, settings.steps, build)

    shrinks = [2**k for k in reversed(range(settings.scales))]
    while len(shrinks) > 1 and min(sample.shape[-2:]) * long_side / max(sample.shape[-2:]) / shrinks[0] < 2 * SHORTEST:
        shrinks = shrinks[1:]  # a small sample has no coarser scale
    stages = [stage(shrink) for shrink in shrinks]
    noise = torch.rand((1, 3, *stages[0].size), generator=torch.Generator().manual_seed(settings.seed))
    canvas = (GrayPixels if all_gray(None, regions) else Pixels)(noise.to(sample), wrap=settings.tileable)
    steps = minimize(canvas, stages, optimizer(style), resume)
    return steps if (width, height) == settings.size else _reduced(steps, (settings.size[1], settings.size[0]))


def _style(encoder: Encoder, settings: TextureSettings) -> StylizeSettings:
    """Those of a picture that has a style and no content."""
    style = StylizeSettings(
        encoder=settings.encoder,
        style_loss=profile_of(encoder.name).texture_loss if settings.style_loss == AUTO else settings.style_loss,
        style_layers=settings.layers,
        style_weight=1.0,
        optimizer=settings.optimizer,
        rate=settings.rate,
        steps=settings.steps,
    ).resolved(encoder.name)
    if settings.layers_up_to is not None:
        style = style.changed(style_layers=up_to(settings.layers_up_to, known(style.style_layers), encoder.layers))
    check_layers(known(style.style_layers), encoder.layers)
    return style.changed(levels=1) if settings.tileable else style  # a pyramid has edges


def _reduced(steps: Iterator[Step], size: tuple[int, int]) -> Iterator[Step]:
    """Steps of a tileable texture that show it at a size `(H, W)`."""

    def reduced(picture: Tensor) -> Tensor:
        canvas = Pixels(picture, wrap=True)
        canvas.resize(size)
        return canvas.image().clamp(0, 1)

    for step in steps:
        yield step.showing(reduced) if step.scale == step.scales else step


def up_to(layer: str, chosen: Sequence[str], every: Sequence[str]) -> tuple[str, ...]:
    """Those of the `chosen` layers that are not deeper than `layer`, and `layer` itself.

    Args:
        every: the encoder's layers, from shallow to deep.

    Raises:
        InputError: if `layer` is none of them.
    """
    (last,) = check_layers([layer], every)
    return tuple(name for name in every[: every.index(last) + 1] if name in {*chosen, last})
