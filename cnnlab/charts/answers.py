"""What networks answered: class by class, what for what, how sure, and the pictures themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from cnnlab.charts.colours import shape_of
from cnnlab.charts.dress import LETTERS, SOURCE, WORDS, once, roomy

CELL, PICTURE = "cell", "picture"
"""The selections of a click: into a confusion matrix, on a picture."""
Runs = tuple[tuple[str, str], ...]
"""Name and colour of each run."""
ROW, AROUND = 28, 70  # pixels of a class in a list, and of the axis beneath
COLUMNS = 6
"""Pictures beside each other."""
TILE, SIDE = 148, 96  # pixels of a picture with the words beneath it, and of the picture
PICTURE_SIDE = f"min(width / {COLUMNS} - 8, {SIDE})"
"""Of a picture, in the browser's words: as much as the width has room for."""
WRITTEN = 20
"""Classes up to which there is room for numbers in the cells of a matrix."""
FLAT = 8
"""Classes up to which their names stand beside each other."""
MISTAKEN, RIGHT = ("#fde3cf", "#a63603"), ("#e3e6ea", "#5b646e")
DARK_CELL = "datum.right ? datum.share > 0.55 : datum.share > 0.22"
"""Where dark words could not be read."""
LETTER_WIDTH = 8
"""Pixels of a letter of an axis, as a mean, with what keeps two names apart."""
ROOM = f"11.5*{LETTERS}"
"""Pixels of a class's name on an axis, which would else be cut in the letters of a projector."""
NAMED = 40
"""Classes up to which there is room for all their names beside it."""


def _identity(runs: Runs, legend: bool) -> tuple[alt.Color, alt.Shape]:
    """Each run by its colour and its shape of point."""
    names, colours = [name for name, _ in runs], [colour for _, colour in runs]
    shapes = [shape_of(colour) for colour in colours]
    words = alt.Legend(title=None) if legend else None
    colour = alt.Color("run:N", scale=alt.Scale(domain=names, range=colours), legend=words)
    return colour, alt.Shape("run:N", scale=alt.Scale(domain=names, range=shapes), legend=words)


def _percent(field: str, title: str) -> alt.Tooltip:
    return alt.Tooltip(f"{field}:Q", title=title, format=".3~%")


@once
def by_class_spec(runs: Runs, classes: int) -> alt.LayerChart:
    """Which share of each class is right, a row each from the top down, with its interval.

    Columns `run place name share low high pictures`; classes are placed by `place`.
    """
    colour, shape = _identity(runs, len(runs) > 1)
    y = alt.Y(
        "name:N",
        sort=alt.EncodingSortField("place", op="min"),
        axis=alt.Axis(
            title=None,
            labelLimit=alt.expr(ROOM),
            labelOverlap=False,
            labelFlush=False,
            ticks=False,
            domain=False,
        ),
    )
    scale = roomy(domain=[0, 1])
    axis = alt.Axis(title="Right", format="%", tickCount=5)
    offset = alt.YOffset("run:N") if len(runs) > 1 else alt.Undefined
    told = [
        alt.Tooltip("run:N", title="Run"),
        alt.Tooltip("name:N", title="Class"),
        _percent("share", "Right"),
        _percent("low", "At least (95 %)"),
        _percent("high", "At most (95 %)"),
        alt.Tooltip("pictures:Q", title="Of", format=",d"),
    ]
    base = alt.Chart().encode(y=y, color=colour, yOffset=offset, tooltip=told)
    bars = base.mark_rule(strokeWidth=3, opacity=0.45).encode(
        x=alt.X("low:Q", scale=scale, axis=axis), x2="high:Q"
    )
    points = base.mark_point(filled=True, size=90, opacity=1).encode(
        x=alt.X("share:Q", scale=scale, axis=axis), shape=shape
    )
    height = ROW * classes * (len(runs) + 1) // 2 + AROUND
    return alt.LayerChart(layer=[bars, points], data=SOURCE, height=height)


@once
def confusion_spec(names: tuple[str, ...]) -> alt.LayerChart:
    """What each class (row) was taken for (column), from `analysis.confusion_frame`.

    The shade is the share of the class: mistakes in one hue, what is right in grey, so that the
    diagonal does not outshine what there is to see. A click chooses a cell.

    Args:
        names: of the classes that are shown, from the top down and from left to right.
    """
    axis: dict[str, Any] = {"labels": len(names) <= NAMED, "labelOverlap": False}
    axis |= {"labelLimit": alt.expr(ROOM)}
    axis |= {"ticks": False, "domain": False, "grid": False, "labelFlush": False}
    along = alt.X(
        "said_name:N",
        sort=list(names),
        axis=alt.Axis(**axis, title="Taken for", labelAngle=_slanted(names)),
    )
    down = alt.Y("true_name:N", sort=list(names), axis=alt.Axis(**axis, title="Really"))
    chosen = alt.selection_point(name=CELL, fields=["truth", "said"])
    told = [
        alt.Tooltip("true_name:N", title="Really"),
        alt.Tooltip("said_name:N", title="Taken for"),
        alt.Tooltip("count:Q", title="Pictures", format=",d"),
        _percent("share", "Of the class"),
    ]
    base = alt.Chart().encode(x=along, y=down, tooltip=told)
    empty = base.mark_rect(stroke="#8a939c", strokeWidth=0.4, fillOpacity=0)
    cells = base.transform_filter("datum.count > 0").mark_rect(cursor="pointer")
    wrong = cells.transform_filter("!datum.right").encode(color=_shade(MISTAKEN, 0.5))
    right = cells.transform_filter("datum.right").encode(color=_shade(RIGHT, 1.0))
    layers = [empty, right, wrong.add_params(chosen)]
    if len(names) <= WRITTEN:
        ink = alt.condition(DARK_CELL, alt.value("#ffffff"), alt.value("#12171d"))
        text = base.transform_filter("datum.count > 0").mark_text(fontSize=alt.expr(f"{LETTERS}-1"))
        layers.append(text.encode(text=alt.Text("count:Q", format=",d"), color=ink))
    height = max(min(36 * len(names), 760), 200) + AROUND
    chart = alt.LayerChart(layer=layers, data=SOURCE, height=height)
    return chart.resolve_scale(color="independent")


