"""Packages that only some of the edges need."""

from __future__ import annotations

import importlib
import re
import shlex
from importlib import metadata
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
            f"this needs the package {package}, which cannot be imported ({error}); {_install(extra)}"
        ) from error


def _install(extra: str) -> str:
    """How to get an extra's packages by their own names: impasto itself may be a folder that no index knows."""
    try:
        required = metadata.requires("impasto") or []
    except metadata.PackageNotFoundError:
        required = []
    packages = [r.partition(";")[0].strip() for r in required if re.search(rf"extra == ['\"]{extra}['\"]", r)]
    if not packages:
        return f"it belongs to the extra {extra}, whose packages are in impasto's pyproject.toml"
    return f"pip install {shlex.join(packages)} (the extra {extra})"
