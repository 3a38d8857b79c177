"""The pairs of a race."""

from __future__ import annotations

import altair as alt

from cnnlab.charts.colours import REFERENCE
from cnnlab.charts.dress import STRONG_INK, layered, once, roomy, tooltip

ROW_HEIGHT, AXIS_HEIGHT = 56, 136  # the axis with its title, and the legend, on a projector too
WHOLE = "all pairs"


def pairs(first: str, lanes: int, level: float) -> alt.LayerChart:
    """Each pair's ratio as a point and the spread of them all as a bar, from `race.pairs_frame`.

    Args:
        first: the lane that the others are held against.
        lanes: how many others there are.
        level: within so much of 1 nobody is ahead; shaded.
    """
    title = f"Times as fast as {first}"
    scale = roomy(type="log")
    base = alt.Chart().encode(
        x=alt.X("ratio:Q", title=title, scale=scale),
        y=alt.Y("lane:N", title=None, axis=alt.Axis(labelLimit=240)),
        tooltip=[
            alt.Tooltip("lane:N", title="Lane"),
            alt.Tooltip("part:N", title="What"),
            tooltip("ratio", "Times as fast", ".3f"),
            tooltip("low", "From", ".3f"),
            tooltip("high", "To", ".3f"),
        ],
    )
    ends = {"x": alt.X("low:Q", title=title, scale=scale), "x2": "high:Q"}
    band = (
        alt.Chart()
        .transform_aggregate(rows="count()")
        .transform_calculate(low=str(1 / (1 + level)), high=str(1 + level))
        .mark_rect(color=REFERENCE, opacity=0.25)
        .encode(**ends)
    )
    whole = base.transform_filter(alt.datum.part == WHOLE)
    spread = whole.mark_rule(strokeWidth=10, opacity=0.35, style=STRONG_INK).encode(**ends)
    middle = whole.mark_tick(thickness=3, size=28, style=STRONG_INK)
    shapes = alt.Scale(domain=["pair", "disturbed pair"], range=["circle", "cross"])
    points = (
        base.transform_filter(alt.datum.part != WHOLE)
        .mark_point(size=90, strokeWidth=2, style=STRONG_INK)
        .encode(shape=alt.Shape("part:N", title=None, scale=shapes))
    )
    return layered(ROW_HEIGHT * lanes + AXIS_HEIGHT, band, spread, middle, points)


pairs_spec = once(pairs)
