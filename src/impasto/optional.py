"""Packages that only some of the edges need."""

from __future__ import annotations

import importlib
from typing import Any

from impasto.errors import InputError


def needed(package: str, extra: str) -> Any:
    """An optional package, imported.

    Args:
        package: the name it is imported by.
        extra: of impasto, which installs it.

    Raises:
        InputError: if it is not installed.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise InputError(
            f"this needs the package {package}, which cannot be imported ({error}); pip install 'impasto[{extra}]'"
        ) from error
