"""Of several runs the three that people ask for: most accurate, fastest, the best trade-off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cnnlab import words
from cnnlab.analysis.grades import Grade
from cnnlab.analysis.outcomes import seconds_to
from cnnlab.analysis.ranking import Standing
from cnnlab.analysis.versus import (
    Accuracy,
    Pace,
    PairsOf,
    Speed,
    between,
    last_accuracy,
    unpaired,
)
from cnnlab.spec import RunCard


@dataclass(frozen=True)
class Leader:
    """One run, and what it has over the baseline."""

    question: str
    run_id: str
    figure: str
    """What it came to, with its unit."""
    beside: str
    """The difference to the baseline, or why there is none."""
    grade: Grade | None
    """What that difference is worth; null of the baseline itself."""
    also: tuple[str, ...]
    """Ids of those that cannot be told from it."""


def leaders(
    cards: Sequence[RunCard], standing: Standing, paired: PairsOf = unpaired
) -> list[Leader]:
    """Up to three answers, of what was measured.

    Args:
        cards: the baseline first.
        standing: theirs, see `rank`.
    """
    by_id, choice = {card.run_id: card for card in cards}, standing.choice
    found = []
    if choice.accuracy:
        first, *also = choice.accuracy
        found.append(_most_accurate(cards[0], by_id[first], also, paired))
    if choice.speed:
        first, *also = choice.speed
        found.append(_fastest(cards[0], by_id[first], also, standing))
    if choice.both:
        level = min(last_accuracy(by_id[run_id]) or 0.0 for run_id in choice.accuracy)
        found.append(_best_trade(cards[0], by_id[choice.both], level))
    return found


def _most_accurate(base: RunCard, best: RunCard, also: Sequence[str], paired: PairsOf) -> Leader:
    accuracy = between(base, best, paired(base, best)).accuracy
    own = base is best
    return Leader(
        question="Most accurate",
        run_id=best.run_id,
        figure=words.percent(last_accuracy(best)),
        beside="" if own else points_said(accuracy),
        grade=None if own else accuracy.grade,
        also=tuple(also),
    )


def points_said(accuracy: Accuracy) -> str:
    """A difference in accuracy, with what so many pictures can tell of it."""
    if accuracy.difference is None:
        return accuracy.why
    said = f"{words.points(accuracy.difference)} points against the baseline"
    if accuracy.low is None or accuracy.high is None or accuracy.pictures is None:
        return said
    if accuracy.told:
        return f"{said} ({words.points(accuracy.low)} to {words.points(accuracy.high)})"
    return f"{said}, within what {words.count(min(accuracy.pictures))} examples can tell"


def _fastest(base: RunCard, best: RunCard, also: Sequence[str], standing: Standing) -> Leader:
    speed, own = between(base, best).speed, base is best
    return Leader(
        question="Fastest",
        run_id=best.run_id,
        figure=_pace_said(best, standing.paces[best.run_id]),
        beside="" if own else times_said(speed),
        grade=None if own else speed.grade,
        also=tuple(also),
    )


def _pace_said(card: RunCard, pace: Pace | None) -> str:
    """What an epoch took; what one example did where runs are ranked by their steps."""
    if pace is None:
        return words.UNKNOWN
    if card.dataset and pace.epochs:
        return f"{words.duration(pace.seconds * card.dataset.train_images)} an epoch"
    thing = words.things(card.dataset.kind if card.dataset else None, many=False)
    return f"{words.duration(pace.seconds)} a {thing}"


def times_said(speed: Speed) -> str:
    """By how many times one run is faster than another, as its epochs had it."""
    if speed.ratio is None:
        return speed.why
    if speed.doubtful:
        return "ahead of the baseline by no more than disturbed runs may differ"
    if speed.ahead is None:
        return "as fast as the baseline, within how its epochs vary"
    said = f"{words.number(speed.ratio)} times as fast as the baseline"
    if speed.low is None or speed.high is None:
        return said
    low, high = map(words.number, (speed.low, speed.high))
    return said if low == high else f"{said} ({low} to {high})"


def _best_trade(base: RunCard, best: RunCard, level: float) -> Leader:
    """The first to reach what the most accurate ones reach; the baseline may never."""
    verdict = between(base, best)
    own, there = seconds_to(base, level), seconds_to(best, level)
    if verdict.speed.grade is Grade.OTHER_WORK:
        beside = verdict.speed.why
    elif own is None:
        beside = "the baseline did not get there"
    else:
        beside = f"the baseline took {words.duration(own)}"
    return Leader(
        question="Best trade-off",
        run_id=best.run_id,
        figure=f"{words.percent(level)} after {words.duration(there)}",
        beside="" if base is best else beside,
        grade=None if base is best else verdict.speed.grade,
        also=(),
    )
