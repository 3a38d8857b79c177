"""What each of several runs came to, which figures are the best, and who learnt by heart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd

from cnnlab import words
from cnnlab.analysis.bearing import Facts, speed_things
from cnnlab.analysis.grades import Grade, grade_of
from cnnlab.analysis.run_lines import column
from cnnlab.spec import RunCard

BY_HEART, NOTICEABLE = 0.2, 0.05
"""Leads of training over validation accuracy from which a run has learnt by heart, or begins to."""

BEST: dict[str, Literal["max", "min"]] = {
    "best_val_accuracy": "max",
    "last_val_accuracy": "max",
    "test_accuracy": "max",
    "last_accuracy": "max",
    "gap": "min",
    "last_val_loss": "min",
    "reached_seconds": "min",
    "fit_seconds": "min",
    "step_ms_median": "min",
    "images_per_second": "max",
    "joules": "min",
    "images_per_joule": "max",
    "parameters": "min",
}
"""The figures of `results`, and which end of each is the good one."""

NO_FEAT = frozenset({"gap", "last_accuracy", "parameters"})
"""Of which nobody is the best: the smallest gap has who learnt nothing, and by heart learns who
knows all of what it was shown; a small network is a choice."""
OF_A_FIT = frozenset({"fit_seconds", "joules"})
OF_ENERGY = frozenset({"joules", "images_per_joule"})


def seconds_to(card: RunCard, accuracy: float) -> float | None:
    """Wall seconds of training until an epoch ended with this validation accuracy; None: never."""
    passed = 0.0
    for row in card.epochs:
        passed += row.seconds
        if row.val_accuracy >= accuracy:
            return passed
    return None


def results(cards: Sequence[RunCard], accuracy: float) -> pd.DataFrame:
    """What each run came to: a row for each run id, the columns of `BEST`, NaN where not known.

    Args:
        accuracy: the validation accuracy that `reached_seconds` waits for, 0 to 1.
    """
    rows = [_result(card, accuracy) for card in cards]
    index = pd.Index([card.run_id for card in cards], name="run_id")
    return pd.DataFrame(rows, index=index, columns=list(BEST), dtype="float64")


def _result(card: RunCard, accuracy: float) -> dict[str, float | None]:
    timing, joules = card.timing, card.energy.joules
    last = card.epochs[-1] if card.epochs else None
    checks = [row.val_accuracy for row in card.epochs if np.isfinite(row.val_accuracy)]
    images = card.dataset.train_images * len(card.epochs) if card.dataset else None
    return {
        "best_val_accuracy": max(checks, default=None),
        "last_val_accuracy": last.val_accuracy if last else None,
        "test_accuracy": card.test.accuracy if card.test else None,
        "last_accuracy": last.accuracy if last else None,
        "gap": last.accuracy - last.val_accuracy if last else None,
        "last_val_loss": last.val_loss if last else None,
        "reached_seconds": seconds_to(card, accuracy),
        "fit_seconds": timing.fit_seconds,
        "step_ms_median": timing.step_ms_median,
        "images_per_second": timing.images_per_second,
        "joules": joules,
        "images_per_joule": images / joules if images and joules else None,
        "parameters": card.model.parameters if card.model else None,
    }


def best_of(cards: Sequence[RunCard], frame: pd.DataFrame) -> dict[str, float]:
    """The best figure of each column of their `results` in which the runs differ; none of those
    that are `incomparable`."""
    unfit = incomparable(cards) | NO_FEAT
    found = {}
    for name, end in BEST.items():
        values = frame[name].dropna()
        if name not in unfit and values.nunique() > 1:
            found[name] = float(values.max() if end == "max" else values.min())
    return found


def incomparable(cards: Sequence[RunCard]) -> frozenset[str]:
    """The columns of their `results` whose figures cannot be held against each other.

    All of them where runs did other work; those of a whole fit where the fits were of different
    lengths; those of energy where the joules of one run are of something else than another's.
    """
    if not same_work(cards):
        return frozenset(BEST)
    found = OF_A_FIT if len({len(card.epochs) for card in cards}) > 1 else frozenset()
    if len({card.energy.source.partition(": ")[2] for card in cards if card.energy.joules}) > 1:
        found |= OF_ENERGY
    return found


def same_work(cards: Sequence[RunCard]) -> bool:
    """Whether all runs had the same data and task as the first."""
    first, *others = map(Facts.of, cards)
    return all(grade_of(speed_things(first, x)) is not Grade.OTHER_WORK for x in others)


# --- learnt by heart ------------------------------------------------------------------------


def by_heart(accuracy: float, val_accuracy: float) -> str:
    """What training and validation accuracy after the same epoch say of a run, in words."""
    said = f"training {words.percent(accuracy)}, validation {words.percent(val_accuracy)}"
    gap = accuracy - val_accuracy
    if not np.isfinite(gap):
        return f"{said}: nothing can be said"
    if gap >= BY_HEART:
        return f"{said}: it has learnt its pictures by heart"
    if gap >= NOTICEABLE:
        return f"{said}: it begins to learn its pictures by heart"
    return f"{said}: no sign of learning by heart"


def past_its_best(card: RunCard) -> str:
    """Since when validation got no better, in words; empty where the last epoch was the best."""
    checks = column(card, "val_accuracy")
    if not np.isfinite(checks).any():
        return ""
    best = int(np.nanargmax(checks))
    later = len(checks) - 1 - best
    if not later:
        return ""
    since = "epoch" if later == 1 else f"{words.count(later)} epochs"
    return (
        f"Validation was best after epoch {card.epochs[best].epoch}, at "
        f"{words.percent(float(checks[best]))}; the {since} since brought no more."
    )
