"""The objective: a weighted sum of terms over one pass of an encoder."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import lazy_loader

from impasto.objective.conventions import CONVENTIONS
from impasto.objective.registry import MATCHINGS, STATISTICS, STYLE_LAYERS, STYLE_LOSSES

if TYPE_CHECKING:
    from torch import Tensor

    from impasto.features.encoder import Encoder
    from impasto.objective.activation import Activation
    from impasto.objective.matching import Match
    from impasto.objective.statistics import Statistic, Sum, gram
    from impasto.objective.terms import AlphaNorm, Content, Placeless, Style, Term, TotalVariation

__getattr__, __dir__, _ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "activation": ["Activation"],
        "matching": ["Match"],
        "statistics": ["Statistic", "Sum", "gram"],
        "terms": ["AlphaNorm", "Content", "Placeless", "Style", "Term", "TotalVariation"],
    },
)

__all__ = [
    "CONVENTIONS",
    "MATCHINGS",
    "STATISTICS",
    "STYLE_LAYERS",
    "STYLE_LOSSES",
    "Activation",
    "AlphaNorm",
    "Content",
    "Match",
    "Objective",
    "Placeless",
    "Statistic",
    "Style",
    "Sum",
    "Term",
    "TotalVariation",
    "by_layer",
    "gram",
]


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
        layers = {layer for _, term in active for layer in term.layers}
        features = self.encoder(image, layers) if layers else {}
        total = image.new_zeros(())
        parts: dict[str, Tensor] = {}
        for weight, term in active:
            value = weight * term(image, features)
            total = total + value
            parts[term.name] = parts.get(term.name, 0) + value.detach()
        return total, parts


def by_layer(terms: Iterable[tuple[float, Term]]) -> list[tuple[float, Term]]:
    """Weighted terms of which contents and styles are divided, so that each layer is told of its own, as
    `style.relu1_1`; their sum is the same up to rounding."""
    found: list[tuple[float, Term]] = []
    for weight, term in terms:
        if isinstance(term, Content | Style | Match):
            found += [(weight, replace(term, weights={n: w}, name=f"{term.name}.{n}")) for n, w in term.weights.items()]
        else:
            found.append((weight, term))
    return found
