"""Any two runs held against each other: how much faster, how much better, and what that is worth.

A number is given wherever both runs were measured; what differs is said beside it. It is withheld
only of runs that did other work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Literal

import numpy as np

from cnnlab.analysis.bearing import Facts, accuracy_things, disturbances, speed_things, told_apart
from cnnlab.analysis.chances import CONFIDENCE, gain, mcnemar, paired_gain
from cnnlab.analysis.grades import (
    LEVEL_RATIO,
    LEVEL_RATIO_OF_DISTURBED,
    Grade,
    Thing,
    grade_of,
    worth,
)
from cnnlab.spec import HeldOut, Paired, RunCard

ENDS = (0.05, 0.95)
"""Between these shares of a run's epochs its pace varied: a lone slow epoch stretches nothing."""


@dataclass(frozen=True)
class Pace:
    """How long a run trains on one picture or sequence, its share of the validation included."""

    seconds: float
    """The median of its epochs."""
    least: float
    most: float
    """As short and as long as its epochs had it."""
    epochs: int
    """How many stand behind it; 0: a measured cell, or a run in its first epoch: steps alone."""
    warm: bool
    """False: a first epoch, warm-up included."""


@dataclass(frozen=True)
class Speed:
    """How many times as fast the second of two runs is, per picture."""

    ratio: float | None
    low: float | None
    """The ratio as the epochs of both varied; null where one epoch of each was compared."""
    high: float | None
    grade: Grade
    things: tuple[Thing, ...]
    """What differs and bears on it."""
    paces: tuple[Pace, Pace] | None
    why: str
    """Why there is no ratio; empty where there is one."""

    @property
    def ahead(self) -> Literal["first", "second"] | None:
        """Who is faster; None where no ratio is known, or a lead is within that of epochs of one
        run or, of disturbed ones, `doubtful`."""
        if self.ratio is None or 1 / LEVEL_RATIO < self.ratio < LEVEL_RATIO or self.doubtful:
            return None
        if self.low is not None and self.high is not None and self.low < 1 < self.high:
            return None
        return "second" if self.ratio > 1 else "first"

    @property
    def doubtful(self) -> bool:
        """A lead that the disturbance of a run may have given."""
        if self.ratio is None or self.grade is not Grade.DISTURBED:
            return False
        lead = max(self.ratio, 1 / self.ratio)
        return LEVEL_RATIO <= lead <= LEVEL_RATIO_OF_DISTURBED


@dataclass(frozen=True)
class Accuracy:
    """How much the last validation accuracy of the second run is above the first's."""

    difference: float | None
    """A share: 0.01 is one point."""
    low: float | None
    """Ends of what so many pictures can tell, with a confidence of 95 %; null where it is not known
    how many there were."""
    high: float | None
    grade: Grade
    things: tuple[Thing, ...]
    pictures: tuple[int, int] | None
    why: str
    paired: Paired | None = None
    """How both did on the same pictures, where that was kept: the interval is then theirs."""

    @property
    def chance(self) -> float | None:
        """What McNemar's test says; null where the pictures are not paired."""
        pairs = self.paired
        return mcnemar(pairs.only_first, pairs.only_second) if pairs else None

    @property
    def told(self) -> bool:
        """Whether the pictures tell the two apart."""
        if self.chance is not None and self.chance >= 1 - CONFIDENCE:
            return False
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True)
class Verdict:
    """The second of two runs against the first."""

    speed: Speed
    accuracy: Accuracy
    test: Accuracy | None
    """The same of their test sets; null where one of them was not held against any."""
    marks: tuple[str, ...]
    """What disturbed the runs, a phrase each."""


Pairs = Mapping[HeldOut, Paired]
"""How two runs did on the same pictures, of each part of their data of which that was kept."""
PairsOf = Callable[[RunCard, RunCard], Pairs]
"""Gives those of two runs, as both were after their last epochs."""


def unpaired(first: RunCard, second: RunCard) -> Pairs:
    """For who does not know what runs answered."""
    return {}


def between(a: RunCard, b: RunCard, paired: Pairs | None = None) -> Verdict:
    """Hold the second of two runs against the first."""
    first, second = Facts.of(a), Facts.of(b)
    accuracy = _accuracy(a, b, first, second)
    pairs = paired or {}
    return Verdict(
        speed=_speed(a, b, first, second),
        accuracy=_with_pairs(accuracy, pairs.get("validation")),
        test=_tested(a, b, accuracy, pairs.get("test")),
        marks=tuple(disturbances(first, second)),
    )


# --- speed ----------------------------------------------------------------------------------


def _speed(a: RunCard, b: RunCard, first: Facts, second: Facts) -> Speed:
    things = tuple(speed_things(first, second))
    grade = grade_of(things, disturbed=bool(first.marks or second.marks))
    if grade is Grade.OTHER_WORK:
        return Speed(None, None, None, grade, things, None, worth(grade, things))
    one, other = paces_of(a, b)
    if not (one and other):
        return Speed(None, None, None, grade, things, None, _unmeasured(a, b))
    spread = min(one.epochs, other.epochs) > 1
    return Speed(
        ratio=one.seconds / other.seconds,
        low=one.least / other.most if spread else None,
        high=one.most / other.least if spread else None,
        grade=grade,
        things=things,
        paces=(one, other),
        why="",
    )


