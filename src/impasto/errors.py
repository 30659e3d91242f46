"""What can go wrong, as one small tree.

    ImpastoError
    ├── InputError          a picture, a setting or a file that cannot be used (also a ValueError)
    │   └── WeightsError    an encoder's weights: not found, damaged, or of another network
    └── NonFiniteError      an objective became NaN or infinite while it was being minimized
    KeyboardInterrupt
    └── Interrupted         Ctrl-C, after what was made has been written

Every message names the value received, the rule it breaks and, where there is one, the fix. It is one line, so that a
command line can print it as it is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class ImpastoError(Exception):
    """Base of every error that impasto raises on purpose."""


class InputError(ImpastoError, ValueError):
    """A picture, a setting or a file that cannot be used as it is."""


class WeightsError(InputError):
    """An encoder's weights are missing, damaged, or belong to another network."""


class NonFiniteError(ImpastoError):
    """A term of the objective became NaN or infinite.

    Attributes:
        term: name of the first term that was not finite, such as ``"style"``.
        step: the step, counted from 1 in its scale, whose objective was not finite.
    """

    def __init__(self, term: str, step: int, kept: str = "the last good picture is kept") -> None:
        super().__init__(
            f"the {term} loss is no longer finite at step {step}: {kept}; lower its weight or the learning rate"
        )
        self.term = term
        self.step = step


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a job that writes files: the message says what was written and how to go on."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory could not be had, on the CPU or a GPU; told by names and words, without importing torch."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    words = ("can't allocate memory", "not enough memory", "out of memory")
    return bool(kinds & {"MemoryError", "OutOfMemoryError"}) or (
        "RuntimeError" in kinds and any(word in str(error) for word in words)
    )


def unknown(kind: str, name: str, known: Iterable[str]) -> InputError:
    """The error for a name that is not in a list: names the nearest ones, or all of them if none is near.

    Args:
        kind: what the name stands for, such as ``"layer"``.
        name: the name received.
        known: the names that exist.
    """
    options = list(known)
    near = difflib.get_close_matches(name, options, n=4, cutoff=0.5)
    if near:
        return InputError(f"unknown {kind} {name!r}; did you mean {' or '.join(near)}?")
    return InputError(f"unknown {kind} {name!r}; there are {', '.join(options)}")
