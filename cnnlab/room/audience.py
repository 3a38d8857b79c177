"""Who watches: browsers that looked in a moment ago."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

LOOKED_SECONDS = 15.0
"""Pages look every few seconds; a phone that was put away no longer does."""
MOST_COUNTED = 5000


class Audience:
    """The browsers of visitors, each with when it was last seen."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._seen: dict[str, float] = {}

    def look_in(self, visitor: str) -> None:
        """A visitor's page was drawn, or asked whether there is anything new."""
        with self._lock:
            self._seen.pop(visitor, None)  # so that the order stays that of when they were seen
            self._seen[visitor] = self._clock()
            if len(self._seen) > MOST_COUNTED:
                del self._seen[next(iter(self._seen))]

    def count(self) -> int:
        """How many watch now."""
        with self._lock:
            since = self._clock() - LOOKED_SECONDS
            for visitor in [who for who, when in self._seen.items() if when < since]:
                del self._seen[visitor]
            return len(self._seen)
