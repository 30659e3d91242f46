"""The terms an objective is the weighted sum of.

A term names the layers it reads and turns image and features into one number. Conventions differ between papers by
factors only, so a convention is a pair of factors on the canonical losses of `docs/decisions/0002-one-convention.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from impasto.displacement import Displacement, followed
from impasto.errors import InputError
from impasto.objective.statistics import STATISTICS, Distance, Place, Statistic, Sum, resized_mask, whole


class Term(Protocol):
    """One part of an objective.

    Attributes:
        name: under which its value is reported.
        layers: the encoder's layers that it reads; empty for a term of the image alone.
    """

    @property
    def name(self) -> str: ...
    @property
    def layers(self) -> tuple[str, ...]: ...

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        """Args:
            image: `(B, 3, H, W)`, RGB, [0, 1].
            features: the maps of `layers`, `(B, C, H', W')` each.

        Returns:
            A scalar.
        """
        ...

    def displaced(self, by: Displacement, size: tuple[int, int]) -> Term:
        """The same term for the picture of `(H, W)` seen displaced (`impasto.displacement.mirrored`): what belongs to
        places, such as a mask, goes with it."""
        ...


class Placeless:
    """A term that is the same wherever a picture is seen from."""

    def displaced(self, by: Displacement, size: tuple[int, int]) -> Self:
        return self


@runtime_checkable
class Additive(Term, Protocol):
    """A term that knows a map by sums over its positions only, so that a picture can be looked at in parts."""

    def measure(self, layer: str, maps: Tensor, place: Place | None = None) -> Sum:
        """The sums over the positions of a layer's map, `(B, C, H', W')`, or of the part of it that lies at `place`."""
        ...

    def value(self, sums: Mapping[str, Sum]) -> Tensor:
        """The term, a scalar, from the sums over the whole map of each of its layers."""
        ...


def from_sums(term: Additive, features: Mapping[str, Tensor]) -> Tensor:
    """The term from whole maps."""
    return term.value({layer: term.measure(layer, features[layer]) for layer in term.layers})


def _one(*_: object) -> float:
    return 1.0


@dataclass(frozen=True)
class Convention:
    """How a paper scales its losses, as factors on the canonical ones; one for all pictures of a batch, or one each.

    Attributes:
        content: factor on `mean((F − P)²)`, from the target maps `P`.
        style: factor on the canonical distance of statistics, such as `‖G_x − G_a‖² / C²` with `G = F Fᵀ / M`, from
            the distances of a map of zeros, `(B or 1,)`, and the targets.
        tv: factor on the total variation per pixel, from the picture.
    """

    content: Callable[[Tensor], Tensor | float]
    style: Callable[[Tensor, Tensor], Tensor | float]
    tv: Callable[[Tensor], float] = _one


#: `relative` is ours: errors as a fraction of the target, so that weights mean the same for every encoder and layer.
#: `kitov` is canonical. `gatys`: ½ Σ (F−P)² and Σ (G−A)² / (4 N² M²) with G = F Fᵀ (2015, eq. 1 and 4; the paper's
#: style picture has the content's size, M is taken out of both Gram matrices so that it need not). `mlrg` (Syed):
#: ‖F−P‖² / (2 N M). `johnson`: ‖·‖² / (C H W) and ‖G−A‖² with G = F Fᵀ / (C H W) (2016, eq. 2 to 4), which equal the
#: canonical ones. `neural-style` (jcjohnson's program): means of (F−P)² and of (G−A)² with G = F Fᵀ / (C H W), and half
#: the sum of squared differences of values from 0 to 255.
CONVENTIONS: dict[str, Convention] = {
    "relative": Convention(
        lambda target: 1 / target.square().mean((1, 2, 3)).clamp_min(1e-12),
        lambda energy, _: 1 / energy.clamp_min(1e-12),
    ),
    "kitov": Convention(_one, _one),
    "gatys": Convention(lambda target: 0.5 * target[0].numel(), lambda *_: 0.25),
    "mlrg": Convention(lambda _: 0.5, lambda *_: 0.25),
    "johnson": Convention(_one, _one),
    "neural-style": Convention(
        _one, lambda _, target: 1 / target.shape[-1] ** 2, lambda image: 0.5 * 255**2 * image.shape[2] * image.shape[3]
    ),
}


@dataclass(frozen=True)
class Content:
    """`Σ_l α_l c_l mean((F_l − P_l)²)`: the picture keeps the content's features (Gatys 2015, eq. 1).

    Attributes:
        targets: layer -> `P`, `(B or 1, C, H', W')`.
        weights: layer -> `α_l`.
        convention: a key of `CONVENTIONS`, which gives `c_l`.
    """

    targets: Mapping[str, Tensor]
    weights: Mapping[str, float]
    convention: str = "kitov"
    name: str = "content"
    _factors: dict[str, Tensor | float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        scale = CONVENTIONS[self.convention].content
        object.__setattr__(self, "_factors", {n: w * scale(self.targets[n]) for n, w in self.weights.items()})

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self.weights)

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        return from_sums(self, features)

    def measure(self, layer: str, maps: Tensor, place: Place | None = None) -> Sum:
        """`Σ (F − P)²`, `(B,)`, of so many numbers."""
        target = self.targets[layer]
        total = (maps - (target if place is None else place.of(target))).square().sum((1, 2, 3))
        return Sum(total, total.new_full(total.shape, maps[0].numel()))

    def displaced(self, by: Displacement, size: tuple[int, int]) -> Content:
        """See `Term`.

        Raises:
            InputError: unless it stays where it is, as its maps must be measured anew for each place.
        """
        if by != (0, 0):
            raise InputError(f"a content's features do not move by {by}: choose jitter 0, or measure them there")
        return self

    def value(self, sums: Mapping[str, Sum]) -> Tensor:
        return torch.stack([(factor * sums[layer].mean()).mean() for layer, factor in self._factors.items()]).sum()


