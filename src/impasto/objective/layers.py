"""Losses by layer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from impasto.objective.terms import LayerTerm, Term


def by_layer(terms: Iterable[tuple[float, Term]]) -> list[tuple[float, Term]]:
    """Weighted terms of which those of several layers are divided, so that each layer has its own loss,
    as `style.relu1_1`; their sum is the same up to rounding."""
    found: list[tuple[float, Term]] = []
    for weight, term in terms:
        if isinstance(term, LayerTerm):
            found += [(weight, replace(term, weights={n: w}, name=f"{term.name}.{n}")) for n, w in term.weights.items()]
        else:
            found.append((weight, term))
    return found
