"""Accuracy against the time that it took: repeats over seeds as one, and which of them pay."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import mean, stdev
from typing import Any

import pandas as pd

from cnnlab import words
from cnnlab.analysis.bearing import Facts, speed_things
from cnnlab.analysis.differing import flatten
from cnnlab.analysis.grades import Grade, grade_of
from cnnlab.analysis.versus import last_accuracy
from cnnlab.spec import RunCard


@dataclass(frozen=True)
class Repeats:
    """Runs of one spec on one device, whatever their seeds."""

    name: str
    """The first one's."""
    runs: tuple[str, ...]
    accuracies: tuple[float, ...]
    """The last validation accuracy of each."""
    seconds: tuple[float, ...]
    """What the epochs of each took."""
    parameters: int | None = None
    on_front: bool = False
    """Nothing was both quicker and as accurate."""

    @property
    def accuracy(self) -> float:
        return mean(self.accuracies)

    @property
    def time(self) -> float:
        return mean(self.seconds)

    @property
    def spread(self) -> float | None:
        """Standard deviation of the accuracy between runs; None of a single one."""
        return stdev(self.accuracies) if len(self.accuracies) > 1 else None


def repeats(cards: Sequence[RunCard], names: Sequence[str]) -> list[Repeats]:
    """The runs as groups of repeats, those on the Pareto front marked; in the order given.

    Left out is what has no accuracy, and what did other work than the first.
    """
    grouped: dict[Any, list[tuple[RunCard, str]]] = defaultdict(list)
    first = Facts.of(cards[0]) if cards else None
    for card, name in zip(cards, names, strict=True):
        if first and last_accuracy(card) is not None and _same_work(first, Facts.of(card)):
            grouped[_key(card)].append((card, name))
    found = [_group(members) for members in grouped.values()]
    return [_marked(group, found) for group in found]


def _same_work(one: Facts, other: Facts) -> bool:
    return grade_of(speed_things(one, other)) is not Grade.OTHER_WORK


def _key(card: RunCard) -> tuple[str, ...]:
    facts = flatten(card.spec.model_dump(mode="json")) | {"epochs": len(card.epochs)}
    facts |= {"seed": None, "device": card.device and card.device.name}
    return tuple(f"{name}={value}" for name, value in facts.items())


def _group(members: Sequence[tuple[RunCard, str]]) -> Repeats:
    return Repeats(
        name=members[0][1],
        runs=tuple(card.run_id for card, _ in members),
        accuracies=tuple(last_accuracy(card) or 0.0 for card, _ in members),
        seconds=tuple(math.fsum(row.seconds for row in card.epochs) for card, _ in members),
        parameters=members[0][0].model.parameters if members[0][0].model else None,
    )


def _marked(group: Repeats, all_: Sequence[Repeats]) -> Repeats:
    beaten = any(
        other.time <= group.time
        and other.accuracy >= group.accuracy
        and (other.time, other.accuracy) != (group.time, group.accuracy)
        for other in all_
    )
    return replace(group, on_front=not beaten)


def front_frame(found: Sequence[Repeats]) -> pd.DataFrame:
    """A row for each group, for `charts.front_spec`; least and most are those of single runs."""
    return pd.DataFrame(
        [
            {
                "name": group.name,
                "first": group.runs[0],
                "seconds": group.time,
                "accuracy": group.accuracy,
                "least": min(group.accuracies),
                "most": max(group.accuracies),
                "front": "on the front" if group.on_front else "behind it",
                "runs": len(group.runs),
                "parameters": group.parameters,
                "size": words.count(group.parameters),
                "said": said(group),
            }
            for group in found
        ]
    )


def said(group: Repeats) -> str:
    """Mean and spread in words: "41.2 % ± 0.3 over 3 runs in 2 min 5 s"."""
    took = f"in {words.duration(group.time)}"
    if group.spread is None:
        return f"{words.percent(group.accuracy)} {took}, one run"
    points = words.number(100 * group.spread, 2)
    return f"{words.percent(group.accuracy)} ± {points} over {len(group.runs)} runs {took} each"
