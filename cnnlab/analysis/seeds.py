"""What repeats of one spec over seeds came to: the mean, and how far seeds lie apart."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean, stdev
from typing import Protocol

from cnnlab import words
from cnnlab.spec import Frozen, Status, Timing


class Repeat(Protocol):
    """What is asked of a run: a summary of the history has it."""

    @property
    def status(self) -> Status: ...
    @property
    def timing(self) -> Timing: ...
    @property
    def last_val_accuracy(self) -> float | None: ...


class Spread(Frozen):
    """A figure over several runs."""

    mean: float
    deviation: float | None
    """Standard deviation between the runs; null of a single one, which has none."""
    low: float
    """The lowest of them."""
    high: float
    runs: int

    @classmethod
    def of(cls, values: Sequence[float | None]) -> Spread | None:
        """Of the figures that are known; None where none is."""
        known = [value for value in values if value is not None and math.isfinite(value)]
        if not known:
            return None
        deviation = stdev(known) if len(known) > 1 else None
        ends = {"low": min(known), "high": max(known), "runs": len(known)}
        return cls(mean=fmean(known), deviation=deviation, **ends)


class Seeds(Frozen):
    """What the finished runs of a group came to."""

    val_accuracy: Spread | None
    """Of the last epochs; null where none was finished."""
    fit_seconds: Spread | None

    @property
    def sentence(self) -> str:
        """In words; empty where nothing is known."""
        accuracy = self.val_accuracy
        if accuracy is None:
            return ""
        count = "one seed" if accuracy.runs == 1 else f"{accuracy.runs} seeds"
        said = f"Over {count}: validation accuracy {words.percent(accuracy.mean)}"
        if accuracy.deviation is None:
            return f"{said}; one run has no spread."
        points = words.number(100 * accuracy.deviation, 2)
        ends = f"{words.percent(accuracy.low)} to {words.percent(accuracy.high)}"
        return f"{said}, give or take {points} points from seed to seed ({ends})."


def over_seeds(runs: Sequence[Repeat]) -> Seeds:
    """The finished ones of some repeats, taken together."""
    done = [run for run in runs if run.status is Status.FINISHED]
    return Seeds(
        val_accuracy=Spread.of([run.last_val_accuracy for run in done]),
        fit_seconds=Spread.of([run.timing.fit_seconds for run in done]),
    )
