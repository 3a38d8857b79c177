"""Memory of the process and of the device, and how fast the device multiplies matrices."""

from __future__ import annotations

import re
import sys
import time
from typing import Any

from cnnlab.devices import tf32
from cnnlab.devices.cpu import PROC, text_of
from cnnlab.spec import Precision

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


def matmul_peak(
    device: str, precision: Precision, family: str = "dense", seconds: float = 0.3
) -> float:
    """GFLOP/s of a large matrix product: what the device can do at best, to hold a model against.

    The fastest of the products that fit into about `seconds`, 2 n^3 operations each, so that a
    passing disturbance does not count. torch's present threads and TF32 settings apply.

    Args:
        family: of the model. On a card torch lets convolutions and recurrent layers use TF32 and
            matrix products not: these are then taken as the model's layers are, or the model
            might outdo them.

    Raises:
        RuntimeError: the device has no room for the matrices, two of up to 268 MB each.
    """
    with tf32.products_as(family):
        return _matmul_peak(device, precision, seconds)


def _matmul_peak(device: str, precision: Precision, seconds: float) -> float:
    import torch

    dtypes = {"mixed_bfloat16": torch.bfloat16, "mixed_float16": torch.float16}
    dtype = dtypes.get(precision, torch.float32)
    # Random numbers, because cards run faster on constant ones; a generator of its own, because
    # a run's seed must not notice the probe.
    generator = torch.Generator(device).manual_seed(0)
    size, fastest = 256, 0.0
    while size < 8192 and fastest < seconds / 30:  # large enough to keep every core busy
        size *= 2
        matrix = torch.rand(size, size, dtype=dtype, device=device, generator=generator)
        _product_seconds(matrix)  # the first of a size also picks and loads the kernel
        fastest = _product_seconds(matrix)
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        fastest = min(fastest, _product_seconds(matrix))
    return 2 * size**3 / fastest / 1e9


def _product_seconds(matrix: Any) -> float:
    begun = time.perf_counter()
    (matrix @ matrix)[0, 0].item()  # reading one number waits for the product, on every device
    return time.perf_counter() - begun


def conv_peak(
    device: str, precision: Precision, family: str = "cnn", seconds: float = 0.3
) -> float:
    """GFLOP/s of a large convolution, forward, in the layout that kernels like best."""
    import torch

    dtypes = {"mixed_bfloat16": torch.bfloat16, "mixed_float16": torch.float16}
    dtype = dtypes.get(precision, torch.float32)
    generator = torch.Generator(device).manual_seed(0)
    pictures, weights = (
        torch.rand(shape, dtype=dtype, device=device, generator=generator).to(
            memory_format=torch.channels_last
        )
        for shape in ((32, 256, 34, 34), (256, 256, 3, 3))
    )

    def convolution() -> float:
        begun = time.perf_counter()
        torch.nn.functional.conv2d(pictures, weights)[0, 0, 0, 0].item()
        return time.perf_counter() - begun

    with torch.no_grad():
        fastest, until = convolution(), time.perf_counter() + seconds
        while time.perf_counter() < until:
            fastest = min(fastest, convolution())
    return 2 * 32 * (256 * 3 * 32) ** 2 / fastest / 1e9
