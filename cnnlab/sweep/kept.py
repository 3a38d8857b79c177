"""A measurement of a cell, kept as a run of the history: in the lab and on the command line."""

from __future__ import annotations

from typing import Protocol

from cnnlab.spec import Event, ExperimentSpec, Place, RunEnded, Status, SweepPlan, Window
from cnnlab.sweep.grid import run_name
from cnnlab.sweep.schedule import Measured, Turn, measured, place


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


class Keeper(Protocol):
    """What a measurement needs of the history."""

    def create(
        self, spec: ExperimentSpec, *, name: str, session: str, place: Place | None = None
    ) -> str: ...
    def record(self, run_id: str, event: Event) -> None: ...


class KeptTurn:
    """One turn of a sweep, from the run that is made for it to that run's end."""

    def __init__(self, history: Keeper, record: Record, turn: Turn) -> None:
        """
        Raises:
            LabError: the history cannot be written.
        """
        self._history = history
        self._windows: list[Window] = []
        self.run_id = history.create(
            turn.cell.spec,
            name=run_name(record.name, turn.cell),
            session=record.session,
            place=place(record.sweep_id, record.name, turn),
        )

    def take(self, event: Event) -> None:
        """Keep what the measurement says, its end apart: that is for `end`."""
        if isinstance(event, Window):
            self._windows.append(event)  # kept afterwards: the disk would disturb what is measured
        elif not isinstance(event, RunEnded):
            self._history.record(self.run_id, event)

    def end(self, ended: RunEnded) -> Measured | None:
        """Keep its steps and its end; what it came to, or None where it was stopped."""
        for window in self._windows:
            self._history.record(self.run_id, window)
        self._history.record(self.run_id, ended)
        if ended.status is Status.STOPPED:
            return None
        return measured(ended.timing, ended.disturbances)
