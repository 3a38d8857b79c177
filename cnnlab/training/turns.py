"""A run's turns at its machine, where it shares it with others that are timed against it.

Two runs that follow each other meet a machine in two moods: what a neighbour does, or a clock that
heat lowers, changes within seconds, and by more than what is to be measured. Runs that take turns
of some tenths of a second meet the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from cnnlab.spec import PhaseChanged
from cnnlab.training.callback import Emit


class Turns:
    """Whether a run's turn is over, and the wait for its next one."""

    def __init__(self, seconds: float, emit: Emit, wait: Callable[[], None]) -> None:
        """
        Args:
            seconds: of a turn; at least one step is taken in each.
            emit: hears that the run holds, and that it goes on.
            wait: returns when it is this run's turn, or when it is to stop.
        """
        self._seconds, self._emit, self._wait = seconds, emit, wait
        self._until = 0.0  # the first turn has to be waited for
        self.held_seconds = 0.0

    @property
    def over(self) -> bool:
        return time.perf_counter() >= self._until

    def next(self) -> float:
        """Hand the machine over, and wait for it; the seconds that took."""
        began = time.perf_counter()
        self._emit(PhaseChanged(phase="holding"))
        self._wait()
        now = time.perf_counter()
        self._until = now + self._seconds
        self.held_seconds += now - began
        return now - began
