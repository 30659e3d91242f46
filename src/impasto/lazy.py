"""Packages whose names can be listed without importing torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def attributes(package: str, modules: str, names: list[str]) -> Callable[[str], Any]:
    """A package's `__getattr__` (PEP 562), which looks into its modules when a name is first asked for.

    Args:
        package: its `__name__`.
        modules: that have the names, with spaces between them.
        names: those that the package has.
    """

    def get(name: str) -> Any:
        if name in names:
            for module in modules.split():
                found = vars(importlib.import_module(f"{package}.{module}"))
                if name in found:
                    return found[name]
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    return get
