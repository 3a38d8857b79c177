"""Charts: each function names a chart and returns its Vega-Lite spec, built once, without data.

A page sends a tidy frame beside it: `st.vega_lite_chart(packed(frame), spec, key=..., alt=...)`.
Nothing in a spec depends on live values, so the browser keeps its view and only swaps the data.
With `**KEEP_ZOOM` added it also keeps the zoom: Streamlit forgets a zoom when data change, unless
the chart's zoom is a selection that it knows (the frontend's `useVegaEmbed`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, wraps
from typing import Any, Literal, ParamSpec, cast

import altair as alt
import pandas as pd
import pyarrow as pa

from cnnlab.analysis import PHASES, Axis, DeviceKind, Measure, Metric, Progress

Spec = dict[str, Any]
Family = DeviceKind | Literal["reference"]
Quantity = Literal["loss", "accuracy", "step_ms"]
P = ParamSpec("P")

CPU, ACCELERATOR, REFERENCE = "#0072B2", "#E69F00", "#7A7A7A"
COLOURS: dict[Family, str] = {"cpu": CPU, "accelerator": ACCELERATOR, "reference": REFERENCE}
# Shades that stay apart on white and on dark ground, for several runs of one family.
SHADES: dict[Family, tuple[str, ...]] = {
    "cpu": (CPU, "#56B4E9", "#3F6FD8", "#2A9DB0", "#8AA6E8"),
    "accelerator": (ACCELERATOR, "#D55E00", "#F0B95A", "#C9822B", "#F08A5D"),
    "reference": (REFERENCE, "#A8A8A8", "#5E6B75", "#8F8377", "#949CA3"),
}
PHASE_COLOURS = (
    "#7A7A7A",
    "#A8A8A8",
    "#CC79A7",
    "#D55E00",
    "#009E73",
    "#56B4E9",
    "#C9C9C9",
)

TALLEST, TALL, LOW = 420, 340, 260  # pixels: to be read across a room
ZOOM = "zoom"
KEEP_ZOOM: dict[str, Any] = {"on_select": "rerun", "selection_mode": ZOOM}
ZOOM_HINT = "Scroll to zoom, drag to move, double-click to see everything again."

SOURCE = alt.NamedData("source")  # the name under which Streamlit hands over the frame
AXIS_TITLES: dict[Progress, str] = {
    "step": "Step",
    "epoch": "Epoch",
    "seconds": "Wall time (seconds since the start of training)",
    "images": "Images seen",
    "joules": "Energy (J; the whole fit's, spread over its time)",
}
AXIS_FORMATS: dict[Progress, str] = {
    "step": ",d",
    "epoch": ",.2~f",
    "seconds": ",.1~f",
    "images": ",d",
    "joules": ",.3~s",
}
# Title of the axis, title in a tooltip, number format.
QUANTITIES: dict[Quantity, tuple[str, str, str]] = {
    "loss": ("Loss (mean of the epoch so far)", "Loss", ".4~f"),
    "accuracy": ("Accuracy (mean of the epoch so far)", "Accuracy", ".2~%"),
    "step_ms": ("Step time, rolling median (ms)", "Step time (ms)", ",.3~s"),
}
MEASURES: dict[Measure, tuple[str, str, str]] = {
    "accuracy": ("Accuracy", "Accuracy", ".3~p"),
    "loss": ("Loss", "Loss", ".4~f"),
    "step_ms": ("Step time (ms)", "Step time (ms)", ",.3~s"),
    "gap": ("Training above validation accuracy", "Gap", ".3~p"),
}
ALT_TEXT = {
    "loss": "Line chart of the loss: training as a solid line, validation dashed with points.",
    "accuracy": "Line chart of the accuracy: training solid, validation dashed with points.",
    "step_times": "Line chart of the time each training step took, with its rolling median.",
    "step_histogram": "Bar chart of how many steps took how many milliseconds.",
    "throughput": "Line chart of the images trained per second over wall time.",
    "memory": "Line chart of the memory in use over wall time, of the process and the device.",
    "overlay_loss": "Line chart of the loss of several runs, one colour each.",
    "overlay_accuracy": "Line chart of the accuracy of several runs, one colour each.",
    "overlay_step_ms": "Line chart of the step times of several runs, one colour each.",
    "compare_accuracy": "Line chart of the accuracy of the chosen runs, one colour each: training "
    "as solid lines, validation dashed. The table of results below has the figures.",
    "compare_loss": "Line chart of the loss of the chosen runs, one colour each: training as "
    "solid lines, validation dashed. The table of results below has the figures.",
    "compare_step_ms": "Line chart of the step times of the chosen runs, one colour each.",
    "compare_gap": "Line chart of how far training accuracy lies above validation accuracy, one "
    "line a run.",
    "gap": "Line chart of one run's training accuracy, solid, and validation accuracy, dashed, "
    "with the gap between them shaded.",
    "ledger": "Stacked bars of where each run's wall time went, phase by phase.",
}


def alt_text(chart: str) -> str:
    """What a screen reader says of a chart: a key of `ALT_TEXT`.

    Fixed for each chart, because the text is part of what the browser compares before it decides
    to keep a view.
    """
    return ALT_TEXT[chart]


# --- from Altair chart to spec --------------------------------------------------------------


def _once(build: Callable[P, alt.TopLevelMixin]) -> Callable[P, Spec]:
    """Build a chart once for each set of arguments; hand out its spec without data."""

    @lru_cache(maxsize=64)
    def cached(*args: P.args, **kwargs: P.kwargs) -> Spec:
        return spec_of(build(*args, **kwargs))

    return cast("Callable[P, Spec]", wraps(build)(cached))


def spec_of(chart: alt.TopLevelMixin) -> Spec:
    """The chart's spec, validated against Altair's schema, in the lab's dress."""
    spec = chart.to_dict()
    text = {"labelFontSize": 14, "titleFontSize": 14}
    spec["config"] = {"axis": text, "legend": text | {"orient": "top", "labelLimit": 320}}
    # Left to itself, Streamlit changes the renderer as rows grow, and with it the whole view.
    spec["usermeta"] = {"embedOptions": {"renderer": "canvas"}}
    return spec


