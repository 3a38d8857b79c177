"""Between the records of `cnnlab.spec` and the rows of the tables."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any, TypeVar, cast

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import RowMapping

from cnnlab.history.tables import (
    LONGEST_ID,
    LONGEST_NAME,
    LONGEST_NOTE,
    LONGEST_SESSION,
)
from cnnlab.spec import (
    DatasetFacts,
    DeviceFacts,
    Disturbances,
    Energy,
    Epoch,
    Exam,
    ExperimentSpec,
    Frozen,
    LabError,
    Machine,
    Memory,
    ModelFacts,
    Part,
    Place,
    Profile,
    RunCard,
    RunEnded,
    RunStarted,
    Status,
    Steps,
    Timing,
    Trial,
)

Record = TypeVar("Record", bound=Frozen)
Values = dict[str, Any]
"""Columns of one row to write."""

# Room is left for the ending that a differing copy of a run gets.
_IMPORTED_ID = re.compile(rf"[A-Za-z0-9][A-Za-z0-9._-]{{0,{LONGEST_ID - 17}}}")
_EPOCHS = TypeAdapter(tuple[Epoch, ...])
_TRIALS = TypeAdapter(tuple[Trial, ...])
_LARGEST_INTEGER = 2**31 - 1


@dataclass(frozen=True, slots=True)
class RunSummary:
    """One run in a list: everything but its epochs and steps."""

    run_id: str
    name: str
    session: str
    note: str
    status: Status
    error: str | None
    created_at: str
    """ISO 8601, UTC."""
    deleted_at: str | None
    """Since when the run is set aside, or null."""
    origin: str | None
    """Where an imported or published run comes from; null: it was measured here."""
    spec: ExperimentSpec
    model: ModelFacts | None
    dataset: DatasetFacts | None
    device: DeviceFacts | None
    machine: Machine | None
    """Null: on the lab's own computer."""
    environment: dict[str, Any] | None
    steps_per_epoch: int | None
    timing: Timing
    memory: Memory
    energy: Energy
    disturbances: Disturbances | None
    test: Exam | None
    sweep: Place | None
    """Set where the run is a measured cell of a sweep."""
    profile: Profile | None
    trials: tuple[Trial, ...]
    part: Part | None
    """Set where it belongs to a race, to repeats over seeds, or to a sweep that trains."""
    epochs_done: int
    best_val_accuracy: float | None
    """The highest one; null before the first epoch, and where every epoch has NaN."""
    last_loss: float | None
    """This and those below: of the last epoch that is done; null before the first."""
    last_accuracy: float | None
    last_val_loss: float | None
    last_val_accuracy: float | None


# --- what may be written --------------------------------------------------------------------


def checked(what: str, text: str, least: int, most: int) -> str:
    """`text` without the spaces around it.

    Raises:
        LabError: it is too short, too long, no Unicode text, or holds what PostgreSQL cannot keep.
    """
    text = text.strip()
    if "\0" in text:
        raise LabError(f"The {what} holds the sign NUL, which is no text; remove it.")
    if not least <= len(text) <= most:
        raise LabError(
            f"The {what} has {len(text)} characters, but it must have {least} to {most}; change it."
        )
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise LabError(f"The {what} holds half a character; write it anew.") from error
    return text


def checked_name(name: str) -> str:
    """A run's name: 1 to 120 characters."""
    return checked("name", name, 1, LONGEST_NAME)


def checked_session(session: str) -> str:
    """A session's name: 1 to 60 characters."""
    return checked("session", session, 1, LONGEST_SESSION)


def checked_note(note: str) -> str:
    """A note: at most 10,000 characters."""
    return checked("note", note, 0, LONGEST_NOTE)


def check_card(card: RunCard) -> None:
    """Make sure that a card from elsewhere can become a row unchanged.

    Raises:
        LabError: the first thing that stands against it.
    """
    if not card.status.over:
        raise LabError(f"The run {card.run_id} is still {card.status}; import it when it is over.")
    if not _IMPORTED_ID.fullmatch(card.run_id):
        raise LabError(
            f"The card's run_id is {card.run_id[:60]!r}, but it must be 1 to {LONGEST_ID - 16} "
            "letters, digits, dots, hyphens or underscores, beginning with a letter or digit."
        )
    checked_name(card.name)
    checked_session(card.session)
    checked_note(card.note)
    if "\0" in (card.error or ""):
        raise LabError("The card's error holds the sign NUL, which is no text; remove it.")
    _check_time(card.created_at)
    _check_epochs([epoch.epoch for epoch in card.epochs])


