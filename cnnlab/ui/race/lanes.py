"""The lanes of a race: who drives, how far, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import streamlit as st

from cnnlab import analysis, race, words
from cnnlab.analysis.runs import epoch_seconds
from cnnlab.published import Reference
from cnnlab.race import Opponent
from cnnlab.spec import RunCard, Status
from cnnlab.ui import lab, tables
from cnnlab.ui.race import curves as race_curves
from cnnlab.ui.run.state import RunState


def show(states: Sequence[RunState], opponent: Opponent | None) -> None:
    """The CPU's lane on the left; who stands beside has the lane of its kind where it is free."""
    mine = {kind: [s for s in states if s.kind == kind] for kind in ("cpu", "accelerator")}
    left, right = st.columns(2)
    driven = [kind for kind in mine if mine[kind]]
    # Beside an opponent of its own kind a run stays on the left.
    places = {"cpu": left, "accelerator": right}
    if opponent and race.kind(opponent) in driven:
        places[driven[0]] = left
    for kind in driven:
        with places[kind], st.container(border=True, height="stretch"):
            _lane(kind, mine[kind])
    if opponent and driven:
        free = right if places[driven[0]] is left else left
        with free, st.container(border=True, height="stretch"):
            _recorded_lane(opponent)


def _lane(kind: str, states: Sequence[RunState]) -> None:
    icon = ":material/memory:"
    st.badge(race_curves.LANE_NAMES[kind], icon=icon, color="blue" if kind == "cpu" else "orange")
    card = states[0].card
    name = card.device.name if card.device else lab.device_labels().get(card.spec.device)
    st.subheader(tables.plain(name or card.spec.device), anchor=False)
    for share, text in map(_progress, states):
        if all(state.card.status.over for state in states):
            st.write(text)
        else:
            st.progress(share, text)
    each = words.duration(_epoch_seconds([state.card for state in states]))
    with st.container(horizontal=True):
        st.metric("An epoch", each)
        st.metric("Whole training", words.duration(_fit_seconds(states)))


def _epoch_seconds(cards: Sequence[RunCard]) -> float | None:
    """Median over the runs, each without its first epoch where it has more."""
    found = [epoch_seconds(c.epochs, warm=len(c.epochs) > 1) for c in cards if c.epochs]
    return median(found) if found else None


def _fit_seconds(states: Sequence[RunState]) -> float | None:
    found = [t for state in states if (t := state.card.timing.fit_seconds) is not None]
    return median(found) if found else None


def _progress(state: RunState) -> tuple[float, str]:
    """Share of all epochs that is done, and where the run stands in words."""
    card, done = state.card, len(state.card.epochs)
    if card.status is Status.QUEUED:
        return 0.0, f"{tables.status_text(card.status)}: waits for its turn"
    best = words.percent(card.epochs[-1].val_accuracy) if done else words.UNKNOWN
    said = f"epoch {done} of {card.spec.epochs}, validation accuracy {best}"
    share = done / card.spec.epochs
    if not card.status.over and state.steps_per_epoch and len(state.series):
        share = analysis.progress(state.series, state.steps_per_epoch, card.spec.epochs)
    return min(share, 1.0), f"{tables.status_text(card.status)}: {said}"


def _recorded_lane(opponent: Opponent) -> None:
    if isinstance(opponent, Reference):
        _published_lane(opponent)
        return
    st.badge("Recorded, not in this race", icon=":material/history:", color="gray")
    device = opponent.device.name if opponent.device else opponent.spec.device
    st.subheader(tables.plain(device), anchor=False)
    st.caption(tables.plain(f"{race.described(opponent)}."))
    last = opponent.epochs[-1]
    with st.container(horizontal=True):
        st.metric("An epoch", words.duration(_epoch_seconds([opponent])))
        st.metric("Whole training", words.duration(opponent.timing.fit_seconds))
        st.metric(f"Val. accuracy, epoch {last.epoch}", words.percent(last.val_accuracy))


def _published_lane(reference: Reference) -> None:
    st.badge("Published, not measured here", icon=":material/menu_book:", color="gray")
    st.subheader(reference.device, anchor=False)
    st.caption(f"{reference.title}; {reference.software}.")
    low, high = (words.duration(value) for value in reference.epoch_seconds)
    last = reference.points[-1]
    with st.container(horizontal=True):
        st.metric("An epoch", low if low == high else f"{low} to {high}")
        st.metric("Whole training", words.duration(reference.fit_seconds))
        st.metric(f"Val. accuracy, epoch {last.epoch}", words.percent(last.val_accuracy))
