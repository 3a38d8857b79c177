"""One run: its curves, its steps, its memory, how much it learnt by heart."""

from __future__ import annotations

from typing import Any

import altair as alt

from cnnlab.analysis import Axis, Metric
from cnnlab.charts.colours import REFERENCE
from cnnlab.charts.dress import (
    BEFORE,
    HALO,
    LARGE_NUMBERS,
    LETTERS,
    LOW,
    QUANTITIES,
    SOURCE,
    SPLITS,
    STRONG,
    TALL,
    hover,
    layered,
    once,
    roomy,
    tooltip,
    x_axis,
    x_tooltip,
    zoom,
)
from cnnlab.charts.gliding import veil


def curve(
    metric: Metric, axis: Axis, colour: str, height: int = TALL, until: float | None = None
) -> alt.LayerChart:
    """Training and validation of one run, from `analysis.only(analysis.curves(...), metric)`.

    Rows whose split is `BEFORE` are the validation of another run, a ghost behind this one. Each
    line bears its name at its end.

    Args:
        height: pixels.
        until: where the horizontal axis ends, of a run that grows, so that its axes stand still
            and what is new of the accuracy is uncovered from left to right. The newest row comes
            last then.
    """
    _, short, format_ = QUANTITIES[metric]
    axes = _upon_axes(metric, axis, until)  # once, for what else is drawn has the same
    grey = alt.when(alt.datum.split == BEFORE).then(alt.value(REFERENCE))
    paint = grey.otherwise(alt.value(colour))
    lines = _lines(axes).encode(color=paint).add_params(zoom())
    told = [
        alt.Tooltip("split:N", title="Pictures"),
        x_tooltip(axis),
        tooltip("value", short, format_),
    ]
    names = _names_at_ends(paint, still=until is None)
    # Those of the other lines are not seen; a pointer near them finds their values all the same.
    seen = alt.condition("datum.split === 'validation'", alt.value(1), alt.value(0))
    points = alt.Chart().mark_point(filled=True, size=70, color=colour)
    points = points.encode(x="x:Q", y="value:Q", opacity=seen, tooltip=told)
    if until is None or metric != "accuracy":
        return layered(height, lines, names, points)
    hidden = veil(axis, _span(until))
    return layered(height, lines.add_params(TOP), points, hidden, names)


def _upon_axes(metric: Metric, axis: Axis, until: float | None) -> alt.Chart:
    title, share, grows = QUANTITIES[metric][0], metric == "accuracy", until is not None
    # Three digits: a first loss of 4.60517 would fill the margin. The room for names goes below 0,
    # and of a share beyond all; no line of the grid is drawn in it, which would have no label.
    most = f" || datum.value > {TOP.name if grows else 1} + 1e-3" if share else ""
    beyond = f"datum.value < 0{most}"
    held = {"domainMax": alt.expr(TOP.name)} if grows and share else {}
    faint = _FAINT if held else 1
    ticks = alt.Axis(
        format="%" if share else ".3~r",
        labelExpr=f"{beyond} ? '' : datum.label",
        labelBound=True,
        gridOpacity=alt.condition(beyond, alt.value(0), alt.value(faint)),
        **(_ABOVE if held else {}),
    )
    # A number: what follows the window is known after the axis was laid out, which cuts its labels.
    room = alt.Scale(nice=False, padding=ROOM, zero=share or grows, **held)
    x = x_axis("x", axis, scale=_span(until))
    return alt.Chart().encode(x=x, y=alt.Y("value:Q", title=title, axis=ticks, scale=room))


def _span(until: float | None) -> alt.Scale:
    return roomy() if until is None else roomy(domain=[0, until])


_ABOVE: dict[str, Any] = {"zindex": 1, "gridColor": "#808080"}
_FAINT = 0.2
"""Of a grid that lies above the veil: too faint to cut the curves."""
TOP = alt.param(
    name="top",
    expr="extent(pluck(data('source'), 'value'))[1] > 0.5 ? 1 : "
    "extent(pluck(data('source'), 'value'))[1] > 0.2 ? 0.5 : 0.2",
)
"""Where an axis of shares ends that stands still, but for twice, while a network learns."""


def _lines(base: alt.Chart) -> alt.Chart:
    """Training thin and pale, validation strong, an earlier run between them."""
    lines = [*SPLITS, BEFORE]
    # Left to itself, a scale of three would go evenly from the first to the last.
    widths, opacities = (
        alt.Scale(type="ordinal", domain=lines, range=found)
        for found in ([1.25, STRONG, 2], [0.6, 1, 0.7])
    )
    return base.mark_line(clip=True).encode(
        strokeWidth=alt.StrokeWidth("split:N", scale=widths, legend=None),
        opacity=alt.Opacity("split:N", scale=opacities, legend=None),
    )


