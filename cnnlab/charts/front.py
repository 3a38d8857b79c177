"""Accuracy against time, with the front of what nothing beats in both."""

from __future__ import annotations

import altair as alt

from cnnlab.charts.dress import SOURCE, TALL, once

FRONT, BEHIND = "#6466B0", "#A8A8A8"
PICKED = "picked"


@once
def front_spec() -> alt.LayerChart:
    """A point for each group of repeats, from `analysis.front_frame`; a bar from the worst to the
    best of them; a line through those on the Pareto front. A click picks a point.
    """
    base = alt.Chart()
    time = alt.Scale(type="log", nice=False, padding=24)
    share = alt.Scale(zero=False, nice=False, padding=24)
    x = alt.X("seconds:Q", scale=time, title="Seconds of training (log scale)")
    y_axis = alt.Axis(format="%", tickCount=6)
    on_front = "datum.front === 'on the front'"
    line = (
        base.mark_line(interpolate="step-after", strokeWidth=2, color=FRONT)
        .encode(x=x, y=alt.Y("accuracy:Q", scale=share, axis=y_axis, title="Validation accuracy"))
        .transform_filter(on_front)
    )
    spread = base.mark_rule(strokeWidth=2, color="#8F8377").encode(
        x=x, y=alt.Y("least:Q", scale=share), y2="most:Q"
    )
    points = (
        base.mark_point(filled=True, size=140, opacity=1, cursor="pointer")
        .encode(
            x=x,
            y=alt.Y("accuracy:Q", scale=share),
            color=alt.Color(
                "front:N",
                scale=alt.Scale(domain=["on the front", "behind it"], range=[FRONT, BEHIND]),
                legend=alt.Legend(title=None),
            ),
            tooltip=[alt.Tooltip("name:N", title="Run"), alt.Tooltip("said:N", title="Came to")],
        )
        .add_params(alt.selection_point(name=PICKED, fields=["first"]))
    )
    return alt.LayerChart(layer=[line, spread, points], data=SOURCE, height=TALL)
