"""A sweep under way in the lab: cell after cell in one worker process, with pause and stop.

The lab's thread calls `SweepJob.turn` whenever no run waits; pages ask for a snapshot, a pause or a
stop from their own threads. Neither Keras nor torch is loaded here.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cnnlab import sweep as sweeps
from cnnlab.spec import (
    EVENT,
    Event,
    ExperimentSpec,
    LabError,
    Place,
    RunEnded,
    Status,
    SweepPlan,
    SweepStatus,
    Window,
)
from cnnlab.sweep import CellRun, Turn

log = logging.getLogger(__name__)

# As for a run: a worker that has not come to an end by then hangs in something.
STOP_PATIENCE_SECONDS = 10.0


class Process(Protocol):
    """What is asked of a worker process; `cnnlab.runner.Worker` is one."""

    @property
    def alive(self) -> bool: ...
    def send(self, line: str) -> None: ...
    def line(self) -> str: ...
    def kill(self) -> None: ...
    def close(self) -> int: ...


class Record(Protocol):
    """A sweep as the history keeps it."""

    @property
    def sweep_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def session(self) -> str: ...
    @property
    def plan(self) -> SweepPlan: ...
    @property
    def seconds(self) -> float: ...


class Register(Protocol):
    """Where the history keeps its sweeps."""

    def mark(self, sweep_id: str, status: SweepStatus, error: str | None = None) -> None: ...
    def spend(self, sweep_id: str, seconds: float) -> None: ...


class Keeper(Protocol):
    """What a sweep needs of the history."""

    @property
    def sweeps(self) -> Register: ...
    def create(
        self, spec: ExperimentSpec, *, name: str, session: str, place: Place | None = None
    ) -> str: ...
    def record(self, run_id: str, event: Event) -> None: ...


@dataclass(frozen=True)
class SweepSnapshot:
    """A sweep at one moment, for a page."""

    sweep_id: str
    name: str
    status: SweepStatus
    """Queued, running, or what it came to."""
    done: int
    """Cells that have a figure, or were found not to work."""
    total: int
    seconds_left: float
    """Of its budget. It is used whole, so this is when the sweep ends, unless runs come between."""
    current: str | None
    """The cell that is being measured, in words."""
    again: bool
    """Every cell has been measured; the current one is measured once more."""


class SweepJob:
    """One sweep from its place in the queue to its end."""

    def __init__(self, record: Record, runs: Sequence[CellRun], history: Keeper) -> None:
        """
        Args:
            runs: what was measured of it in earlier sittings.
        """
        self.sweep_id = record.sweep_id
        self._record, self._history = record, history
        self._plan = record.plan
        self._schedule = sweeps.schedule_after(sweeps.cells(record.plan), runs)
        self._lock = threading.Lock()
        self._status = SweepStatus.QUEUED
        self._spent = record.seconds
        self._turn: Turn | None = None
        self._turn_began = 0.0
        self._wish: SweepStatus | None = None
        self._worker: Process | None = None
        self._patience: threading.Timer | None = None

    # What pages ask.

    def snapshot(self) -> SweepSnapshot:
        """How it stands."""
        with self._lock:
            turn = self._turn
            spent = self._spent + (time.monotonic() - self._turn_began if turn else 0.0)
            return SweepSnapshot(
                sweep_id=self.sweep_id,
                name=self._record.name,
                status=self._status,
                done=self._schedule.done,
                total=len(self._schedule.cells),
                seconds_left=max(self._plan.budget_seconds - spent, 0.0),
                current=sweeps.said(turn.cell) if turn else None,
                again=bool(turn and turn.repeat),
            )

    def ask(self, wish: SweepStatus) -> None:
        """Pause, stop or interrupt it: the cell under way is broken off, the finished ones stay."""
        with self._lock:
            self._wish = wish
            if self._worker and self._turn and self._patience is None:
                self._worker.send("stop")
                self._patience = threading.Timer(STOP_PATIENCE_SECONDS, self._worker.kill)
                self._patience.daemon = True
                self._patience.start()

    def kill(self) -> None:
        """End its process at once."""
        with self._lock:
            if self._worker:
                self._worker.kill()

    # What the lab's thread does.

    def turn(self, new_worker: Callable[[], Process | None]) -> bool:
        """Measure the next cell; whether anything is left to do afterwards.

        Args:
            new_worker: gives a worker that has said hello, or None where the lab closes.
        """
        with self._lock:
            wish = self._wish
            left = self._plan.budget_seconds - self._spent
            turn = None if wish else self._schedule.next(left)
            if turn:
                self._turn, self._turn_began = turn, time.monotonic()
                self._status = SweepStatus.RUNNING
        if turn is None:
            self._end(*self._outcome())
            return False
        self._history.sweeps.mark(self.sweep_id, SweepStatus.RUNNING)
        ended = self._measure(turn, new_worker)
        with self._lock:
            self._spent += time.monotonic() - self._turn_began
            self._turn = None
            if ended.status is not Status.STOPPED:
                found = sweeps.measured(ended.timing, ended.disturbances)
                self._schedule.add(turn.cell.number, found)
        self._history.sweeps.spend(self.sweep_id, self._spent)
        return True

    def fail(self, error: Exception) -> None:
        """End it after an error that no cell can answer for."""
        said = str(error) if isinstance(error, LabError) else "The lab lost it; see its log."
        try:
            self._end(SweepStatus.FAILED, said)
        except LabError:
            log.exception("sweep %s could not be marked as failed", self.sweep_id)

    def withdraw(self) -> None:
        """End it in the queue, as was wished."""
        self._end(*self._outcome())

    def _outcome(self) -> tuple[SweepStatus, str | None]:
        if self._wish:
            return self._wish, None
        return sweeps.outcome(self._schedule)

    def _end(self, status: SweepStatus, error: str | None) -> None:
        self._calm()
        with self._lock:
            worker, self._worker, self._turn = self._worker, None, None
            self._status = status
        if worker:
            worker.close()
        self._history.sweeps.mark(self.sweep_id, status, error)

    def _measure(self, turn: Turn, new_worker: Callable[[], Process | None]) -> RunEnded:
        """One cell, kept as a run."""
        record = self._record
        run_id = self._history.create(
            turn.cell.spec,
            name=sweeps.run_name(record.name, turn.cell),
            session=record.session,
            place=sweeps.place(record.sweep_id, record.name, turn),
        )
        worker = self._worker if self._worker and self._worker.alive else new_worker()
        with self._lock:
            self._worker = worker
        ended = self._follow(run_id, turn, worker) if worker else None
        ended = ended or self._last_word(worker)
        self._history.record(run_id, ended)
        return ended

    def _follow(self, run_id: str, turn: Turn, worker: Process) -> RunEnded | None:
        """Order a measurement and keep what is said of it; its end, unless the worker died."""
        order = {
            "kind": "measure",
            "run_id": run_id,
            "spec": turn.cell.spec.model_dump(mode="json"),
            "seconds": turn.seconds - (time.monotonic() - self._turn_began),
            "until_steady": turn.until_steady,
        }
        with self._lock:
            if self._wish:
                return RunEnded(status=Status.STOPPED)
            worker.send(json.dumps(order))
        windows: list[Window] = []
        for line in iter(worker.line, ""):
            if not line.endswith("\n"):
                break  # it died in the middle of a word
            event = EVENT.validate_json(line)
            if isinstance(event, RunEnded):
                for window in windows:
                    self._history.record(run_id, window)
                self._calm()
                return event
            if isinstance(event, Window):
                windows.append(event)  # kept afterwards: the disk would disturb what is measured
            else:
                self._history.record(run_id, event)
        return None

    def _calm(self) -> None:
        with self._lock:
            if self._patience:
                self._patience.cancel()
                self._patience = None

    def _last_word(self, worker: Process | None) -> RunEnded:
        """For a worker that ended without one."""
        self._calm()
        with self._lock:
            self._worker = None
        code = worker.close() if worker else 0
        if self._wish:
            return RunEnded(status=Status.STOPPED)
        return RunEnded(status=Status.FAILED, error=why_it_died(code))


def why_it_died(code: int) -> str:
    """One sentence for a training process that ended without a word.

    Args:
        code: its exit code, negative for a signal.
    """
    if code == -9:
        return (
            "The training process was killed from outside, most often because the computer ran "
            "out of memory: use a smaller batch, fewer pictures or filters, and start again."
        )
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    return f"The training process ended without a word ({how}); its log says more. Start again."
