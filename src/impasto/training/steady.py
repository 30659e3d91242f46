"""Steadiness: a picture that moved a little is painted as its painting, moved.

What a network works on in cells of many pixels is painted another way when it lies between them, and a film flickers.
So every batch is painted twice, the second time moved by some pixels and with a little noise, and the difference counts
(on single pictures, as Wang et al. 2020, "Consistent video style transfer via relaxation and regularization").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from impasto.networks.conditioning import begin_at
from impasto.optimize import Goal

#: Pixels that a picture is moved by at most, down and right: the largest cell of the generators.
FURTHEST = 16
#: Pixels at each border that do not count: where the moved picture begins, it is painted without what lies beyond.
BORDER = 32
#: Largest deviation of the noise.
NOISE = 0.01


@dataclass(frozen=True)
class Moved:
    """A batch seen again.

    Attributes:
        images: `(B, 3, H - down, W - right)`: without the first rows and columns, with noise.
        by: how many rows and columns, down and right.
    """

    images: Tensor
    by: tuple[int, int]


def moved(images: Tensor, seed: int, number: int) -> Moved:
    """Batch `number`, `(B, 3, H, W)`, moved at random; the same in every run."""
    rng = np.random.default_rng([seed, 5, abs(number), number < 0])
    down, right = divmod(int(rng.integers(1, (FURTHEST + 1) ** 2)), FURTHEST + 1)  # never by nothing
    seen = images[..., down:, right:]
    noise = rng.normal(size=seen.shape) * rng.uniform(0, NOISE)
    return Moved((seen + torch.from_numpy(noise).to(seen)).clamp(0, 1), (down, right))


def painted_twice(network: nn.Module, paint: Callable[[Tensor], Tensor], images: Tensor, again: Moved | None) -> Tensor:
    """`(B, 3, H, W)` painted, and the same painted moved and put back in its place, `(2B, 3, H, W)`; the grain goes
    along as far as whole cells do.

    Args:
        network: what `paint` calls.
        paint: from pictures to pictures of their size.
        images: the batch.
        again: the same, moved; nothing is painted a second time if None.
    """
    if again is None:
        return paint(images)
    state = torch.get_rng_state()
    first = paint(images)
    torch.set_rng_state(state)  # the grain begins where it began
    begin_at(network, *again.by)
    try:
        second = paint(again.images)
    finally:
        begin_at(network, 0, 0)
    down, right = again.by
    below = torch.cat([first[..., down:, :right], second], -1)
    return torch.cat([first, torch.cat([first[..., :down, :], below], -2)])


@dataclass(frozen=True)
class SteadyGoal:
    """An objective and `weight` times the mean squared difference of what `painted_twice` made, inside.

    Attributes:
        goal: of the pictures themselves.
        weight: of the difference.
    """

    goal: Goal
    weight: float

    def __call__(self, pictures: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """`(2B, 3, H, W)` to the sum, and its parts by name."""
        first, second = pictures.chunk(2)
        total, parts = self.goal(first)
        rows, columns = (slice(k, n - k) for n in first.shape[2:] for k in [min(BORDER, n // 3)])
        steady = self.weight * (first - second)[..., rows, columns].square().mean()
        return total + steady, {**parts, "steady": steady}
