"""Accuracy against time, with the front of what nothing beats in both."""

from __future__ import annotations

import altair as alt

from cnnlab.charts.colours import REFERENCE, shape_of
from cnnlab.charts.dress import LETTERS, SOURCE, TALLEST, WORDS, by_window, once

PICKED = "picked"
SMALLEST, LARGEST = 90, 900  # square pixels of a point
INWARDS = "scale('x',datum.seconds)<90?'left':scale('x',datum.seconds)>width-90?'right':'center'"
"""How a name lies to its point: one at an edge would lie upon the axis, or be cut."""
BESIDE = f"((datum.names-datum.place)%2?1:-1)*(16+0.6*{LETTERS})"
"""How far below its point a name stands, beyond the largest point: the last of the front above it,
the one before below, and so on, so that neighbours whose points are near do not meet."""
ROOM = by_window(150, 280)
"""Pixels of a name: a projector has more of them."""
ON_FRONT = "datum.front === 'on the front'"


@once
def front_spec(runs: tuple[tuple[str, str], ...]) -> alt.LayerChart:
    """A point for each group of repeats, from `analysis.front_frame`, as large as the network; a
    bar from the worst to the best of them; a line through those on the Pareto front, which bear
    their names. A click picks a point.

    Args:
        runs: id and colour of the first run of each group.
    """
    base = alt.Chart()
    time = alt.Scale(type="log", nice=False, padding=56)
    share = alt.Scale(zero=False, nice=False, padding=40)
    # A label that has no room at an edge would be cut there.
    ticks = alt.Axis(labelBound=True)
    x = alt.X("seconds:Q", scale=time, axis=ticks, title="Seconds of training (log scale)")
    y = alt.Y(
        "accuracy:Q",
        scale=share,
        axis=alt.Axis(format="%", tickCount=6),
        title="Validation accuracy",
    )
    line = (
        base.mark_line(interpolate="step-after", strokeWidth=1.5, color=REFERENCE)
        .encode(x=x, y=y)
        .transform_filter(ON_FRONT)
    )
    spread = base.mark_rule(strokeWidth=2, color=REFERENCE).encode(
        x=x, y=alt.Y("least:Q", scale=share), y2="most:Q"
    )
    names = (
        base.mark_text(
            dy=alt.expr(BESIDE),
            align=alt.expr(INWARDS),
            fontSize=alt.expr(LETTERS),
            style=WORDS,
            limit=alt.expr(ROOM),
        )
        .encode(x="seconds:Q", y="accuracy:Q", text="name:N")
        .transform_filter(ON_FRONT)
        .transform_window(
            frame=[None, None],
            sort=[alt.SortField("seconds")],
            place="row_number()",
            names="count()",
        )
    )
    return alt.LayerChart(
        layer=[line, spread, _points(base, x, y, runs), names], data=SOURCE, height=TALLEST
    )


def _points(base: alt.Chart, x: alt.X, y: alt.Y, runs: tuple[tuple[str, str], ...]) -> alt.Chart:
    ids, colours = [run_id for run_id, _ in runs], [colour for _, colour in runs]
    shapes = alt.Scale(domain=ids, range=list(map(shape_of, colours)))
    size = alt.Scale(type="sqrt", range=[SMALLEST, LARGEST])
    return (
        base.mark_point(filled=True, cursor="pointer")
        .encode(
            x=x,
            y=y,
            color=alt.Color("first:N", scale=alt.Scale(domain=ids, range=colours), legend=None),
            shape=alt.Shape("first:N", scale=shapes, legend=None),
            size=alt.Size("parameters:Q", scale=size, legend=None),
            opacity=alt.condition(ON_FRONT, alt.value(1), alt.value(0.7)),
            tooltip=[
                alt.Tooltip("name:N", title="Run"),
                alt.Tooltip("said:N", title="Came to"),
                alt.Tooltip("size:N", title="Parameters"),
            ],
        )
        .add_params(alt.selection_point(name=PICKED, fields=["first"]))
    )