def _unmeasured(a: RunCard, b: RunCard) -> str:
    """Which of the runs was not measured."""
    if lacking := _lacking(a, b, [bool(card.epochs) for card in (a, b)], "finished epoch"):
        return lacking
    unknown = [bool(_pictures(card, (a, b))) for card in (a, b)]
    if lacking := _lacking(a, b, unknown, "count of the examples it trained on"):
        return lacking
    return "an epoch took no time that could be measured"


def _lacking(a: RunCard, b: RunCard, there: Sequence[bool], what: str) -> str:
    """Which of two runs has no such thing; empty where both have it."""
    names = [name for name, has in zip(told_apart(a, b), there, strict=True) if not has]
    return f"{' and '.join(names)} {'has' if len(names) == 1 else 'have'} no {what}" * bool(names)


def paces_of(*cards: RunCard) -> list[Pace | None]:
    """The paces of runs, all measured the same way; None for each that has none.

    Epochs without the first, which holds the warm-up; first epochs where a run has no other. Where
    a run has no epoch, as measured cells have none, the median step of each.
    """
    if any(not card.epochs and card.timing.step_ms_median for card in cards):
        return [_by_steps(card) for card in cards]
    warm = min((len(card.epochs) for card in cards if card.epochs), default=0) > 1
    return [_by_epochs(card, _pictures(card, cards), warm) for card in cards]


def _pictures(card: RunCard, cards: Sequence[RunCard]) -> int:
    """On how many an epoch trains; of a card that does not say, as many as of another that asks for
    the same of the same data; 0 where that is not known.
    """
    like = [other.dataset for other in (card, *cards) if _asked(other) == _asked(card)]
    return next((facts.train_images for facts in like if facts), 0)


def _asked(card: RunCard) -> tuple[object, ...]:
    spec = card.spec
    return spec.dataset, spec.train_limit, spec.validation_split


def _by_epochs(card: RunCard, pictures: int, warm: bool) -> Pace | None:
    rows = card.epochs[1:] if warm else card.epochs[:1]
    if not rows or not pictures:
        return None
    seconds = np.array([row.timed_seconds for row in rows]) / pictures
    if not np.isfinite(seconds).all() or not (seconds > 0).all():
        return None
    least, most = np.quantile(seconds, ENDS)
    return Pace(median(seconds.tolist()), float(least), float(most), len(rows), warm)


def _by_steps(card: RunCard) -> Pace | None:
    step_ms = card.timing.step_ms_median
    if not step_ms or not 0 < step_ms < math.inf:
        return None
    seconds = step_ms / 1e3 / card.full_step
    return Pace(seconds, seconds, seconds, 0, warm=True)


# --- accuracy -------------------------------------------------------------------------------


def _accuracy(a: RunCard, b: RunCard, first: Facts, second: Facts) -> Accuracy:
    things = tuple(accuracy_things(first, second))
    grade = grade_of(things)
    if grade is Grade.OTHER_WORK:
        return Accuracy(None, None, None, grade, things, None, worth(grade, things))
    one, other = last_accuracy(a), last_accuracy(b)
    if one is None or other is None:
        there = (one is not None, other is not None)
        why = _lacking(a, b, there, "validation accuracy")
        return Accuracy(None, None, None, grade, things, None, why)
    pictures = validation_pictures(a), validation_pictures(b)
    if not all(pictures):
        return Accuracy(other - one, None, None, grade, things, None, "")
    found = gain(one, other, pictures)
    return Accuracy(found.value, found.low, found.high, grade, things, pictures, "")


def last_accuracy(card: RunCard) -> float | None:
    """The validation accuracy that a run ended with; None where there is none."""
    value = card.epochs[-1].val_accuracy if card.epochs else math.nan
    return value if 0 <= value <= 1 else None


def validation_pictures(card: RunCard) -> int:
    """Behind the validation accuracy of a run; 0 where it is not known how many."""
    return card.dataset.validation_images if card.dataset else 0


def _tested(a: RunCard, b: RunCard, accuracy: Accuracy, paired: Paired | None) -> Accuracy | None:
    """As `accuracy`, which tells of the validation."""
    if not (a.test and b.test) or accuracy.grade is Grade.OTHER_WORK:
        return None
    images = a.test.images, b.test.images
    if not all(images) or not all(0 <= exam.accuracy <= 1 for exam in (a.test, b.test)):
        return None
    value, low, high = gain(a.test.accuracy, b.test.accuracy, images)
    found = replace(accuracy, difference=value, low=low, high=high, pictures=images, why="")
    return _with_pairs(found, paired)


def _with_pairs(accuracy: Accuracy, paired: Paired | None) -> Accuracy:
    """The interval of the same pictures, where they are those behind the difference."""
    if not paired or accuracy.difference is None or accuracy.pictures != (sum(paired),) * 2:
        return accuracy
    _, low, high = paired_gain(paired)
    # Answers are kept rounded, which may turn one that was nearly undecided.
    low, high = min(low, accuracy.difference), max(high, accuracy.difference)
    return replace(accuracy, low=low, high=high, paired=paired)
