"""Runs side by side: the history's table, what differs, where time went, who is faster and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from cnnlab import words
from cnnlab.spec import (
    DatasetFacts,
    DeviceFacts,
    Epoch,
    ExperimentSpec,
    ModelFacts,
    RunCard,
    Status,
    Timing,
)

DeviceKind = Literal["cpu", "accelerator"]

# The phases of a run in their order, and the field of `Timing` that holds each.
PHASES = {
    "start-up": "startup_seconds",
    "data": "data_seconds",
    "build": "build_seconds",
    "warm-up": "warmup_seconds",
    "training": "train_seconds",
    "validation": "validation_seconds",
    "other": "other_seconds",
}
PHASE = pd.CategoricalDtype(list(PHASES))

# What decides no epoch's duration: the thing compared, how many epochs, where learning starts.
NO_MATTER_FOR_SPEED = frozenset({"device", "gpu_off", "epochs", "seed", "learning_rate"})
# What does, of the facts kept about a run's process and machine.
MATTERS_FOR_SPEED = (
    "threads",
    "cpu",
    "cpu_governor",
    "power_source",
    "python",
    "torch",
    "keras",
    "cuda",
    "cudnn",
    "rocm",
    "matmul_tf32",
    "cudnn_tf32",
)
# Epochs of one run differ by as much (20-22 s in the published one), so a lead within it is none.
LEVEL_RATIO = 1.05


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
        run.note,
        run.origin,
    )


# --- what differs ---------------------------------------------------------------------------


def flatten(value: Any, name: str = "") -> dict[str, Any]:
    """Nested plain data as one level with dotted names: `model.blocks.0.convs.1.filters`.

    A list of plain values stays one value.
    """
    if isinstance(value, Mapping):
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list | tuple) and any(isinstance(v, Mapping | list) for v in value):
        items = [(str(index), item) for index, item in enumerate(value)]
    else:
        return {name: value}
    flat: dict[str, Any] = {}
    for key, item in items:
        flat |= flatten(item, f"{name}.{key}" if name else key)
    return flat


def differences(cards: Sequence[RunCard]) -> pd.DataFrame:
    """Only what differs between the runs, as text: a row for each field, a column for each run id.

    Fields of the spec go by their own dotted names; facts follow as `dataset.…`, `device.…`,
    `environment.…` and the model's `model.parameters`, `model.flops_per_image`.
    """
    facts = [_all_facts(card) for card in cards]
    names = list(dict.fromkeys(name for each in facts for name in each))
    found = {name: [each.get(name) for each in facts] for name in names}
    # Most fields of many runs are the same; only the rest is worth putting into words.
    rows = {
        name: list(map(words.value, row))
        for name, row in found.items()
        if any(value != row[0] for value in row[1:])
    }
    differing = {name: row for name, row in rows.items() if len(set(row)) > 1}
    frame = pd.DataFrame.from_dict(
        differing, orient="index", columns=[card.run_id for card in cards], dtype="str"
    )
    return frame.rename_axis("field")


def agreements(card: RunCard, differing: pd.DataFrame) -> dict[str, str]:
    """The rest of `differences`: what one of the runs shares with all others, as text by field."""
    facts = _all_facts(card)
    return {
        name: words.value(value) for name, value in facts.items() if name not in differing.index
    }


def _all_facts(card: RunCard) -> dict[str, Any]:
    facts = flatten(card.spec.model_dump(mode="json"))
    for name in ("model", "dataset", "device"):
        part = getattr(card, name)
        facts |= flatten(part.model_dump(mode="json"), name) if part else {}
    return facts | flatten(card.environment, "environment")


def comparability(a: RunCard, b: RunCard) -> list[str]:
    """Why the two runs' speeds cannot be compared fairly, a phrase for each reason; best empty.

    The device itself is what is compared and is no reason. A fact that one of the runs lacks is
    none either: published and imported runs say less than those measured here.
    """
    return reasons_between(SpeedFacts.of(a), SpeedFacts.of(b))


@dataclass(frozen=True)
class SpeedFacts:
    """Everything about a run that decides how long its epochs take, gathered once."""

    name: str
    epochs: int
    asked: Mapping[str, Any]
    """By the spec."""
    found: Mapping[str, Any]
    """On the machine; null or absent where it is not known."""
    marks: tuple[str, ...]
    """What went on beside it, and where it broke off."""

    @classmethod
    def of(cls, card: RunCard) -> SpeedFacts:
        """Those of a card."""
        found = _found_facts(card)
        return cls(card.name, len(card.epochs), asked_facts(card.spec), found, card.marks)


def reasons_between(a: SpeedFacts, b: SpeedFacts) -> list[str]:
    """As `comparability`, for those who hold many runs against each other."""
    unbegun = [f"{run.name} has no finished epoch" for run in (a, b) if not run.epochs]
    other = [
        f"{name} is {words.value(one)} against {words.value(another)}"
        for name, one, another in _differing(a, b)
    ]
    marks = ((run.name, mark.rstrip(".")) for run in (a, b) for mark in run.marks)
    return unbegun + other + [f"{name} was disturbed: {mark}" for name, mark in marks]


def count_reasons(a: SpeedFacts, b: SpeedFacts) -> int:
    """How many `reasons_between` has, without a word of them."""
    return (not a.epochs) + (not b.epochs) + len(_differing(a, b)) + len(a.marks) + len(b.marks)


def _differing(a: SpeedFacts, b: SpeedFacts) -> list[tuple[str, Any, Any]]:
    """What decides speed and is known to be another thing in one run than in the other."""
    if a.asked == b.asked:
        asked = []
    elif list(a.asked) == list(b.asked):  # one family of networks, of as many layers
        both = zip(a.asked.items(), b.asked.values(), strict=True)
        asked = [(name, one, other) for (name, one), other in both if one != other]
    else:
        names = dict.fromkeys([*a.asked, *b.asked])
        found = ((name, a.asked.get(name), b.asked.get(name)) for name in names)
        asked = [(name, one, other) for name, one, other in found if one != other]
    return asked + [
        (name, one, other)
        for name, one in a.found.items()
        if one is not None and (other := b.found.get(name)) is not None and one != other
    ]


@lru_cache(maxsize=4096)
def asked_facts(spec: ExperimentSpec) -> Mapping[str, Any]:
    """What a spec asks for that decides speed, by dotted name."""
    skipped = NO_MATTER_FOR_SPEED | {"threads"}  # the environment says how many there were
    facts = flatten(spec.model_dump(mode="json"))
    return {name: value for name, value in facts.items() if name not in skipped}


def _found_facts(card: RunCard) -> dict[str, Any]:
    """What was found that decides speed; null or absent where it is not known."""
    facts = {name: card.environment.get(name) for name in MATTERS_FOR_SPEED}
    facts["threads"] = facts["threads"] or card.spec.threads
    if card.dataset:
        facts |= flatten(card.dataset.model_dump(mode="json"), "dataset")
    if card.model:
        facts["model.parameters"] = card.model.parameters
    return facts


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
    """The accelerator's gain over the CPU; None where `comparability` has a reason against it.

    An epoch's duration is the median over a run's epochs, validation included, without the first,
    which holds the warm-up.
    """
    if comparability(cpu_run, accelerator_run):
        return None
    warm = min(len(cpu_run.epochs), len(accelerator_run.epochs)) > 1
    first, second = (epoch_seconds(card.epochs, warm=warm) for card in (cpu_run, accelerator_run))
    return SpeedUp(first / second, first, second, warm) if second else None


def epoch_seconds(epochs: Sequence[Epoch], *, warm: bool) -> float:
    """Median seconds of an epoch; `warm` leaves the first out, else it is the only one taken."""
    rows = epochs[1:] if warm else epochs[:1]
    return median(row.seconds for row in rows)


def verdict(a: RunCard, b: RunCard) -> str:
    """Who is faster, in one sentence, or why nobody can say."""
    gain = speed_up(a, b)
    if gain is None:
        reasons = comparability(a, b) or [f"{b.name} has epochs of no duration"]
        more = f"; and {len(reasons) - 3} more" if len(reasons) > 3 else ""
        return f"No fair verdict: {'; '.join(reasons[:3])}{more}."
    names = _contestants(a, b)
    note = "" if gain.warm else " (first epochs, warm-up included)"
    first, second = words.number(gain.first_seconds), words.number(gain.second_seconds)
    if 1 / LEVEL_RATIO < gain.ratio < LEVEL_RATIO:
        return f"About equally fast: {names[0]} {first} s an epoch, {names[1]} {second} s{note}."
    if gain.ratio > 1:
        return f"The {names[1]} {_lead(gain.ratio)}: {second} s an epoch against {first} s{note}."
    return f"The {names[0]} {_lead(1 / gain.ratio)}: {first} s an epoch against {second} s{note}."


def _lead(ratio: float) -> str:
    return f"is {words.number(ratio)} times as fast"


def _contestants(a: RunCard, b: RunCard) -> tuple[str, str]:
    """What tells the two runs apart: their kind of device, its name, else the runs' own names."""
    if a.device and b.device:
        kinds = device_kind(a.device.used), device_kind(b.device.used)
        if kinds[0] != kinds[1]:
            return ("CPU", "GPU") if kinds[0] == "cpu" else ("GPU", "CPU")
        if a.device.name != b.device.name:
            return a.device.name, b.device.name
    return f"run “{a.name}”", f"run “{b.name}”"


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
