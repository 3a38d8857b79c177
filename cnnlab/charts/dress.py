"""What all charts share: from Altair chart to spec and data, axes, sizes, layers."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any, Literal, ParamSpec, cast

import altair as alt
import pandas as pd
import pyarrow as pa

from cnnlab.analysis import Progress

Spec = dict[str, Any]
Quantity = Literal["loss", "accuracy", "step_ms"]
P = ParamSpec("P")

TALLEST, TALL, LOW = 420, 340, 260  # pixels: to be read across a room
EDGE = 8  # pixels between the first and last point and the frame, which would cut them in half
ZOOM = "zoom"


WINDOW = "(width>=0?windowSize()[0]:0)"
"""Pixels of the window's width, for an expression of a chart.

The chart's own width is named so that the window is looked at again when that changes.
"""


def by_window(usual: int, large: int) -> str:
    """A size in pixels by the window: one of 1,800 is a projector's, and read from the back row."""
    return f"{WINDOW}>1799?{large}:{usual}"


LETTERS = "letters"
"""The parameter of every chart by which its words are sized."""
LEGEND: dict[str, Any] = {"orient": "top", "labelLimit": 320, "symbolOpacity": 1}
"""Of every chart; its symbols are not as pale as what is drawn thin or hidden in it."""
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
# Thousands written out, and a prefix only beyond: Vega's own would say "0.2k" beside "1k".
LARGE_NUMBERS = "format(datum.value, datum.value < 1e4 ? ',~r' : '~s')"
# Title of the axis, title in a tooltip, number format.
QUANTITIES: dict[Quantity, tuple[str, str, str]] = {
    "loss": ("Loss", "Loss", ".4~f"),
    "accuracy": ("Accuracy", "Accuracy", ".2~%"),
    "step_ms": ("Step time, rolling median (ms)", "Step time (ms)", ",.3~s"),
}


# --- from Altair chart to spec --------------------------------------------------------------


def once(build: Callable[P, alt.TopLevelMixin]) -> Callable[P, Spec]:
    """Build a chart once for each set of arguments; hand out its spec without data."""

    @lru_cache(maxsize=64)
    def cached(*args: P.args, **kwargs: P.kwargs) -> Spec:
        return spec_of(build(*args, **kwargs))

    return cast("Callable[P, Spec]", wraps(build)(cached))


def spec_of(chart: alt.TopLevelMixin) -> Spec:
    """The chart's spec, validated against Altair's schema, in the lab's dress."""
    spec = chart.to_dict()
    letters = {"name": LETTERS, "expr": by_window(14, 20)}
    spec["params"] = [*spec.get("params", ()), letters]
    text = {name: {"expr": LETTERS} for name in ("labelFontSize", "titleFontSize")}
    style = {HALO: {"opacity": 0}, STRONG_INK: {"color": ACCENT["light"]}}
    spec["config"] = {"axis": text, "legend": text | LEGEND, "style": style}
    # Left to itself, Streamlit changes the renderer as rows grow, and with it the whole view.
    spec["usermeta"] = {"embedOptions": {"renderer": "canvas"}}
    return spec


INK: dict[str, tuple[str, str]] = {"light": ("#4F5A65", "#10171F"), "dark": ("#AAB4BF", "#E6EBF0")}
"""Of labels and of titles, in each theme: Streamlit's own grey is too pale to be read."""


WORDS = "words"
"""The style of words among the marks of a chart, which are to be read in either theme."""
VEIL = "veil"
"""The style of what hides a part of a chart: it is drawn as the ground behind it."""
HALO = "halo"
"""The style of what keeps lines away from a word among them; only a theme makes it seen."""
STRONG_INK = "strong"
"""The style of the marks of a chart that is about no one run."""
ACCENT: dict[str, str] = {"light": "#0072B2", "dark": "#56B4E9"}
GROUND: dict[str, str] = {"light": "#FFFFFF", "dark": "#12171D"}
"""What lies behind everything, in each theme."""