def _check_time(text: str) -> None:
    try:
        offset = datetime.fromisoformat(text).utcoffset()
    except ValueError as error:
        raise LabError(
            f"The card's created_at is {text[:60]!r}, but it must be a time such as "
            "2025-01-31T12:00:00Z."
        ) from error
    if offset not in (None, timedelta(0)) or len(text) > 40:
        raise LabError(
            f"The card's created_at is {text[:60]!r}, but it must be in UTC; convert it."
        )


def _check_epochs(numbers: Sequence[int]) -> None:
    bounds = [0, *numbers, _LARGEST_INTEGER + 1]
    if any(later <= earlier for earlier, later in pairwise(bounds)):
        raise LabError("The card's epochs are not numbered upwards from 1; mend their numbers.")


# --- writing --------------------------------------------------------------------------------


def started_values(event: RunStarted) -> Values:
    """What a run's row learns when training begins."""
    return {
        "status": Status.RUNNING,
        "model": event.model.model_dump_json(),
        "dataset": event.dataset.model_dump_json(),
        "device": event.device.model_dump_json(),
        "machine": _text(event.machine),
        "environment": _environment_text(event.environment),
        "steps_per_epoch": event.steps_per_epoch,
    }


def resumed_after(run: RowMapping) -> tuple[int, ...]:
    """The epochs after which a run was resumed so far."""
    timing = record(Timing, run["timing"])
    return timing.resumed_after if timing else ()


def resumed_values(run: RowMapping, epochs: Sequence[Epoch]) -> Values:
    """What a run's row says when it goes on after `epochs`; its figures so far were of a part."""
    # Of a run that begins again nothing is left, so that nothing is pieced together.
    after = (*resumed_after(run), len(epochs)) if epochs else ()
    timing = Timing(resumed_after=after)
    figures: Values = dict.fromkeys(("memory", "energy", "disturbances", "test"))
    return progress_values(epochs) | figures | {"timing": timing.model_dump_json()}


def cannot_resume(run: RowMapping) -> str | None:
    """What stands against resuming a run, as the rest of a sentence about it."""
    if run["origin"] is not None:
        return "was measured elsewhere, so its checkpoint is not here; train it again"
    if run["status"] == Status.FINISHED:
        return "is finished, so nothing is left to do; train it again"
    if not Status(run["status"]).over:
        return f"is {run['status']} already; wait for it, or stop it first"
    return None


def ended_values(run: RowMapping, event: RunEnded) -> Values:
    """What a run's row learns at its end."""
    parts = resumed_after(run)
    energy = Energy(source="not measured, because the run broke off and was resumed")
    return {
        "status": event.status,
        "error": event.error,
        "timing": event.timing.in_parts(parts).model_dump_json(),
        "memory": event.memory.model_dump_json(),
        "energy": (energy if parts else event.energy).model_dump_json(),
        "disturbances": _text(event.disturbances),
        "test": _text(event.test),
    }


def now() -> str:
    """This moment as rows keep it: ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def place_values(place: Place | None, part: Part | None) -> Values:
    """What a run's row keeps of its place in a sweep, or of its part in something larger."""
    of_sweep = {"sweep_id": place and place.sweep_id, "sweep": _text(place)}
    return of_sweep | {"group_id": part and part.group_id, "part": _text(part)}


def progress_values(epochs: Sequence[Epoch], done: int = 0, best: float | None = None) -> Values:
    """What a run's row keeps of its newest `epochs`, after `done` ones whose best was `best`."""
    if not epochs:
        return {"epochs_done": done}
    known = [e.val_accuracy for e in epochs if not math.isnan(e.val_accuracy)]
    last = epochs[-1]
    return {
        "epochs_done": done + len(epochs),
        "best_val_accuracy": max(known + ([] if best is None else [best]), default=None),
        "last_loss": last.loss,
        "last_accuracy": last.accuracy,
        "last_val_loss": last.val_loss,
        "last_val_accuracy": last.val_accuracy,
    }


