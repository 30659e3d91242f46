"""Packages whose names can be listed without importing torch."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any


def attributes(package: str, **homes: str) -> Callable[[str], Any]:
    """A package's `__getattr__` (PEP 562), which imports the module of a name when the name is first asked for.

    Args:
        package: its `__name__`.
        homes: module -> the names that it gives to the package, with spaces between them.
    """
    where = {name: module for module, names in homes.items() for name in names.split()}

    def get(name: str) -> Any:
        if name not in where:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{where[name]}"), name)

    return get
