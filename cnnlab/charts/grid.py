"""Heat maps of a grid: time per image on a device, accuracy, and the ratio of two devices."""

from __future__ import annotations

import json
from collections.abc import Sequence

import altair as alt

from cnnlab.charts.colours import ACCELERATOR, CPU
from cnnlab.charts.dress import LETTERS, SOURCE, WORDS, once

CELL, SELECTED = "cell", "chosen"
# Pixels of a cell's side: three of the longest, with their axis, fit a phone.
LONGEST_SIDE, SHORTEST_SIDE, ACROSS = 96, 60, 290
NOT_KNOWN, PALE = "#8A94A0", 0.25
"""Of a cell without a figure: it can be seen and clicked on either ground."""
LIST_HEIGHT = 34  # pixels of a row that is the only column's
LONGEST_LABEL = 260  # pixels
BORDER = alt.NamedData("border")
DEEPEST = 3.0
"""Doublings from which on a colour gets no stronger: eight times as fast."""
# Blue - white - orange, as the devices have them everywhere; told apart by colour-blind eyes too.
DIVERGING = (CPU, "#9CC7E0", "#F4F4F2", "#F5D08A", ACCELERATOR)


def _axis(title: str, labels: Sequence[str]) -> alt.Axis:
    return alt.Axis(
        title=title,
        values=list(range(len(labels))),
        tickCount=len(labels),  # Vega leaves out every second value beyond one in 40 pixels
        labelExpr=f"{json.dumps(list(labels))}[datum.value]",
        labelAngle=0,
        labelLimit=LONGEST_LABEL,
        maxExtent=LONGEST_LABEL + 40,  # with the title, which else lies upon the labels
        grid=False,
        ticks=False,
        domain=False,
    )


def _base(x: tuple[str, tuple[str, ...]], y: tuple[str, tuple[str, ...]]) -> alt.Chart:
    def scale(labels: Sequence[str]) -> alt.Scale:
        return alt.Scale(domain=[-0.5, len(labels) - 0.5], nice=False, zero=False)

    return alt.Chart().encode(
        x=alt.X("left:Q", scale=scale(x[1]), axis=_axis(*x)),
        x2="right:Q",
        y=alt.Y("low:Q", scale=scale(y[1]), axis=_axis(*y)),
        y2="high:Q",
    )


def _written(colour: alt.Color | alt.Value, columns: int) -> alt.Chart:
    """The value in the middle of each cell; it grows with the window where the cells have room."""
    letters = alt.expr(LETTERS) if columns <= ACROSS // LONGEST_SIDE else 14
    return (
        alt.Chart()
        .mark_text(fontSize=letters, fontWeight=500)
        .encode(x=alt.X("column:Q"), y=alt.Y("row:Q"), text="text:N", color=colour)
    )


def _layered(columns: int, rows: int, *layers: alt.Chart) -> alt.LayerChart:
    """Cells are square; in a list, whose only column is as wide as there is room, rows are low."""
    if columns == 1 and rows > 1:
        height = max(LIST_HEIGHT * rows, 150)
        return alt.LayerChart(layer=list(layers), data=SOURCE, height=height)
    side = max(SHORTEST_SIDE, min(LONGEST_SIDE, ACROSS // columns))
    # The size is the cells'; left to itself, Streamlit takes the axes' room from it.
    whole = alt.AutoSizeParams(type="pad", contains="content")
    width, height = side * columns, side * rows
    return alt.LayerChart(
        layer=list(layers), data=SOURCE, width=width, height=height, autosize=whole
    )


def _told() -> list[alt.Tooltip]:
    """What a pointer tells of a cell."""
    titles = {
        "cell": "Cell",
        "time": "Time",
        "accuracy": "Validation accuracy",
        "parameters": "Parameters",
        "noisy": "Noisy",
    }
    return [alt.Tooltip(f"{field}:N", title=title) for field, title in titles.items()]


def _ground(x: tuple[str, tuple[str, ...]], y: tuple[str, tuple[str, ...]]) -> alt.Chart:
    """What is seen of a cell without a figure, behind all of them."""
    marks = _base(x, y).mark_rect(
        stroke="white", strokeWidth=2, cursor="pointer", color=NOT_KNOWN, fillOpacity=PALE
    )
    # Only with a tooltip does Vega-Lite let a click through to marks that have no selection.
    return marks.encode(tooltip=_told())


def _unknown() -> alt.Chart:
    """The sign on a cell without a figure, in the ink of the page."""
    return (
        alt.Chart()
        .transform_filter("!isValid(datum.level)")
        .mark_text(fontSize=14, style=WORDS)
        .encode(x=alt.X("column:Q"), y=alt.Y("row:Q"), text="text:N")
    )


@once
def cells_spec(x: tuple[str, tuple[str, ...]], y: tuple[str, tuple[str, ...]]) -> alt.LayerChart:
    """One figure of each cell, from `analysis.times_frame` or `analysis.accuracy_frame`.

    Args:
        x: title and labels of the axis along the bottom; `y` of the one upwards.
    """
    chosen = alt.selection_point(name=SELECTED, fields=[CELL])
    cells = (
        _base(x, y)
        .mark_rect(stroke="white", strokeWidth=2, cursor="pointer")
        .encode(
            # Cividis is made for colour-blind eyes; one scale for all devices of a sweep.
            color=alt.Color(
                "level:Q",
                scale=alt.Scale(scheme="cividis", domain=[0, 1]),
                legend=None,
            ),
            tooltip=_told(),
        )
        .add_params(chosen)
    )
    ink = alt.when(alt.datum.dark).then(alt.value("white")).otherwise(alt.value("#12171d"))
    known = _written(ink, len(x[1])).transform_filter("isValid(datum.level)")
    return _layered(len(x[1]), len(y[1]), _ground(x, y), cells, known, _unknown())


@once
def ratio_spec(x: tuple[str, tuple[str, ...]], y: tuple[str, tuple[str, ...]]) -> alt.LayerChart:
    """How many times as fast the second device is, from `analysis.ratio_frame`; the break-even
    line from `analysis.border_frame` as the data set "border"."""
    chosen = alt.selection_point(name=SELECTED, fields=[CELL])
    cells = (
        _base(x, y)
        .mark_rect(stroke="white", strokeWidth=2, cursor="pointer")
        .encode(
            color=alt.Color(
                "doublings:Q",
                scale=alt.Scale(
                    domain=[-DEEPEST, -DEEPEST / 3, 0, DEEPEST / 3, DEEPEST],
                    range=list(DIVERGING),
                    clamp=True,
                ),
                legend=None,
            ),
            tooltip=[
                alt.Tooltip("cell:N", title="Cell"),
                alt.Tooltip("ratio:Q", title="Times as fast", format=",.3~g"),
                alt.Tooltip("parameters:N", title="Parameters"),
                alt.Tooltip("noisy:N", title="Noisy"),
            ],
        )
        .add_params(chosen)
    )
    deep = "datum.doublings < -1.5"
    ink = alt.when(deep).then(alt.value("white")).otherwise(alt.value("#12171d"))
    line = (
        alt.Chart(BORDER)
        .mark_rule(strokeWidth=4, color="#12171d", strokeCap="round")
        .encode(x="x:Q", x2="x2:Q", y="y:Q", y2="y2:Q")
    )
    return _layered(len(x[1]), len(y[1]), cells, _written(ink, len(x[1])), line)