def _slanted(names: Sequence[str]) -> Any:
    """The angle of names along the bottom: flat where each has the room."""
    if len(names) > FLAT:
        return -45
    needed = len(names) * max(map(len, names), default=0) * LETTER_WIDTH
    return alt.expr(f"width < {needed} ? -45 : 0")


def _shade(ends: tuple[str, str], most: float) -> alt.Color:
    """From hardly any of a class to so much of it, or more."""
    scale = alt.Scale(range=list(ends), domain=[0, most], clamp=True)
    return alt.Color("share:Q", scale=scale, legend=None)


@once
def reliability_spec(runs: Runs) -> alt.LayerChart:
    """How often a run is right over how sure it was, beside the line on which both are equal.

    Columns `run sure share low high pictures`, from `analysis.reliability`.
    """
    colour, shape = _identity(runs, len(runs) > 1)
    scale = roomy(domain=[0, 1])
    form: dict[str, Any] = {"format": "%", "tickCount": 5, "grid": False}
    x = alt.X("sure:Q", scale=scale, axis=alt.Axis(title="How sure it was", **form))
    told = [
        alt.Tooltip("run:N", title="Run"),
        _percent("sure", "Sure"),
        _percent("share", "Right"),
        _percent("low", "At least (95 %)"),
        _percent("high", "At most (95 %)"),
        alt.Tooltip("pictures:Q", title="Of", format=",d"),
    ]
    base = alt.Chart().encode(x=x, color=colour, tooltip=told)
    y = alt.Y("share:Q", scale=scale, axis=alt.Axis(title="How often it was right", **form))
    line = base.mark_line(strokeWidth=2).encode(y=y)
    points = base.mark_point(filled=True, size=90, opacity=1).encode(y=y, shape=shape)
    spread = base.mark_rule(opacity=0.45, strokeWidth=2).encode(
        y=alt.Y("low:Q", scale=scale), y2="high:Q"
    )
    corners = alt.Chart(alt.sequence(0, 2, as_="value"))
    equal = corners.mark_line(strokeDash=[5, 4], color="#8a939c").encode(
        x=alt.X("value:Q", scale=scale), y=alt.Y("value:Q", scale=scale)
    )
    return alt.LayerChart(layer=[equal, spread, line, points], data=SOURCE, height=300)


@once
def bars_spec(colour: str, rows: int) -> alt.LayerChart:
    """The likeliest classes of one picture: columns `place name share text`."""
    y = alt.Y(
        "name:N",
        sort=alt.EncodingSortField("place", op="min"),
        axis=alt.Axis(title=None, ticks=False, domain=False, labelLimit=170),
    )
    x = alt.X("share:Q", axis=None, scale=alt.Scale(domain=[0, 1.2], nice=False))
    told = [alt.Tooltip("name:N", title="Class"), _percent("share", "Probability")]
    base = alt.Chart().encode(y=y, x=x, tooltip=told)
    bars = base.mark_bar(color=colour, height={"band": 0.7}, cornerRadius=2)
    text = base.mark_text(align="left", dx=6, fontSize=13, style=WORDS).encode(text="text:N")
    return alt.LayerChart(layer=[bars, text], data=SOURCE, height=30 * rows + 10)


@once
def pictures_spec(rows: int) -> alt.LayerChart:
    """Pictures in rows of `COLUMNS`, two lines of words beneath each; a click chooses one.

    Columns `picture column row url above below`: its number, its place, the picture as a data
    URL, and the lines.
    """
    chosen = alt.selection_point(name=PICTURE, fields=["picture"])
    across = alt.Scale(domain=[0, COLUMNS], nice=False)
    downwards = alt.Scale(domain=[0, rows], nice=False, reverse=True)
    base = alt.Chart().encode(
        x=alt.X("column:Q", axis=None, scale=across),
        y=alt.Y("row:Q", axis=None, scale=downwards),
        tooltip=[
            alt.Tooltip("above:N", title="Really"),
            alt.Tooltip("below:N", title="It says"),
            alt.Tooltip("picture:Q", title="Number", format=",d"),
        ],
    )
    side = alt.expr(PICTURE_SIDE)
    images = base.mark_image(
        width=side, height=side, align="left", baseline="top", cursor="pointer"
    ).encode(url="url:N")
    layers = [images.add_params(chosen), _line(base, "above", 3), _line(base, "below", 19)]
    return alt.LayerChart(layer=layers, data=SOURCE, height=TILE * rows)


def _line(base: alt.Chart, field: str, pixels: int) -> alt.Chart:
    """A line of words so far beneath each picture, smaller on a narrow screen."""
    words = base.mark_text(
        align="left",
        baseline="top",
        fontSize=alt.expr(f"width / {COLUMNS} < 90 ? 10 : 13"),
        style=WORDS,
        limit=alt.expr(f"width / {COLUMNS} - 6"),
        dy=alt.expr(f"{PICTURE_SIDE} + {pixels}"),
    )
    return words.encode(text=f"{field}:N")
