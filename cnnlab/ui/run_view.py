"""One run on a page: while it waits, while it trains, and afterwards."""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any, get_args

import numpy as np
import pandas as pd
import pyarrow as pa
import streamlit as st

from cnnlab import analysis, charts, words
from cnnlab.analysis import Axis, durations
from cnnlab.spec import LabError, RunCard, Status, warmup_steps
from cnnlab.ui import link, live, rights, tables
from cnnlab.ui.colours import palette
from cnnlab.ui.lab import can_resume, history, resume, stop
from cnnlab.ui.run_state import RunState, read, runs_ahead, shared

REFRESH_SECONDS, HURRIED_SECONDS = 1.0, 0.25
SPARK_POINTS = 60
BEGUN = "begun"
"""In the session of a browser: the run that it began last."""
RECENT_STEPS = 64
AXES: dict[Axis, str] = {"step": "Step", "epoch": "Epoch", "seconds": "Wall clock"}
PHASES = {
    "starting": "Starting the training process",
    "loading": "Loading the data",
    "building": "Building the network",
}


def show(run_id: str) -> None:
    """Show one run; while it is not over, once a second anew."""
    try:
        card = history().card(run_id, steps=False)
        pace = _pace(read(card))
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/search_off:")
        st.page_link("pages/history.py", label="All runs", icon=":material/history:")
        return
    # One fragment for all paces: what stands in it keeps its place when a run ends.
    live.every(pace, _body, card, pace)


def _pace(state: RunState) -> float | None:
    """Seconds between refreshes: fewer for who waits for the first point, or for a stop."""
    run_id = state.card.run_id
    if state.card.status.over:
        return None
    asked = st.session_state.get(f"stopping-{run_id}", False)
    begun = st.session_state.get(BEGUN) == run_id
    first = begun and not len(state.series) and not state.card.epochs and not runs_ahead(run_id)
    return HURRIED_SECONDS if state.ours and (asked or first) else REFRESH_SECONDS


def _body(card: RunCard, pace: float | None) -> None:
    try:
        state = read(card)
        # Refused once the run is deleted, in another browser say.
        origin = history().origin(card.run_id) if state.card.status.over else None
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/search_off:")
        return
    if _pace(state) != pace:
        st.rerun()  # the whole page, once: its other parts tell of the run too
    with st.container():
        _head(state, origin)
    if state.steps_per_epoch and (len(state.series) or state.card.epochs):
        with st.container():
            _metrics(state)
        with st.container():
            _curves(state)
            _more_charts(state)
    if state.card.status.over:
        _details(state)


# --- head -----------------------------------------------------------------------------------


def _head(state: RunState, origin: str | None) -> None:
    card = state.card
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(tables.plain(card.name), anchor=False, width="content")
        st.badge(str(card.status), icon=tables.SIGNS[card.status][1], color="gray")
    match card.status:
        case Status.QUEUED:
            _queued(state)
        case Status.RUNNING:
            _running(state)
        case _:
            _over(card)
    brought = f" Not measured here: {tables.plain(origin)}." if origin else ""
    st.caption(f"{tables.plain(tables.asked_and_used(card))}.{brought}")


def _queued(state: RunState) -> None:
    ahead = runs_ahead(state.card.run_id)
    if ahead is None:
        st.info("Waiting in the queue of another CNN Lab.", icon=":material/hourglass_empty:")
        return
    place = {0: "It is next.", 1: "One run comes first."}.get(ahead, f"{ahead} runs come first.")
    st.info(f"Waiting in the queue. {place}", icon=":material/hourglass_empty:")
    _stop_button(state, "Withdraw", "Withdrawing …")


def _running(state: RunState) -> None:
    share, text = _progress(state)
    st.progress(share, text)
    if state.ours:
        _stop_button(state, "Stop", "Stopping …")
    else:
        st.caption("Another process trains it, such as the command line; stop it there.")


