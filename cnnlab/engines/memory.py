"""What the C library does with the memory that a step frees."""

from __future__ import annotations

import ctypes
import sys

# Parameters of glibc's `mallopt` (malloc.h).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def _glibc(function: str, *arguments: int) -> None:
    """Call one of glibc's own functions; nothing where the C library is another."""
    found = getattr(ctypes.CDLL(None), function, None) if sys.platform == "linux" else None
    if found:
        found(*arguments)


def keep_memory() -> None:
    """Let this process keep what it frees, for the next step to use again.

    Else glibc gives the activations of each step back to the system, which clears page after page
    for the next: a few thousand page faults a step.
    """
    _glibc("mallopt", _MMAP_MAX, 0)
    _glibc("mallopt", _TRIM_THRESHOLD, -1)


def give_memory_back() -> None:
    """Return what this process has kept, before it trains something else."""
    _glibc("malloc_trim", 0)
