"""The objective, and the terms it is the weighted sum of.

A term names the layers it reads and turns image and features into one number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from impasto.errors import InputError
from impasto.features.encoder import Encoder, streamed
from impasto.objective.conventions import CONVENTIONS
from impasto.objective.statistics import Distance, Gram, Place, Statistic, Sum, resized_mask, whole
from impasto.pictures.displacement import Displacement, followed


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
        """The same term for the picture of `(H, W)` seen displaced (`impasto.pictures.displacement`): what belongs to
        places, such as a mask, goes with it."""
        ...


class Placeless:
    """A term that is the same wherever a picture is seen from."""

    def displaced(self, by: Displacement, size: tuple[int, int]) -> Self:
        return self


@runtime_checkable
class Additive(Term, Protocol):
    """A term that knows a map by sums over its positions only, so that a picture can be computed in parts."""

    def measure(self, layer: str, maps: Tensor, place: Place | None = None) -> Sum:
        """The sums over the positions of a layer's map, `(B, C, H', W')`, or of the part of it that lies at `place`;
        in float32 at least, of maps that may be in bfloat16."""
        ...

    def value(self, sums: Mapping[str, Sum]) -> Tensor:
        """The term, a scalar, from the sums over the whole map of each of its layers."""
        ...


@dataclass(frozen=True)
class LayerTerm:
    """A term that is a weighted sum over layers.

    Attributes:
        targets: layer -> what its map is compared with.
        weights: layer -> its weight.
    """

    targets: Mapping[str, Any]
    weights: Mapping[str, float]
    name: str = field(default="", kw_only=True)

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self.weights)


def from_sums(term: Additive, features: Mapping[str, Tensor]) -> Tensor:
    """The term from whole maps."""
    return term.value({layer: term.measure(layer, features[layer]) for layer in term.layers})


class _SquaredError(torch.autograd.Function):
    """`Σ (F − P)²` over all but the batch, `(B,)`; differences are made anew in the backward pass, as a map is often
    kept in few digits by something else."""

    @staticmethod
    def forward(ctx: Any, maps: Tensor, target: Tensor) -> Tensor:
        ctx.save_for_backward(maps, target)
        return (maps - target).square().sum((1, 2, 3))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        maps, target = ctx.saved_tensors
        return ((maps - target) * (2 * grads[0])[:, None, None, None]).to(maps.dtype), None


@dataclass(frozen=True)
class Content(LayerTerm):
    """`Σ_l α_l c_l mean((F_l − P_l)²)`: the picture keeps the content's features (Gatys 2015, eq. 1).

    Attributes:
        targets: layer -> `P`, `(B or 1, C, H', W')`.
        weights: layer -> `α_l`.
        convention: a key of `CONVENTIONS`, which gives `c_l`.
    """

    targets: Mapping[str, Tensor]
    convention: str = "kitov"
    name: str = field(default="content", kw_only=True)
    _factors: dict[str, Tensor | float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        scale = CONVENTIONS[self.convention].content
        object.__setattr__(self, "_factors", {n: w * scale(self.targets[n]) for n, w in self.weights.items()})

    def __call__(self, image: Tensor, features: Mapping[str, Tensor]) -> Tensor:
        return from_sums(self, features)

    def measure(self, layer: str, maps: Tensor, place: Place | None = None) -> Sum:
        """`Σ (F − P)²`, `(B,)`, of so many numbers."""
        target = self.targets[layer]
        total: Tensor = _SquaredError.apply(maps, target if place is None else place.of(target))  # type: ignore[no-untyped-call]
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
class Style(LayerTerm):
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
    convention: str = "kitov"
    statistic: Statistic = field(default_factory=Gram)
    mask: Tensor | None = None
    soft: bool = False
    name: str = field(default="style", kw_only=True)
    _distances: dict[str, tuple[float, Tensor | float, Distance]] = field(init=False, repr=False, compare=False)
    _masks: dict[tuple[int, int], Tensor] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        scale, found = CONVENTIONS[self.convention].style, {}
        for layer, weight in self.weights.items():
            target = self.targets[layer]
            factor = scale(self.statistic.energy(target), target)
            found[layer] = (weight, factor, self.statistic.distance_to(target))
        object.__setattr__(self, "_distances", found)

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


@dataclass(frozen=True)
class Objective:
    """`Σ weight · term`, with one pass of the encoder for all terms.

    Attributes:
        encoder: where the features come from.
        terms: pairs of weight and term; a weight of 0 leaves the term out.
    """

    encoder: Encoder
    terms: Sequence[tuple[float, Term]]

    def __call__(self, image: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss, and its weighted parts by name.

        Args:
            image: `(B, 3, H, W)`, RGB, [0, 1].

        Returns:
            A scalar to differentiate, and the detached value of each term; together they sum to it.
        """
        active = [(weight, term) for weight, term in self.terms if weight != 0]
        values, total = self._values(image, [term for _, term in active]), image.new_zeros(())
        parts: dict[str, Tensor] = {}
        for (weight, term), found in zip(active, values, strict=True):
            value = weight * found
            total = total + value
            parts[term.name] = parts.get(term.name, 0) + value.detach()
        return total, parts

    def _values(self, image: Tensor, terms: Sequence[Term]) -> list[Tensor]:
        """Of each term. What adds up over positions is summed as soon as a map is there, so that its gradient is not
        made before it is wanted; the other terms' maps are kept."""
        layers = {layer for term in terms for layer in term.layers}
        additive = {i: term for i, term in enumerate(terms) if term.layers and isinstance(term, Additive)}
        compared = {layer for i, term in enumerate(terms) if i not in additive for layer in term.layers}
        features: dict[str, Tensor] = {}
        sums: dict[int, dict[str, Sum]] = {i: {} for i in additive}
        for layer, maps in streamed(self.encoder, image, layers) if layers else ():
            for i, term in additive.items():
                if layer in term.layers:
                    sums[i][layer] = term.measure(layer, maps)
            if layer in compared:
                features[layer] = maps.to(image.dtype)
        return [additive[i].value(sums[i]) if i in additive else term(image, features) for i, term in enumerate(terms)]
