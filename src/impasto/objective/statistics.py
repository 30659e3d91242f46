"""Statistics of feature maps that add up over positions, and distances between them.

A style is such a statistic. Because it adds up, blending styles or a folder of paintings is averaging, a mask is a
weight for each position, and a picture larger than memory is a sum over tiles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.grad import conv2d_weight

#: Numbers of a map in bfloat16 that are made float32 at a time.
STRIP = 2**22


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


@dataclass(frozen=True)
class Place:
    """Where in a layer's map a part of it lies.

    Attributes:
        size: `(H, W)` of the whole map.
        rows, columns: of the part.
    """

    size: tuple[int, int]
    rows: slice
    columns: slice

    def of(self, whole: Tensor) -> Tensor:
        """The part of a map of that size, `(…, H, W)`."""
        return whole[..., self.rows, self.columns]


#: From the mean statistic of a picture, `(B, …)`, to its distance from a target, `(B,)`.
Distance = Callable[[Tensor], Tensor]


class Statistic(Protocol):
    """What a style is taken to be."""

    def measure(self, features: Tensor, weights: Tensor | None = None) -> Sum:
        """Args:
        features: `(B, C, H, W)`; of those in bfloat16 sums are in float32.
        weights: of the positions, `(B or 1, 1, H, W)`, at least 0; all 1 if not given.
        """
        ...

    def distance_to(self, target: Tensor) -> Distance:
        """The canonical distance from a target, a mean statistic `(B or 1, …)`, whatever depends on it alone done."""
        ...

    def energy(self, target: Tensor) -> Tensor:
        """The distance from each target of a map that is 0 everywhere, `(B or 1,)`: what relative distances are
        relative to."""
        ...


def positions(features: Tensor) -> Tensor:
    """`(B, C, H, W)` as rows `(B, M, C)`, one for each position, without a copy in either memory layout."""
    if features.is_contiguous():
        return features.flatten(2).transpose(1, 2)
    return features.permute(0, 2, 3, 1).flatten(1, 2)


def widened(maps: Tensor) -> Tensor:
    """Maps in float32 at least, as they are summed."""
    return maps.to(torch.promote_types(maps.dtype, torch.float32))


def whole(maps: Tensor) -> Place:
    """All of a map `(…, H, W)`."""
    return Place((int(maps.shape[-2]), int(maps.shape[-1])), slice(None), slice(None))


def resized_mask(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """A mask or map `(B, K, h, w)` averaged over areas to the height and width `size`."""
    return mask if tuple(mask.shape[-2:]) == size else F.adaptive_avg_pool2d(mask, size)


def _weighted(features: Tensor, weights: Tensor | None) -> tuple[Tensor, Tensor | None, Tensor]:
    """Rows `(B, M, C)`, their weights `(B, M, 1)` if given, and the sum of those `(B,)`."""
    batch, _, height, width = features.shape
    rows = positions(widened(features))
    if weights is None:
        return rows, None, rows.new_full((batch,), height * width)
    flat = positions(weights.expand(batch, 1, height, width))
    return rows, flat, flat.sum((1, 2))


class _SecondMoment(torch.autograd.Function):
    """`FᵀF` of the rows `F` of a map `(B, C, H, W)`. Its gradient `F (D + Dᵀ)` is one product here; differentiating the
    product would take two.

    On CPUs both products are convolutions of 1×1, of which torch has kernels that take half of the time of its products
    of matrices (AMD EPYC, `C` of 16 to 512): `FᵀF` is what such a convolution has for its weights' gradient. The
    gradient has the map's memory layout: adding it to another one takes many times as long otherwise.

    Of maps in bfloat16 `FᵀF` is in float32, as its difference from another one counts; the gradient is in bfloat16
    again, and so are the factors that make it.
    """

    @staticmethod
    def forward(ctx: Any, maps: Tensor) -> Tensor:
        ctx.save_for_backward(maps)
        if maps.device.type != "cpu":
            rows = positions(widened(maps))
            return rows.transpose(1, 2) @ rows
        # One picture, one matrix: weights are those of a batch, and those of groups are slow.
        channels = int(maps.shape[1])
        size = (channels, channels, 1, 1)
        found = []
        for one in maps.chunk(len(maps)):
            parts: list[Tensor] = [conv2d_weight(x, size, x) for x in _strips(one)]  # type: ignore[no-untyped-call]
            found.append(reduce(torch.add, parts))
        return torch.stack(found)[..., 0, 0]

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        maps: Tensor = ctx.saved_tensors[0]
        (grad,) = grads
        both = (grad + grad.transpose(1, 2)).to(maps.dtype)
        if maps.device.type != "cpu":
            return (positions(maps) @ both).transpose(1, 2).reshape(maps.shape)
        found = [F.conv2d(x, d[..., None, None]) for x, d in zip(maps.chunk(len(maps)), both, strict=True)]
        return found[0] if len(found) == 1 else torch.cat(found)


def _strips(one: Tensor) -> Iterator[Tensor]:
    """A map `(1, C, H, W)` in float32 at least: in rows if it must be made that first."""
    rows = one.shape[2] if one.dtype.itemsize > 2 else max(1, STRIP // (one.shape[1] * one.shape[3]))
    return (widened(part) for part in torch.split(one, rows, 2))


def gram(features: Tensor, weights: Tensor | None = None) -> Sum:
    """The Gram matrix `F Fᵀ` (Gatys, Ecker, Bethge 2015, eq. 3), weighted: `Σ_k w_k f_k f_kᵀ`.

    Returns:
        total `(B, C, C)` and mass `(B,)`; its `mean()` is the uncentered second moment, independent of image size.
    """
    batch, _, height, width = features.shape
    if weights is None:
        mass = features.new_full((batch,), height * width, dtype=torch.promote_types(features.dtype, torch.float32))
    else:
        weights = weights.expand(batch, 1, height, width)
        mass = weights.sum((1, 2, 3))
        features = features * weights.sqrt()
    if torch.compiler.is_exporting():  # formats for exchange know products of matrices, and no gradients
        rows = positions(features)
        return Sum(rows.mT @ rows, mass)
    total: Tensor = _SecondMoment.apply(features)  # type: ignore[no-untyped-call]
    return Sum(total, mass)


@dataclass(frozen=True)
class Gram:
    """`‖G_x − G_a‖² / C²` (Gatys, Ecker, Bethge 2015, eq. 4; the divisor is Kitov's)."""

    def measure(self, features: Tensor, weights: Tensor | None = None) -> Sum:
        return gram(features, weights)

    def distance_to(self, target: Tensor) -> Distance:
        return lambda value: (value - target).square().mean((1, 2))

    def energy(self, target: Tensor) -> Tensor:
        return target.square().mean((1, 2))


@dataclass(frozen=True)
class Moments:
    """`(|μ_x − μ_a|² + |σ_x − σ_a|²) / C`: mean and standard deviation of each channel, the statistics of AdaIN (Huang
    and Belongie 2017; Li et al. 2017, "Demystifying neural style transfer").

    The measure is `(B, 2, C)`: the sums of `f` and of `f²`.
    """

    def measure(self, features: Tensor, weights: Tensor | None = None) -> Sum:
        rows, flat, mass = _weighted(features, weights)
        once = rows if flat is None else rows * flat
        return Sum(torch.stack([once.sum(1), (once * rows).sum(1)], 1), mass)

    def distance_to(self, target: Tensor) -> Distance:
        mean, deviation = self._split(target)

        def distance(value: Tensor) -> Tensor:
            m, s = self._split(value)
            return ((m - mean).square() + (s - deviation).square()).mean(1)

        return distance

    def energy(self, target: Tensor) -> Tensor:
        return target[:, 1].mean(1)  # |μ|² + |σ|² is the second moment

    @staticmethod
    def _split(value: Tensor) -> tuple[Tensor, Tensor]:
        mean, square = value.unbind(1)
        # The floor keeps the gradient of the root finite where a channel is constant.
        return mean, (square - mean.square()).clamp_min(1e-8 * square.detach().mean().clamp_min(1e-12)).sqrt()


class _TraceOfRoot(torch.autograd.Function):
    """`tr S^½` of symmetric positive semidefinite matrices `(B, K, K)`, by eigenvalues.

    The gradient `½ S^{-½}` needs no derivative of eigenvectors, so that equal eigenvalues do no harm; eigenvalues that
    are 0 to machine precision are raised to it.
    """

    @staticmethod
    def forward(ctx: Any, matrices: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrices)
        floor = 10 * torch.finfo(values.dtype).eps * values[:, -1:].clamp_min(1e-30)
        ctx.save_for_backward(values.maximum(floor), vectors)
        total: Tensor = values.clamp_min(0).sqrt().sum(1)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        values, vectors = ctx.saved_tensors
        (grad,) = grads
        return (0.5 * grad[:, None, None]) * (vectors * values.rsqrt()[:, None]) @ vectors.transpose(1, 2)  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Wasserstein:
    """2-Wasserstein distance between Gaussians, per channel:

        (|μ_x − μ_a|² + tr(Σ_x + Σ_a − 2 (Σ_a^½ Σ_x Σ_a^½)^½)) / C

    (Olkin and Pukelsheim 1982, as used by crowsonkb's style-transfer-pytorch). The measure is `(B, C + 1, C)`: the
    Gram matrix above the sum of `f`; blends mix these and not covariances.

    `Σ_a = Aᵀ A` with `K × C` matrices `A` gives the same root's trace from the `K × K` matrix `A Σ_x Aᵀ`. `K` is the
    number of directions that hold `variance` of the target: far below `C`, above all at coarse scales, where a map has
    fewer positions than channels.
    """

    variance: float = 0.999

    def measure(self, features: Tensor, weights: Tensor | None = None) -> Sum:
        second = gram(features, weights)
        rows, flat, _ = _weighted(features, weights)
        first = (rows if flat is None else rows * flat).sum(1, keepdim=True)
        return Sum(torch.cat([second.total, first], 1), second.mass)

    def distance_to(self, target: Tensor) -> Distance:
        mean, covariance = self._split(target)
        values, vectors = torch.linalg.eigh(covariance.double())
        values = values.clamp_min(0).flip(1)
        missing = 1 - values.cumsum(1) / values.sum(1, keepdim=True).clamp_min(1e-30)
        count = int((missing > 1 - self.variance).sum(1).max()) + 1
        values = values[:, :count]
        factor = (values.sqrt()[:, :, None] * vectors.flip(2).transpose(1, 2)[:, :count]).to(target)  # (B, K, C)
        trace = values.sum(1).to(target)

        def distance(value: Tensor) -> Tensor:
            m, cov = self._split(value)
            root: Tensor = _TraceOfRoot.apply(factor @ cov @ factor.transpose(1, 2))  # type: ignore[no-untyped-call]
            spread = cov.diagonal(dim1=1, dim2=2).sum(1) + trace - 2 * root
            total: Tensor = (m - mean).square().sum(1) + spread
            return total / m.shape[1]

        return distance

    def energy(self, target: Tensor) -> Tensor:
        return target[:, :-1].diagonal(dim1=1, dim2=2).mean(1)

    @staticmethod
    def _split(value: Tensor) -> tuple[Tensor, Tensor]:
        second, mean = value[:, :-1], value[:, -1]
        return mean, second - mean[:, :, None] * mean[:, None, :]