@dataclass(frozen=True)
class Style:
    """`Σ_l β_l c_l d(s(F_l), s_l)`: the picture's feature statistics become the style's (Gatys 2015, eq. 4 and 5).

    Attributes:
        targets: layer -> mean statistic of the style, `(B or 1, …)`; `(B or 1, C, C)` for Gram matrices.
        weights: layer -> `β_l`.
        convention: a key of `CONVENTIONS`, which gives `c_l`.
        statistic: `s` and its distance `d`.
        mask: where in the picture, `(B or 1, 1, H, W)` in [0, 1], averaged to each layer's size (Gatys et al. 2017,
            "Controlling perceptual factors", §3: guided Gram matrices, normalized by area); everywhere if None.
        soft: `log(1 + c_l d)` instead of `c_l d`, so that a batch of many styles is not ruled by the few that are far.
    """

    targets: Mapping[str, Tensor]
    weights: Mapping[str, float]
    convention: str = "kitov"
    statistic: Statistic = STATISTICS["gram"]
    mask: Tensor | None = None
    soft: bool = False
    name: str = "style"
    _distances: dict[str, tuple[float, Tensor | float, Distance]] = field(init=False, repr=False, compare=False)
    _masks: dict[tuple[int, int], Tensor] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        scale, found = CONVENTIONS[self.convention].style, {}
        for layer, weight in self.weights.items():
            target = self.targets[layer]
            factor = scale(self.statistic.energy(target), target)
            found[layer] = (weight, factor, self.statistic.distance_to(target))
        object.__setattr__(self, "_distances", found)

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self.weights)

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        return from_sums(self, features)

    def measure(self, layer: str, maps: Tensor, place: Place | None = None) -> Sum:
        return self.statistic.measure(maps, self._mask_at(place or whole(maps)))

    def value(self, sums: Mapping[str, Sum]) -> Tensor:
        found = []
        for layer, (weight, factor, distance) in self._distances.items():
            value = factor * distance(sums[layer].mean())
            found.append(weight * (value.log1p() if self.soft else value).mean())
        return torch.stack(found).sum()

    def displaced(self, by: Displacement, size: tuple[int, int]) -> Style:
        return self if self.mask is None else replace(self, mask=followed(self.mask, by, size))

    def _mask_at(self, place: Place) -> Tensor | None:
        """The mask of a part of a map; resized once for each size of map."""
        if self.mask is None:
            return None
        if place.size not in self._masks:
            self._masks[place.size] = resized_mask(self.mask, place.size)
        return place.of(self._masks[place.size])


TVKind = Literal["squared", "absolute", "power"]


@dataclass(frozen=True)
class TotalVariation(Placeless):
    """Roughness of the picture, summed over pixels and colors and divided by the number of pixels.

    `squared`: `Σ dx² + dy²`. `absolute`: `Σ |dx| + |dy|`. `power`: `Σ (dx² + dy²)^γ` over the positions that have both
    neighbors (Mahendran and Vedaldi 2015 with `γ = β/2`), its gradient finite at 0.

    Attributes:
        kind: which of the three.
        gamma: the exponent of `power`.
        convention: a key of `CONVENTIONS`, which may scale it.
    """

    kind: TVKind = "squared"
    gamma: float = 1.0
    convention: str = "kitov"
    name: str = "tv"
    layers: tuple[str, ...] = ()

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        dx, dy = image.diff(dim=3), image.diff(dim=2)
        if self.kind == "absolute":
            total = dx.abs().sum() + dy.abs().sum()
        elif self.kind == "squared":
            total = dx.square().sum() + dy.square().sum()
        else:
            energy = dx[..., :-1, :].square() + dy[..., :-1].square()
            # The tiny floor keeps the gradient of a power below 1 finite where the picture is flat.
            total = ((energy + 1e-8).pow(self.gamma) - 1e-8**self.gamma).sum()
        scale = CONVENTIONS[self.convention].tv(image)
        return scale * total / (image.shape[0] * image.shape[2] * image.shape[3])


@dataclass(frozen=True)
class AlphaNorm(Placeless):
    """`Σ |2x − 1|^α` over colors, per pixel: keeps values from the ends of their range (Mahendran, Vedaldi 2015, §2).

    Attributes:
        alpha: the exponent; the paper takes 6.
    """

    alpha: float = 6.0
    name: str = "norm"
    layers: tuple[str, ...] = ()

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        total = (2 * image - 1).abs().pow(self.alpha).sum()
        return total / (image.shape[0] * image.shape[2] * image.shape[3])