def _stop_button(state: RunState, label: str, meanwhile: str) -> None:
    run_id = state.card.run_id
    asked = st.session_state.get(f"stopping-{run_id}", False)
    st.button(
        meanwhile if asked else label,
        key=f"stop-{run_id}",
        icon=":material/stop_circle:",
        on_click=_stop,
        args=(run_id,),
        **rights.limits(asked),
    )


def _stop(run_id: str) -> None:
    st.session_state[f"stopping-{run_id}"] = rights.attempt(stop, run_id)


def _resume_button(card: RunCard) -> None:
    run_id = card.run_id
    pressed = st.button(
        "Resume",
        key=f"resume-{run_id}",
        icon=":material/resume:",
        **rights.limits(
            help=f"Go on after epoch {len(card.epochs)}, as if it had never broken off."
        ),
    )
    if pressed and rights.attempt(resume, run_id):
        st.session_state.pop(f"stopping-{run_id}", None)
        st.session_state[BEGUN] = run_id
        st.rerun()  # the whole page: the fragment holds the card of a run that is over


def _progress(state: RunState) -> tuple[float, str]:
    """Share of all epochs that is done, and the phase or the time left in words."""
    card, series, steps = state.card, state.series, state.steps_per_epoch
    if not steps or not len(series):
        phase = PHASES.get(state.phase, "Taking the first steps")
        done = "" if state.phase_done is None else f" {words.percent(state.phase_done)}"
        return state.phase_done or 0.0, f"{phase} …{done}"
    share = analysis.progress(series, steps, card.spec.epochs)
    left = analysis.eta_seconds(series, card.epochs, card.spec, steps)
    epoch = min(len(card.epochs) + 1, card.spec.epochs)
    doing = ", validating" if state.phase == "validating" else ""
    remaining = f": about {tables.about(left)} left" if left else ""
    return share, f"Epoch {epoch} of {card.spec.epochs}{doing}{remaining}"


def _over(card: RunCard) -> None:
    said = tables.outcome(card)
    match card.status:
        case Status.FINISHED:
            st.success(f"**{tables.plain(said)}**", icon=tables.SIGNS[card.status][1])
        case Status.FAILED:
            st.error(tables.plain(card.error or said), icon=tables.SIGNS[card.status][1])
        case _:
            text = f"{said} {card.error or ''}".strip()
            st.warning(tables.plain(text), icon=tables.SIGNS[card.status][1])
    if marks := tables.disturbed(card):
        st.warning(f"Its times were disturbed. {tables.plain(marks)}", icon=":material/blur_on:")
    if tables.diverged(card):
        st.warning(
            "The loss is no number any more: a smaller learning rate usually cures that.",
            icon=":material/trending_up:",
        )
    with st.container(horizontal=True, vertical_alignment="center"):
        if can_resume(card):
            _resume_button(card)
        recipe, run_id = link.encode(card.spec), card.run_id
        for page, label, icon, query in (
            ("train", "Train again", "replay", recipe),
            ("compare", "Compare it", "compare_arrows", {"runs": run_id}),
            ("race", "Race it", "flag", recipe),
            ("history", "Link to this run", "link", {"run": run_id}),
        ):
            icon = f":material/{icon}:"
            st.page_link(f"pages/{page}.py", label=label, icon=icon, query_params=query)


# --- figures --------------------------------------------------------------------------------


