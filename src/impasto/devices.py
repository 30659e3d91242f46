"""Devices by name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from impasto.errors import InputError, unknown

if TYPE_CHECKING:
    import torch


def resolve_device(name: str | torch.device = "auto") -> str:
    """The device that a name stands for, as torch names it.

    Args:
        name: `auto` (a GPU if there is one), `cpu`, `cuda`, `mps`, one of several such as `cuda:1`, or torch's object.

    Raises:
        InputError: if this machine has no such device.
    """
    import torch

    there = {
        "cuda": torch.cuda.device_count() if torch.cuda.is_available() else 0,
        "mps": int(torch.backends.mps.is_available()),
        "cpu": 1,
    }
    name = str(name)
    if name == "auto":
        return next(kind for kind, count in there.items() if count)
    kind, _, index = name.partition(":")
    if kind not in there:
        raise unknown("device", name, ["auto", *there])
    if not there[kind]:
        raise InputError(f"this machine has no {kind} device that torch can use; choose auto or cpu")
    if kind != name and not (index.isdecimal() and int(index) < there[kind]):
        raise InputError(f"the device is {name!r}; of {kind} this machine has {there[kind]}, counted from 0")
    return name
