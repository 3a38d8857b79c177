"""The most that a device does: operations, memory traffic, and what it costs to start anything.

Each is the best of several tries, so that a passing disturbance does not count, and on a CPU taken
with all the threads that torch takes by itself: a step that uses fewer leaves something on the
table, and that is to be seen.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any

from cnnlab.devices import tf32
from cnnlab.devices.peak import conv_peak, matmul_peak
from cnnlab.spec import Bandwidth, Ceilings, Precision

log = logging.getLogger(__name__)

SIZES_MB = (0.5, 2, 8, 32, 128)
"""From what a core's own cache holds to what only the main memory does."""
SECONDS_EACH = 0.04
CALLS = 500
TRIES = 9


def measure_ceilings(device: str, precision: Precision, family: str, threads: int) -> Ceilings:
    """Measure them now, in about a second.

    Args:
        precision, family: of the network; torch's present TF32 settings apply.
        threads: how many a CPU is to do it with.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        return _ceilings(device, precision, family)
    except RuntimeError as error:  # torch's want of memory is one, on every device
        log.exception("the ceilings of %s cannot be taken", device)
        arithmetic = tf32.arithmetic(device, precision, family)
        return Ceilings(arithmetic=arithmetic, missing=f"{device} did not do it: {error!s:.200}")
    finally:
        torch.set_num_threads(before)


def _ceilings(device: str, precision: Precision, family: str) -> Ceilings:
    import torch

    lower: Precision = "mixed_bfloat16"
    reduced = matmul_peak(device, lower, family), conv_peak(device, lower)
    return Ceilings(
        arithmetic=tf32.arithmetic(device, precision, family),
        matmul_gflops=matmul_peak(device, precision, family),
        conv_gflops=conv_peak(device, precision),
        bfloat16_gflops=max(reduced),
        bandwidths=tuple(
            Bandwidth(mb=mb, gb_per_second=_best_bandwidth(device, mb)) for mb in SIZES_MB
        ),
        call_us=call_us(device),
        threads=torch.get_num_threads() if device == "cpu" else None,
    )


def _best_bandwidth(device: str, mb: float) -> float:
    """With all threads or with one, which is quicker where there is little to do."""
    import torch

    threads = torch.get_num_threads()
    found = [bandwidth(device, mb)]
    if device == "cpu" and threads > 1:
        torch.set_num_threads(1)
        found.append(bandwidth(device, mb))
        torch.set_num_threads(threads)
    return max(found)


def bandwidth(device: str, mb: float) -> float:
    """GB/s (10^9 bytes) at which an array of so many MB is read and written again."""
    import torch

    array = torch.zeros(int(mb * 1e6) // 4, device=device)
    # As many passes between two looks at the clock as take a while, since a look waits.
    passes = max(int(32 / mb), 1)

    def work() -> None:
        for _ in range(passes):
            array.add_(1.0)

    seconds = quickest(work, lambda: _wait(array), SECONDS_EACH)
    return 2 * array.nbytes * passes / seconds / 1e9


def call_us(device: str) -> float:
    """Microseconds of the host to start one operation on next to nothing."""
    import torch

    number = torch.zeros((), device=device)

    def calls() -> None:
        for _ in range(CALLS):
            number.add_(1.0)

    _wait(number)
    # Without waiting for the device: what counts is when the host may go on.
    times = [_seconds(calls, lambda: None) for _ in range(TRIES)]
    _wait(number)
    return min(times) / CALLS * 1e6


def quickest(work: Callable[[], None], wait: Callable[[], None], seconds: float) -> float:
    """The least time that some work takes, of as many tries as fit, and at least three."""
    _seconds(work, wait)  # the first one opens and loads
    until = time.perf_counter() + seconds
    found: list[float] = []
    while len(found) < 3 or time.perf_counter() < until:
        found.append(_seconds(work, wait))
    return min(found)


def _seconds(work: Callable[[], None], wait: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - begun


def _wait(array: Any) -> None:
    """Until the device is done: reading a number does that everywhere."""
    array.flatten()[0].item()
