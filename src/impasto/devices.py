"""Where to compute."""

from __future__ import annotations

from impasto.errors import InputError, unknown


def resolve_device(name: object = "auto") -> str:
    """The device of that name; `auto` takes a GPU if there is one.

    Raises:
        InputError: if it is not there.
    """
    import torch

    text = str(name)
    kind = text.partition(":")[0]
    there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if text == "auto":
        return next(n for n in ("cuda", "mps", "cpu") if there[n])
    if kind not in there:
        raise unknown("device", text, ["auto", *there])
    if not there[kind]:
        raise InputError(f"this machine has no {kind} device that torch can use; choose auto or cpu")
    return text
