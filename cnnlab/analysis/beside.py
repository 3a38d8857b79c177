"""One figure of a run beside that of another: how far apart they lie, and whether that is good."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from cnnlab import words
from cnnlab.analysis.chances import gain
from cnnlab.analysis.grades import LEVEL_RATIO
from cnnlab.analysis.outcomes import BEST, incomparable
from cnnlab.analysis.versus import PairsOf, between, unpaired, validation_pictures
from cnnlab.spec import RunCard

SHARES = frozenset(
    {"best_val_accuracy", "last_val_accuracy", "test_accuracy", "last_accuracy", "gap"}
)
"""Columns of `results` that are shares: two of them lie points apart, others are so many times."""
FULL_POINTS, FULL_DOUBLINGS = 0.1, 2.0
"""Differences from which on a tint gets no stronger."""


@dataclass(frozen=True)
class Beside:
    """A figure against the baseline's."""

    text: str
    """"+9.8" points, or "2.1×"."""
    good: float
    """From -1, much worse, to 1, much better; 0 where nobody can tell, or nothing is better."""


def against_baseline(
    cards: Sequence[RunCard], frame: pd.DataFrame, paired: PairsOf = unpaired
) -> dict[str, list[Beside | None]]:
    """By column of their `results`, each run's figure against the first run's.

    None for the first run itself, where the two are equal to the digits that are shown, and where a
    figure is not known or the two are not comparable.
    """
    unfit, found = incomparable(cards), {}
    for name in BEST:
        values = frame[name].tolist()
        found[name] = [
            _beside(name, (values[0], value), (cards[0], cards[place]), paired)
            if place and name not in unfit
            else None
            for place, value in enumerate(values)
        ]
    return found


def _beside(
    name: str, values: tuple[float, float], cards: tuple[RunCard, RunCard], paired: PairsOf
) -> Beside | None:
    base, value = values
    if not (math.isfinite(value) and math.isfinite(base)):
        return None
    sign = 1 if BEST[name] == "max" else -1
    if name in SHARES:
        text, strength = words.points(value - base), _clipped((value - base) / FULL_POINTS)
        told = _told(name, values, cards, paired)
        return Beside(text, sign * strength if told else 0.0) if text[1:] != "0.0" else None
    if value <= 0 or base <= 0:
        return None
    ratio, text = value / base, words.times(value / base)
    level = 1 / LEVEL_RATIO < ratio < LEVEL_RATIO
    strength = 0.0 if level else _clipped(math.log2(ratio) / FULL_DOUBLINGS)
    return Beside(text, sign * strength) if text != "1×" else None


def _told(
    name: str, shares: tuple[float, float], cards: tuple[RunCard, RunCard], paired: PairsOf
) -> bool:
    """Whether so many pictures tell the two apart; of training, where many were seen, always."""
    one, other = cards
    if name in ("last_val_accuracy", "test_accuracy"):
        verdict = between(one, other, paired(one, other))
        found = verdict.test if name == "test_accuracy" else verdict.accuracy
        return found is None or found.pictures is None or found.told
    counts = validation_pictures(one), validation_pictures(other)
    if name != "best_val_accuracy" or not all(counts):
        return True
    ends = gain(*shares, counts)
    return not ends.low <= 0 <= ends.high


def _clipped(strength: float) -> float:
    return max(-1.0, min(1.0, strength))
