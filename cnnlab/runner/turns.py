"""Timed work on this machine, one after the other: a run, a cell of a sweep, an errand."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

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
