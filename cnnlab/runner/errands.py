"""Errands: what is measured about a run once it is over: its step apart, or a change to it.

An errand has a training process of its own, and its turn when nothing else is timed here.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from cnnlab.runner.process import (
    Elsewhere,
    Process,
    Starter,
    events_of,
    hello_of,
    why_it_died,
)
from cnnlab.runner.turns import turn_on
from cnnlab.spec import (
    HERE,
    ExperimentSpec,
    GpuOff,
    LabError,
    Profile,
    Profiled,
    RunEnded,
    Trial,
    Tried,
)

log = logging.getLogger(__name__)

MOST_WAITING = 20


class Keeper(Protocol):
    """What an errand needs of a history."""

    def keep_profile(self, run_id: str, profile: Profile) -> None: ...
    def add_trial(self, run_id: str, trial: Trial) -> None: ...


@dataclass(frozen=True)
class Errand:
    """Something to be found out about a run."""

    run_id: str
    spec: ExperimentSpec
    what: str
    """In words, while it is under way: "Taking a step apart"."""
    change: Mapping[str, Any] | None = None
    """The change to try; null where the step is to be taken apart."""
    expected: float | None = None
    machine: str = HERE
    """Where the run was trained: that is whose time is asked for."""

    def order(self) -> dict[str, Any]:
        """What the training process is told."""
        about = {"run_id": self.run_id, "spec": self.spec.model_dump(mode="json")}
        if self.change is None:
            return {"kind": "profile", **about}
        return {"kind": "try", **about, "change": dict(self.change), "expected": self.expected}


class Errands:
    """The errands that wait and the thread that does one after the other."""

    def __init__(
        self,
        history: Keeper,
        environments: Mapping[GpuOff, Mapping[str, str]],
        elsewhere: Elsewhere | None = None,
    ) -> None:
        """
        Args:
            environments: of a worker for each way to switch the GPU off.
            elsewhere: how a worker is started on another machine; null: there are none.
        """
        self._history, self._starter = history, Starter(environments, elsewhere)
        self._lock = threading.Lock()
        self._queue: queue.Queue[Errand | None] = queue.Queue()
        self._open: list[Errand] = []
        self._failed: dict[str, str] = {}
        self._current: Errand | None = None
        self._worker: Process | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="cnnlab-errands", daemon=True)
        self._thread.start()

    def ask(self, errand: Errand) -> None:
        """Queue an errand; one that waits already is not queued again.

        Raises:
            LabError: too many wait.
        """
        with self._lock:
            if errand in self._open:
                return
            errand = replace(errand)  # not the one that was perhaps cancelled a moment ago
            if len(self._open) >= MOST_WAITING:
                raise LabError(f"{MOST_WAITING} measurements are waiting already; let them end.")
            self._open.append(errand)
            self._failed.pop(errand.run_id, None)
        self._queue.put(errand)

    def cancel(self, run_id: str) -> None:
        """Forget what waits for a run, and break off what is under way for it."""
        with self._lock:
            self._open = [errand for errand in self._open if errand.run_id != run_id]
            if self._worker and self._current and self._current.run_id == run_id:
                self._worker.kill()

    def open_for(self, run_id: str) -> tuple[Errand, ...]:
        """The errands of a run that wait or are under way, in order."""
        with self._lock:
            return tuple(errand for errand in self._open if errand.run_id == run_id)

    def failed(self, run_id: str) -> str | None:
        """Why the last errand of a run came to nothing; null where it did not fail."""
        with self._lock:
            return self._failed.get(run_id)

    def close(self) -> None:
        """Break off what is under way, forget what waits, end the thread."""
        with self._lock:
            self._closing = True
            if self._worker:
                self._worker.kill()
        self._queue.put(None)
        self._thread.join(timeout=10)

    def _work(self) -> None:
        while (errand := self._queue.get()) and not self._closing:
            try:
                self._do(errand)
            except Exception as error:  # noqa: BLE001  the thread serves every later errand too
                self._lost(errand, error)
            with self._lock:
                self._open = [other for other in self._open if other is not errand]

    def _lost(self, errand: Errand, error: Exception) -> None:
        """Keep why an errand came to nothing, unless somebody wanted it so."""
        if not self._wanted(errand):
            return
        log.error("an errand for %s was lost", errand.run_id, exc_info=error)
        said = str(error) if isinstance(error, LabError) else "It was lost; see the log."
        with self._lock:
            self._failed[errand.run_id] = said

    def _wanted(self, errand: Errand) -> bool:
        """Whether an errand was not cancelled."""
        with self._lock:
            return any(other is errand for other in self._open)

    def _do(self, errand: Errand) -> None:
        worker = self._start(errand)
        if worker is None:
            return
        try:
            hello_of(worker)
            with turn_on(errand.machine):
                self._measure(errand, worker)
        finally:
            with self._lock:
                self._worker = self._current = None
            worker.kill()
            worker.close()

    def _start(self, errand: Errand) -> Process | None:
        """A process for an errand; none where it was cancelled, or the lab is closing."""
        if not self._wanted(errand):
            return None
        way = errand.spec.gpu_off
        way = "none" if way == "device" else way
        with self._lock:
            if not self._closing:
                self._worker, self._current = self._starter(errand.machine, way), errand
            return self._worker

    def _measure(self, errand: Errand, worker: Process) -> None:
        """Order it, wait for the answer and keep it.

        Raises:
            LabError: there was none, and why.
        """
        if not self._wanted(errand):
            return None
        worker.send(json.dumps(errand.order()))
        for event in events_of(worker):
            match event:
                case Profiled():
                    return self._history.keep_profile(errand.run_id, event.profile)
                case Tried():
                    return self._history.add_trial(errand.run_id, event.trial)
                case RunEnded():
                    raise LabError(event.error or "It ended without an answer; see the log.")
        raise LabError(why_it_died(worker.close(), errand.machine))
