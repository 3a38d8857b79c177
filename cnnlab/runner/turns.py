"""Timed work on a machine, one after the other: a run, a cell of a sweep, an errand."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from cnnlab.spec import HERE, LabError

_turns: dict[str, threading.Lock] = defaultdict(threading.Lock)
_finding = threading.Lock()


def turn_on(machine: str) -> threading.Lock:
    """Held by whichever thread of this process has something timed on a machine."""
    with _finding:
        return _turns[machine]


@contextmanager
def between() -> Iterator[None]:
    """Work here that is not timed and would disturb what is: done at once, or not at all.

    Nothing timed begins until it is done, so it is to be short.

    Raises:
        LabError: something is timed.
    """
    here = turn_on(HERE)
    if not here.acquire(blocking=False):
        raise LabError("Something is being timed on this machine; this waits until it is over.")
    try:
        yield
    finally:
        here.release()
