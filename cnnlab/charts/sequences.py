"""A sequence that a network sees, and what moved its answer, step by step."""

from __future__ import annotations

import altair as alt

from cnnlab.charts.dress import SOURCE, once, roomy

# Okabe and Ito's colours that do not stand for a device.
FEATURES = ("#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#8C8C8C")
"""Colours of the features that are drawn, which are so many at most."""
MOST_FEATURES = len(FEATURES)
MARGIN = 56  # pixels left of every chart, so that steps of one stand above those of the other


def _steps(title: str | None) -> alt.X:
    axis = alt.Axis(title=title, grid=False, tickMinStep=1, format=",d")
    return alt.X("step:Q", scale=roomy(), axis=axis)


def _left(title: str) -> alt.Axis:
    return alt.Axis(title=title, tickCount=3, grid=False, minExtent=MARGIN, maxExtent=MARGIN)


@once
def signal_spec(features: int) -> alt.LayerChart:
    """The sequence: columns `step value feature`, features counted from 1."""
    numbers = list(range(1, features + 1))
    scale = alt.Scale(domain=numbers, range=list(FEATURES[:features]))
    legend = alt.Legend(title="Feature") if features > 1 else None
    lines = (
        alt.Chart()
        .mark_line(strokeWidth=1.75)
        .encode(
            x=_steps(None),
            y=alt.Y("value:Q", scale=alt.Scale(zero=False), axis=_left("Value")),
            color=alt.Color("feature:N", scale=scale, legend=legend),
            tooltip=[
                alt.Tooltip("step:Q", title="Step"),
                alt.Tooltip("feature:N", title="Feature"),
                alt.Tooltip("value:Q", title="Value", format=".3~f"),
            ],
        )
    )
    return alt.LayerChart(layer=[lines], data=SOURCE, height=220)


@once
def pull_spec(colour: str) -> alt.LayerChart:
    """How much each step moves the answer: columns `step pull`."""
    area = (
        alt.Chart()
        .mark_area(color=colour, opacity=0.7, line={"color": colour, "strokeWidth": 2})
        .encode(
            x=_steps("Step"),
            y=alt.Y("pull:Q", axis=_left("Gradient")),
            tooltip=[
                alt.Tooltip("step:Q", title="Step"),
                alt.Tooltip("pull:Q", title="Gradient", format=".3~g"),
            ],
        )
    )
    return alt.LayerChart(layer=[area], data=SOURCE, height=170)
