"""The term that ties a frame of a video to others (Ruder, Dosovitskiy, Brox 2016, eq. 8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from impasto.pictures.displacement import Displacement, followed


@dataclass(frozen=True)
class Temporal:
    """`(1/D) Σ_k c_k (x_k − ω_k)²`, D the count of all numbers: the picture keeps what came along the flow.

    Attributes:
        target: `ω`, the other frame carried to this one, `(1, 3, H, W)`.
        weights: `c`, where it can be trusted, `(1, 1, H, W)` in [0, 1].
    """

    target: Tensor
    weights: Tensor
    name: str = "temporal"

    @property
    def layers(self) -> tuple[str, ...]:
        return ()

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        return (self.weights * (image - self.target).square()).mean()

    def displaced(self, by: Displacement, size: tuple[int, int]) -> Temporal:
        return replace(self, target=followed(self.target, by, size), weights=followed(self.weights, by, size))


def long_term(weights: Mapping[int, Tensor]) -> dict[int, Tensor]:
    """Weights of several earlier frames, such that a nearer one comes first (Ruder et al. 2016, eq. 10):
    `max(c^(i−j,i) − Σ_{k<j} c^(i−k,i), 0)`.

    Args:
        weights: how many frames ago, j -> `c^(i−j,i)`, `(1, 1, H, W)`.
    """
    found, nearer = {}, None
    for ago in sorted(weights):
        found[ago] = weights[ago] if nearer is None else (weights[ago] - nearer).clamp_min(0)
        nearer = weights[ago] if nearer is None else nearer + weights[ago]
    return found