def packed(frame: pd.DataFrame) -> pa.Table:
    """A frame as Arrow, ready to send.

    Streamlit would turn the frame into the same table, but through pandas' general conversion:
    it takes several times as long, starts threads, and sends pandas' own description along.
    """
    columns = {}
    for name, column in frame.items():
        values = column.array
        if isinstance(values, pd.Categorical):
            labels = pa.array(values.categories.tolist(), pa.string())
            columns[name] = pa.DictionaryArray.from_arrays(pa.array(values.codes), labels)
        else:
            columns[name] = pa.array(values.to_numpy(), from_pandas=True)
    return pa.table(columns)


def with_data(spec: Spec, frame: pd.DataFrame) -> Spec:
    """A spec that carries its data, for a file that must stand alone."""
    values = frame.astype(object).where(frame.notna(), None).to_dict("records")
    return spec | {"data": {"values": values}}


def _zoom() -> alt.Parameter:
    return alt.selection_interval(name=ZOOM, bind="scales")


def _x(field: str, axis: Progress, **options: Any) -> alt.X:
    large = axis in ("step", "images", "joules")
    ticks = alt.Axis(grid=False, tickCount=8, format="~s" if large else alt.Undefined)
    return alt.X(f"{field}:Q", title=AXIS_TITLES[axis], axis=ticks, **options)


def _tooltip(field: str, title: str, format_: str) -> alt.Tooltip:
    return alt.Tooltip(f"{field}:Q", title=title, format=format_)


def _hover(base: alt.Chart) -> alt.Chart:
    """Points nobody sees, so that a pointer near a line finds the values there."""
    return base.mark_point(size=90, opacity=0, filled=True)