_FITS_BEYOND = f"scale('x',datum.x)<width-8.5*{LETTERS}"
"""Whether there is room for a line's name beyond its end, where it hides no point."""
ROOM = 36
"""Pixels beyond the highest and the lowest point, for a name in the letters of a projector."""
_ROW, _UP, _DOWN = (f"{share}*{LETTERS}" for share in (1.15, 0.8, 0.95))
"""From one name to the next, and from the end of a line to a name that has room there."""
_UPWARDS, _DOWNWARDS = (f"scale('y',datum.{end})-scale('y',datum.value)" for end in ("top", "low"))
"""Where the uppermost and the lowest line end, seen from the end of another."""
_BESIDE_ITS_END = (
    f"datum.place<2?-{_ROW}:datum.place==datum.names?{_ROW}"
    ":datum.top-datum.value>datum.value-datum.low"
    f"?max(-{_UP},{_UPWARDS}):min({_DOWN},{_DOWNWARDS})"
)
"""How far below the end of its line a name stands: the uppermost a row above, the lowest a row
below. What lies between has a row on either side wherever the lines end, and leaves its own line
on the side where the next one is farther, as far as that leaves room."""


def _names_at_ends(paint: Any, *, still: bool) -> alt.Chart | alt.LayerChart:
    """The name of each line at its last point, in the order in which the lines end, none upon
    another however near to each other they end; where there is room, beyond the end.

    Args:
        still: each has a ground of its own too, for it may lie upon a line. A chart that is sent
            again and again does without.
    """
    ends = (
        alt.Chart()
        .encode(x="x:Q", y="value:Q", text="split:N")
        .transform_filter("isValid(datum.value)")
        .transform_joinaggregate(last="max(x)", groupby=["split"])
        .transform_filter("datum.x===datum.last")
        .transform_window(
            frame=[None, None],
            sort=[alt.SortField("value", order="descending")],
            place="row_number()",
            names="count()",
            top="max(value)",
            low="min(value)",
        )
    )
    name: dict[str, Any] = {
        "align": alt.expr(f"{_FITS_BEYOND}?'left':'right'"),
        "dx": alt.expr(f"({_FITS_BEYOND}?0.65:-0.45)*{LETTERS}"),
        "dy": alt.expr(_BESIDE_ITS_END),
        "fontSize": alt.expr(LETTERS),
        "fontWeight": 600,
    }
    names = ends.mark_text(**name).encode(color=paint)
    return alt.LayerChart(layer=[ends.mark_text(style=HALO, **name), names]) if still else names


def step_times(colour: str) -> alt.LayerChart:
    """Every step and the rolling median, from `analysis.step_times`.

    The axis is logarithmic, so that a first step a hundred times as long leaves the rest readable.
    """
    shown = alt.selection_point(name="shown", fields=["series"], bind="legend")
    y = roomy(type="log")
    base = alt.Chart().encode(x=x_axis("step", "step"))
    names = alt.Legend(labelExpr="datum.label == 'ms' ? 'each step' : 'rolling median'")
    colours = alt.Scale(domain=["ms", "median_ms"], range=[REFERENCE, colour])
    lines = (
        base.transform_fold(["ms", "median_ms"], as_=["series", "value"])
        .mark_line(strokeWidth=2)
        .encode(
            y=alt.Y(
                "value:Q", title="Step time (ms, log scale)", scale=y, axis=alt.Axis(grid=False)
            ),
            color=alt.Color("series:N", title=None, scale=colours, legend=names),
            opacity=alt.when(shown).then(alt.value(0.9)).otherwise(alt.value(0.05)),
        )
    )
    pointed = hover(base).encode(
        y=alt.Y("ms:Q", scale=y),
        tooltip=[
            tooltip("step", "Step", ",d"),
            tooltip("ms", "This step (ms)", ",.3~f"),
            tooltip("median_ms", "Median around it (ms)", ",.3~f"),
        ],
    )
    return layered(LOW, lines.add_params(shown, zoom()), pointed)


def step_histogram(colour: str) -> alt.Chart:
    """How step times are distributed, from `analysis.step_histogram`; grey: longer still."""
    grey_beyond = alt.when(alt.datum.overflow).then(alt.value(REFERENCE))
    return (
        alt.Chart(SOURCE, height=LOW)
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X(
                "from_ms:Q",
                title="Step time (ms); grey: longer",
                bin="binned",
                axis=alt.Axis(tickCount=8),
            ),
            x2="to_ms:Q",
            y=alt.Y("steps:Q", title="Steps", axis=alt.Axis(labelExpr=LARGE_NUMBERS)),
            color=grey_beyond.otherwise(alt.value(colour)),
            tooltip=[
                tooltip("from_ms", "From (ms)", ",.3~f"),
                tooltip("to_ms", "To (ms)", ",.3~f"),
                tooltip("steps", "Steps", ",d"),
                alt.Tooltip("overflow:N", title="And longer"),
            ],
        )
        .add_params(zoom())
    )