def _metrics(state: RunState) -> None:
    card, series = state.card, state.series
    done, whole = len(card.epochs), card.spec.epochs
    epoch = done if card.status.over else min(done + 1, whole)
    loss = shared(series, "loss", lambda: series.loss[~np.isnan(series.loss)])
    last_loss = loss[-1] if len(loss) else card.epochs[-1].loss if card.epochs else None
    best = words.percent(card.epochs[-1].val_accuracy) if card.epochs else words.UNKNOWN
    rate = _rate_title(state)
    rate_help = f"{rate}. {_RATE_HELP}"
    figures = (
        ("Epoch", f"{epoch} of {whole}", "Sparkline: seconds of each epoch."),
        ("Step", _unit(_step_ms(state), "ms"), _STEP_HELP),
        # As short as the tiles are narrow: a title of two lines would stand lower than the rest.
        (rate.replace(" per second", "/s"), words.number(_rate(state)), rate_help),
        ("Loss", words.number(last_loss), "Mean of the epoch so far."),
        ("Validation", best, "Validation accuracy after the last whole epoch."),
    )
    # Only afterwards: a browser builds a sparkline anew with each new figure, which was a third of
    # all it did for a live page, on the machine whose steps are being timed.
    sparks = _sparks(state) if card.status.over else [[]] * len(figures)
    with st.grid(5, min_column_width=120, key="run-metrics"):
        for (label, value, says), spark in zip(figures, sparks, strict=True):
            line = spark if len(spark) > 1 else None
            st.metric(label, value, help=says, border=True, chart_data=line, height="stretch")


def _sparks(state: RunState) -> list[list[float]]:
    """A line for each metric: epoch times, step times, rates, losses, validation accuracies."""
    series, epochs = state.series, state.card.epochs
    rate = analysis.throughput(series, state.card.spec.batch_size, SPARK_POINTS)
    lines = (
        np.array([row.seconds for row in epochs]),
        _thin(series.ms[warmup_steps(len(series)) :]),
        rate["images_per_second"].to_numpy(),
        _thin(series.loss[~np.isnan(series.loss)]),
        np.array([row.val_accuracy for row in epochs]),
    )
    return [[float(value) for value in line if np.isfinite(value)] for line in lines]


_STEP_HELP = (
    "The median: half of the steps took longer. While it trains, of the last steps; afterwards of "
    "all since it began or was resumed, without warm-up."
)
_RATE_HELP = (
    "Over the mean step, so that each slow step counts, as it does not in the median beside this. "
    "While it trains, of the last steps; afterwards of all since it began or was resumed, without "
    "warm-up."
)


def _unit(value: float | None, unit: str) -> str:
    return words.UNKNOWN if value is None else f"{words.number(value)} {unit}"


def _step_ms(state: RunState) -> float | None:
    if state.card.timing.step_ms_median is not None:
        return state.card.timing.step_ms_median
    recent = _recent_ms(state)
    return float(np.median(recent)) if len(recent) else None


def _rate(state: RunState) -> float | None:
    if state.card.timing.images_per_second is not None:
        return state.card.timing.images_per_second
    recent = _recent_ms(state)
    return 1e3 * state.card.spec.batch_size / float(recent.mean()) if recent.any() else None


def _recent_ms(state: RunState) -> np.ndarray:
    ms = state.series.ms
    return ms[warmup_steps(len(ms)) :][-RECENT_STEPS:]


def _thin(values: np.ndarray) -> np.ndarray:
    return analysis.downsample(np.arange(len(values), dtype=float), values, SPARK_POINTS)[1]


# --- charts ---------------------------------------------------------------------------------


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


def _curves(state: RunState) -> None:
    axis = axis_choice("run-axis")
    run_id = state.card.run_id
    both = shared(state.series, f"curves-{axis}", lambda: _curve_tables(state, axis))
    for metric, column in zip(analysis.METRICS, st.columns(2), strict=True):
        with column:
            spec = charts.curve_spec(metric, axis, palette().of_run(state.card))
            chart(metric, both[metric], spec, run_id)


def _curve_tables(state: RunState, axis: Axis) -> dict[str, pa.Table]:
    card, steps = state.card, state.steps_per_epoch
    both = analysis.curves(state.series, card.epochs, steps, axis, state.points)
    return {metric: table(analysis.only(both, metric)) for metric in analysis.METRICS}