def _dash(legend: alt.Legend | None) -> alt.StrokeDash:
    """Training solid, validation dashed."""
    scale = alt.Scale(domain=["training", "validation"], range=[[1, 0], [6, 4]])
    return alt.StrokeDash("split:N", title=None, scale=scale, legend=legend)


def _points(base: alt.Chart) -> alt.Chart:
    """Points on the validation curve; those of training are there for the pointer alone."""
    validation = alt.LogicalAndPredicate(
        **{"and": [{"param": "shown"}, "datum.split === 'validation'"]}
    )
    opacity = alt.condition(validation, alt.value(1), alt.value(0))
    return base.mark_point(filled=True, size=70).encode(opacity=opacity)


def _layers(height: int, *charts: alt.Chart) -> alt.LayerChart:
    return alt.LayerChart(layer=list(charts), data=SOURCE, height=height)


# --- one run, live --------------------------------------------------------------------------


def curve(metric: Metric, axis: Axis, kind: DeviceKind) -> alt.LayerChart:
    """Training and validation of one run, from `analysis.only(analysis.curves(...), metric)`."""
    title, short, format_ = QUANTITIES[metric]
    shown = alt.selection_point(name="shown", fields=["split"], bind="legend")
    ticks = alt.Axis(format="%") if metric == "accuracy" else alt.Axis()
    base = alt.Chart().encode(
        x=_x("x", axis),
        y=alt.Y("value:Q", title=title, axis=ticks, scale=alt.Scale(zero=metric == "accuracy")),
        tooltip=[
            alt.Tooltip("split:N", title="Pictures"),
            _tooltip("x", AXIS_TITLES[axis].split(" (")[0], AXIS_FORMATS[axis]),
            _tooltip("value", short, format_),
        ],
    )
    dash = _dash(alt.Legend(symbolStrokeColor=COLOURS[kind], symbolSize=500))
    line = base.mark_line(color=COLOURS[kind], strokeWidth=2.5).encode(
        strokeDash=dash, opacity=alt.when(shown).then(alt.value(1)).otherwise(alt.value(0.1))
    )
    points = _points(base).encode(color=alt.value(COLOURS[kind]))
    return _layers(TALL, line.add_params(shown, _zoom()), points)


def step_times(kind: DeviceKind) -> alt.LayerChart:
    """Every step and the rolling median, from `analysis.step_times`.

    The axis is logarithmic, so that a first step a hundred times as long leaves the rest readable.
    """
    shown = alt.selection_point(name="shown", fields=["series"], bind="legend")
    y = alt.Scale(type="log", nice=False)
    base = alt.Chart().encode(x=_x("step", "step"))
    names = alt.Legend(labelExpr="datum.label == 'ms' ? 'each step' : 'rolling median'")
    colours = alt.Scale(domain=["ms", "median_ms"], range=[REFERENCE, COLOURS[kind]])
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
    hover = _hover(base).encode(
        y=alt.Y("ms:Q", scale=y),
        tooltip=[
            _tooltip("step", "Step", ",d"),
            _tooltip("ms", "This step (ms)", ",.3~f"),
            _tooltip("median_ms", "Median around it (ms)", ",.3~f"),
        ],
    )
    return _layers(LOW, lines.add_params(shown, _zoom()), hover)


def step_histogram(kind: DeviceKind) -> alt.Chart:
    """How step times are distributed, from `analysis.step_histogram`; grey: longer still."""
    colour = alt.when(alt.datum.overflow).then(alt.value(REFERENCE))
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
            y=alt.Y("steps:Q", title="Steps", axis=alt.Axis(format="~s")),
            color=colour.otherwise(alt.value(COLOURS[kind])),
            tooltip=[
                _tooltip("from_ms", "From (ms)", ",.3~f"),
                _tooltip("to_ms", "To (ms)", ",.3~f"),
                _tooltip("steps", "Steps", ",d"),
                alt.Tooltip("overflow:N", title="And longer"),
            ],
        )
        .add_params(_zoom())
    )


