"""Whether a network is as often right as it is sure (calibration)."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cnnlab import words
from cnnlab.analysis.answers import Answers
from cnnlab.analysis.chances import wilson

BINS = 10
SMALL = 0.02
"""A distance between sureness and accuracy that is not worth a warning."""


def reliability(answers: Answers) -> pd.DataFrame:
    """The pictures by how sure the network was: a row for each tenth in which any lie.

    Columns: the tenth goes `from_` `to`; its `pictures`; how `sure` it was on average, the `share`
    that is right, and what so many pictures can tell, `low` to `high` (Wilson, 95 %).
    """
    tenths = np.minimum((answers.sure * BINS).astype(int), BINS - 1)
    rows = []
    for tenth in np.unique(tenths):
        inside = tenths == tenth
        share = wilson(float(answers.right[inside].mean()), int(inside.sum()))
        sure = float(answers.sure[inside].mean())
        rows.append((tenth / BINS, (tenth + 1) / BINS, int(inside.sum()), sure, *share))
    return pd.DataFrame(rows, columns=["from_", "to", "pictures", "sure", "share", "low", "high"])


def calibration_error(table: pd.DataFrame) -> float:
    """By how much sureness and accuracy differ on average, 0 to 1: the expected calibration error
    of a `reliability` (Guo et al., ICML 2017, equation 3).
    """
    weights = table["pictures"] / table["pictures"].sum()
    return float((weights * (table["share"] - table["sure"]).abs()).sum())


def sureness_said(answers: Answers) -> str:
    """How sure the network is beside how often it is right, in one sentence."""
    sure, right = float(answers.sure.mean()), float(answers.right.mean())
    said = f"{words.percent(sure)} sure on average and right in {words.percent(right)}"
    if abs(sure - right) <= SMALL:
        return f"It is {said}: about as sure as it may be."
    return f"It is {said}: {'too sure' if sure > right else 'not sure enough'}."
