"""Any number of runs in their order, by each of five qualities, and which one would take."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cnnlab import words
from cnnlab.analysis.bearing import Facts, speed_things
from cnnlab.analysis.grades import LEVEL_RATIO, LEVEL_RATIO_OF_DISTURBED, Grade, grade_of
from cnnlab.analysis.outcomes import seconds_to
from cnnlab.analysis.runs import device_kind
from cnnlab.analysis.versus import Pace, PairsOf, between, last_accuracy, paces_of, unpaired
from cnnlab.spec import RunCard, Status

Quality = Literal["speed", "time_to_accuracy", "accuracy", "memory", "energy"]
UNITS: dict[Quality, str] = {
    "speed": "seconds per picture, validation included",
    "time_to_accuracy": "seconds",
    "accuracy": "share of the validation pictures, after the last epoch",
    "memory": "MB at the peak",
    "energy": "joules per picture",
}
NAMES: dict[Quality, str] = {
    "speed": "Speed",
    "time_to_accuracy": "Time to accuracy",
    "accuracy": "Accuracy",
    "memory": "Memory",
    "energy": "Energy",
}
HIGH_IS_GOOD: frozenset[Quality] = frozenset({"accuracy"})


@dataclass(frozen=True)
class Ranking:
    """Runs in their order by one quality."""

    quality: Quality
    values: Mapping[str, float | None]
    """By run id; null where it was not measured."""
    order: tuple[str, ...]
    """Ids of those that may be ranked, the best first."""
    note: str = ""
    """What the figures are of, where that is not plain."""

    @property
    def best(self) -> str | None:
        """The best one's id; None where fewer than two runs may be ranked."""
        return self.order[0] if len(self.order) > 1 else None


@dataclass(frozen=True)
class Choice:
    """Which run a person would take."""

    speed: tuple[str, ...]
    """The fastest, and those that nobody can tell from it; ids, the best first."""
    accuracy: tuple[str, ...]
    """The most accurate, and those that so many pictures cannot tell from it."""
    both: str | None
    """Of those as accurate as the best, the one that was there first."""
    sentence: str


@dataclass(frozen=True)
class Standing:
    """All rankings of some runs."""

    accuracy: float
    """The validation accuracy whose time is ranked: one that every run reached, where any did."""
    rankings: tuple[Ranking, ...]
    paces: Mapping[str, Pace | None]
    """By run id, what speeds are ranked by: all of the ranked runs are measured the same way."""
    choice: Choice
    grades: Mapping[str, Grade]
    """By run id, that of its times against the first run's."""
    left_out: str
    """Which runs are not ranked, and why; empty where all are."""


def rank(cards: Sequence[RunCard], names: Sequence[str], paired: PairsOf = unpaired) -> Standing:
    """Rank runs by speed, time to an accuracy that all of them reached, accuracy, memory, energy.

    Args:
        names: a label for each, no two alike.
    """
    facts = [Facts.of(card) for card in cards]
    grades = {fact.run_id: _grade(facts[0], fact) for fact in facts}
    named = dict(zip((card.run_id for card in cards), names, strict=True))
    why = {card.run_id: _why_not(card, grades[card.run_id]) for card in cards}
    same = [card for card in cards if not why[card.run_id]]
    rest = [card for card in cards if why[card.run_id]]
    wanted = reached_by_all(same)
    rankings = tuple(_ranked(quality, same, rest, wanted) for quality in UNITS)
    return Standing(
        accuracy=wanted,
        rankings=rankings,
        paces=_paces(same) | _paces(rest),
        choice=_choice(same, rankings, named, paired),
        grades=grades,
        left_out=_left_out(why, named),
    )


def _why_not(card: RunCard, grade: Grade) -> str:
    """Why a run is not ranked; empty where it is."""
    if grade is Grade.OTHER_WORK:
        return "did other work"
    return "failed" if card.status is Status.FAILED else ""


def _left_out(why: Mapping[str, str], names: Mapping[str, str]) -> str:
    found: dict[str, list[str]] = {}
    for run_id, said in why.items():
        found.setdefault(said, []).append(names[run_id])
    found.pop("", None)
    return " ".join(f"{_listed(x)} {said} and {_are(x)} not ranked." for said, x in found.items())