def throughput(kind: DeviceKind) -> alt.LayerChart:
    """Pictures per second over wall time, from `analysis.throughput`."""
    base = alt.Chart().encode(
        x=_x("seconds", "seconds"),
        y=alt.Y("images_per_second:Q", title="Images per second", axis=alt.Axis(format="~s")),
        tooltip=[
            _tooltip("seconds", "Wall time (s)", ",.1~f"),
            _tooltip("images_per_second", "Images per second", ",.0f"),
        ],
    )
    line = base.mark_line(color=COLOURS[kind], strokeWidth=2.5).add_params(_zoom())
    return _layers(LOW, line, _hover(base))


def memory() -> alt.LayerChart:
    """Memory of the worker process and of the device's allocator, from `analysis.memory`."""
    places = alt.Scale(domain=["process", "device"], range=[CPU, ACCELERATOR])
    shown = alt.selection_point(name="shown", fields=["place"], bind="legend")
    base = alt.Chart().encode(
        x=_x("seconds", "seconds"),
        y=alt.Y("mb:Q", title="Memory (MB)", axis=alt.Axis(format=",d")),
        color=alt.Color("place:N", title=None, scale=places),
        tooltip=[
            alt.Tooltip("place:N", title="Memory of the"),
            _tooltip("seconds", "Wall time (s)", ",.1~f"),
            _tooltip("mb", "Memory (MB)", ",.0f"),
        ],
    )
    line = base.mark_line(strokeWidth=2.5).encode(
        opacity=alt.when(shown).then(alt.value(1)).otherwise(alt.value(0.1))
    )
    return _layers(LOW, line.add_params(shown, _zoom()), _hover(base))


curve_spec = _once(curve)
step_times_spec = _once(step_times)
step_histogram_spec = _once(step_histogram)
throughput_spec = _once(throughput)
memory_spec = _once(memory)


# --- several runs ---------------------------------------------------------------------------


def run_colours(
    families: Mapping[str, Family], before: Mapping[str, str] | None = None
) -> dict[str, str]:
    """A colour for each run id, of its family's hue.

    The first run of a family has the family's own colour, each further one the shade that is used
    least. A run that had a colour `before` keeps it, so choosing others recolours nobody.
    """
    kept = {
        run_id: colour
        for run_id, colour in (before or {}).items()
        if run_id in families and colour in SHADES[families[run_id]]
    }
    used = Counter(kept.values())
    colours: dict[str, str] = {}
    for run_id, family in families.items():
        colours[run_id] = kept.get(run_id) or min(SHADES[family], key=used.__getitem__)
        used[colours[run_id]] += run_id not in kept
    return colours


def overlay(
    quantity: Quantity,
    axis: Axis,
    runs: tuple[tuple[str, str], ...],
    height: int = TALLEST,
    until: tuple[float, float] | None = None,
) -> alt.LayerChart:
    """Several runs in one chart, from `analysis.overlay`: columns run, x, value, split.

    Args:
        runs: label and colour of each run, in the order of the legend.
        height: pixels.
        until: where the axes end, x and y, for curves that grow while they stand still.
    """
    title, short, format_ = QUANTITIES[quantity]
    shown = alt.selection_point(name="shown", fields=["run"], bind="legend")
    colours = alt.Scale(domain=[label for label, _ in runs], range=[colour for _, colour in runs])
    names = alt.Legend(columns=2, labelLimit=150)  # two beside each other fit a phone
    scale = {
        "loss": alt.Scale(zero=False),
        "accuracy": alt.Scale(),
        "step_ms": alt.Scale(type="log", nice=False),
    }[quantity]
    span: Any = alt.Undefined
    if until:
        span, scale = (alt.Scale(domain=[0, end]) for end in until)
    base = alt.Chart().encode(
        x=_x("x", axis, scale=span),
        y=alt.Y(
            "value:Q",
            title=title,
            scale=scale,
            axis=alt.Axis(format="%") if quantity == "accuracy" else alt.Axis(),
        ),
        color=alt.Color("run:N", title=None, scale=colours, legend=names),
        tooltip=[
            alt.Tooltip("run:N", title="Run"),
            alt.Tooltip("split:N", title="Pictures"),
            _tooltip("x", AXIS_TITLES[axis].split(" (")[0], AXIS_FORMATS[axis]),
            _tooltip("value", short, format_),
        ],
    )
    line = base.mark_line(strokeWidth=2.5).encode(
        strokeDash=_dash(alt.Legend(symbolSize=500, orient="bottom")),
        opacity=alt.when(shown).then(alt.value(1)).otherwise(alt.value(0.1)),
    )
    return _layers(height, line.add_params(shown, _zoom()), _points(base))


