"""Memory of the process and of the device."""

from __future__ import annotations

import re
import sys
from typing import Any

from cnnlab.devices.cpu import PROC, text_of

MB = 1e6


def rss_mb() -> float:
    """Main memory that this process occupies now, in MB."""
    import psutil

    return psutil.Process().memory_info().rss / MB


def peak_rss_mb() -> float:
    """The most main memory that this process has occupied, in MB.

    Linux's `VmHWM` belongs to this program alone. `ru_maxrss` does not: it survives `exec`, so a
    worker would inherit the peak of the process that launched it.
    """
    if sys.platform == "linux":
        line = re.search(r"^VmHWM:\s*(\d+) kB", text_of(PROC / "self/status") or "", re.MULTILINE)
        # Some sandboxed kernels leave the line out: what is occupied now is then the best known.
        return int(line[1]) * 1024 / MB if line else rss_mb()
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset / MB
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MB  # macOS counts bytes


def device_mb(device: str) -> float | None:
    """Memory of the tensors on an accelerator now, by torch's allocator, in MB; null on the CPU."""
    import torch

    kind = device.partition(":")[0]
    if kind == "cpu":
        return None
    if kind == "mps":
        return torch.mps.current_allocated_memory() / MB
    return getattr(torch, kind).memory_allocated(device) / MB


def peak_device_mb(device: str) -> float | None:
    """The most that `device_mb` has been since `reset_peak`; null where torch keeps no peak.

    That is the CPU and Apple's GPUs.
    """
    backend = _with_peak(device)
    return None if backend is None else backend.max_memory_allocated(device) / MB


def reset_peak(device: str) -> None:
    """Begin `peak_device_mb` anew. The process's own peak spans its whole life."""
    backend = _with_peak(device)
    if backend is not None:
        backend.reset_peak_memory_stats(device)


def _with_peak(device: str) -> Any:
    """torch's module for the device if its allocator keeps a peak."""
    import torch

    kind = device.partition(":")[0]
    return getattr(torch, kind) if kind in ("cuda", "xpu") else None
