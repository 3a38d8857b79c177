"""The live view of a run: written by the lab's thread, read by pages."""

from __future__ import annotations

import threading
from array import array
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass

from cnnlab.spec import (
    Answered,
    Epoch,
    EpochEnded,
    Event,
    ExperimentSpec,
    GalleryChosen,
    PhaseChanged,
    RunCard,
    RunEnded,
    RunResumed,
    RunStarted,
    Window,
)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A run at one moment. `columns` holds equally long arrays by name, a row for each step."""

    run_id: str
    spec: ExperimentSpec
    phase: str
    phase_done: float | None
    started: RunStarted | None
    ended: RunEnded | None
    epochs: tuple[Epoch, ...]
    gallery: GalleryChosen | None
    answers: Answered | None
    """To the gallery, the newest."""
    columns: Mapping[str, array[float]]


class LiveRun:
    """The growing record of one run: written by the lab's thread, read by pages."""

    # NaN stands between window ends, where nothing was read.
    COLUMNS = ("step", "epoch", "seconds", "ms", "loss", "accuracy", "rss_mb", "device_mb")

    def __init__(self, run_id: str, spec: ExperimentSpec, card: RunCard | None = None) -> None:
        """
        Args:
            card: the run so far, where it is to be resumed.
        """
        self.run_id, self.spec = run_id, spec
        self._lock = threading.Lock()
        self._taken: Snapshot | None = None
        self._phase = "starting"
        self._phase_done: float | None = None
        self._started: RunStarted | None = None
        self._ended: RunEnded | None = None
        self._gallery: GalleryChosen | None = None
        self._answers: Answered | None = None
        self._epochs: list[Epoch] = []
        self._columns: dict[str, array[float]] = {name: array("d") for name in self.COLUMNS}
        if card:
            self._epochs.extend(card.epochs)
            unknown = [None] * len(card.steps.step)
            for name, column in self._columns.items():
                values = getattr(card.steps, name, unknown)
                column.extend(float("nan") if value is None else value for value in values)

    def apply(self, event: Event) -> None:
        """Take in one event."""
        with self._lock:
            self._taken = None
            match event:
                case RunStarted():
                    self._started = event
                case RunResumed():
                    self._go_on_after(event.epochs)
                case PhaseChanged():
                    self._phase, self._phase_done = event.phase, event.done
                case Window():
                    self._append(event)
                case EpochEnded():
                    self._epochs.append(event.row)
                case GalleryChosen():
                    self._gallery = event
                case Answered():
                    self._answers = event
                case RunEnded():
                    self._ended = event

    def _go_on_after(self, epochs: tuple[Epoch, ...]) -> None:
        self._epochs[:] = epochs
        done = bisect_right(self._columns["epoch"], len(epochs))
        for column in self._columns.values():
            del column[done:]

    def _append(self, window: Window) -> None:
        count = len(window.step_ms)
        if not count:
            return
        columns = self._columns
        columns["step"].extend(range(window.first_step, window.first_step + count))
        columns["epoch"].extend([window.epoch] * count)
        columns["ms"].extend(window.step_ms)
        gap = [float("nan")] * (count - 1)
        for name in ("seconds", "loss", "accuracy", "rss_mb", "device_mb"):
            value = getattr(window, name)
            columns[name].extend(gap)
            columns[name].append(float("nan") if value is None else value)

    @property
    def over(self) -> bool:
        """Whether it has ended; told without the copy that a snapshot is."""
        with self._lock:
            return self._ended is not None

    def snapshot(self) -> Snapshot:
        """A copy that will not change; the same one for all who ask before the next event."""
        with self._lock:
            self._taken = self._taken or Snapshot(
                self.run_id,
                self.spec,
                self._phase,
                self._phase_done,
                self._started,
                self._ended,
                tuple(self._epochs),
                self._gallery,
                self._answers,
                {name: column[:] for name, column in self._columns.items()},
            )
            return self._taken
