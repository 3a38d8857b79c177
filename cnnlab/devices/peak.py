"""The most that a device does in one arithmetic: what the steps of a run are held against.

Neither a matrix product nor a convolution alone is it. On a CPU, oneDNN's convolutions reach nearly
twice what the product does; on a card it is the other way round. Both are taken, with as many
threads as the run has; the faster one is kept under `home()`, for it is the machine's and not the
run's. A probe beside other work, or on a hot chip, falls short: so the best that was ever seen
stands, and a run that does better is itself the best that was seen.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import TypeAdapter, ValidationError

from cnnlab.devices import tf32
from cnnlab.devices.hardware import device_name
from cnnlab.spec import Frozen, Precision, home

Operation = Literal["matrix product", "convolution", "training step"]

SECONDS = 0.3
"""For each operation: short, for it is waited for, and long enough to hold a quiet moment."""
LONG_ENOUGH_SECONDS = SECONDS / 30
LARGEST_MATRIX, LARGEST_BATCH = 8192, 512
CONV = (256, 3, 34)
"""Channels in and out, kernel, and height and width of the convolution."""
DOUBT_SHARE = 0.9
"""A run that comes this near to the peak is reason to take it once more: it may be too low."""


class Peak(Frozen):
    """The best that a device was seen to do in one arithmetic."""

    gflops: float
    operation: Operation
    matmul_gflops: float
    """What one large matrix product reaches."""
    arithmetic: str
    """`float32`, `TF32`, `bfloat16` or `float16`."""


_PEAKS: TypeAdapter[dict[str, Peak]] = TypeAdapter(dict[str, Peak])


def peak_beside(gflops: float, device: str, precision: Precision, family: str) -> Peak:
    """What a run's steps are held against; never less than what they did.

    Measured the first time that it is asked for on this machine, and again where `gflops` comes
    near it. torch's present threads and TF32 settings apply.

    Args:
        gflops: what the run reached.
        family: of its network: on a card torch lets convolutions and recurrent layers use TF32 and
            matrix products not, and the probe is to compute as the network's layers do.

    Raises:
        RuntimeError: the device has no room for the probe, some hundred MB.
    """
    key = _key(device, tf32.arithmetic(device, precision, family))
    known = _read().get(key)
    if known is None or gflops > DOUBT_SHARE * known.gflops:
        known = _better(known, measure(device, precision, family))
        if gflops > known.gflops:
            known = known.model_copy(update={"gflops": gflops, "operation": "training step"})
        _keep(key, known)
    return known


def measure(device: str, precision: Precision, family: str) -> Peak:
    """Take both operations now. Raises RuntimeError, as `peak_beside`."""
    product = matmul_peak(device, precision, family)
    convolution = conv_peak(device, precision)
    return Peak(
        gflops=max(product, convolution),
        operation="matrix product" if product >= convolution else "convolution",
        matmul_gflops=product,
        arithmetic=tf32.arithmetic(device, precision, family),
    )


def _better(a: Peak | None, b: Peak) -> Peak:
    if a is None:
        return b
    best = max(a, b, key=lambda peak: peak.gflops)
    return best.model_copy(update={"matmul_gflops": max(a.matmul_gflops, b.matmul_gflops)})


# --- what is measured -----------------------------------------------------------------------


def matmul_peak(
    device: str, precision: Precision, family: str = "dense", seconds: float = SECONDS
) -> float:
    """GFLOP/s of a large matrix product, 2 n^3 operations, in the arithmetic of a family."""
    import torch

    random = _random(device, precision)

    def product(size: int) -> tuple[float, Callable[[], torch.Tensor]]:
        matrix = random(size, size)
        return 2.0 * size**3, lambda: matrix @ matrix

    with tf32.products_as(family):
        return _fastest(product, 512, LARGEST_MATRIX, seconds)


def conv_peak(device: str, precision: Precision, seconds: float = SECONDS) -> float:
    """GFLOP/s of a convolution in the layout that kernels like best, forward."""
    import torch

    channels, kernel, size = CONV
    random = _random(device, precision)
    last = torch.channels_last
    weights = random(channels, channels, kernel, kernel).contiguous(memory_format=last)
    each = 2.0 * (channels * kernel * (size - kernel + 1)) ** 2

    def convolution(batch: int) -> tuple[float, Callable[[], torch.Tensor]]:
        pictures = random(batch, channels, size, size).contiguous(memory_format=last)
        return batch * each, lambda: torch.nn.functional.conv2d(pictures, weights)

    with torch.no_grad():
        return _fastest(convolution, 1, LARGEST_BATCH, seconds)


def _random(device: str, precision: Precision) -> Callable[..., Any]:
    """Random numbers, because cards run faster on constant ones; from a generator of their own,
    because a run's seed must not notice the probe.
    """
    import torch

    dtypes = {"mixed_bfloat16": torch.bfloat16, "mixed_float16": torch.float16}
    dtype = dtypes.get(precision, torch.float32)
    generator = torch.Generator(device).manual_seed(0)
    return lambda *shape: torch.rand(*shape, dtype=dtype, device=device, generator=generator)


def _fastest(
    sized: Callable[[int], tuple[float, Callable[[], Any]]],
    size: int,
    largest: int,
    seconds: float,
) -> float:
    """GFLOP/s of the fastest call within about `seconds`, so that a passing disturbance does not
    count, at the first size that is large enough to keep all of the device busy.

    Args:
        sized: the operations of a call at a size, and the call.
    """
    flops, call = sized(size)
    seconds_each = _seconds(call, times=2)  # the first also picks and loads the kernel
    while size < largest and seconds_each < LONG_ENOUGH_SECONDS:
        size *= 2
        flops, call = sized(size)
        seconds_each = _seconds(call, times=2)
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        seconds_each = min(seconds_each, _seconds(call))
    return flops / seconds_each / 1e9


def _seconds(call: Callable[[], Any], times: int = 1) -> float:
    """What the last of some calls took."""
    for _ in range(times):
        begun = time.perf_counter()
        # Reading one number waits for all of them, on every device.
        call().flatten()[0].item()
    return time.perf_counter() - begun


# --- what is kept ---------------------------------------------------------------------------


def _file() -> Path:
    return home() / "peaks.json"


def _key(device: str, arithmetic: str) -> str:
    """Of the machine, the device, and everything of the process that decides the peak."""
    import torch

    threads = torch.get_num_threads() if device == "cpu" else 0
    facts = (socket.gethostname(), device_name(device), arithmetic, threads, torch.__version__)
    return json.dumps(facts)


def _read() -> dict[str, Peak]:
    """What is kept; nothing where it was never written, or by another version of the lab."""
    try:
        return _PEAKS.validate_json(_file().read_bytes())
    except (FileNotFoundError, ValidationError):
        return {}


def _keep(key: str, peak: Peak) -> None:
    """Write one more; of two processes that do so at once, one measures again later."""
    path = _file()
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".{os.getpid()}")
    part.write_bytes(_PEAKS.dump_json(_read() | {key: peak}, indent=1))
    part.replace(path)
