"""Parallel coordinates: an axis upwards for each thing that varies, a line for each variant."""

from __future__ import annotations

from typing import Any

import altair as alt

from cnnlab.charts.dress import LETTERS, SOURCE, TALL, WORDS, once
from cnnlab.charts.front import PICKED

TICKS = alt.NamedData("ticks")
LOW, MIDDLE, HIGH = "#B5651D", "#8A8A7A", "#2F8F86"
"""From the worst accuracy to the best; each is told from both grounds."""
INK = "#7A7A7A"


@once
def parallel_spec(axes: tuple[str, ...], ground: str) -> alt.LayerChart:
    """A line for each variant through its value on every axis, from `analysis.parallel_frame`; the
    values that stand on each axis from `analysis.ticks_frame` as the data set "ticks".

    A line has the colour of its accuracy, from the worst to the best of all. Pointing at one of its
    points tells what it is; a click singles it out.

    Args:
        axes: their titles, from left to right.
        ground: the colour behind, by which values stand out from the lines that pass them.
    """
    picked = alt.selection_point(name=PICKED, fields=["first"])
    near = alt.selection_point(
        name="near", fields=["first"], on="pointerover", clear="pointerout", empty=False
    )
    x = alt.X(
        "axis:N",
        sort=list(axes),
        title=None,
        scale=alt.Scale(type="point", domain=list(axes), padding=0.5),
        axis=alt.Axis(orient="top", labelAngle=0, domain=False, ticks=False, labelLimit=220),
    )
    y = alt.Y("place:Q", scale=alt.Scale(domain=[0, 1], nice=False), axis=None)
    colour = alt.Color(
        "level:Q", scale=alt.Scale(domain=[0, 0.5, 1], range=[LOW, MIDDLE, HIGH]), legend=None
    )
    seen = alt.when(near).then(alt.value(1)).when(picked).then(alt.value(0.85))
    lines = (
        alt.Chart()
        .mark_line(strokeWidth=2)
        .encode(x=x, y=y, detail="first:N", color=colour, opacity=seen.otherwise(alt.value(0.1)))
    )
    points = (
        alt.Chart()
        .mark_point(filled=True, size=110, cursor="pointer")
        .encode(
            x=x,
            y=y,
            color=colour,
            opacity=seen.otherwise(alt.value(0.1)),
            tooltip=[
                alt.Tooltip("name:N", title="Variant"),
                alt.Tooltip("said:N", title="Came to"),
            ],
        )
        .add_params(picked, near)
    )
    return alt.LayerChart(
        layer=[_rules(x), lines, points, *_texts(x, y, ground)], data=SOURCE, height=TALL
    )


def _rules(x: alt.X) -> alt.Chart:
    once_each = alt.Chart(TICKS).transform_aggregate(values="count()", groupby=["axis"])
    return once_each.mark_rule(color=INK, opacity=0.4).encode(x=x)


def _texts(x: alt.X, y: alt.Y, ground: str) -> list[alt.Chart]:
    """The values that stand on the axes, beside them, each on a strip of the ground."""
    looks: tuple[dict[str, Any], ...] = (
        {"color": ground, "stroke": ground, "strokeWidth": 5},
        {"style": WORDS},
    )
    base = alt.Chart(TICKS)
    return [
        base.mark_text(align="right", dx=-9, fontSize=alt.expr(LETTERS), limit=110, **look).encode(
            x=x, y=y, text="text:N"
        )
        for look in looks
    ]
