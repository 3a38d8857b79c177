"""Variants of a spec along axes of any field, each to be trained rather than timed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Protocol

from cnnlab.spec import ExperimentSpec, LabError, Part, Status, parse_spec
from cnnlab.spec.fields import assign
from cnnlab.sweep.axes import ALIASES, AXES, OFFERED, parse_axis

SEPARATOR = ";"
"""Between values that hold commas themselves: `model.dense=64;300,100`."""
MOST_TRAINED = 100
"""As many as may wait in the queue."""


@dataclass(frozen=True)
class Variant:
    """One spec, and what it has on each axis, as it was written."""

    values: dict[str, str]
    spec: ExperimentSpec

    @property
    def said(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in self.values.items())


def variants(spec: ExperimentSpec, axes: Sequence[str]) -> list[Variant]:
    """Every combination of the axes' values, the last axis the quickest to change.

    An axis is one of a timed sweep (`units=64,512`), or any field of the spec by its dotted name
    (`learning_rate=0.001,0.01`, `model.dropout=0,0.5`, `seed=0,1,2`).

    Raises:
        LabError: no axis, one without values or named twice, too many variants, or one that cannot
            work; a `SpecError` names the field.
    """
    read = dict(map(_read, axes))
    if not read or len(read) < len(axes):
        raise LabError("A sweep that trains needs axes, each once: --axis learning_rate=0.01,0.1.")
    count = 1
    for values in read.values():
        count *= len(values)
    if count > MOST_TRAINED:
        raise LabError(f"These axes make {count:,} runs, but at most {MOST_TRAINED} are queued.")
    return [
        _variant(spec, dict(zip(read, chosen, strict=True))) for chosen in product(*read.values())
    ]


def _read(axis: str) -> tuple[str, list[str]]:
    name, _, listed = (part.strip() for part in axis.partition("="))
    values = listed.split(SEPARATOR if SEPARATOR in listed else ",")
    values = [value.strip() for value in values]
    if not name or "" in values:
        raise LabError(
            f"The axis {axis[:40]!r} has no values; write it like learning_rate=0.01,0.1."
        )
    return ALIASES.get(name, name), values


def _variant(spec: ExperimentSpec, values: dict[str, str]) -> Variant:
    for name, value in values.items():
        if name in OFFERED:
            raw = spec.model_dump(mode="json")
            AXES[name].put(raw, parse_axis(f"{name}={value}").values[0])
            spec = parse_spec(raw)
        else:
            spec = assign(spec, [f"{name}={value}"])
    return Variant(values, spec)


def parts(found: Sequence[Variant], group_id: str, group: str) -> Iterator[Part]:
    """The part of the run of each variant in a sweep that trains them all."""
    for turn, variant in enumerate(found):
        yield Part(
            kind="sweep",
            group_id=group_id,
            group=group[:120],
            turn=turn,
            values=variant.values,
        )


# --- what is left to do ---------------------------------------------------------------------


class TrainedRun(Protocol):
    """What is asked of the run of a variant: a summary of the history has it."""

    @property
    def run_id(self) -> str: ...
    @property
    def status(self) -> Status: ...
    @property
    def origin(self) -> str | None: ...


BROKE_OFF = frozenset({Status.STOPPED, Status.INTERRUPTED})
"""Of a run: it may go on, where it was trained. One that failed would fail again."""


def broken_off(runs: Sequence[TrainedRun]) -> list[str]:
    """Ids of the runs of a sweep that can go on here, in their order; none while it is under way.
    One whose card was brought in cannot: the history reopens none that it did not see trained.
    """
    if not all(run.status.over for run in runs):
        return []
    return [run.run_id for run in runs if run.status in BROKE_OFF and run.origin is None]


def standing(runs: Sequence[TrainedRun]) -> Status:
    """How a sweep stands whose variants are trained."""
    there = {run.status for run in runs}
    open_ones = (Status.RUNNING, Status.QUEUED, Status.INTERRUPTED, Status.STOPPED)
    done = Status.FINISHED if Status.FINISHED in there else Status.FAILED
    return next((status for status in open_ones if status in there), done)
