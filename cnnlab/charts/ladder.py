"""The ladder: a waterfall of what each change brought, and the accuracy on each rung beside it."""

from __future__ import annotations

import altair as alt

from cnnlab.charts.dress import LETTERS, SOURCE, once

FASTER, SLOWER = "#6466B0", "#B4876A"
RUNG_HEIGHT, LONGEST_TITLE = 44, 300  # pixels


def _rungs(count: int, *layers: alt.Chart) -> alt.LayerChart:
    height = max(RUNG_HEIGHT * count, 150)
    return alt.LayerChart(layer=list(layers), data=SOURCE, height=height)


def _titles() -> alt.Y:
    axis = alt.Axis(labelLimit=LONGEST_TITLE, grid=False, ticks=False, domain=False)
    return alt.Y("change:N", title=None, sort=None, axis=axis)


@once
def waterfall_spec(count: int) -> alt.LayerChart:
    """How many times as fast as the first rung each one is, from `ladder.frame`.

    On a logarithmic axis equal factors are equally long. The thin line is how far epochs varied.

    Args:
        count: how many rungs there are.
    """
    base = alt.Chart().encode(y=_titles())
    scale = alt.Scale(type="log", nice=False, padding=70)
    colour = alt.when("datum.better").then(alt.value(FASTER)).otherwise(alt.value(SLOWER))
    bars = base.mark_bar(size=22).encode(
        x=alt.X("begin:Q", scale=scale, title="Times as fast as the first (log scale)"),
        x2="end:Q",
        color=colour,
        tooltip=[
            alt.Tooltip("change:N", title="Change"),
            alt.Tooltip("factor:N", title="Factor"),
            alt.Tooltip("end:Q", title="Times as fast as the first", format=".3~g"),
        ],
    )
    spread = base.mark_rule(strokeWidth=2, color="#8F8377").encode(
        x=alt.X("low:Q", scale=scale), x2="high:Q"
    )
    ends = base.mark_tick(thickness=3, size=30).encode(x=alt.X("end:Q", scale=scale), color=colour)
    text = base.mark_text(
        align="left", dx=8, fontSize=alt.expr(LETTERS), fontWeight=500, color="#7A7A7A"
    ).encode(x=alt.X("end:Q", scale=scale), text="factor:N")
    return _rungs(count, bars, spread, ends, text)


@once
def rungs_spec(count: int) -> alt.LayerChart:
    """The validation accuracy on each rung with its 95 % interval, from `ladder.frame`."""
    base = alt.Chart().encode(y=_titles())
    scale = alt.Scale(zero=False, nice=False, padding=20)
    ticks = alt.Axis(format="%", tickCount=5)
    interval = base.mark_rule(strokeWidth=2, color=FASTER).encode(
        x=alt.X("least:Q", scale=scale, axis=ticks, title="Validation accuracy"), x2="most:Q"
    )
    points = base.mark_point(filled=True, size=90, color=FASTER, opacity=1).encode(
        x=alt.X("accuracy:Q", scale=scale),
        tooltip=[
            alt.Tooltip("change:N", title="Change"),
            alt.Tooltip("accuracy:Q", title="Validation accuracy", format=".2%"),
        ],
    )
    return _rungs(count, interval, points)
