"""Numbers next to nought, with which a processor takes its time."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import keras
import numpy as np
import torch

LEAST = float(np.finfo(np.float32).tiny)
"""The least number of float32 that is not subnormal."""
_OPENMP = "libgomp", "libiomp5", "libomp"
"""Libraries of threads that have GCC's entry, one of which torch has loaded."""
_WORK = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


def flush_subnormals(on: bool) -> bool:
    """Have this thread, and on Linux those that compute for it, take subnormal numbers as nought,
    or as they are; whether it can be had here.

    In float32 those are numbers below 1.2e-38. Where a weight's gradient has become nought, its
    unit being dead, Adam's average of it shrinks by a tenth in each step until it is subnormal, and
    there rounding keeps it for good. No digit of a weight comes of that, but processors of Intel
    leave their quick way for each: within a few epochs a step takes several times as long. XLA and
    TensorFlow flush such numbers too; torch, as it comes, does not.
    """

    def switch(_: object) -> None:
        torch.set_flush_denormal(on)

    can: bool = torch.set_flush_denormal(on)
    if can and torch.get_num_threads() > 1:
        _on_each_thread(switch)
    return can


def share_of_subnormals(variables: Sequence[keras.Variable]) -> float:
    """How many of all numbers in float variables are subnormal, from 0 to 1."""
    values = [np.abs(variable.numpy()) for variable in variables]
    floats = [each for each in values if each.dtype == np.float32]
    small = sum(int(((each > 0) & (each < LEAST)).sum()) for each in floats)
    return small / max(sum(each.size for each in floats), 1)


def _on_each_thread(work: Callable[[object], None]) -> None:
    """Call something once on each thread of torch's pool. Torch offers no way to do that, and its
    switch is of the calling thread; threads that begin later have what that has.
    """
    library = _openmp()
    if library is not None:
        call = _WORK(work)  # kept until all are through
        library.GOMP_parallel(call, None, torch.get_num_threads(), 0)


def _openmp() -> ctypes.CDLL | None:
    """The library that torch's threads are of; null where it is not known."""
    if sys.platform != "linux":
        return None
    # psutil knows them too, but has the system count their pages first, which takes 0.1 s.
    parts = (line.split(maxsplit=5) for line in Path("/proc/self/maps").read_text().splitlines())
    loaded = [Path(part[5]) for part in parts if len(part) > 5]
    found = [path for path in loaded if path.name.startswith(_OPENMP)]
    # Other packages bring one along, whose threads are others.
    torchs = min(found, key=lambda path: "torch" not in path.parts, default=None)
    return ctypes.CDLL(str(torchs)) if torchs else None
