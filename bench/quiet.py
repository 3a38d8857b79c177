"""Whether a measurement had its cores to itself: what others took of them meanwhile.

Two things are read before and after. How long our threads stood ready to run and did not (the
run-queue delay in Linux's `schedstat`), and how much processor time the machine spent on others. A
core was taken from us for no longer than the smaller of the two: threads of ours that wait for each
other are nobody's disturbance, nor is a neighbour on cores that we do not use. Time that a
hypervisor gave to other guests, that a used-up quota held us up or that heat slowed a core comes on
top.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import NamedTuple

import psutil

from cnnlab.devices import load
from cnnlab.devices.waits import thread_times

Watch = Callable[[], Callable[[], float]]
"""Begins to watch; what it returns ends that, and gives the share of the time that was taken."""

Thread = tuple[int, int]
"""Ids of a process and of a thread of it."""

NOTABLE_SHARE = 0.05
"""From here on what was measured is left out: seconds taken of a core for each second. The system
counts processor time in ticks of 10 ms, so that a second errs by two or three hundredths."""
RESTING_CORES = 0.3
"""What a lab and a cluster use at most while there is nothing to do; imports take a whole core."""
RESTING_SECONDS = 2
"""For so long nothing more may happen: what is started waits for others now and then."""
SHORTEST_SECONDS = 0.2
"""Of less time they tell nothing."""
SEEN_SHARE = 0.8
"""Threads that have ended are not seen any more. Where less than this share of our own time was
seen, it is assumed that others took of our cores as much as of any."""


class Reading(NamedTuple):
    """Clocks and counters at one moment, in seconds."""

    clock: float
    busy: float
    """Processor time of all that runs on the machine."""
    stolen: float
    held: float
    """By a quota that was used up, and by heat."""
    own: float
    """Processor time of this process and of all that it started, ended or not."""
    threads: dict[Thread, tuple[float, float]]
    """Of each of our threads: how long it ran, how long it waited for a core."""


def read() -> Reading:
    """Read them all: some milliseconds, before and after what is measured."""
    now = load.read(helpers=True)
    ours = [psutil.Process(), *psutil.Process().children(recursive=True)]
    return Reading(
        clock=now.clock,
        busy=now.busy,
        stolen=now.stolen or 0.0,
        held=(now.quota or 0.0) + (now.heat or 0.0),
        own=now.own,
        threads={
            (process.pid, thread): (times.ran / 1e9, times.waited / 1e9)
            for process in ours
            for thread, times in thread_times(process.pid).items()
        },
    )


def share_taken(before: Reading, after: Reading, cores: int) -> float:
    """Seconds of a core that others took from us, for each second between two readings."""
    passed = after.clock - before.clock
    if passed < SHORTEST_SECONDS:
        return 0.0
    own = after.own - before.own
    others = max(after.busy - before.busy - own, 0.0)
    seen, waited = (
        sum(
            now[kind] - before.threads.get(thread, (0, 0))[kind]
            for thread, now in after.threads.items()
        )
        for kind in (0, 1)
    )
    if seen < SEEN_SHARE * own:
        waited = others * min(own / passed / cores, 1.0)
    besides = after.stolen - before.stolen + after.held - before.held
    return (min(waited, others) + besides) / passed


def watch(more: Callable[[], float] = lambda: 0.0) -> Callable[[], float]:
    """Watch this process and all that it starts, on all cores.

    Args:
        more: processor time of ours that the system does not tell (`bench.unreaped`).
    """

    def reading() -> Reading:
        now = read()
        return now._replace(own=now.own + more())

    before, cores = reading(), os.cpu_count() or 1
    return lambda: share_taken(before, reading(), cores)


def rest(
    within_seconds: float = 60.0,
    used: Callable[[], float] = lambda: load.read(helpers=True).own,
    pause: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until this process and all that it started have done what they had to do.

    Args:
        used: their processor time so far, in seconds.
        pause: waits for so many seconds.

    Raises:
        TimeoutError: they go on and on.
    """
    quiet, before = 0, used()
    for _ in range(round(within_seconds)):
        pause(1.0)
        now = used()
        quiet = quiet + 1 if now - before < RESTING_CORES else 0
        if quiet == RESTING_SECONDS:
            return
        before = now
    raise TimeoutError(f"What was started did not come to rest within {within_seconds:.0f} s.")


def unwatched() -> Callable[[], float]:
    """For figures that load does not change, such as bytes."""
    return lambda: 0.0
