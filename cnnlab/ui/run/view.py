"""One run on a page: while it waits, while it trains, and afterwards."""

from __future__ import annotations

import streamlit as st

from cnnlab import analysis, words
from cnnlab.spec import HERE, LabError, RunCard, Status
from cnnlab.ui import live, machines, rights, tables
from cnnlab.ui.lab import can_resume, history, lab, resume, stop
from cnnlab.ui.orders import BEGUN
from cnnlab.ui.run import (
    afterwards,
    anatomy,
    baseline,
    charts,
    details,
    figures,
    gallery,
    pulse,
)
from cnnlab.ui.run.state import RunState, read, runs_ahead

HURRIED_SECONDS = 0.25
STOPPED = "run.stopped"
"""In the session of a browser: the run that it stopped last."""
PHASES = {
    "starting": "Starting the training process",
    "waiting": "Waiting for the machine, where another lab has something timed",
    "loading": "Loading the data",
    "building": "Building the network",
    "holding": "Waiting for its turn among the lanes",
}
DOING = {
    "holding": ", another lane's turn",
    "validating": ", validating",
    "testing": ", on the test set",
}


def show(run_id: str) -> None:
    """Show one run; while it is not over, anew once a second or two."""
    try:
        card = history().card(run_id, steps=False)
        pace = _pace(read(card))
        against = baseline.of_run(card)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/search_off:")
        st.page_link("pages/history.py", label="All runs", icon=":material/history:")
        return
    # One fragment for all paces: what stands in it keeps its place when a run ends.
    live.every(pace, _body, card, pace, against)


def _pace(state: RunState) -> float | None:
    """Seconds between refreshes: fewer for who waits for the first point, or for a stop; more while
    the CPU is timed.
    """
    run_id = state.card.run_id
    if state.card.status.over:
        return None
    asked = st.session_state.get(STOPPED) == run_id and lab().stopping(run_id)
    begun = st.session_state.get(BEGUN) == run_id
    first = begun and not len(state.series) and not state.card.epochs and not runs_ahead(run_id)
    if state.ours and (asked or first):
        return HURRIED_SECONDS
    return live.TIMED_SECONDS if _cpu_is_timed(state) else live.REFRESH_SECONDS


def _cpu_is_timed(state: RunState) -> bool:
    """Whether the lab's own pages may take cores from the run that they show."""
    here = state.card.machine is None and state.card.spec.machine == HERE
    return here and state.ours and state.card.status is Status.RUNNING and state.kind == "cpu"


def _body(card: RunCard, pace: float | None, against: RunCard | None) -> None:
    try:
        state = read(card)
        # Refused once the run is deleted, in another browser say.
        origin = history().origin(card.run_id) if state.card.status.over else None
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/search_off:")
        return
    if _pace(state) != pace:
        live.anew()  # other parts of the page tell of the run too
    with st.container():
        _head(state)
    if state.steps_per_epoch and (len(state.series) or state.card.epochs):
        with st.container():
            figures.metrics(state, against)
        with st.container():
            charts.curves(state, against, glides=not _cpu_is_timed(state))
        with st.container():
            gallery.show(state)
    brought = f" Not measured here: {tables.plain(origin)}." if origin else ""
    timed = f" {_TIMED}" if _cpu_is_timed(state) else ""
    st.caption(f"{tables.plain(tables.asked_and_used(state.card))}.{brought}{timed}")
    if state.card.status.over:
        afterwards.ways_on(state.card)
        anatomy.show(state.card)
        details.details(state)


# --- head -----------------------------------------------------------------------------------


def _head(state: RunState) -> None:
    """Its name with how it stands, on one row; beneath it what a run that does not train needs."""
    card = state.card
    with st.container(horizontal=True, vertical_alignment="center", key="run-head"):
        st.subheader(tables.plain(card.name), anchor=False, width="content")
        st.badge(str(card.status), icon=tables.SIGNS[card.status][1], color="gray")
        if marks := tables.disturbed(card):
            with st.popover("Times disturbed", icon=":material/blur_on:", type="tertiary"):
                st.write(tables.plain(marks))
        pulse.show(state)
        if card.status is Status.RUNNING:
            _running(state)
    if card.status is Status.QUEUED:
        _queued(state)
    elif card.status.over:
        _over(card)
    elif not state.ours:
        st.caption("Another process trains it, such as the command line; stop it there.")
    st.set_page_config(page_title=_tab(state))


