"""Several runs in one chart, one colour each."""

from __future__ import annotations

from collections.abc import Sequence

import altair as alt

from cnnlab.analysis import PHASES, Axis, Measure, Progress
from cnnlab.charts.colours import REFERENCE, shape_of
from cnnlab.charts.dress import (
    LETTERS,
    QUANTITIES,
    SOURCE,
    TALL,
    TALLEST,
    Quantity,
    by_split,
    hover,
    layered,
    once,
    paleness,
    roomy,
    run_tooltips,
    tooltip,
    validation_points,
    widths,
    x_axis,
    x_tooltip,
    zoom,
)

MEASURES: dict[Measure, tuple[str, str, str]] = {
    "accuracy": ("Accuracy", "Accuracy", ".3~p"),
    "loss": ("Loss", "Loss", ".4~f"),
    "step_ms": ("Step time (ms)", "Step time (ms)", ",.3~s"),
    "gap": ("Training above validation accuracy", "Gap", ".3~p"),
}

PHASE_COLOURS = dict(
    zip(
        PHASES,
        ("#7A7A7A", "#A8A8A8", "#CC79A7", "#D55E00", "#009E73", "#56B4E9", "#E69F00", "#C9C9C9"),
        strict=True,
    )
)
NAMED_RUNS = 12
"""Of more runs than these a pointer finds one at a time."""
HOVER = alt.NamedData("hover")


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
    names = _names([label for label, _ in runs])
    scale = {
        "loss": roomy(zero=False),
        "accuracy": roomy(zero=True),
        "step_ms": roomy(type="log"),
    }[quantity]
    span = roomy()
    if until:
        span, scale = (roomy(domain=[0, end]) for end in until)
    base = alt.Chart().encode(
        x=x_axis("x", axis, scale=span),
        y=alt.Y(
            "value:Q",
            title=title,
            scale=scale,
            axis=alt.Axis(format="%") if quantity == "accuracy" else alt.Axis(),
        ),
        color=alt.Color("run:N", title=None, scale=colours, legend=names),
        tooltip=run_tooltips(axis, short, format_),
    )
    line = base.mark_line().encode(
        strokeWidth=widths(alt.Legend(symbolSize=500, orient="bottom")), opacity=paleness(shown)
    )
    points = validation_points(base).encode(shape=_shapes(runs, names))
    return layered(height, line.add_params(shown, zoom()), points)


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

    It has no legend: the list of runs beside it, with their colours and shapes, is the one of all.

    Args:
        runs: label and colour of each, in the order of the hover frame.
        domain: of the y axis, so that several charts have the same.
    """
    title, short, format_ = MEASURES[measure]
    named = len(runs) <= NAMED_RUNS
    colours = alt.Scale(domain=[label for label, _ in runs], range=[colour for _, colour in runs])
    share = measure in ("accuracy", "gap")
    limits = alt.Undefined if domain is None else list(domain)
    scale = roomy(domain=limits, type="log" if log else "linear", zero=share and not log)
    base = alt.Chart().encode(
        x=x_axis("x", axis),
        y=alt.Y(
            "value:Q",
            title=title + (" (log scale)" if log else ""),
            scale=scale,
            axis=alt.Axis(format="%") if share else alt.Axis(),
        ),
        color=alt.Color("run:N", title=None, scale=colours, legend=None),
        tooltip=run_tooltips(axis, short, format_),
    )
    strongest = 1.0 if named else 0.6
    line = base.mark_line(strokeWidth=2.5 if named else 1.2, opacity=strongest)
    if measure in ("accuracy", "loss"):
        line = line.encode(strokeWidth=widths(None), opacity=by_split(strongest))
    dots = base.mark_point(filled=True, size=45).encode(
        opacity=alt.condition("datum.dot", alt.value(1), alt.value(0)), shape=_shapes(runs, None)
    )
    layers = [line.add_params(zoom()), dots if named else hover(base)]
    return layered(height, *layers, *([_everyone(axis, runs)] if named else []))


def _shapes(runs: Sequence[tuple[str, str]], names: alt.Legend | None) -> alt.Shape:
    """The shape of each run's points, in the same legend as its colour."""
    labels, colours = zip(*runs, strict=True) if runs else ((), ())
    scale = alt.Scale(domain=list(labels), range=list(map(shape_of, colours)))
    return alt.Shape("run:N", title=None, scale=scale, legend=names)


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
            x=x_axis("x", axis),
            opacity=alt.when(here).then(alt.value(0.8)).otherwise(alt.value(0)),
            tooltip=[x_tooltip(axis), *told],
        )
        .add_params(here)
    )


def ledger(runs: tuple[str, ...], phases: tuple[str, ...]) -> alt.Chart:
    """Where the wall time of each run went, from `analysis.ledger`.

    Args:
        runs: in the order of the bars.
        phases: that any of them may have, in their order.
    """
    # By the width of the place, not the plot's: that is known before the height is settled. The
    # plot's is named all the same, so that the place is looked at again when it changes.
    place = "(width>=0?containerSize()[0]:0)"
    columns = alt.ExprRef(f"{place} < 450 ? 2 : {place} < 750 ? 3 : {len(phases)}")
    limit = alt.ExprRef(f"{place} < 450 ? 120 : 16*{LETTERS}")
    order = f"indexof({list(phases)!r}, datum.phase)"
    return (
        alt.Chart(
            SOURCE,
            height=alt.Step(48),
            autosize=alt.AutoSizeParams(type="fit-x", contains="padding"),
        )
        .transform_calculate(place=order)
        .mark_bar()
        .encode(
            x=alt.X(
                "seconds:Q",
                title="Wall time (seconds)",
                axis=alt.Axis(grid=False, tickCount=8),
            ),
            y=alt.Y(
                "run:N",
                title=None,
                sort=list(runs),
                scale=alt.Scale(domain=list(runs)),  # whose phases are not known has an empty row
                axis=alt.Axis(labelLimit=limit),
            ),
            color=alt.Color(
                "phase:N",
                title=None,
                scale=alt.Scale(
                    domain=list(phases), range=[PHASE_COLOURS[phase] for phase in phases]
                ),
                legend=alt.Legend(columns=columns),
            ),
            order=alt.Order("place:Q"),
            tooltip=[
                alt.Tooltip("run:N", title="Run"),
                alt.Tooltip("phase:N", title="Phase"),
                tooltip("seconds", "Seconds", ",.2~f"),
            ],
        )
    )


overlay_spec = once(overlay)
ledger_spec = once(ledger)
comparison_spec = once(comparison)