def ledger(runs: tuple[str, ...]) -> alt.Chart:
    """Where the wall time of each run went, from `analysis.ledger`; `runs` orders the bars."""
    order = f"indexof({list(PHASES)!r}, datum.phase)"
    return (
        alt.Chart(
            SOURCE,
            height=alt.Step(48),
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
        .transform_calculate(place=order)
        .mark_bar()
        .encode(
            x=alt.X("seconds:Q", title="Wall time (seconds)", axis=alt.Axis(grid=False)),
            y=alt.Y("run:N", title=None, sort=list(runs), axis=alt.Axis(labelLimit=220)),
            color=alt.Color(
                "phase:N",
                title=None,
                scale=alt.Scale(domain=list(PHASES), range=list(PHASE_COLOURS)),
                legend=alt.Legend(columns=4),
            ),
            order=alt.Order("place:Q"),
            tooltip=[
                alt.Tooltip("run:N", title="Run"),
                alt.Tooltip("phase:N", title="Phase"),
                _tooltip("seconds", "Seconds", ",.2~f"),
            ],
        )
    )


overlay_spec = _once(overlay)
ledger_spec = _once(ledger)


# --- any number of runs ---------------------------------------------------------------------

NAMED_RUNS = 12
"""More runs than these have no legend, and a pointer finds one run at a time."""
HOVER = alt.NamedData("hover")


def comparison(
    measure: Measure,
    axis: Progress,
    runs: tuple[tuple[str, str], ...],
    height: int = TALL,
    *,
    log: bool = False,
    domain: tuple[float, float] | None = None,
) -> alt.LayerChart:
    """Many runs in one chart, from `analysis.line_frame`; with `analysis.hover_frame` as the data
    set "hover", a pointer anywhere tells the value of every run there.

    Args:
        runs: label and colour of each, in the order of the legend and of the hover frame.
        domain: of the y axis, so that several charts have the same.
    """
    title, short, format_ = MEASURES[measure]
    named = len(runs) <= NAMED_RUNS
    shown = alt.selection_point(name="shown", fields=["run"], bind="legend")
    colours = alt.Scale(domain=[label for label, _ in runs], range=[colour for _, colour in runs])
    names = _names([label for label, _ in runs]) if named and len(runs) > 1 else None
    share = measure in ("accuracy", "gap")
    limits = alt.Undefined if domain is None else list(domain)
    scale = alt.Scale(domain=limits, type="log" if log else "linear", zero=share and not log)
    base = alt.Chart().encode(
        x=_x("x", axis),
        y=alt.Y(
            "value:Q",
            title=title + (" (log scale)" if log else ""),
            scale=scale,
            axis=alt.Axis(format="%") if share else alt.Axis(),
        ),
        color=alt.Color("run:N", title=None, scale=colours, legend=names),
        tooltip=[
            alt.Tooltip("run:N", title="Run"),
            alt.Tooltip("split:N", title="Pictures"),
            _tooltip("x", AXIS_TITLES[axis].split(" (")[0], AXIS_FORMATS[axis]),
            _tooltip("value", short, format_),
        ],
    )
    faint = alt.when(shown).then(alt.value(1 if named else 0.6)).otherwise(alt.value(0.08))
    # A small chart among others has no room for what the others say too.
    dash = _dash(alt.Legend(symbolSize=500, orient="bottom") if height > LOW else None)
    line = base.mark_line(strokeWidth=2.5 if named else 1.2).encode(
        strokeDash=alt.value([1, 0]) if measure in ("step_ms", "gap") else dash, opacity=faint
    )
    seen = alt.LogicalAndPredicate(**{"and": [{"param": "shown"}, "datum.dot"]})
    dots = base.mark_point(filled=True, size=45).encode(
        opacity=alt.condition(seen, alt.value(1), alt.value(0))
    )
    layers = [line.add_params(shown, _zoom()), dots if named else _hover(base)]
    if isinstance(names, alt.Legend):  # Streamlit counts the legend's rows in the height
        height += 28 * -(-len(runs) // names.to_dict()["columns"])
    return _layers(height, *layers, *([_everyone(axis, runs)] if named else []))


def _names(labels: Sequence[str]) -> alt.Legend:
    """A legend that fits a phone: long names beneath each other, short ones in two columns."""
    if max(map(len, labels)) > 16:
        return alt.Legend(columns=1, labelLimit=280)
    return alt.Legend(columns=2, labelLimit=110)


def _everyone(axis: Progress, runs: tuple[tuple[str, str], ...]) -> alt.Chart:
    """A rule that follows the pointer and tells the value of every run at its place."""
    here = alt.selection_point(
        name="here", fields=["x"], nearest=True, on="pointermove", clear="pointerout", empty=False
    )
    told = [alt.Tooltip(f"{place}:N", title=label) for place, (label, _) in enumerate(runs)]
    return (
        alt.Chart(HOVER)
        .mark_rule(color=REFERENCE)
        .encode(
            x=_x("x", axis),
            opacity=alt.when(here).then(alt.value(0.8)).otherwise(alt.value(0)),
            tooltip=[_tooltip("x", AXIS_TITLES[axis].split(" (")[0], AXIS_FORMATS[axis]), *told],
        )
        .add_params(here)
    )


def gap(family: Family) -> alt.LayerChart:
    """Training and validation accuracy of one run with what lies between them shaded.

    From a frame with the columns epoch, accuracy, val_accuracy.
    """
    colour = alt.value(COLOURS[family])
    share = alt.Axis(format="%")
    upper = alt.Y("accuracy:Q", title="Accuracy", axis=share, scale=alt.Scale(domainMin=0))
    lower = alt.Y("val_accuracy:Q")
    base = alt.Chart().encode(
        x=_x("epoch", "epoch", scale=alt.Scale(domainMin=0)),
        color=colour,
        tooltip=[
            _tooltip("epoch", "Epoch", ",d"),
            _tooltip("accuracy", "Training accuracy", ".3~p"),
            _tooltip("val_accuracy", "Validation accuracy", ".3~p"),
        ],
    )
    last = base.transform_joinaggregate(last="max(epoch)").transform_filter(
        "datum.epoch == datum.last"
    )
    names = [
        last.mark_text(text=text, align="right", dy=16, dx=-8, fontSize=14).encode(y=y)
        for text, y in (("training", upper), ("validation", lower))
    ]
    return _layers(
        LOW,
        base.mark_area(opacity=0.2).encode(y=upper, y2="val_accuracy:Q"),
        base.mark_line(strokeWidth=2.5, point=True).encode(y=upper).add_params(_zoom()),
        base.mark_line(strokeWidth=2.5, strokeDash=[6, 4], point=True).encode(y=lower),
        # A published run has one or two points: the gap is then this line alone.
        last.mark_rule(strokeWidth=2).encode(y=upper, y2="val_accuracy:Q"),
        *names,
    )


comparison_spec = _once(comparison)
gap_spec = _once(gap)
