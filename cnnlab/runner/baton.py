"""Who trains now of the runs that share a machine: one at a time, in the order A B B A."""

from __future__ import annotations

import threading
from collections import deque
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
        self._next: deque[int] = deque()
        self._there = False
        """Whether the last round of turns began with the first run."""
        self._holder: int | None = None

    def held(self, number: int, worker: Holding) -> None:
        """A run's turn is over, or it has come to its first step."""
        with self._lock:
            self._holding[number] = worker
            self._hand_on(number)

    def over(self, number: int) -> None:
        """A run is over, and its process with it."""
        with self._lock:
            self._left.discard(number)
            self._holding.pop(number, None)
            self._hand_on(number)

    def _hand_on(self, number: int) -> None:
        if self._holder == number:
            self._holder = None
        if self._holder is not None or self._holding.keys() != self._left or not self._left:
            return
        while not self._next or self._next[0] not in self._left:
            if self._next:
                self._next.popleft()
            else:
                self._there = not self._there
                self._next.extend(sorted(self._left, reverse=not self._there))
        self._holder = self._next.popleft()
        self._holding.pop(self._holder).send("go")
