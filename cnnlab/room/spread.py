"""The bets on a race as a tidy frame, and who came nearest in words."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from cnnlab import words
from cnnlab.room.bets import Bet, nearest

BET, NEAREST, LANDED = "bet", "nearest", "landed"
DECADE = 12
"""Stacks of dots in a factor of ten: bets within 20 % or so stand above each other."""
MOST_NAMED = 3
COLUMNS = ("times", "height", "name", "said", "part")


def dots_frame(bets: Sequence[Bet], landed: float | None) -> pd.DataFrame:
    """A dot for each bet, stacked where they are close; and where the race landed, if it has.

    Columns: times, height (counts from 1; 0 for where it landed), name, said (the times in words),
    part (`bet`, `nearest` or `landed`).
    """
    close = set(nearest(bets, landed)) if landed else set()
    heights: Counter[int] = Counter()
    rows: list[tuple[float, int, str, str, str]] = []
    for bet in sorted(bets, key=lambda bet: bet.times):
        column = round(DECADE * math.log10(bet.times))
        heights[column] += 1
        part = NEAREST if bet in close else BET
        rows.append((bet.times, heights[column], bet.name, words.number(bet.times), part))
    if landed:
        rows.append((landed, 0, "", words.number(landed), LANDED))
    types = {"times": "float64", "height": "int32"}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(types)


def told(bets: Sequence[Bet], landed: float) -> str:
    """Who came nearest, ties told; empty where nobody bet."""
    close = nearest(bets, landed)
    if not close:
        return ""
    named = [f"{bet.name} with {words.number(bet.times)}" for bet in close[:MOST_NAMED]]
    more = f" and {len(close) - MOST_NAMED} more" if len(close) > MOST_NAMED else ""
    said = "Nearest" if len(close) == 1 else "Equally near"
    return f"{said}: {', '.join(named)}{more}."
