"""Who trains now of the runs that share a machine: one at a time, in the order A B B A."""

from __future__ import annotations

import threading
from itertools import cycle
from typing import Protocol


class Holding(Protocol):
    """A worker that waits for its turn."""

    def send(self, line: str) -> None: ...


class Baton:
    """Handed from run to run, once all have come to where they hold, until each is over."""

    def __init__(self, runs: int) -> None:
        self._lock = threading.Lock()
        self._left = set(range(runs))
        """Those that are not over."""
        self._holding: dict[int, Holding] = {}
        """Those that wait: all that are left, but for the one that trains."""
        self._turns = cycle((*range(runs), *reversed(range(runs))))

    def held(self, number: int, worker: Holding) -> None:
        """A run's turn is over, or it has come to its first step."""
        with self._lock:
            self._holding[number] = worker
            self._hand_on()

    def over(self, number: int) -> None:
        """A run is over, and its process with it."""
        with self._lock:
            self._left.discard(number)
            self._holding.pop(number, None)
            self._hand_on()

    def _hand_on(self) -> None:
        """Where nobody trains, to whose turn it is."""
        if self._left and self._holding.keys() == self._left:
            turn = next(number for number in self._turns if number in self._left)
            self._holding.pop(turn).send("go")
