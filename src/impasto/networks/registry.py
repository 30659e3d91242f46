"""The generators there are, by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from impasto.errors import InputError, unknown
from impasto.networks.generator import Generator
from impasto.networks.johnson import Johnson
from impasto.networks.pyramid import Pyramid
from impasto.networks.quarter import Quarter

#: Name -> the generator's class; its arguments are the options, all with defaults.
NETWORKS: dict[str, Callable[..., Generator]] = {"quarter": Quarter, "johnson": Johnson, "pyramid": Pyramid}
#: Options that may be 0.
OPTIONAL = ("rank", "blocks", "noise", "deepest", "prediction")


def build(kind: str, options: Mapping[str, Any] | None = None) -> Generator:
    """An untrained generator; `build(kind, network.options)` is one of the same shape.

    See `check_options`.
    """
    check_options(kind, options)
    return NETWORKS[kind](**(options or {}))


def check_options(kind: str, options: Mapping[str, Any] | None = None) -> None:
    """Whether a network of that kind can be built.

    Args:
        kind: a key of `NETWORKS`.
        options: arguments of its class by name; the others keep their defaults.

    Raises:
        InputError: if there is no such network or option, or its value does not fit.
    """
    if kind not in NETWORKS:
        raise unknown("network", kind, NETWORKS)
    known = {n: p.default for n, p in inspect.signature(NETWORKS[kind]).parameters.items()}
    for name, value in (options or {}).items():
        if name not in known:
            raise unknown(f"option of {kind}", name, known)
        _check(f"{name} of {kind}", value, known[name], 0 if name in OPTIONAL else 1)


def _check(what: str, value: Any, default: Any, least: int) -> None:
    """A value is of its default's type and, if a number, at least `least`; as many numbers where there are several."""
    if isinstance(default, tuple):
        if not isinstance(value, list | tuple) or len(value) != len(default):
            raise InputError(f"{what} is {value!r}; it must be {len(default)} whole numbers, such as {list(default)}")
        for one, other in zip(value, default, strict=True):
            _check(what, one, other, least)
        return
    if type(value) is not type(default):
        kind = "a whole number" if isinstance(default, int) else "a name"
        raise InputError(f"{what} is {value!r}; it must be {kind}, such as {default!r}")
    if isinstance(value, int) and value < least:
        raise InputError(f"{what} is {value}; it must be at least {least}")
