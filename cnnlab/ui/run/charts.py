"""The charts of one run: data sent beside a spec that is built once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import streamlit as st

from cnnlab import analysis, charts, words
from cnnlab.analysis import Axis, Metric, Series
from cnnlab.spec import RunCard
from cnnlab.ui.colours import inked, palette
from cnnlab.ui.run.figures import images_of, rate_title
from cnnlab.ui.run.state import RunState, shared

EMPTY = Series(*[np.zeros(0)] * 6)
AXES: dict[Axis, str] = {"step": "Step", "epoch": "Epoch", "seconds": "Wall clock"}


def table(frame: pd.DataFrame) -> pa.Table:
    """A chart's data as they are sent."""
    # Left to itself, Arrow starts threads for each frame, which takes longer than the frame.
    found = pa.Table.from_pandas(frame, nthreads=1, preserve_index=False)
    return found.replace_schema_metadata(None)


def chart(
    name: str,
    data: pa.Table,
    spec: charts.Spec,
    run_id: str,
    height: Literal["content", "stretch"] = "content",
) -> None:
    """Send a chart's data beside its cached spec, under a key that lets a zoom stay."""
    alt = charts.alt_text(name)
    key = f"{name}-{run_id}"
    st.vega_lite_chart(data, inked(spec), height=height, key=key, alt=alt, **charts.KEEP_ZOOM)


def axis_choice(key: str, default: Axis = "step") -> Axis:
    """Let the reader choose the x axis."""
    found = st.segmented_control(
        "Horizontal axis",
        options=get_args(Axis),
        default=default,
        required=True,
        format_func=AXES.__getitem__,
        key=key,
        label_visibility="collapsed",
    )
    return found or default


SPLIT = pd.CategoricalDtype(["training", "validation", charts.BEFORE])
LEADS: tuple[tuple[Metric, str], ...] = (("accuracy", "lead"), ("loss", "second"))


def accuracy(state: RunState) -> None:
    """The accuracy alone, epoch by epoch."""
    name = "curves-epoch-None"
    both = shared(state.series, name, lambda: _curve_tables(state, "epoch", None))
    spec = charts.curve_spec("accuracy", "epoch", palette().of_run(state.card))
    chart("accuracy", both["accuracy"], spec, state.card.run_id)


def curves(state: RunState, baseline: RunCard | None, *, glides: bool) -> None:
    """Accuracy, large, with what the run is held against behind it; loss beside; more on demand.

    Args:
        glides: what is new is uncovered bit by bit. A browser draws several times for it, so not
            where it may take cores from what is timed.
    """
    places = st.columns([2, 1])
    with st.container(horizontal=True, vertical_alignment="center", key="run-looks"):
        axis = axis_choice("run-axis", "epoch")
        more = _more(state)
    run_id, until = state.card.run_id, _until(state, axis)
    name = f"curves-{axis}-{baseline.run_id if baseline else None}"
    both = shared(state.series, name, lambda: _curve_tables(state, axis, baseline))
    colour = palette().of_run(state.card)
    if glides and until is not None:
        _glide(both["accuracy"])
    for place, (metric, key) in zip(places, LEADS, strict=True):
        with place.container(key=f"{key}-chart"):
            spec = charts.curve_spec(metric, axis, colour, charts.TALLEST, until)
            chart(metric, both[metric], spec, run_id, "stretch")
    if more:
        more(state)


def _glide(curve: pa.Table) -> None:
    """Let the page uncover what is new in the charts, see `ui/glide.js`."""
    st.html(f'<input type="hidden" id="{charts.GLIDE}" value="{charts.FAR:g}">')
    newest = curve["x"][-1].as_py() if len(curve) else 0
    st.html(f'<i class="unseen {charts.GLIDE}" data-newest="{newest:g}"></i>')


def _until(state: RunState, axis: Axis) -> float | None:
    """Where the axis ends while the run is on its way: where the run will."""
    if state.card.status.over or axis == "seconds":
        return None
    epochs = state.card.spec.epochs
    return float(epochs if axis == "epoch" else epochs * state.steps_per_epoch)


def _curve_tables(state: RunState, axis: Axis, baseline: RunCard | None) -> dict[str, pa.Table]:
    card, steps = state.card, state.steps_per_epoch
    both = analysis.curves(state.series, card.epochs, steps, axis, state.points)
    ghost = analysis.curves(EMPTY, baseline.epochs if baseline else (), steps, axis, state.points)
    return {metric: table(_with_ghost(both, ghost, metric)) for metric in analysis.METRICS}


def _with_ghost(own: pd.DataFrame, ghost: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """The ghost first, which is drawn behind; training last, whose last point is the newest."""
    mine, other = (analysis.only(frame, metric) for frame in (own, ghost))
    behind = other[other["split"].array.codes == 1]
    order = np.argsort(-mine["split"].array.codes, kind="stable")
    codes = np.append(np.full(len(behind), 2, np.int8), mine["split"].array.codes[order])
    return pd.DataFrame(
        {
            name: np.append(behind[name].to_numpy(mine[name].dtype), mine[name].to_numpy()[order])
            for name in ("x", "value")
        }
        | {"split": pd.Categorical.from_codes(codes, dtype=SPLIT)}
    )


def _more(state: RunState) -> Callable[[RunState], None] | None:
    """What else the reader wants to see; only that is computed and sent."""
    choices: dict[str, tuple[str, Callable[[RunState], None]]] = {
        "steps": ("Step time", step_charts),
        "rate": (rate_title(state), rate_chart),
        "memory": ("Memory", memory_chart),
    }
    # Not `st.tabs`: with them a browser goes through the whole page three times for each message.
    chosen = st.segmented_control(
        "More charts",
        options=list(choices),
        format_func=lambda choice: choices[choice][0],
        key="run-more",
        label_visibility="collapsed",
    )
    return choices[chosen][1] if chosen else None


def step_charts(state: RunState) -> None:
    if not len(state.series):
        st.caption("The steps of this run were not kept, only its epochs.")
        return
    run_id, colour = state.card.run_id, palette().of_run(state.card)
    times = shared(state.series, "times", lambda: _step_table(state))
    chart("step_times", times, charts.step_times_spec(colour), run_id)
    counts = shared(state.series, "counts", lambda: table(analysis.step_histogram(state.series)))
    chart("step_histogram", counts, charts.step_histogram_spec(colour), run_id)


def _step_table(state: RunState) -> pa.Table:
    return table(analysis.step_times(state.series, state.points))


def _rate_table(state: RunState) -> pa.Table:
    return table(analysis.throughput(state.series, images_of(state)))


def rate_chart(state: RunState) -> None:
    rate = shared(state.series, "rate", lambda: _rate_table(state))
    spec = charts.throughput_spec(palette().of_run(state.card))
    chart("throughput", rate, spec, state.card.run_id)


def memory_chart(state: RunState) -> None:
    used = shared(state.series, "memory", lambda: table(analysis.memory(state.series)))
    if len(used):
        chart("memory", used, charts.memory_spec(palette().of_run(state.card)), state.card.run_id)
    peaks = state.card.memory
    if state.card.status.over:
        process, device = (
            words.size(mb and mb * 1e6) for mb in (peaks.peak_rss_mb, peaks.peak_device_mb)
        )
        st.caption(f"Peak of the process: {process}. Peak of the accelerator: {device}.")
