"""A run that is ended after so many seconds of training, as it was meant to."""

from __future__ import annotations

import time

from cnnlab.spec import Event, RunEnded, Status, Window
from cnnlab.training.callback import Emit, Stop

LEAST_STEPS = 10
"""Half of which are warm-up: fewer would leave hardly a step to time."""


class Cut:
    """Stands between a run and those who listen to it: asks it to stop when its time is over, and
    says of one that was ended so that it has finished.

    The time counts from the first steps on, when what is prepared at first is behind it.
    """

    def __init__(self, seconds: float | None, emit: Emit, stop: Stop) -> None:
        """
        Args:
            seconds: of training; null: the run is left alone.
        """
        self.seconds, self._emit, self._stop = seconds, emit, stop
        self._began_at: float | None = None
        self._steps = 0

    @property
    def _over(self) -> bool:
        if self.seconds is None or self._began_at is None or self._steps < LEAST_STEPS:
            return False
        return time.monotonic() - self._began_at >= self.seconds

    def stop(self) -> bool:
        """Whether the run is to stop."""
        return self._stop() or self._over

    def emit(self, event: Event) -> None:
        """Pass on what the run says."""
        if isinstance(event, Window):
            self._began_at = self._began_at or time.monotonic()
            self._steps += len(event.step_ms)
        if isinstance(event, RunEnded) and event.status is Status.STOPPED and not self._stop():
            event = event.model_copy(update={"status": Status.FINISHED})
        self._emit(event)
