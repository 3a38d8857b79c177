"""A run that is ended after so many seconds of training, as it was meant to."""

from __future__ import annotations

import time

from cnnlab.spec import Event, RunEnded, Status, Window
from cnnlab.training.callback import Emit, Stop
from cnnlab.training.turns import Turns

LEAST_STEPS = 10
"""Half of which are warm-up: fewer would leave hardly a step to time."""


class Cut:
    """Stands between a run and those who listen to it: asks it to stop when its time is over, and
    says of one that was ended so that it has finished.

    The time counts from the first steps on, when what is prepared at first is behind it, and not
    while others have their turn.
    """

    def __init__(
        self, seconds: float | None, emit: Emit, stop: Stop, turns: Turns | None = None
    ) -> None:
        """
        Args:
            seconds: of training; null: the run is left alone.
        """
        self.seconds, self._emit, self._stop, self._turns = seconds, emit, stop, turns
        self._began_at: float | None = None
        self._steps = 0

    @property
    def _over(self) -> bool:
        if self.seconds is None or self._began_at is None or self._steps < LEAST_STEPS:
            return False
        return self._clock() - self._began_at >= self.seconds

    def _clock(self) -> float:
        return time.monotonic() - (self._turns.held_seconds if self._turns else 0.0)

    def stop(self) -> bool:
        """Whether the run is to stop."""
        return self._stop() or self._over

    def emit(self, event: Event) -> None:
        """Pass on what the run says."""
        if isinstance(event, Window):
            self._began_at = self._began_at or self._clock()
            self._steps += len(event.step_ms)
        if isinstance(event, RunEnded) and event.status is Status.STOPPED and not self._stop():
            event = event.model_copy(update={"status": Status.FINISHED})
        self._emit(event)
