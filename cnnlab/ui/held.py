"""What is made once for all browsers and lives as long as the process.

Streamlit's `cache_resource` is no place for the lab: one message, `clear_cache`, empties it, and
any browser may send that, which would end the training that everybody watches.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, Generic, TypeVar

Thing = TypeVar("Thing")


class Held(Generic[Thing]):
    """Call it for the one thing that `make` makes, the first time it is asked for."""

    def __init__(self, make: Callable[[], Thing], close: Callable[[Thing], object]) -> None:
        self._make, self._close = make, close
        self._thing: Thing | None = None
        self._lock = Lock()
        _all.append(self)

    def __call__(self) -> Thing:
        with self._lock:
            if self._thing is None:
                self._thing = self._make()
            return self._thing

    def let_go(self) -> None:
        """Close it; the next call makes another. For tests: an app keeps it to its end."""
        with self._lock:
            thing, self._thing = self._thing, None
        if thing is not None:
            self._close(thing)


_all: list[Held[Any]] = []


def let_go() -> None:
    """Close all that is held, what was made of others before them. For tests."""
    for held in reversed(_all):
        held.let_go()