def inked(spec: Spec, theme: str) -> Spec:
    """A spec with the words of a theme; the rest of it is shared, not copied."""
    label, title = INK[theme]
    words = {"labelColor": label, "titleColor": title}
    config = spec.get("config", {})
    parts = {part: config.get(part, {}) | words for part in ("axis", "legend", "header")}
    ground = GROUND[theme]
    style = {
        WORDS: {"color": label},
        VEIL: {"color": ground},
        HALO: {"fill": ground, "stroke": ground, "strokeWidth": 5},
        STRONG_INK: {"color": ACCENT[theme]},
    }
    return spec | {"config": config | parts | {"style": style}}


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


# --- what charts are made of ----------------------------------------------------------------


def zoom() -> alt.Parameter:
    """Scrolling and dragging change the axes; `KEEP_ZOOM` makes Streamlit keep them."""
    return alt.selection_interval(name=ZOOM, bind="scales")


def x_axis(field: str, axis: Progress, **options: Any) -> alt.X:
    """What a chart is drawn against, with its title and ticks; options are those of `alt.X`."""
    large = axis in ("step", "images", "joules")
    ticks = alt.Axis(
        grid=False,
        tickCount=8,
        tickMinStep=1 if axis in ("step", "epoch") else alt.Undefined,
        labelExpr=LARGE_NUMBERS if large else alt.Undefined,
    )
    options = {"scale": roomy()} | options
    return alt.X(f"{field}:Q", title=AXIS_TITLES[axis], axis=ticks, **options)


def roomy(**options: Any) -> alt.Scale:
    """A scale on which no point lies on the frame; options are those of `alt.Scale`."""
    return alt.Scale(nice=False, padding=EDGE, **options)


def tooltip(field: str, title: str, format_: str) -> alt.Tooltip:
    """One figure under the pointer."""
    return alt.Tooltip(f"{field}:Q", title=title, format=format_)


def x_tooltip(axis: Progress) -> alt.Tooltip:
    """Where on the axis the pointer is, from the column x."""
    return tooltip("x", AXIS_TITLES[axis].split(" (")[0], AXIS_FORMATS[axis])


def run_tooltips(axis: Progress, title: str, format_: str) -> list[alt.Tooltip]:
    """Whose curve the pointer is on, and what it is there: columns run, split, x, value."""
    names = [alt.Tooltip("run:N", title="Run"), alt.Tooltip("split:N", title="Pictures")]
    return [*names, x_tooltip(axis), tooltip("value", title, format_)]


def hover(base: alt.Chart) -> alt.Chart:
    """Points nobody sees, so that a pointer near a line finds the values there."""
    return base.mark_point(size=90, opacity=0, filled=True)


SPLITS = ["training", "validation"]
BEFORE = "earlier run"
"""The split of another run's validation, drawn as a ghost behind."""
STRONG = 3  # pixels


def widths(legend: alt.Legend | None) -> alt.StrokeWidth:
    """Training thin, validation strong: the one that counts leads."""
    scale = alt.Scale(domain=SPLITS, range=[1.25, STRONG])
    return alt.StrokeWidth("split:N", title=None, scale=scale, legend=legend)


def by_split(strongest: float = 1.0) -> alt.Opacity:
    """Training pale, validation strong."""
    scale = alt.Scale(domain=SPLITS, range=[0.6 * strongest, strongest])
    return alt.Opacity("split:N", title=None, scale=scale, legend=None)


def paleness(shown: alt.Parameter) -> Any:
    """As `by_split`, and what the legend hides all but gone."""
    return alt.condition(shown, by_split(), alt.value(0.08))


def validation_points(base: alt.Chart) -> alt.Chart:
    """Points on the validation curve; those of training are there for the pointer alone."""
    validation = alt.LogicalAndPredicate(
        **{"and": [{"param": "shown"}, "datum.split === 'validation'"]}
    )
    opacity = alt.condition(validation, alt.value(1), alt.value(0))
    return base.mark_point(filled=True, size=70).encode(opacity=opacity)


def layered(height: int, *charts: alt.Chart | alt.LayerChart) -> alt.LayerChart:
    """Charts over each other, all from the frame that is sent along; height in pixels."""
    return alt.LayerChart(layer=list(charts), data=SOURCE, height=height)
