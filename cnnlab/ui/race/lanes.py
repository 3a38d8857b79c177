"""The lanes of a race: who drives, and how fast."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

import streamlit as st

from cnnlab import analysis, race, words
from cnnlab.analysis.runs import epoch_seconds
from cnnlab.published import Reference
from cnnlab.race import Opponent, Runs
from cnnlab.spec import RunCard, Status
from cnnlab.ui import lab, tables
from cnnlab.ui.race.entrants import Race
from cnnlab.ui.run.state import RunState, read


def show(shown: Race) -> None:
    """A column for each lane, and one for who stands beside."""
    lanes = shown.lanes
    columns = st.columns(len(lanes) + bool(shown.opponent))
    for column, lane in zip(columns, lanes, strict=False):
        with column, st.container(border=True, height="stretch"):
            _lane(lane)
    if shown.opponent:
        with columns[-1], st.container(border=True, height="stretch"):
            recorded(shown.opponent)


def _lane(lane: Runs) -> None:
    st.subheader(tables.plain(lane.title), anchor=False)
    if lane.cards:
        card = lane.cards[0]
        labels = lab.device_labels(card.spec.machine)
        name = card.device.name if card.device else labels.get(card.spec.device)
        there = f", on {card.machine.name}" if card.machine else ""
        st.caption(tables.plain(f"{name or card.spec.device}{there}"))
    whole = _whole(lane.cards)
    with st.container(horizontal=True):
        st.metric(*_pace(lane))
        if whole:
            st.metric("An epoch", words.duration(_epoch_seconds(whole)), help=_EPOCH_HELP)
            st.metric("Whole training", words.duration(_fit_seconds(whole)))
    if whole and (sentence := tables.adds_up(whole[-1])):
        st.caption(tables.plain(sentence))
    last = next((card for card in lane.cards if not card.status.over), None)
    if last:
        st.progress(*_progress(read(last)))
    else:
        st.write(_stand(lane))


_EPOCH_HELP = (
    "The median after the first, which holds the warm-up; without what others took of its cores, "
    "where that is known."
)


def _pace(lane: Runs) -> tuple[str, str]:
    us, size = lane.us_per_image, lane.cards[0].spec.batch_size if lane.cards else 1
    return "A step", words.duration(size * us / 1e6) if us else words.UNKNOWN


def _stand(lane: Runs) -> str:
    """What a lane that does not run now has done."""
    if not lane.cards:
        return "waits for its turn"
    done = sum(card.status is Status.FINISHED for card in lane.cards)
    whole = _whole(lane.cards)
    runs = f"{done} {'run' if done == 1 else 'runs'}"
    if lane.lost:
        return tables.plain(lane.lost)
    if whole and whole[-1].epochs:
        best = words.percent(whole[-1].epochs[-1].val_accuracy)
        return f"{runs}, validation accuracy {best} after {len(whole[-1].epochs)} epochs"
    return runs


def _whole(cards: Sequence[RunCard]) -> list[RunCard]:
    """The runs that were trained to their end."""
    return [card for card in cards if not (card.part and card.part.cut_seconds)]


def _epoch_seconds(cards: Sequence[RunCard]) -> float | None:
    """Median over the runs, each without its first epoch where it has more."""
    found = [epoch_seconds(c.epochs, warm=len(c.epochs) > 1) for c in cards if c.epochs]
    return median(found) if found else None


def _fit_seconds(cards: Sequence[RunCard]) -> float | None:
    found = [t for card in cards if (t := card.timing.fit_seconds) is not None]
    return median(found) if found else None


def _progress(state: RunState) -> tuple[float, str]:
    """Share of the run that is done, and where it stands in words."""
    card, done = state.card, len(state.card.epochs)
    if card.status is Status.QUEUED:
        return 0.0, f"{tables.status_text(card.status)}: waits for its turn"
    said = f"{tables.status_text(card.status)}: epoch {done + 1} of {card.spec.epochs}"
    if card.part and card.part.cut_seconds:
        spent = float(state.series.ms.sum()) / 1e3
        return min(spent / card.part.cut_seconds, 1.0), said
    if done:
        said += f", validation accuracy {words.percent(card.epochs[-1].val_accuracy)}"
    if not (state.steps_per_epoch and len(state.series)):
        return 0.0, said
    return analysis.progress(state.series, state.steps_per_epoch, card.spec.epochs), said


# --- who stands beside ----------------------------------------------------------------------


def recorded(opponent: Opponent) -> None:
    """An opponent that was not driven in this race."""
    if isinstance(opponent, Reference):
        _published_lane(opponent)
        return
    st.badge("Recorded, not in this race", icon=":material/history:", color="gray")
    device = opponent.device.name if opponent.device else opponent.spec.device
    st.subheader(tables.plain(device), anchor=False)
    st.caption(tables.plain(f"{race.described(opponent)}."))
    with st.container(horizontal=True):
        st.metric("An epoch", words.duration(_epoch_seconds([opponent])))
        st.metric("Whole training", words.duration(opponent.timing.fit_seconds))
        if opponent.epochs:
            last = opponent.epochs[-1]
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
