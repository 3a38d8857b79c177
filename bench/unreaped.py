"""Processor time that the system forgets: a parent that does not wait for its children, such as
Ray's raylet, leaves nothing of what they used once they have ended. Whoever takes that for somebody
else's finds every round disturbed in which one of them ended.
"""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict

import psutil

LOOK_SECONDS = 0.1
"""Of each child that ends so much is missed at most; a look takes a millisecond."""


class Unreaped:
    """What children of some processes, and theirs in turn, used by the time they had ended."""

    def __init__(self, parents: list[psutil.Process]) -> None:
        self._parents = parents
        self._most: dict[psutil.Process, float] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="unreaped", daemon=True)
        self._thread.start()

    def ended_seconds(self) -> float:
        """Processor time of all that have ended so far."""
        self._look()
        return sum(used for child, used in list(self._most.items()) if not child.is_running())

    def close(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        for parent in self._parents:
            with contextlib.suppress(psutil.Error):  # it has ended itself
                for child, used in _used(parent).items():
                    # What a child of a child used is in either's count, and for a moment in none.
                    self._most[child] = max(self._most.get(child, 0.0), used)


def _used(parent: psutil.Process) -> dict[psutil.Process, float]:
    """Of each child, with all that it started."""
    found = {process.pid: process for process in parent.children(recursive=True)}
    above: dict[int, int] = {}
    used: defaultdict[psutil.Process, float] = defaultdict(float)
    for pid, process in found.items():
        with contextlib.suppress(psutil.Error):  # it has just ended
            above[pid] = process.ppid()
            used[found[_highest(pid, above)]] += sum(process.cpu_times()[:4])
    return used


def _highest(pid: int, above: dict[int, int]) -> int:
    """Up from a process to the one that the parent itself started; parents come before children."""
    while above[pid] in above:
        pid = above[pid]
    return pid
