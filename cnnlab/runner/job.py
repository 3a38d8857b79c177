"""A run in the lab's queue."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from cnnlab.runner.live import LiveRun
from cnnlab.runner.process import Process, Stopping
from cnnlab.spec import ExperimentSpec


@dataclass
class Job:
    """A run from its place in the queue to its end."""

    run_id: str
    spec: ExperimentSpec
    live: LiveRun
    resume: bool = False
    cut_seconds: float | None = None
    """End it after so many seconds of training; null: train it to its end."""
    turn_seconds: float | None = None
    """It takes turns of so many seconds with the runs that share its machine; null: it is alone."""
    keep: bool = False
    """Keep what it learns: not of runs that are only timed, nor of a lane's repeats."""
    worker: Process | None = None
    stop_requested: bool = False
    stopping: Stopping = field(default_factory=Stopping)

    def order(self, launched_at: float) -> str:
        """What a worker is told, as a line of JSON.

        Args:
            launched_at: see `cnnlab.training.train`.
        """
        order = {
            "run_id": self.run_id,
            "launched_at": launched_at,
            "resume": self.resume,
            "cut_seconds": self.cut_seconds,
            "turn_seconds": self.turn_seconds,
            "keep": self.keep,
            "spec": self.spec.model_dump(mode="json"),
        }
        return json.dumps(order)
