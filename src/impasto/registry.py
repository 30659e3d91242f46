"""Tables by name, whose entries are imported when they are first used, so that names cost nothing."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, TypeVar

T = TypeVar("T")


class Registry(MutableMapping[str, T]):
    """Name -> object, where an object may stand as `"module:attribute"` until it is asked for. Iterating over names and
    `in` import nothing.

        STYLE_LOSSES["skew"] = Skew()      # or the class, of which one is made without arguments

    Args:
        rows: the first entries; others may be added, replaced and removed at any time.
    """

    def __init__(self, rows: Mapping[str, T | type[T] | str]) -> None:
        self._rows: dict[str, T | type[T] | str] = dict(rows)

    def __getitem__(self, name: str) -> T:
        row: Any = self._rows[name]
        if isinstance(row, str):
            row = pkgutil.resolve_name(row)
        if isinstance(row, type):
            row = row()
        self._rows[name] = row
        resolved: T = row
        return resolved

    def __setitem__(self, name: str, value: T | type[T] | str) -> None:
        self._rows[name] = value

    def __delitem__(self, name: str) -> None:
        del self._rows[name]

    def __contains__(self, name: object) -> bool:
        return name in self._rows

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)