def _grade(first: Facts, fact: Facts) -> Grade:
    disturbed = bool(fact.marks) or (fact is not first and bool(first.marks))
    return grade_of(speed_things(first, fact), disturbed=disturbed)


def reached_by_all(cards: Sequence[RunCard]) -> float:
    """The best validation accuracy that every run with epochs reached; 0 where none has any."""
    best = [
        max((row.val_accuracy for row in card.epochs if math.isfinite(row.val_accuracy)), default=0)
        for card in cards
        if card.epochs
    ]
    return min(best, default=0.0)


def _listed(names: Sequence[str]) -> str:
    shown = [f"“{name}”" for name in names[:3]]
    more = [f"{len(names) - 3} more"] if len(names) > 3 else []
    *start, last = shown + more
    return f"{', '.join(start)} and {last}" if start else last


def _are(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


# --- the five qualities ---------------------------------------------------------------------


def _ranked(
    quality: Quality, same: Sequence[RunCard], rest: Sequence[RunCard], accuracy: float
) -> Ranking:
    """
    Args:
        rest: what is measured, and not ranked.
    """
    values = _finite(_values(quality, same, accuracy) | _values(quality, rest, accuracy))
    measured = [card for card in same if values[card.run_id] is not None]
    covered = (
        list(dict.fromkeys(COVERED[quality](c) for c in measured)) if quality in COVERED else []
    )
    note = f"of {covered[0]}" if covered else _by(same) if quality == "speed" else ""
    if len(covered) > 1:
        note = f"not ranked, for the figures are of different things: {'; '.join(covered)}"
        measured = []
    ids = sorted((c.run_id for c in measured), key=lambda run_id: _key(quality, values[run_id]))
    return Ranking(quality, values, tuple(ids), note)


def _finite(values: Mapping[str, float | None]) -> dict[str, float | None]:
    return {
        run_id: value if value is not None and math.isfinite(value) else None
        for run_id, value in values.items()
    }


def _by(cards: Sequence[RunCard]) -> str:
    """What speeds are measured by, where that is not the warm epochs of each run."""
    if not any(card.epochs for card in cards):
        return ""
    paces = [pace for pace in paces_of(*cards) if pace]
    if any(not pace.epochs for pace in paces):
        return "by median steps, as a run has no epoch"
    if any(not pace.warm for pace in paces) and any(len(card.epochs) > 1 for card in cards):
        return "by first epochs, warm-up included, as a run has no other"
    return ""


def _key(quality: Quality, value: float | None) -> float:
    assert value is not None
    return -value if quality in HIGH_IS_GOOD else value


def _values(quality: Quality, cards: Sequence[RunCard], accuracy: float) -> dict[str, float | None]:
    if quality == "speed":
        paces = _paces(cards).items()
        return {run_id: pace.seconds if pace else None for run_id, pace in paces}
    if quality == "time_to_accuracy":
        return {card.run_id: seconds_to(card, accuracy) for card in cards}
    read = {"accuracy": last_accuracy, "memory": _memory_mb, "energy": joules_per_picture}[quality]
    return {card.run_id: read(card) for card in cards}


def _paces(cards: Sequence[RunCard]) -> dict[str, Pace | None]:
    return dict(zip((card.run_id for card in cards), paces_of(*cards), strict=True))


def _memory_mb(card: RunCard) -> float | None:
    on_cpu = _kind(card) == "cpu"
    return card.memory.peak_rss_mb if on_cpu else card.memory.peak_device_mb


def joules_per_picture(card: RunCard) -> float | None:
    """Energy of the fit over the pictures that it trained on, validation included in the energy."""
    pictures = card.dataset.train_images * len(card.epochs) if card.dataset else 0
    return card.energy.joules / pictures if card.energy.joules and pictures else None


def _kind(card: RunCard) -> str:
    return device_kind(card.device.used if card.device else card.spec.device)


def _memory_of(card: RunCard) -> str:
    """What the figure of a run's memory is of."""
    return "the whole process" if _kind(card) == "cpu" else "the card alone, without the host's"


def _energy_of(card: RunCard) -> str:
    """What the joules of a run are of; sources are named before it: "RAPL: the whole …"."""
    source = card.energy.source
    return source.partition(": ")[2] or source


COVERED: dict[Quality, Callable[[RunCard], str]] = {"memory": _memory_of, "energy": _energy_of}
"""Where figures of two runs may be of different things: what they are of."""


# --- which one to take ----------------------------------------------------------------------


def _choice(
    cards: Sequence[RunCard],
    rankings: Sequence[Ranking],
    names: Mapping[str, str],
    paired: PairsOf,
) -> Choice:
    by = {ranking.quality: ranking for ranking in rankings}
    disturbed = {card.run_id for card in cards if card.marks}
    fast, good = _as_fast(by["speed"], disturbed), _as_accurate(cards, by["accuracy"], paired)
    both, there = _first_there([card for card in cards if card.run_id in good])
    how = "as fast, as far as disturbed runs can tell" if disturbed & {*fast} else "as fast"
    sentence = _taken(fast, how, good, both, there, by, names)
    return Choice(fast, good, both, sentence)


def _as_fast(speed: Ranking, disturbed: Container[str]) -> tuple[str, ...]:
    """The fastest, and those whose lag is within that of one run's epochs, or of disturbed runs."""
    if not speed.order:
        return ()
    first, *others = speed.order
    least = speed.values[first] or math.inf

    def near(run_id: str) -> bool:
        lag = (speed.values[run_id] or math.inf) / least
        doubtful = first in disturbed or run_id in disturbed
        return lag < LEVEL_RATIO or (doubtful and lag <= LEVEL_RATIO_OF_DISTURBED)

    return (first, *filter(near, others))


def _as_accurate(cards: Sequence[RunCard], accuracy: Ranking, paired: PairsOf) -> tuple[str, ...]:
    """The most accurate, and those that the validation pictures cannot tell from it."""
    if not accuracy.order:
        return ()
    by_id = {card.run_id: card for card in cards}
    best, *others = (by_id[run_id] for run_id in accuracy.order)
    near = [card.run_id for card in others if not _told(card, best, paired)]
    return (best.run_id, *near)


def _told(card: RunCard, best: RunCard, paired: PairsOf) -> bool:
    found = between(card, best, paired(card, best)).accuracy
    return found.told or found.pictures is None


def _first_there(cards: Sequence[RunCard]) -> tuple[str | None, tuple[float, float]]:
    """Of runs that are equally accurate, the one that was there first; how accurate, and when."""
    ends = [end for card in cards if (end := last_accuracy(card)) is not None]
    if not ends:
        return None, (0.0, 0.0)
    level = min(ends)
    times = {card.run_id: seconds_to(card, level) or math.inf for card in cards}
    first = min(times, key=lambda run_id: times[run_id])
    return first, (level, times[first])


def _taken(
    fast: Sequence[str],
    as_fast: str,
    good: Sequence[str],
    both: str | None,
    there: tuple[float, float],
    by: Mapping[Quality, Ranking],
    names: Mapping[str, str],
) -> str:
    """Which one a person would take: for speed, for accuracy, for both."""
    said = []
    if fast:
        also = _also(fast[1:], names, as_fast)
        said.append(f"for speed {_quoted(fast[0], names)}{_lead(fast, by['speed'])}{also}")
    if good:
        share = words.percent(by["accuracy"].values[good[0]])
        also = _also(good[1:], names, "not to be told from it")
        said.append(f"for accuracy {_quoted(good[0], names)} ({share}{also})")
    if both:
        level, seconds = there
        why = f"{words.percent(level)} after {words.duration(seconds)}"
        first = ", the first of those as accurate to reach" if len(good) > 1 else ", at"
        said.append(f"for both {_quoted(both, names)}{first} {why}")
    return f"Take {'; '.join(said)}." if said else "Nothing was measured by which to choose."


def _quoted(run_id: str, names: Mapping[str, str]) -> str:
    return f"“{names[run_id]}”"


def _also(ids: Sequence[str], names: Mapping[str, str], how: str) -> str:
    if not ids:
        return ""
    return f"; {_listed([names[run_id] for run_id in ids])} {_are(ids)} {how}"


def _lead(fast: Sequence[str], speed: Ranking) -> str:
    """How far the fastest is ahead of the first that is not as fast."""
    slower = [run_id for run_id in speed.order if run_id not in fast]
    if not slower:
        return ""
    ratio = (speed.values[slower[0]] or math.nan) / (speed.values[fast[0]] or math.nan)
    return f" ({words.number(ratio)} times as fast as the next)"
