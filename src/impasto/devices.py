"""Devices by name."""

from __future__ import annotations

import math
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from impasto.errors import InputError, unknown

if TYPE_CHECKING:
    import torch

#: Pictures that a GPU paints at once if nobody says how many.
GPU_BATCH = 8


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


def cores() -> int:
    """Processor cores that this process may use: fewer than there are in a container, or under `taskset`."""
    count = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    with suppress(OSError, ValueError):  # no container, or one without a limit
        quota, period = (float(n) for n in Path("/sys/fs/cgroup/cpu.max").read_text().split())
        count = min(count, math.ceil(quota / period))
    return max(1, count)
