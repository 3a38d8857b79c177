"""A step taken apart: bars of its parts, and its layers beneath their machine's roofs."""

from __future__ import annotations

import altair as alt

from cnnlab.analysis.anatomy import WAYS
from cnnlab.charts.dress import LETTERS, SOURCE, TALL, once, tooltip

ROOFS = alt.NamedData("roofs")
WAY_COLOURS = ("#56B4E9", "#0072B2", "#999999")
POINT, ROOF = "#D55E00", "#7A7A7A"


@once
def step_parts_spec() -> alt.Chart:
    """Milliseconds of each part, from `analysis.anatomy.parts_frame`."""
    return (
        alt.Chart(SOURCE, height=alt.Step(28))
        .mark_bar()
        .encode(
            x=alt.X("ms:Q", title="Milliseconds of a step", axis=alt.Axis(grid=False)),
            y=alt.Y(
                "part:N",
                title=None,
                sort=alt.EncodingSortField("place", op="min"),
                axis=alt.Axis(labelLimit=220),
            ),
            color=alt.Color(
                "way:N", title=None, scale=alt.Scale(domain=list(WAYS), range=list(WAY_COLOURS))
            ),
            order=alt.Order("way:N", sort="descending"),
            tooltip=[
                alt.Tooltip("part:N", title="Part"),
                alt.Tooltip("way:N", title="Pass"),
                tooltip("ms", "Milliseconds", ",.3~r"),
                tooltip("share", "Of the step", ".3~p"),
            ],
        )
    )


@once
def roofline_spec() -> alt.LayerChart:
    """Layers as points, from `analysis.anatomy.points_frame`; the roofs from `roofs_frame`, as the
    data set "roofs".
    """
    log = alt.Scale(type="log", nice=False, padding=16)
    x = alt.X("intensity:Q", title="Operations for each byte moved (log)", scale=log)
    y = alt.Y("gflops:Q", title="GFLOP/s (log)", scale=log)
    roofs = alt.Chart(ROOFS).encode(x=x, y=y, detail="roof:N")
    lines = roofs.mark_line(color=ROOF, strokeWidth=2)
    # A slanted roof is named where it begins, a level one where it ends.
    slanted = _end(roofs, "min", "!datum.level").mark_text(
        align="left", dx=12, dy=12, fontSize=alt.expr(LETTERS), color=ROOF
    )
    level = _end(roofs, "max", "datum.level").mark_text(
        align="right", dx=-6, dy=-8, fontSize=alt.expr(LETTERS), color=ROOF
    )
    names = [end.encode(text="roof:N") for end in (slanted, level)]
    points = (
        alt.Chart(SOURCE)
        .mark_circle(color=POINT, opacity=0.9)
        .encode(
            x=x,
            y=y,
            size=alt.Size("ms:Q", legend=None, scale=alt.Scale(range=[60, 600])),
            tooltip=[
                alt.Tooltip("layer:N", title="Layer"),
                tooltip("gflops", "GFLOP/s", ",.3~r"),
                tooltip("intensity", "Operations for each byte", ",.3~r"),
                tooltip("ms", "Milliseconds", ",.3~r"),
                alt.Tooltip("held:N", title="Held up by"),
            ],
        )
    )
    labels = (
        alt.Chart(SOURCE)
        .mark_text(align="left", dx=12, fontSize=alt.expr(LETTERS), color=POINT)
        .encode(x=x, y=y, text="layer:N")
    )
    return alt.LayerChart(layer=[lines, *names, points, labels], height=TALL)


def _end(roofs: alt.Chart, end: str, which: str) -> alt.Chart:
    """Of some roofs, the point at one end."""
    whole = roofs.transform_joinaggregate(end=f"{end}(intensity)", groupby=["roof"])
    return whole.transform_filter(f"{which} && datum.intensity == datum.end")
