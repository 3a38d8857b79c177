"""The thread that keeps the history true while the lab's own waits for a worker."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cnnlab.runner.live import LiveRun
from cnnlab.spec import Event, RunEnded, SweepStatus

log = logging.getLogger(__name__)

# How often the lab looks for runs of processes that died, and tries again to write what the history
# would not take: so no run seems to go on for longer than 10 s after its process is gone.
WATCH_SECONDS = 5.0


class Register(Protocol):
    """Where the history keeps its sweeps."""

    def mark(self, sweep_id: str, status: SweepStatus, error: str | None = None) -> None: ...
    def spend(self, sweep_id: str, seconds: float) -> None: ...


class Keeper(Protocol):
    """What the watcher needs of a history."""

    @property
    def sweeps(self) -> Register: ...
    def interrupt_orphans(self) -> list[str]: ...
    def open_runs(self) -> set[str]: ...
    def record(self, run_id: str, event: Event) -> None: ...


@dataclass(frozen=True)
class _Debt:
    """An end that the history has not heard of yet."""

    pay: Callable[[], None]
    live: LiveRun | None = None


class Watcher:
    """Ends of runs and sweeps, written now or as soon as the history can be written again."""

    def __init__(self, history: Keeper) -> None:
        self._history = history
        self._lock = threading.Lock()
        self._debts: dict[str, _Debt] = {}
        self._paying = threading.Lock()  # twice written, an end could undo that a sweep goes on
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="cnnlab-watcher", daemon=True)
        self._thread.start()

    def end_run(self, run_id: str, ended: RunEnded, live: LiveRun | None = None) -> None:
        """Write how a run ended; where its worker's word is written already, that stands.

        Args:
            live: what pages show of it until it is written.
        """

        def pay() -> None:
            if run_id in self._history.open_runs():
                self._history.record(run_id, ended)

        self._owe(run_id, _Debt(pay, live))

    def end_sweep(self, sweep_id: str, status: SweepStatus, error: str | None) -> None:
        """Write how a sweep ended."""
        self._owe(sweep_id, _Debt(lambda: self._history.sweeps.mark(sweep_id, status, error)))

    def unwritten(self) -> list[LiveRun]:
        """Runs whose end the history has not taken yet."""
        with self._lock:
            return [debt.live for debt in self._debts.values() if debt.live]

    def close(self) -> None:
        """End the thread. What is not written by then is ended by whoever opens the history."""
        self._closed.set()
        self._thread.join(timeout=10)

    def _owe(self, key: str, debt: _Debt) -> None:
        with self._lock:
            self._debts[key] = debt
        self._pay()

    def _watch(self) -> None:
        while not self._closed.wait(WATCH_SECONDS):
            try:
                self._history.interrupt_orphans()
            except Exception:
                log.warning("the history could not be looked through", exc_info=True)
            self._pay()

    def _pay(self) -> None:
        """Write what is not written yet. Whatever fails is tried again, so it ends no thread."""
        with self._paying:
            with self._lock:
                debts = dict(self._debts)
            for key, debt in debts.items():
                try:
                    debt.pay()
                except Exception:
                    log.warning("the end of %s is not written yet", key, exc_info=True)
                    continue
                with self._lock:
                    if self._debts.get(key) is debt:
                        del self._debts[key]
