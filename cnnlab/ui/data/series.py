"""Sequences on a page: a few of each class beside each other, as small line charts."""

from __future__ import annotations

from functools import lru_cache

import altair as alt
import numpy as np
import pandas as pd

from cnnlab import charts

HEIGHT = 150  # pixels
GAP = 0.15
"""Empty room between two sequences, as a share of one."""
# Okabe and Ito's colours that do not stand for a device.
COLOURS = ("#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C8C8C")


def frame(sequences: np.ndarray) -> pd.DataFrame:
    """A row for each value drawn: `x` runs on from one sequence to the next, with a gap between.

    Args:
        sequences: float (n, steps, features, 1). The first few features alone are drawn.
    """
    shown = sequences[:, :, : len(COLOURS), 0]
    number, steps, feature = (axis.reshape(-1) for axis in np.indices(shown.shape))
    return pd.DataFrame(
        {
            "x": number * shown.shape[1] * (1 + GAP) + steps,
            "step": steps,
            "value": shown.reshape(-1),
            "feature": feature + 1,
            "sequence": number + 1,
        }
    )


@lru_cache(maxsize=1)
def chart() -> charts.Spec:
    """The drawing without its data: a line for each feature of each sequence."""
    drawing = (
        alt.Chart(charts.SOURCE, height=HEIGHT)
        .mark_line(strokeWidth=1.5)
        .encode(
            x=alt.X("x:Q", axis=None, scale=alt.Scale(nice=False, zero=False)),
            y=alt.Y("value:Q", title=None, axis=alt.Axis(tickCount=3)),
            color=alt.Color(
                "feature:N",
                legend=None,
                scale=alt.Scale(domain=list(range(1, len(COLOURS) + 1)), range=list(COLOURS)),
            ),
            detail="sequence:N",
            tooltip=[
                alt.Tooltip("sequence:N", title="Sequence"),
                alt.Tooltip("feature:N", title="Feature"),
                alt.Tooltip("step:Q", title="Step"),
                alt.Tooltip("value:Q", title="Value", format=".3~f"),
            ],
        )
    )
    return charts.spec_of(drawing)


def alt_text(name: str, sequences: np.ndarray) -> str:
    """The drawing in words."""
    count, steps, features, _ = sequences.shape
    return (
        f"Line chart of {count} sequences of the class {name} beside each other: {steps} steps of "
        f"{features} features, scaled to about -3 to 3."
    )
