"""A run in the lab's queue."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnnlab.runner.live import LiveRun
from cnnlab.runner.process import Stopping, Worker
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
    worker: Worker | None = None
    stop_requested: bool = False
    stopping: Stopping = field(default_factory=Stopping)
