"""Two networks over each other, with the blocks marked in which they differ."""

from __future__ import annotations

import altair as alt

from cnnlab.charts.dress import SOURCE, once

SAME, DIFFERS, ONLY = "#A8A8A8", "#6466B0", "#B4876A"
HEIGHT = 340  # pixels


@once
def networks_spec() -> alt.LayerChart:
    """The first network above, the second below, from `analysis.drawn_frame`.

    What both have at a place stands in one column. Differing blocks have an edge as well as a
    colour; hovering names the layer, its shape, parameters, FLOPs and time.
    """
    whole = alt.Scale(domain=[0, 1], nice=False)
    colours = alt.Scale(domain=["the same", "differs", "only here"], range=[SAME, DIFFERS, ONLY])
    base = alt.Chart()
    y_scale = alt.Scale(domain=[-2, 2], nice=False)
    blocks = base.mark_rect(cornerRadius=3, stroke="#7A7A7A").encode(
        x=alt.X("left:Q", axis=None, scale=whole),
        x2="right:Q",
        y=alt.Y("bottom:Q", axis=None, scale=y_scale),
        y2="top:Q",
        color=alt.Color("state:N", scale=colours, legend=alt.Legend(title=None)),
        strokeWidth=alt.when("datum.state === 'the same'")
        .then(alt.value(0))
        .otherwise(alt.value(2)),
        tooltip=[
            alt.Tooltip("network:N", title="Network"),
            alt.Tooltip("layer:N", title="Layer"),
            alt.Tooltip("state:N", title="In both"),
            alt.Tooltip("shape:N", title="Output shape"),
            alt.Tooltip("parameters:N", title="Parameters"),
            alt.Tooltip("flops:N", title="FLOPs"),
            alt.Tooltip("time:N", title="Time in a step"),
        ],
    )
    text = base.mark_text(
        dy=8, baseline="top", lineBreak="|", fontSize=12, color="#7A7A7A", limit=90
    )
    names = text.encode(
        x=alt.X("middle:Q", axis=None, scale=whole),
        y=alt.Y("bottom:Q", axis=None, scale=y_scale),
        text="title:N",
    )
    return alt.LayerChart(layer=[blocks, names], data=SOURCE, height=HEIGHT)
