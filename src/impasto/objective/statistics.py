"""Statistics of feature maps that add up over positions.

A style is such a statistic. Because it adds up, blending styles or a folder of paintings is averaging, a mask is a
weight for each position, and a picture larger than memory is a sum over tiles.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True)
class Sum:
    """A statistic summed over positions.

    Attributes:
        total: the sum, `(B, …)`.
        mass: how many positions, or how much weight, it is the sum of, `(B,)`.
    """

    total: Tensor
    mass: Tensor

    def __add__(self, other: Sum) -> Sum:
        return Sum(self.total + other.total, self.mass + other.mass)

    def mean(self) -> Tensor:
        """The average over positions, `(B, …)`; of no positions it is 0."""
        shape = (-1,) + (1,) * (self.total.dim() - 1)
        return self.total / self.mass.clamp_min(1e-12).view(shape)


class Statistic(Protocol):
    """Feature maps in, a sum over positions out."""

    def __call__(self, features: Tensor, weights: Tensor | None = None) -> Sum:
        """Args:
        features: `(B, C, H, W)`.
        weights: of the positions, `(B or 1, 1, H, W)`, at least 0; all 1 if not given.
        """
        ...


def positions(features: Tensor) -> Tensor:
    """`(B, C, H, W)` as rows `(B, M, C)`, one for each position, without a copy in either memory layout."""
    if features.is_contiguous():
        return features.flatten(2).transpose(1, 2)
    return features.permute(0, 2, 3, 1).flatten(1, 2)


class _SecondMoment(torch.autograd.Function):
    """`FᵀF` of rows `F`. Its gradient `F (D + Dᵀ)` is one product here; differentiating the product would take two."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor) -> Tensor:
        ctx.save_for_backward(rows)
        return rows.transpose(1, 2) @ rows

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (rows,) = ctx.saved_tensors
        (grad,) = grads
        return rows @ (grad + grad.transpose(1, 2))  # type: ignore[no-any-return]


def gram(features: Tensor, weights: Tensor | None = None) -> Sum:
    """The Gram matrix `F Fᵀ` (Gatys, Ecker, Bethge 2015, eq. 3), weighted: `Σ_k w_k f_k f_kᵀ`.

    Returns:
        total `(B, C, C)` and mass `(B,)`; its `mean()` is the uncentered second moment, independent of image size.
    """
    batch, _, height, width = features.shape
    rows = positions(features)
    if weights is None:
        mass = rows.new_full((batch,), height * width)
    else:
        flat = positions(weights.expand(batch, 1, height, width))
        rows, mass = rows * flat.sqrt(), flat.sum((1, 2))
    total: Tensor = _SecondMoment.apply(rows)  # type: ignore[no-untyped-call]
    return Sum(total, mass)
