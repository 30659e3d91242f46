"""Objectives of randomly moved pictures: what holds under small changes is no noise of single pixels."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from impasto.optimize import Goal

#: A picture to another, at random: `(image, generator) -> image`.
Transform = Callable[[Tensor, torch.Generator], Tensor]


def _uniform(generator: torch.Generator, low: float, high: float) -> float:
    return low + (high - low) * torch.rand((), generator=generator).item()


def roll(most: int) -> Transform:
    """Up to `most` pixels each way, round the edges (Mordvintsev 2015)."""

    def apply(image: Tensor, generator: torch.Generator) -> Tensor:
        dy, dx = torch.randint(-most, most + 1, (2,), generator=generator).tolist()
        return image.roll((dy, dx), (2, 3))

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


class Transformed:
    """An objective of a picture that is moved at random each time.

    Two evaluations differ, so that it goes with Adam or plain gradient steps and not with L-BFGS.

    Args:
        objective: from a picture to loss and parts.
        transform: how it is moved.
        seed: of the randomness.
    """

    def __init__(self, objective: Goal, transform: Transform, seed: int = 0) -> None:
        self.objective = objective
        self.transform = transform
        self.generator = torch.Generator().manual_seed(seed)

    def __call__(self, image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self.objective(self.transform(image, self.generator))
