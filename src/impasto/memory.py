"""The process's memory: what it may take, and what it keeps."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from impasto.errors import InputError

#: Of the memory that is free, how much a run may take unless told otherwise.
SHARE = 0.75
_own: list[float] = []
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD, _MMAP_MAX = -1, -2, -3, -4  # of mallopt(3)


def allowance(device: str = "cpu") -> float | None:
    """Bytes that a run may take: `SHARE` of what is free on the device; None where that cannot be told."""
    if device.startswith("cuda"):
        import torch

        return SHARE * torch.cuda.mem_get_info(device)[0]
    if _own:
        return _own[-1]
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        free = next(1024.0 * float(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        try:
            free = float(os.sysconf("SC_PHYS_PAGES")) * os.sysconf("SC_PAGE_SIZE")
        except (ValueError, OSError, AttributeError):
            return None
    return SHARE * min(free, _limit())


def limit_to(limit: float) -> None:
    """Let `allowance` of the CPU be so many bytes in this process, which has others beside it."""
    _own[:] = [limit]


def too_large(what: str, size: tuple[int, int], needs: float, limit: float, fix: str) -> InputError:
    """The error for a picture of `(H, W)` that does not fit: `what` names it, `fix` says what helps."""
    shown = f"{what} {size[1]}x{size[0]} needs {needs / 1e9:.1f} GB"
    return InputError(f"{shown} and max-memory is {limit / 1e9:.1f} GB: {fix}")


def _limit() -> float:
    """What is left of a container's limit; what the system caches of files can be had back."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = (float((folder / f"memory.{name}").read_text()) for name in ("max", "current"))
        counts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return limit - used + float(counts["file"])
    except (OSError, ValueError, KeyError):  # no container, or one without a limit
        return float("inf")


def keep_freed_memory(*, also_large: bool = True) -> bool:
    """Let the C library keep freed memory for the next step instead of giving it back to the system.

    Feature maps are tens of megabytes, and by default glibc maps each anew, which the system then fills with zeros
    page by page: about a tenth of a step on CPUs (`benchmarks/vgg_step.py`). It is a decision for a whole process,
    so the command line makes it and the library does not.

    Args:
        also_large: blocks above 32 MB, too, which steps that are all alike ask for again and again. One pass of a
            network does not, and kept ones only fall to pieces: 3.3 instead of 1.9 GB at 4096×2160.

    Returns:
        Whether it was done; only glibc on Linux knows how.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    limits = {_MMAP_MAX: 0 if also_large else 65536, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * 2**20}
    if not also_large:
        limits[_MMAP_THRESHOLD] = 32 * 2**20  # the most that glibc takes
    return all(mallopt(name, value) == 1 for name, value in limits.items())


def give_back_memory() -> bool:
    """Give freed memory back to the system, for a process that will do nothing for a while.

    Returns:
        Whether it was done; only glibc on Linux knows how.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError):
        return False
