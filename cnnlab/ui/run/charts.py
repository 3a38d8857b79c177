"""The charts of one run: data sent beside a spec that is built once."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import pandas as pd
import pyarrow as pa
import streamlit as st

from cnnlab import analysis, charts, words
from cnnlab.analysis import Axis
from cnnlab.ui.colours import palette
from cnnlab.ui.run.figures import images_of, rate_title
from cnnlab.ui.run.state import RunState, shared

AXES: dict[Axis, str] = {"step": "Step", "epoch": "Epoch", "seconds": "Wall clock"}


def table(frame: pd.DataFrame) -> pa.Table:
    """A chart's data as they are sent."""
    # Left to itself, Arrow starts threads for each frame, which takes longer than the frame.
    found = pa.Table.from_pandas(frame, nthreads=1, preserve_index=False)
    return found.replace_schema_metadata(None)


def chart(name: str, data: pa.Table, spec: charts.Spec, run_id: str) -> None:
    """Send a chart's data beside its cached spec, under a key that lets a zoom stay."""
    alt = charts.alt_text(name)
    st.vega_lite_chart(data, spec, key=f"{name}-{run_id}", alt=alt, **charts.KEEP_ZOOM)


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


def curves(state: RunState) -> None:
    axis = axis_choice("run-axis")
    run_id = state.card.run_id
    both = shared(state.series, f"curves-{axis}", lambda: _curve_tables(state, axis))
    for metric, column in zip(analysis.METRICS, st.columns(2), strict=True):
        with column:
            spec = charts.curve_spec(metric, axis, palette().of_run(state.card))
            chart(metric, both[metric], spec, run_id)


def accuracy(state: RunState) -> None:
    """The accuracy alone, epoch by epoch."""
    data = shared(state.series, "curves-epoch", lambda: _curve_tables(state, "epoch"))["accuracy"]
    spec = charts.curve_spec("accuracy", "epoch", palette().of_run(state.card))
    chart("accuracy", data, spec, state.card.run_id)


def _curve_tables(state: RunState, axis: Axis) -> dict[str, pa.Table]:
    card, steps = state.card, state.steps_per_epoch
    both = analysis.curves(state.series, card.epochs, steps, axis, state.points)
    return {metric: table(analysis.only(both, metric)) for metric in analysis.METRICS}


def more_charts(state: RunState) -> None:
    """Only the chosen ones are computed and sent."""
    choices: dict[str, tuple[str, Callable[[RunState], None]]] = {
        "steps": ("Step time", step_charts),
        "rate": (rate_title(state), rate_chart),
        "memory": ("Memory", memory_chart),
    }
    # Not `st.tabs`: with them a browser goes through the whole page three times for each message.
    chosen = st.segmented_control(
        "More charts",
        options=list(choices),
        default="steps",
        required=True,
        format_func=lambda choice: choices[choice][0],
        key="run-more",
        label_visibility="collapsed",
    )
    _, draw = choices[chosen or "steps"]
    draw(state)


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
