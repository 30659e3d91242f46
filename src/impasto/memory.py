"""The process's memory."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4  # of mallopt(3)


def keep_freed_memory() -> bool:
    """Let the C library keep freed memory for the next step instead of giving it back to the system.

    Feature maps are tens of megabytes, and by default glibc maps each anew, which the system then fills with zeros
    page by page: about a tenth of a step on CPUs (`benchmarks/vgg_step.py`). It is a decision for a whole process,
    so the command line makes it and the library does not.

    Returns:
        Whether it was done; only glibc on Linux knows how.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):
        return False
    limits = {_MMAP_MAX: 0, _TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * 2**20}
    return all(mallopt(name, value) == 1 for name, value in limits.items())
