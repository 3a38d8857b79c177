"""A race on a page: to the start, two lanes while it runs, the verdict, the replay."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from cnnlab import analysis, charts, race, words
from cnnlab.models import parameters
from cnnlab.published import Reference
from cnnlab.spec import PRESETS, ExperimentSpec, LabError, RunCard, SpecError, Status
from cnnlab.ui import lab, link, run_view, tables
from cnnlab.ui.run_state import RunState, read

REFRESH_SECONDS, REPLAY_SECONDS = 1.0, 12.0
FRAME_SECONDS = 0.25
REPLAY = "race-replay"
LANE_NAMES = {"cpu": "CPU", "accelerator": "Accelerator"}


def in_the_link() -> list[str]:
    """The ids of the runs that the address names."""
    return [part for part in st.query_params.get("runs", "").split(",") if part]


# --- to the start ---------------------------------------------------------------------------


def offer() -> None:
    """What a race is, what it would run here, and Start."""
    devices = _devices()
    opponent = race.opponent_for(devices)
    st.markdown(
        "The same network, from the same weights, over the same batches: once on the CPU, once on "
        "the accelerator, one after the other, so that neither disturbs the other."
    )
    known = lab.hardware() is not None
    if not known:
        st.info("Looking for devices, which takes some seconds.", icon=":material/hourglass_empty:")
    elif opponent:
        st.info(
            f"There is no accelerator here. The CPU runs beside the published run "
            f"“{opponent.title}”, which was not measured here.",
            icon=":material/info:",
        )
    spec = _recipe()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        repeats = st.number_input(
            "Runs on each device",
            1,
            race.MOST_REPEATS,
            1,
            key="race-repeats",
            width=200,
            help="Interleaved, A B A B. With more than one the verdict has a spread.",
        )
        ready = st.button(
            "Start the race", icon=":material/flag:", type="primary", disabled=not known
        )
    if ready:
        _start(spec, devices, int(repeats))


def _devices() -> list[str]:
    """The CPU, and the first accelerator where there is one."""
    found = lab.hardware()
    return ["cpu", *[card.key for card in found.accelerators][:1]] if found else ["cpu"]


def _recipe() -> ExperimentSpec:
    """The spec of the link, or of the preset that is chosen."""
    given = {name: text for name, text in st.query_params.items() if name != "runs"}
    if given:
        try:
            spec = link.decode(given)
        except SpecError as error:
            st.warning(tables.plain(" ".join(map(link.sentence, error.problems))))
            spec = link.preset_of(given)
    else:
        name = st.pills(
            "Race with",
            list(PRESETS),
            default="tiny",
            required=True,
            format_func=lambda key: PRESETS[key].title,
            key="race-preset",
        )
        spec = PRESETS[name or "tiny"].spec
        st.caption(PRESETS[name or "tiny"].shows)
    try:
        count = words.count(parameters(lab.check(spec)))
        what = f"{count} parameters, {spec.epochs} epochs, batches of {spec.batch_size}"
        st.markdown(f"**{tables.plain(lab.name_of(spec))}**: {what}.")
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
    return spec


def _start(spec: ExperimentSpec, devices: Sequence[str], repeats: int) -> None:
    try:
        name = f"Race: {lab.name_of(spec)}"[:120]
        runs = [lab.start(entry, name) for entry in race.entries(spec, devices, repeats)]
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
        return
    st.query_params.clear()
    st.query_params["runs"] = ",".join(runs)
    st.rerun()


# --- on the way -----------------------------------------------------------------------------


def show(run_ids: Sequence[str]) -> None:
    """The race as it stands: lanes, and when all runs are over, the verdict and the replay."""
    try:
        cards = [lab.history().card(run_id, steps=False) for run_id in run_ids]
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/search_off:")
        st.page_link("pages/race.py", label="Start another race", icon=":material/flag:")
        return
    over = all(card.status.over for card in cards)
    st.fragment(_body, run_every=None if over else REFRESH_SECONDS)(cards, over)


def _body(cards: Sequence[RunCard], over: bool) -> None:
    states = [read(card) for card in cards]
    if not over and all(state.card.status.over for state in states):
        st.rerun()  # the whole page, once: the race is decided
    now = [state.card for state in states]
    opponent = _opponent(now)
    if over:
        _verdict(now, opponent)
    _lanes(states, opponent)
    if any(len(state.card.epochs) for state in states):
        _curves(states, over)
    if over:
        st.subheader("Where the time went", anchor=False)
        run_view.ledger(*now)
        _links(now)


def _opponent(cards: Sequence[RunCard]) -> Reference | None:
    used = [card.device.used if card.device else card.spec.device for card in cards]
    return race.opponent_for(used)


def _verdict(cards: Sequence[RunCard], opponent: Reference | None) -> None:
    lost = [card for card in cards if card.status is not Status.FINISHED]
    if lost:
        why = tables.plain(lost[0].error or f"{lost[0].name} was {lost[0].status}")
        st.warning(f"No verdict: not every run finished. {why}", icon=":material/balance:")
        return
    result = race.judge(cards, opponent)
    st.header(tables.plain(result.verdict), anchor=False)
    if result.where:
        st.markdown(result.where)
    if result.same_start and len(cards) > 1:
        digest = next(card.model.weights_sha256 for card in cards if card.model) or ""
        st.caption(f"Every run began from the same weights (SHA-256 {digest[:12]}…).")
    if blurred := " ".join(filter(None, map(tables.disturbed, cards))):
        st.warning(f"Times are blurred. {blurred}", icon=":material/blur_on:")


def _lanes(states: Sequence[RunState], opponent: Reference | None) -> None:
    left, right = st.columns(2)
    for kind, column in (("cpu", left), ("accelerator", right)):
        mine = [state for state in states if state.kind == kind]
        with column, st.container(border=True, height="stretch"):
            if mine:
                _lane(kind, mine)
            elif opponent:
                _published_lane(opponent)


def _lane(kind: str, states: Sequence[RunState]) -> None:
    icon = ":material/memory:"
    st.badge(LANE_NAMES[kind], icon=icon, color="blue" if kind == "cpu" else "orange")
    device = states[0].card.device
    st.subheader(tables.plain(device.name if device else states[0].card.spec.device), anchor=False)
    for state in states:
        card = state.card
        done = len(card.epochs)
        best = words.percent(card.epochs[-1].val_accuracy) if done else words.UNKNOWN
        at = f"epoch {done} of {card.spec.epochs}, validation accuracy {best}"
        text = f"{tables.status_text(card.status)}: {at}"
        st.progress(1.0 if card.status.over else done / card.spec.epochs, text)
    seconds = [row.seconds for state in states for row in state.card.epochs]
    each = words.duration(float(np.median(seconds))) if seconds else words.UNKNOWN
    st.metric("An epoch", each)


def _published_lane(reference: Reference) -> None:
    st.badge("Published, not measured here", icon=":material/menu_book:", color="gray")
    st.subheader(reference.device, anchor=False)
    st.caption(f"{reference.title}; {reference.software}.")
    low, high = (words.duration(value) for value in reference.epoch_seconds)
    last = reference.points[-1]
    with st.container(horizontal=True):
        st.metric("An epoch", low if low == high else f"{low} to {high}")
        st.metric(f"Val. accuracy, epoch {last.epoch}", words.percent(last.val_accuracy))


# --- the curves and the replay --------------------------------------------------------------


def _curves(states: Sequence[RunState], over: bool) -> None:
    axis = run_view.axis_choice("race-axis", "seconds")
    shown = [state for state in states if state.card.epochs]
    names = tables.labels([state.card for state in shown])
    names = [f"{LANE_NAMES[s.kind]}: {n}" for s, n in zip(shown, names, strict=True)]
    colours = charts.run_colours({state.card.run_id: state.kind for state in shown})
    runs = tuple((n, colours[s.card.run_id]) for n, s in zip(names, shown, strict=True))
    frames = {
        name: analysis.only(
            analysis.curves(state.series, state.card.epochs, state.steps_per_epoch, axis),
            "accuracy",
        )
        for name, state in zip(names, shown, strict=True)
    }
    whole = analysis.overlay(frames)
    if over:
        st.button("Replay", icon=":material/replay:", on_click=_begin_replay)
    began = st.session_state.get(REPLAY)
    longest = float(whole["x"].max())
    ids = "-".join(state.card.run_id for state in shown)
    if not over or began is None:
        spec = charts.overlay_spec("accuracy", axis, runs)
        run_view.chart("overlay_accuracy", whole, spec, ids)
        return
    spec = charts.overlay_spec("accuracy", axis, runs, until=longest)
    st.fragment(_frame, run_every=FRAME_SECONDS)(whole, spec, ids, began, longest)


def _begin_replay() -> None:
    st.session_state[REPLAY] = time.time()


def _frame(whole: pd.DataFrame, spec: charts.Spec, ids: str, began: float, longest: float) -> None:
    """The race up to the moment that the replay has reached."""
    share = min((time.time() - began) / REPLAY_SECONDS, 1.0)
    if share >= 1.0:
        st.session_state.pop(REPLAY, None)
        st.rerun()
    rows = whole[whole["x"] <= share * longest]
    run_view.chart("overlay_accuracy", rows, spec, f"replay-{ids}")


def _links(cards: Sequence[RunCard]) -> None:
    with st.container(horizontal=True):
        for card, name in zip(cards, tables.labels(cards), strict=True):
            st.page_link(
                "pages/history.py",
                label=tables.plain(name),
                icon=":material/link:",
                query_params={"run": card.run_id},
            )
    st.page_link("pages/race.py", label="Start another race", icon=":material/flag:")
