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
from cnnlab.runner.process import Process, Stopping, events_of, why_it_died
from cnnlab.runner.watcher import Register, Watcher
from cnnlab.spec import LabError, RunEnded, Status, SweepStatus
from cnnlab.sweep import CellRun, KeptTurn, Measured, Record, Turn

log = logging.getLogger(__name__)


class Keeper(sweeps.Keeper, Protocol):
    """What a sweep needs of the history."""

    @property
    def sweeps(self) -> Register: ...


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

    def __init__(
        self, record: Record, runs: Sequence[CellRun], history: Keeper, watcher: Watcher
    ) -> None:
        """
        Args:
            runs: what was measured of it in earlier sittings.
            watcher: sees to it that the history hears of its end.
        """
        self.sweep_id = record.sweep_id
        self._record, self._history, self._watcher = record, history, watcher
        self._plan = record.plan
        self._schedule = sweeps.schedule_after(sweeps.cells(record.plan), runs)
        self._lock = threading.Lock()
        self._status = SweepStatus.QUEUED
        self._spent = record.seconds
        self._turn: Turn | None = None
        self._turn_began = 0.0
        self._wish: SweepStatus | None = None
        self._worker: Process | None = None
        self._stopping = Stopping()

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

    def ask(self, wish: SweepStatus, starting: Process | None) -> None:
        """Pause, stop or interrupt it: the cell under way is broken off, the finished ones stay.

        Args:
            starting: the worker that is to be its own, which has not said hello yet.
        """
        with self._lock:
            self._wish = wish
            worker = self._worker or starting
            if worker and self._turn:
                self._stopping.ask(worker)

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
        found = self._measure(turn, new_worker)
        with self._lock:
            self._spent += time.monotonic() - self._turn_began
            self._turn = None
            if found:
                self._schedule.add(turn.cell.number, found)
        self._history.sweeps.spend(self.sweep_id, self._spent)
        return True

    def fail(self, error: Exception) -> None:
        """End it after an error that no cell can answer for."""
        self._end(SweepStatus.FAILED, _said(error))

    def withdraw(self) -> None:
        """End it in the queue, as was wished; one that has just come to its end stays as it is."""
        if not self._status.over:
            self._end(*self._outcome())

    def _outcome(self) -> tuple[SweepStatus, str | None]:
        if self._wish:
            return self._wish, None
        return sweeps.outcome(self._schedule)

    def _end(self, status: SweepStatus, error: str | None) -> None:
        with self._lock:
            self._stopping.over()
            worker, self._worker, self._turn = self._worker, None, None
            self._status = status
        if worker:
            worker.close()
        self._watcher.end_sweep(self.sweep_id, status, error)

    def _measure(self, turn: Turn, new_worker: Callable[[], Process | None]) -> Measured | None:
        """One cell, kept as a run; what it came to, or None where it was stopped."""
        kept = KeptTurn(self._history, self._record, turn)
        try:
            worker = self._worker if self._worker and self._worker.alive else new_worker()
            with self._lock:
                self._worker = worker
                # Where a process is slow to start, its first cell and those behind it are not to
                # pay for it with their time.
                began = time.monotonic() - sweeps.STARTUP_SECONDS
                self._turn_began = max(self._turn_began, began)
            ended = self._follow(kept, turn, worker) if worker else None
            return kept.end(ended or self._last_word(worker, turn.cell.spec.machine))
        except Exception as error:
            # The sweep ends with it; its cell must not seem to be measured for ever.
            self._watcher.end_run(kept.run_id, RunEnded(status=Status.FAILED, error=_said(error)))
            raise

    def _follow(self, kept: KeptTurn, turn: Turn, worker: Process) -> RunEnded | None:
        """Order a measurement and keep what is said of it; its end, unless the worker died."""
        order = {
            "kind": "measure",
            "run_id": kept.run_id,
            "spec": turn.cell.spec.model_dump(mode="json"),
            "seconds": turn.seconds - (time.monotonic() - self._turn_began),
            "until_steady": turn.until_steady,
        }
        with self._lock:
            if self._wish:
                return RunEnded(status=Status.STOPPED)
            worker.send(json.dumps(order))
        for event in events_of(worker):
            if isinstance(event, RunEnded):
                with self._lock:
                    self._stopping.over()
                return event
            kept.take(event)
        return None

    def _last_word(self, worker: Process | None, machine: str) -> RunEnded:
        """For a worker that ended without one."""
        with self._lock:
            self._stopping.over()
            self._worker = None
        code = worker.close() if worker else 0
        if self._wish:
            return RunEnded(status=Status.STOPPED)
        return RunEnded(status=Status.FAILED, error=why_it_died(code, machine))


def _said(error: Exception) -> str:
    return str(error) if isinstance(error, LabError) else "The lab lost it; see its log."
