"""Runs side by side: the history's table, where time went, who is faster and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from cnnlab.analysis.bearing import comparability
from cnnlab.spec import (
    DatasetFacts,
    DeviceFacts,
    Epoch,
    Exam,
    ExperimentSpec,
    ModelFacts,
    RunCard,
    Status,
    Timing,
)

DeviceKind = Literal["cpu", "accelerator"]

TURNS = "other lanes' turns"
# The phases of a run in their order, and the field of `Timing` that holds each.
PHASES = {
    "start-up": "startup_seconds",
    "data": "data_seconds",
    "build": "build_seconds",
    "warm-up": "warmup_seconds",
    "training": "train_seconds",
    "validation": "validation_seconds",
    TURNS: "held_seconds",
    "other": "other_seconds",
}
PHASE = pd.CategoricalDtype(list(PHASES))


class Summary(Protocol):
    """What a list of runs needs to know about each; `history.RunSummary` is one."""

    @property
    def run_id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def session(self) -> str: ...
    @property
    def note(self) -> str: ...
    @property
    def status(self) -> Status: ...
    @property
    def created_at(self) -> str: ...
    @property
    def spec(self) -> ExperimentSpec: ...
    @property
    def model(self) -> ModelFacts | None: ...
    @property
    def dataset(self) -> DatasetFacts | None: ...
    @property
    def device(self) -> DeviceFacts | None: ...
    @property
    def timing(self) -> Timing: ...
    @property
    def epochs_done(self) -> int: ...
    @property
    def best_val_accuracy(self) -> float | None: ...
    @property
    def last_val_accuracy(self) -> float | None: ...
    @property
    def test(self) -> Exam | None: ...
    @property
    def origin(self) -> str | None: ...


# --- the history's table --------------------------------------------------------------------


def history_frame(summaries: Sequence[Summary]) -> pd.DataFrame:
    """A row for each run, in the order given; what is not known is null."""
    rows = [_history_row(run) for run in summaries]
    values = zip(*rows, strict=True) if rows else [()] * len(HISTORY_COLUMNS)
    columns = dict(zip(HISTORY_COLUMNS, map(list, values), strict=True))
    columns["created_at"] = pd.to_datetime(columns["created_at"], utc=True, format="ISO8601")
    return pd.DataFrame(
        {name: pd.Series(columns[name], dtype=dtype) for name, dtype in HISTORY_COLUMNS.items()}
    )


# As objects, since pandas takes milliseconds to look up each type by its name.
TEXT, WHOLE = pd.StringDtype(na_value=np.nan), pd.Int64Dtype()
SMALL, REAL = np.dtype("int32"), np.dtype("float64")
HISTORY_COLUMNS: dict[str, Any] = {
    "run_id": TEXT,
    "name": TEXT,
    "session": TEXT,
    "status": TEXT,
    "created_at": pd.DatetimeTZDtype("us", "UTC"),
    "dataset": TEXT,
    "model": TEXT,
    "parameters": WHOLE,
    "device": TEXT,
    "device_name": TEXT,
    "engine": TEXT,
    "precision": TEXT,
    "batch_size": SMALL,
    "epochs_done": SMALL,
    "epochs": SMALL,
    "fit_seconds": REAL,
    "step_ms_median": REAL,
    "images_per_second": REAL,
    "best_val_accuracy": REAL,
    "last_val_accuracy": REAL,
    "test_accuracy": REAL,
    "note": TEXT,
    "origin": TEXT,
}


def _history_row(run: Summary) -> tuple[Any, ...]:
    spec, timing, device = run.spec, run.timing, run.device
    return (
        run.run_id,
        run.name,
        run.session,
        run.status.value,
        run.created_at,
        run.dataset.name if run.dataset else spec.dataset,
        spec.model.family,
        run.model.parameters if run.model else None,
        device.used if device else spec.device,
        device.name if device else None,
        spec.engine,
        spec.precision,
        spec.batch_size,
        run.epochs_done,
        spec.epochs,
        timing.fit_seconds,
        timing.step_ms_median,
        timing.images_per_second,
        run.best_val_accuracy,
        run.last_val_accuracy,
        run.test.accuracy if run.test else None,
        run.note,
        run.origin,
    )


# --- who is faster --------------------------------------------------------------------------


def device_kind(used: str) -> DeviceKind:
    """Whether a device such as "cpu", "cuda:0" or "mps" is the CPU or an accelerator."""
    return "cpu" if used.split(":")[0] == "cpu" else "accelerator"


@dataclass(frozen=True)
class SpeedUp:
    """How many times as fast the second of two runs is: seconds of an epoch, divided."""

    ratio: float
    first_seconds: float
    second_seconds: float
    warm: bool
    """False: a run has one epoch only, so both first epochs were taken, warm-up included."""


def speed_up(cpu_run: RunCard, accelerator_run: RunCard) -> SpeedUp | None:
    """The accelerator's gain over the CPU; None where `comparability` has a reason against it, and
    where an epoch took no time that could be measured.

    An epoch's duration is the median over a run's epochs, validation included, without the first,
    which holds the warm-up.
    """
    if comparability(cpu_run, accelerator_run):
        return None
    warm = min(len(cpu_run.epochs), len(accelerator_run.epochs)) > 1
    first, second = (epoch_seconds(card.epochs, warm=warm) for card in (cpu_run, accelerator_run))
    measured = 0 < first < math.inf and 0 < second < math.inf
    return SpeedUp(first / second, first, second, warm) if measured else None


def epoch_seconds(epochs: Sequence[Epoch], *, warm: bool) -> float:
    """Median seconds of an epoch; `warm` leaves the first out, else it is the only one taken."""
    rows = epochs[1:] if warm else epochs[:1]
    return median(row.timed_seconds for row in rows)


def phases_of(cards: Sequence[RunCard]) -> dict[str, str]:
    """`PHASES`; the turns of others only where one of the runs took turns with them."""
    took_turns = any(card.timing.held_seconds is not None for card in cards)
    return {phase: name for phase, name in PHASES.items() if took_turns or phase != TURNS}


def ledger(cards: Sequence[RunCard]) -> pd.DataFrame:
    """Where each run's wall time went: columns run (its id), phase, seconds."""
    rows = [
        (card.run_id, phase, getattr(card.timing, field))
        for card in cards
        for phase, field in PHASES.items()
        if getattr(card.timing, field) is not None
    ]
    frame = pd.DataFrame.from_records(rows, columns=["run", "phase", "seconds"])
    return frame.astype({"run": "category", "phase": PHASE, "seconds": "float32"})