def _more_charts(state: RunState) -> None:
    """Only the chosen ones are computed and sent."""
    choices: dict[str, tuple[str, Callable[[RunState], None]]] = {
        "steps": ("Step time", _step_charts),
        "rate": (_rate_title(state), _rate_chart),
        "memory": ("Memory", _memory_chart),
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


def _rate_title(state: RunState) -> str:
    series = state.card.dataset is not None and state.card.dataset.kind == "series"
    return "Sequences per second" if series else "Images per second"


def _step_charts(state: RunState) -> None:
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


def _rate_chart(state: RunState) -> None:
    batch = state.card.spec.batch_size
    rate = shared(state.series, "rate", lambda: table(analysis.throughput(state.series, batch)))
    spec = charts.throughput_spec(palette().of_run(state.card))
    chart("throughput", rate, spec, state.card.run_id)


def _memory_chart(state: RunState) -> None:
    used = shared(state.series, "memory", lambda: table(analysis.memory(state.series)))
    if len(used):
        chart("memory", used, charts.memory_spec(), state.card.run_id)
    peaks = state.card.memory
    if state.card.status.over:
        process, device = (
            words.size(mb and mb * 1e6) for mb in (peaks.peak_rss_mb, peaks.peak_device_mb)
        )
        st.caption(f"Peak of the process: {process}. Peak of the accelerator: {device}.")


# --- what else is known ---------------------------------------------------------------------


def _details(state: RunState) -> None:
    card = state.card
    parts: dict[str, Callable[[RunCard], None]] = {
        "Where the time went": _where_time_went,
        "Spec": lambda card: _facts(card.spec),
        "Network": lambda card: _facts(card.model),
        "Data set": lambda card: _facts(card.dataset),
        "Device and environment": _environment,
    }
    with st.expander("Everything known about this run", icon=":material/list_alt:"):
        for tab, draw in zip(st.tabs(list(parts)), parts.values(), strict=True):
            with tab:
                draw(card)


def _where_time_went(card: RunCard) -> None:
    ledger(card)
    for sentence in tables.achieved(card):
        st.write(tables.plain(sentence))
    guess = durations.estimate_before(card, history().summaries())
    if guess and card.timing.fit_seconds is not None:
        st.write(
            f"Judging by {guess.basis}, the training was to take {words.duration(guess.seconds)}; "
            f"it took {words.duration(card.timing.fit_seconds)}."
        )


def ledger(*cards: RunCard) -> None:
    """Bars of where each run's wall time went."""
    frame = analysis.ledger(cards)
    names = tables.labels(cards)
    by_id = {card.run_id: name for card, name in zip(cards, names, strict=True)}
    if without := _without_bars(cards, names, set(frame["run"])):
        st.caption(tables.plain(without))
    if frame.empty:
        return
    frame["run"] = frame["run"].map(by_id)
    key = "ledger-" + "-".join(by_id)
    spec = charts.ledger_spec(tuple(names))
    st.vega_lite_chart(frame, spec, key=key, alt=charts.alt_text("ledger"))


def _without_bars(cards: Sequence[RunCard], names: Sequence[str], measured: Container[str]) -> str:
    """Which runs have no bar, and why; empty if each has one."""
    missing = [name for card, name in zip(cards, names, strict=True) if card.run_id not in measured]
    if not missing:
        return ""
    if len(cards) > 1:
        return (
            f"No bar for {', '.join(missing)}: phases of a run that was resumed, or that ended "
            "early, are not known."
        )
    if cards[0].timing.resumed_after:
        return "It was resumed, so how long its phases took is not known."
    return "The phases of this run were not measured."


def _facts(record: Any) -> None:
    if record is None:
        st.caption("Not known: the run ended before.")
        return
    st.dataframe(tables.facts_table(record.model_dump(mode="json")), hide_index=True)


def _environment(card: RunCard) -> None:
    device = card.device.model_dump(mode="json") if card.device else {}
    energy = {"energy": card.energy.model_dump(mode="json")}
    st.dataframe(tables.facts_table(device | card.environment | energy), hide_index=True)