def throughput(colour: str) -> alt.LayerChart:
    """Pictures per second over wall time, from `analysis.throughput`."""
    base = alt.Chart().encode(
        x=x_axis("seconds", "seconds"),
        y=alt.Y(
            "images_per_second:Q",
            title="Trained per second",
            axis=alt.Axis(labelExpr=LARGE_NUMBERS),
        ),
        tooltip=[
            tooltip("seconds", "Wall time (s)", ",.1~f"),
            tooltip("images_per_second", "Trained per second", ",.0f"),
        ],
    )
    line = base.mark_line(color=colour, strokeWidth=2.5).add_params(zoom())
    return layered(LOW, line, hover(base))


def memory(colour: str) -> alt.LayerChart:
    """Memory of the worker process, and dashed of the device's allocator: `analysis.memory`."""
    places = alt.Scale(domain=["process", "device"], range=[[1, 0], [6, 4]])
    legend = alt.Legend(symbolStrokeColor=colour, symbolSize=500)
    shown = alt.selection_point(name="shown", fields=["place"], bind="legend")
    base = alt.Chart().encode(
        x=x_axis("seconds", "seconds"),
        y=alt.Y("mb:Q", title="Memory (MB)", axis=alt.Axis(format=",d")),
        strokeDash=alt.StrokeDash("place:N", title=None, scale=places, legend=legend),
        tooltip=[
            alt.Tooltip("place:N", title="Memory of the"),
            tooltip("seconds", "Wall time (s)", ",.1~f"),
            tooltip("mb", "Memory (MB)", ",.0f"),
        ],
    )
    line = base.mark_line(color=colour, strokeWidth=2.5).encode(
        opacity=alt.when(shown).then(alt.value(1)).otherwise(alt.value(0.1))
    )
    return layered(LOW, line.add_params(shown, zoom()), hover(base))


def gap(colour: str) -> alt.LayerChart:
    """Training and validation accuracy of one run with what lies between them shaded.

    From a frame with the columns epoch, accuracy, val_accuracy.
    """
    share = alt.Axis(format="%", labelBound=True)
    scale = alt.Scale(
        domainMin=0, nice=False, padding=24
    )  # room for the name above the highest point
    upper = alt.Y("accuracy:Q", title="Accuracy", axis=share, scale=scale)
    lower = alt.Y("val_accuracy:Q")
    x = x_axis("epoch", "epoch", scale=alt.Scale(domainMin=0, padding=24))
    named = alt.Chart().encode(x=x, color=alt.value(colour))
    base = named.encode(
        tooltip=[
            tooltip("epoch", "Epoch", ",d"),
            tooltip("accuracy", "Training accuracy", ".3~p"),
            tooltip("val_accuracy", "Validation accuracy", ".3~p"),
        ],
    )
    last, end = (
        chart.transform_joinaggregate(last="max(epoch)").transform_filter(
            "datum.epoch == datum.last"
        )
        for chart in (base, named)
    )
    higher = "datum.accuracy >= datum.val_accuracy"
    lines = (("training", "accuracy:Q", higher), ("validation", lower, f"!({higher})"))
    return layered(
        LOW,
        base.mark_area(opacity=0.2).encode(y=upper, y2="val_accuracy:Q"),
        base.mark_line(strokeWidth=1.25, point=True).encode(y="accuracy:Q").add_params(zoom()),
        base.mark_line(strokeWidth=STRONG, point=True).encode(y=lower),
        # A published run has one or two points: the gap is then this line alone.
        last.mark_rule(strokeWidth=2).encode(y="accuracy:Q", y2="val_accuracy:Q"),
        *(_beside(end.encode(y=y), name, above) for name, y, above in lines),
    )


def _beside(end: alt.Chart, name: str, above: str) -> alt.LayerChart:
    """The name of a line at its end, on the side where the other line does not end."""
    side = alt.expr(f"{above} ? -10 : 4 + 0.85*{LETTERS}")
    form: dict[str, Any] = {"text": name, "align": "right", "dx": -8, "dy": side}
    form["fontSize"] = alt.expr(LETTERS)
    return alt.LayerChart(layer=[end.mark_text(style=HALO, **form), end.mark_text(**form)])


curve_spec = once(curve)
step_times_spec = once(step_times)
step_histogram_spec = once(step_histogram)
throughput_spec = once(throughput)
memory_spec = once(memory)
gap_spec = once(gap)
