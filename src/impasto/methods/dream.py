"""DeepDream: Mordvintsev, Olah, Tyka 2015, "Inceptionism"."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from impasto.canvas import Detail, Latent
from impasto.canvas.decoder import open_prior
from impasto.errors import InputError
from impasto.features.encoder import Encoder, check_layers
from impasto.methods.plan import PICTURE, SPECTRUM, fitted, map_bytes
from impasto.methods.regions import SHORTEST, check_sides, scaled, scaled_size
from impasto.methods.settings import DreamSettings
from impasto.objective import Activation
from impasto.objective.matching import best_match
from impasto.objective.statistics import Place, Sum, positions, widened
from impasto.objective.terms import Placeless, Term, from_sums
from impasto.objective.tiled import objective, whole_maps
from impasto.optimize import NormalizedSteps, Stage, State, Step, minimize
from impasto.optimize.moving import roll, transformed
from impasto.options import AUTO, known
from impasto.pictures.resample import lanczos

#: Bytes a pixel of the picture, the dream, the rolled picture, gradients, one step, and gaps that octaves leave.
DREAMING = 10 * PICTURE
#: How far a latent's numbers move for each unit of the pixels' rate: pixels' deviation is a quarter, that of white
#: latents 1, and of the numbers 2.
LATENTS = 6


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
        return from_sums(self, features)

    def measure(self, layer: str, maps: Tensor, place: Place | None = None) -> Sum:
        """The sum of products, `(1,)`, of so many positions."""
        rows = positions(widened(maps))[0]
        total = (rows * self.guide[best_match(rows, self.guide)]).sum(1).sum()[None]
        return Sum(total, total.new_full((1,), len(rows)))

    def value(self, sums: Mapping[str, Sum]) -> Tensor:
        return -sums[self.layer].mean()[0] / self.guide.square().sum(1).mean().clamp_min(1e-12)


@torch.inference_mode(False)
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
    picture = image if settings.size == AUTO else scaled(image, known(settings.size))
    sizes = [
        tuple(round(int(side) / settings.octave_scale**k) for side in picture.shape[-2:])
        for k in reversed(range(settings.octaves))
    ]
    check_sides("picture", image, picture)
    sizes = [size for size in sizes if min(size) >= 2 * SHORTEST] or [sizes[-1]]
    term: Term = Activation(settings.layer, settings.channel)
    held, layers = 4.0 * image.numel() + (DREAMING + SPECTRUM[settings.canvas]) * math.prod(sizes[-1]), [settings.layer]
    if guide is not None:
        if settings.channel is not None:
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
    return minimize(_canvas(picture, settings), stages, lambda _: NormalizedSteps(_rate(settings)), resume)


def _canvas(picture: Tensor, settings: DreamSettings) -> Detail:
    if settings.canvas == "pixels":
        return Detail(picture)
    prior = open_prior(settings.canvas).to(picture.device)
    return Detail(picture, lambda base, shown: Latent.of(prior, base, shown))


def _rate(settings: DreamSettings) -> float:
    return settings.rate * (1 if settings.canvas == "pixels" else LATENTS)


def nearer(picture: Tensor, ratio: float = 0.05) -> Tensor:
    """A picture `(B, C, H, W)` enlarged about its center and cut to its size."""
    height, width = (int(side) for side in picture.shape[-2:])
    dy, dx = round(height * ratio / 2), round(width * ratio / 2)
    return lanczos(picture[..., dy : height - dy, dx : width - dx], (height, width))
