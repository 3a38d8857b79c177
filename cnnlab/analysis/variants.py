"""Variants that a sweep trained: what varies between them, as axes beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cnnlab import words
from cnnlab.analysis.differing import flatten
from cnnlab.analysis.front import Repeats, said
from cnnlab.spec import ExperimentSpec, RunCard, choice, label

TIME, ACCURACY = "Training time", "Validation accuracy"


@dataclass(frozen=True)
class Varied:
    """One thing in which variants differ."""

    title: str
    values: tuple[str, ...]
    """Those that there are, in their order, in words."""
    of_run: Mapping[str, str]
    """The value of each run, by its id."""


def varied(cards: Sequence[RunCard]) -> list[Varied]:
    """What differs between the specs of runs, but for their seeds.

    Fields that always change together, such as the filters of all layers, are one.
    """
    facts = [_facts(card.spec) for card in cards]
    names = dict.fromkeys(name for each in facts for name in each)
    columns = {name: tuple(repr(each.get(name)) for each in facts) for name in names}
    together: dict[tuple[int, ...], list[str]] = {}
    for name, column in columns.items():
        if len(set(column)) > 1:
            order = list(dict.fromkeys(column))
            together.setdefault(tuple(map(order.index, column)), []).append(name)
    return [_varied(fields, cards, facts) for fields in together.values()]


def _facts(spec: ExperimentSpec) -> dict[str, Any]:
    facts = flatten(spec.model_dump(mode="json"))
    facts.pop("seed")
    return facts


def _varied(
    fields: Sequence[str], cards: Sequence[RunCard], facts: Sequence[Mapping[str, Any]]
) -> Varied:
    name = fields[0]
    raw = [each.get(name) for each in facts]
    found = dict(sorted({_written(name, value): value for value in raw}.items(), key=_order))
    ids = [card.run_id for card in cards]
    return Varied(
        title=_title(fields),
        values=tuple(found),
        of_run=dict(zip(ids, (_written(name, value) for value in raw), strict=True)),
    )


def _title(fields: Sequence[str]) -> str:
    """The field's name; of many layers' fields that go together, what they have in common."""
    last = {field.rpartition(".")[2] for field in fields}
    return last.pop().capitalize() if len(fields) > 1 and len(last) == 1 else label(fields[0])


def _written(name: str, value: Any) -> str:
    if value is None and name in ("train_limit", "model.sequence_length"):
        return "all"
    if isinstance(value, str):
        return choice(name, value).removeprefix("mixed_")
    return words.value(value)


def _order(item: tuple[str, Any]) -> tuple[bool, float, str]:
    """Numbers by their size, before what is none."""
    text, value = item
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return not number, float(value) if number else 0.0, text


# --- as parallel coordinates ----------------------------------------------------------------


def parallel_axes(axes: Sequence[Varied]) -> tuple[str, ...]:
    """The titles from left to right: what varies, then what it cost and what it came to."""
    return (*(axis.title for axis in axes), TIME, ACCURACY)


def parallel_frame(axes: Sequence[Varied], found: Sequence[Repeats]) -> pd.DataFrame:
    """A row for each variant on each axis, for `charts.parallel_spec`: `place` from 0, the foot of
    an axis, to 1; `level` is the accuracy's place on its own axis."""
    times = _span([group.time for group in found])
    shares = _span([group.accuracy for group in found])
    rows = []
    for group in found:
        level = _place(group.accuracy, shares)
        places = {axis.title: _step(axis, axis.of_run[group.runs[0]]) for axis in axes}
        places |= {TIME: _place(group.time, times), ACCURACY: level}
        about = {"first": group.runs[0], "name": group.name, "said": said(group), "level": level}
        rows += [{"axis": axis, "place": place, **about} for axis, place in places.items()]
    return pd.DataFrame(rows, columns=["axis", "place", "first", "name", "said", "level"])


def ticks_frame(axes: Sequence[Varied], found: Sequence[Repeats]) -> pd.DataFrame:
    """What stands beside the axes: every value that varies, and the ends of time and accuracy."""
    rows = [(axis.title, _step(axis, value), value) for axis in axes for value in axis.values]
    if found:
        ends = _span([group.time for group in found]), _span([group.accuracy for group in found])
        for title, (low, high), write in zip(
            (TIME, ACCURACY), ends, (words.duration, words.percent), strict=True
        ):
            rows += [(title, 0.0, write(low)), (title, 1.0, write(high))]
    return pd.DataFrame(rows, columns=["axis", "place", "text"])


def _step(axis: Varied, value: str) -> float:
    """Values stand at equal distances: 32, 128 and 512 are three steps."""
    return axis.values.index(value) / max(len(axis.values) - 1, 1)


def _span(values: Sequence[float]) -> tuple[float, float]:
    return min(values, default=0.0), max(values, default=0.0)


def _place(value: float, span: tuple[float, float]) -> float:
    low, high = span
    return (value - low) / (high - low) if high > low else 0.5
