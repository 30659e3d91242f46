"""Objectives of randomly moved pictures: what holds under small changes is no noise of single pixels."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.optimize.records import Goal, StepGoals
from impasto.pictures.displacement import Displacement, mirrored, rolled

#: A picture to another, at random: `(image, generator) -> image`.
Transform = Callable[[Tensor, torch.Generator], Tensor]


def _uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * torch.rand((), generator=generator).item()


def roll(most: int) -> Transform:
    """Up to `most` pixels each way, round the edges (Mordvintsev 2015)."""

    def apply(image: Tensor, generator: torch.Generator) -> Tensor:
        dy, dx = torch.randint(-most, most + 1, (2,), generator=generator).tolist()
        return rolled(image, (dy, dx))

    return apply


def move(shift: float = 8.0, scale: float = 0.1, degrees: float = 10.0) -> Transform:
    """A shift by up to `shift` pixels, a scale within `1 ± scale` and a rotation within `±degrees`, what comes from
    outside mirrored (the transforms of Olah et al. 2017, together)."""

    def apply(image: Tensor, generator: torch.Generator) -> Tensor:
        height, width = (int(side) for side in image.shape[-2:])
        angle = math.radians(_uniform(generator, -degrees, degrees))
        zoom = 1 / _uniform(generator, 1 - scale, 1 + scale)
        dy, dx = _uniform(generator, -shift, shift), _uniform(generator, -shift, shift)
        cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
        matrix = [
            [cos, -sin * height / width, 2 * dx / width],
            [sin * width / height, cos, 2 * dy / height],
        ]
        theta = torch.tensor(matrix, dtype=image.dtype, device=image.device).expand(len(image), 2, 3)
        grid = F.affine_grid(theta, list(image.shape), align_corners=False)
        return F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)

    return apply


def _generator(seed: int, number: int) -> torch.Generator:
    """Its own for each number, whichever were made before: a run that goes on makes what it would have made."""
    state: int = np.random.SeedSequence([seed, number]).generate_state(1, np.uint64)[0].item()
    return torch.Generator().manual_seed(state >> 1)


def transformed(objective: Goal, transform: Transform, seed: int = 0) -> StepGoals:
    """An objective of a picture that is moved at random, at each step in another way.

    So it goes with Adam or plain gradient steps and not with L-BFGS.
    """

    def at(step: int) -> Goal:
        return lambda image: objective(transform(image, _generator(seed, step)))

    return StepGoals(at)


#: Steps for which a jittered picture stays where it is, since a content's features must be computed for each place.
STILL = 4


def jittered(
    goal: Callable[[Displacement], Goal],
    most: int,
    seed: int = 0,
    displace: Callable[[Tensor, Displacement], Tensor] = mirrored,
) -> StepGoals:
    """A goal whose picture is seen displaced at random, from one of `most` places each way.

    A network with pools sees a picture through a grid, and a narrow one is easily deceived by what fits the grid; no
    picture deceives it at all places. Goes with Adam and not with L-BFGS.

    Args:
        goal: what is sought for pictures that are displaced so; given the displaced picture.
        most: pixels; 16 for relu5_1, whose positions are that far apart.
        seed: of the randomness.
        displace: how; `rolled` for a picture whose opposite edges are neighbors.
    """
    kept: dict[int, Goal] = {}

    def of(number: int) -> Goal:
        if number not in kept:
            kept.clear()  # first, as it may hold features of a large content
            down, right = torch.randint(
                -(most // 2), most - most // 2, (2,), generator=_generator(seed, number)
            ).tolist()
            sought = goal((down, right))
            kept[number] = lambda image: sought(displace(image, (down, right)))
        return kept[number]

    return StepGoals(lambda step: of((step - 1) // STILL))
