"""The generators there are, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch import nn

from impasto.errors import InputError, unknown
from impasto.networks.quarter import Quarter

#: Kind -> what builds it from its options.
NETWORKS: dict[str, Callable[..., nn.Module]] = {"quarter": Quarter}


def build(kind: str, options: Mapping[str, Any]) -> nn.Module:
    """An untrained generator.

    Raises:
        InputError: if there is no such kind, or it has no such options.
    """
    if kind not in NETWORKS:
        raise unknown("network", kind, NETWORKS)
    try:
        return NETWORKS[kind](**options)
    except TypeError as error:
        raise InputError(f"a {kind} network cannot be built with {dict(options)}: {error}") from error
