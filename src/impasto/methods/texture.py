"""Texture synthesis: Gatys, Ecker, Bethge 2015, "Texture synthesis using convolutional neural networks"."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import torch
from torch import Tensor

from impasto.canvas import Pixels
from impasto.errors import InputError, unknown
from impasto.features.encoder import Encoder, check_layers
from impasto.methods.gatys import optimizer
from impasto.methods.plan import plan
from impasto.methods.styles import SHORTEST, Region, StyleImage, check_sides, room, scaled_size, style_terms
from impasto.objective.tiled import objective
from impasto.optimize import Goal, Stage, State, Step, Turns, minimize
from impasto.settings import LONGEST, STYLE_LAYERS, StylizeSettings, check_numbers, known_fields
from impasto.transforms import jittered, mirrored, rolled


@dataclass(frozen=True)
class TextureSettings:
    """Everything that decides what `texture` makes of a sample.

    Attributes:
        size: width and height of the texture in pixels.
        sample_size: long side at which the sample is read; 0 for the texture's, so that what it shows grows with the
            texture. At its own size a larger texture has more of the same.
        encoder: a key of `impasto.features.ENCODERS`, or `auto`: VGG-19 where it is found, else `lite`.
        pooling: `max`, or `avg` as in the paper.
        precision: of the encoder, as in `StylizeSettings`.
        statistic: how textures are compared, one of `impasto.objective.STYLE_LOSSES`.
        layers: that are compared; those that `statistic` is used with if empty.
        tileable: opposite sides fit together.
        optimizer: `lbfgs`, `adam` or `auto`, with what belongs to it, as in `StylizeSettings`.
        rate: of Adam.
        steps: of each scale.
        scales: coarse to fine, each twice as large as the one before, the sample with it.
        seed: of the noise to start from.
    """

    size: tuple[int, int] = (512, 512)
    sample_size: int = 0
    encoder: str = "auto"
    pooling: str = "max"
    precision: str = "auto"
    statistic: str = "gram"
    layers: tuple[str, ...] = ()
    tileable: bool = False
    optimizer: str = "auto"
    rate: float = 0.02
    steps: int = 100
    scales: int = 2
    seed: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", tuple(self.size))
        object.__setattr__(self, "layers", tuple(self.layers))
        if self.statistic not in STYLE_LAYERS:
            raise unknown("statistic", self.statistic, STYLE_LAYERS)
        if not self.layers:
            object.__setattr__(self, "layers", STYLE_LAYERS[self.statistic])
        check_numbers(self, "scales steps", lambda x: x >= 1, "at least 1")
        check_numbers(self, "size sample_size", lambda x: 0 <= x <= LONGEST, f"at least 0 and at most {LONGEST}")
        least = SHORTEST * 2 ** (self.scales - 1)
        if len(self.size) != 2 or min(self.size) < least:
            shown = "x".join(map(str, self.size))
            raise InputError(
                f"the texture's size is {shown}; with {self.scales} scales both sides must be {least} or more"
            )
        if self.tileable and any(side % least for side in self.size):
            shown = "x".join(map(str, self.size))
            raise InputError(
                f"a tileable texture of {shown} does not divide into whole cells at every scale: with {self.scales} "
                f"scales its sides must be multiples of {least}"
            )

    def changed(self, **changes: Any) -> TextureSettings:
        """A copy with some fields changed; `None` leaves a field as it is."""
        given = known_fields(self, changes)
        if "statistic" in given and self.layers == STYLE_LAYERS[self.statistic]:
            given.setdefault("layers", ())  # those of the other statistic, not of this one
        return replace(self, **given)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as in a report."""
        return asdict(self)


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
        sample: `(1, 3, H, W)`, RGB, [0, 1].
        settings: all the rest.
        resume: see `minimize`.
        max_memory: bytes that the process may take; textures and samples that need more are computed in tiles, but for
            tileable ones. None for no limit.

    Raises:
        InputError: before the first step, if the sample cannot be used, or does not fit into `max_memory`.
    """
    check_layers(settings.layers, encoder.layers)
    width, height = settings.size
    long_side = settings.sample_size or max(settings.size)
    style = StylizeSettings(
        encoder=settings.encoder,
        style_loss=settings.statistic,
        style_layers=settings.layers,
        style_weight=1.0,
        optimizer=settings.optimizer,
        rate=settings.rate,
        steps=settings.steps,
    ).resolved(encoder.name)
    if settings.tileable:
        style = style.changed(levels=1)  # a pyramid has edges
    regions = [Region([StyleImage(sample)])]

    def stage(shrink: int) -> Stage:
        size = round(long_side / shrink)
        shape, read = (round(height / shrink), round(width / shrink)), scaled_size(sample, size)
        check_sides("sample", sample, sample.new_empty(read, device="meta"))
        most, given = room(style.jitter, shape), 4.0 * sample.numel()
        at = plan(encoder, style, shape, settings.steps, max_memory, content=False, paintings=[read], given=given)

        def build() -> Goal | Turns:
            terms = style_terms(encoder, regions, size, style, workspace=at.reader(encoder, style.style_layers))
            goal = objective(encoder, terms, at.workspace)
            around = rolled if settings.tileable else mirrored
            return jittered(lambda _: goal, most, settings.seed, around) if most else goal

        return Stage(shape, settings.steps, build)

    shrinks = [2**k for k in reversed(range(settings.scales))]
    while len(shrinks) > 1 and min(sample.shape[-2:]) * long_side / max(sample.shape[-2:]) / shrinks[0] < 2 * SHORTEST:
        shrinks = shrinks[1:]  # a small sample has no coarser scale
    stages = [stage(shrink) for shrink in shrinks]
    noise = torch.rand((1, 3, *stages[0].size), generator=torch.Generator().manual_seed(settings.seed))
    return minimize(Pixels(noise.to(sample), wrap=settings.tileable), stages, optimizer(style), resume)