def card_values(card: RunCard) -> Values:
    """The run's row of a whole card, but for its id and origin."""
    named = (
        *("spec", "model", "dataset", "device", "machine"),
        *("timing", "memory", "energy", "disturbances", "test", "profile"),
    )
    plain = ("name", "session", "note", "status", "error", "created_at")
    return {
        **{name: _text(getattr(card, name)) for name in named},
        **{name: getattr(card, name) for name in plain},
        "environment": _environment_text(card.environment),
        "trials": trials_text(card.trials),
        **place_values(card.sweep, card.part),
        **progress_values(card.epochs),
    }


def trials_text(trials: Sequence[Trial]) -> str | None:
    """Trials as they are kept; nothing where there were none."""
    return _TRIALS.dump_json(tuple(trials)).decode() if trials else None


def _text(record: Frozen | None) -> str | None:
    return None if record is None else record.model_dump_json()


def _environment_text(environment: dict[str, Any]) -> str:
    return json.dumps(environment, default=str)


# --- reading --------------------------------------------------------------------------------


@lru_cache(maxsize=16_384)
def _parsed(kind: type[Frozen], text: str) -> Frozen:
    """A record from its JSON; records cannot change, so rows of equal text share one.

    Lists are read at every rerun of a page, and this is most of their time.
    """
    return kind.model_validate_json(text)


def record(kind: type[Record], text: str | None) -> Record | None:
    """What a JSON column holds."""
    return None if text is None else cast(Record, _parsed(kind, text))


def _facts(row: RowMapping) -> Values:
    """The JSON columns of a run's row as records."""
    try:
        return {
            "spec": record(ExperimentSpec, row["spec"]),
            "model": record(ModelFacts, row["model"]),
            "dataset": record(DatasetFacts, row["dataset"]),
            "device": record(DeviceFacts, row["device"]),
            "machine": record(Machine, row["machine"]),
            "timing": record(Timing, row["timing"]) or Timing(),
            "memory": record(Memory, row["memory"]) or Memory(),
            "energy": record(Energy, row["energy"]) or Energy(),
            "disturbances": record(Disturbances, row["disturbances"]),
            "test": record(Exam, row["test"]),
            "sweep": record(Place, row["sweep"]),
            "profile": record(Profile, row["profile"]),
            "trials": trials_from(row),
            "part": record(Part, row["part"]),
        }
    except ValidationError as error:
        raise LabError(
            f"The run {row['run_id']} was written by another CNN Lab and cannot be read by this "
            "one; update it."
        ) from error


def trials_from(row: RowMapping) -> tuple[Trial, ...]:
    """What was tried on a run."""
    return _TRIALS.validate_json(row["trials"]) if row["trials"] else ()


def _environment(row: RowMapping) -> dict[str, Any] | None:
    return None if row["environment"] is None else json.loads(row["environment"])


def summary_from(row: RowMapping) -> RunSummary:
    """A run's row as a list shows it."""
    plain = ("name", "session", "note", "error", "created_at", "deleted_at", "origin")
    counts = ("steps_per_epoch", "epochs_done", "best_val_accuracy")
    # NULL means NaN in these, unless there was no epoch yet.
    last = ("last_loss", "last_accuracy", "last_val_loss", "last_val_accuracy")
    values: Values = {name: row[name] for name in ("run_id", *plain, *counts)}
    values |= {name: row[name] if row["epochs_done"] else None for name in last}
    return RunSummary(
        **values, status=Status(row["status"]), environment=_environment(row), **_facts(row)
    )


def card_from(row: RowMapping, epochs: tuple[Epoch, ...], steps: Steps) -> RunCard:
    """A run's row with its epochs and steps as a card."""
    plain = ("run_id", "name", "session", "note", "error", "created_at")
    return RunCard(
        **{name: row[name] for name in plain},
        status=Status(row["status"]),
        environment=_environment(row) or {},
        epochs=epochs,
        steps=steps,
        **_facts(row),
    )


def epochs_from(rows: Iterable[RowMapping]) -> tuple[Epoch, ...]:
    """Rows of `epochs`, in their order; other columns are left aside."""
    names = Epoch.model_fields
    return _EPOCHS.validate_python([{name: row[name] for name in names} for row in rows])
