"""Signals that end a command."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

NAMES = ("SIGINT", "SIGTERM", "SIGHUP")


@contextmanager
def handled(old: Any, new: Any) -> Iterator[None]:
    """Signals that end a command and are handled by `old` are handled by `new`; Python allows it in its main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [getattr(signal, name) for name in NAMES if hasattr(signal, name)]
    changed = [number for number in numbers if signal.getsignal(number) is old]
    for number in changed:
        signal.signal(number, new)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, old)


def ending_as_by_ctrl_c() -> AbstractContextManager[None]:
    """`docker stop` and a closed terminal end a command as Ctrl-C does, so that what was made is kept."""
    return handled(signal.SIG_DFL, signal.default_int_handler)  # not those that nohup ignores


@contextmanager
def heeding_afterwards() -> Iterator[None]:
    """Ctrl-C is heeded when this has ended, as what must not be done by halves.

    Raises:
        KeyboardInterrupt: at the end, if it was pressed meanwhile.
    """
    pressed: list[int] = []
    with handled(signal.default_int_handler, lambda number, frame: pressed.append(number)):
        yield
    if pressed:
        raise KeyboardInterrupt