def _tab(state: RunState) -> str:
    """What the browser's tab says: "62 % · epoch 14 of 20"."""
    card = state.card
    if card.status is Status.QUEUED or not card.epochs:
        return f"{card.status} · CNN Lab"
    reached = words.percent(card.epochs[-1].val_accuracy)
    if card.status.over:
        return f"{reached} · {card.status}"
    epoch = min(len(card.epochs) + 1, card.spec.epochs)
    return f"{reached} · epoch {words.of_all(epoch, card.spec.epochs)}"


def _queued(state: RunState) -> None:
    ahead = runs_ahead(state.card.run_id)
    if ahead is None:
        st.info("Waiting in the queue of another CNN Lab.", icon=":material/hourglass_empty:")
        return
    place = {0: "It is next.", 1: "One run comes first."}.get(ahead, f"{ahead} runs come first.")
    st.info(f"Waiting in the queue. {place}", icon=":material/hourglass_empty:")
    _stop_button(state, "Withdraw")


def _running(state: RunState) -> None:
    share, text = progress(state)
    with st.container(key="run-progress"):
        st.progress(share, text)
    if state.ours:
        _stop_button(state, "Stop", shortcut="Alt+S")


_TIMED = (
    f"Drawn every {live.TIMED_SECONDS:.0f} s while the CPU is timed. Steps beside a drawing are "
    "told apart, and what is compared leaves them out."
)


def _stop_button(state: RunState, label: str, shortcut: str | None = None) -> None:
    run_id = state.card.run_id
    asked = lab().stopping(run_id)
    st.button(
        "Stopping …" if asked else label,
        key=f"stop-{run_id}",
        icon=":material/stop_circle:",
        on_click=_stop,
        args=(run_id,),
        shortcut=shortcut,
        **rights.limits(asked),
    )


def _stop(run_id: str) -> None:
    if rights.attempt(stop, run_id):
        st.session_state[STOPPED] = run_id


def _resume_button(card: RunCard) -> None:
    run_id = card.run_id
    where = _where_to_go_on(card) if machines.address() else None
    pressed = st.button(
        "Resume",
        key=f"resume-{run_id}",
        icon=":material/resume:",
        **rights.limits(
            help=f"Go on after epoch {len(card.epochs)}, as if it had never broken off."
        ),
    )
    if pressed and rights.attempt(resume, run_id, where):
        st.session_state[BEGUN] = run_id
        st.rerun()  # the whole page: the fragment holds the card of a run that is over


def _where_to_go_on(card: RunCard) -> str:
    """The machine that is to go on with a run; first the one that had it, if it can."""
    labels = machines.labels()
    had = card.machine.name if card.machine else HERE
    options = sorted(labels, key=lambda name: name != had)
    return st.selectbox(
        "Go on",
        options,
        format_func=labels.__getitem__,
        key=f"resume-on-{card.run_id}",
        width=260,
    )


def progress(state: RunState) -> tuple[float, str]:
    """Share of all epochs that is done, and the phase or the time left in words."""
    card, series, steps = state.card, state.series, state.steps_per_epoch
    if not steps or not len(series):
        phase = PHASES.get(state.phase, "Taking the first steps")
        done = "" if state.phase_done is None else f" {words.percent(state.phase_done)}"
        return state.phase_done or 0.0, f"{phase} …{done}"
    share = analysis.progress(series, steps, card.spec.epochs)
    left = analysis.eta_seconds(series, card.epochs, card.spec, steps)
    epoch = min(len(card.epochs) + 1, card.spec.epochs)
    doing = DOING.get(state.phase, "")
    remaining = f": about {tables.about(left)} left" if left else ""
    return share, f"Epoch {words.of_all(epoch, card.spec.epochs)}{doing}{remaining}"


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
    if tables.diverged(card):
        st.warning(
            "The loss is no number any more: a smaller learning rate usually cures that.",
            icon=":material/trending_up:",
        )
    if can_resume(card):
        _resume_button(card)
    afterwards.next_steps(card)
