"""A race as tidy frames."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from cnnlab.race.lanes import Runs
from cnnlab.race.pairs import compare

COLUMNS = ("lane", "pair", "ratio", "low", "high", "part")


def pairs_frame(lanes: Sequence[Runs]) -> pd.DataFrame:
    """Each lane but the first against that one: a row for each pair, and one for what they come to.

    Columns: lane, pair (counts from 1; 0 for the whole), ratio, low and high (of the whole alone),
    part (`pair`, `disturbed pair` or `all pairs`).
    """
    rows: list[tuple[str, int, float, float | None, float | None, str]] = []
    first, *others = lanes or [Runs(0, "")]
    for runs in others:
        compared = compare(runs.turns, first.turns)
        for turn in sorted(set(runs.turns) & set(first.turns)):
            one, other = runs.turns[turn], first.turns[turn]
            part = "disturbed pair" if one.disturbed or other.disturbed else "pair"
            ratio = other.us_per_image / one.us_per_image
            rows.append((runs.title, turn + 1, ratio, None, None, part))
        if compared and compared.gain.low is not None:
            gain = compared.gain
            rows.append((runs.title, 0, gain.ratio, gain.low, gain.high, "all pairs"))
    types = {"pair": "int32", "ratio": "float64", "low": "float64", "high": "float64"}
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(types)
