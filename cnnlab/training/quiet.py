"""How long an epoch takes when nothing else wants its cores, measured beside what does.

A page that is drawn every other second takes a core for some tenths of one, and makes the steps
beside it longer: on two cores, by half. The system counts how long the threads of a run wait for a
core (`devices.waits`), so those steps can be told from the others. Time is cut into slices, each of
some steps; the slices in which no thread waited say what a step takes, and for the others that is
put in place of what they took.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

SLICE_SECONDS = 0.02
"""Long against what it takes to ask the system, short against what a page takes to draw."""
QUIET_SHARE = 0.01
"""Waiting beyond the run's own that still counts as none."""
OWN_SHARE = 0.03
"""Threads wake each other and wait for microseconds; a run in whose quietest slices they wait more
than this has no quiet ones."""
LEAST_SHARE = 0.1
"""Of the steps of an epoch: fewer quiet ones say nothing of the others."""

Waited = Callable[[], float | None]


class Slice(NamedTuple):
    """Some steps in a row."""

    steps: int
    seconds: float
    waited: float
    """Seconds that threads of the run waited for a core meanwhile."""


class Slices:
    """The slices of one stretch of steps: the training of an epoch, or its validation."""

    def __init__(self) -> None:
        self.waited: Waited | None = None
        """Seconds of waiting since it was last asked; unless it is set, there are no slices."""
        self.restart()

    def restart(self) -> None:
        """Begin a stretch anew, before its first mark."""
        self.done: list[Slice] = []
        self._began: float | None = None
        self._steps = 0

    def rest(self) -> None:
        """The stretch is broken off, and goes on with its next mark."""
        self.close()
        self._began, self._steps = None, 0

    def mark(self, steps: int = 1) -> None:
        """A step begins, or the stretch ends; so many were begun at the last mark."""
        if self.waited is None:
            return
        now = time.perf_counter()
        if self._began is None:
            self.waited()
            self._began = now
            return
        self._steps += steps
        if now - self._began >= SLICE_SECONDS:
            self._cut(now)

    def close(self, steps: int = 1) -> None:
        """The last step of the stretch is over."""
        self.mark(steps)
        if self._steps:
            self._cut(time.perf_counter())

    def _cut(self, now: float) -> None:
        assert self.waited is not None
        assert self._began is not None
        waited = self.waited()
        if waited is not None:
            self.done.append(Slice(self._steps, now - self._began, waited))
        self._began, self._steps = now, 0


def quiet_seconds(
    seconds: float, training: Sequence[Slice], validation: Sequence[Slice]
) -> float | None:
    """What an epoch of `seconds` would have taken without waiting; null where too few slices tell.

    Too short a validation for a quiet slice of its own is taken to have been held up as training
    was.
    """
    quiet, held = apart(training)
    steps = sum(part.steps for part in quiet)
    if not steps or steps < LEAST_SHARE * sum(part.steps for part in training):
        return None
    lost = _lost(quiet, held)
    held_seconds = sum(part.seconds for part in held)
    quiet, held = apart(validation)
    if quiet or not validation:
        return seconds - lost - _lost(quiet, held)
    share = lost / held_seconds if held_seconds else 0.0
    return seconds - lost - share * sum(part.seconds for part in validation)


def apart(slices: Sequence[Slice]) -> tuple[list[Slice], list[Slice]]:
    """The slices in which no thread waited, beyond what the run's own threads make each other wait,
    and the rest.
    """
    shares = sorted(part.waited / part.seconds for part in slices)
    own = shares[len(shares) // 10] if shares else 0.0
    if own > OWN_SHARE:
        return [], list(slices)
    quiet = [part for part in slices if part.waited <= (own + QUIET_SHARE) * part.seconds]
    held = [part for part in slices if part.waited > (own + QUIET_SHARE) * part.seconds]
    return quiet, held


def _lost(quiet: Sequence[Slice], held: Sequence[Slice]) -> float:
    """Seconds that the held slices took beyond what quiet ones take for as many steps."""
    if not held:
        return 0.0
    step = statistics.median(part.seconds / part.steps for part in quiet)
    return sum(max(part.seconds - part.steps * step, 0.0) for part in held)
