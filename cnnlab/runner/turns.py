"""Timed work on this machine, one after the other: a run, a cell of a sweep, an errand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import ParamSpec, TypeVar

from cnnlab.spec import LabError

MACHINE = threading.Lock()
"""Held by whichever thread of this process has something timed."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def alone(work: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Work that is timed: it waits until nothing else is."""

    @wraps(work)
    def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        with MACHINE:
            return work(*args, **kwargs)

    return guarded


@contextmanager
def between() -> Iterator[None]:
    """Work that is not timed and would disturb what is: done at once, or not at all.

    Nothing timed begins until it is done, so it is to be short.

    Raises:
        LabError: something is timed.
    """
    if not MACHINE.acquire(blocking=False):
        raise LabError("Something is being timed on this machine; this waits until it is over.")
    try:
        yield
    finally:
        MACHINE.release()
