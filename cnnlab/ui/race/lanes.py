"""The lanes of a race: who drives, how far each is, and how fast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np
import streamlit as st

from cnnlab import analysis, charts, race, words
from cnnlab.analysis import Series
from cnnlab.analysis.runs import epoch_seconds
from cnnlab.published import Reference
from cnnlab.race import Opponent, Runs, track
from cnnlab.race.track import Runner, Trail
from cnnlab.spec import ExperimentSpec, Lane, RunCard, Status
from cnnlab.ui import lab, live, tables
from cnnlab.ui.achieved import adds_up
from cnnlab.ui.colours import palette
from cnnlab.ui.race import stage
from cnnlab.ui.race.entrants import Race
from cnnlab.ui.race.stage import Entry, Moment
from cnnlab.ui.run.state import RunState, kept_series, read

WAITING = charts.REFERENCE
"""The colour of a lane that has no run yet."""


# --- at a moment ----------------------------------------------------------------------------


def show(shown: Race, moment: Moment | None = None) -> None:
    """All lanes across the page; without a moment, when the first of them came in."""
    found = entries(shown)
    first = track.finish([entry.runner for entry in found])
    stage.show(found, length(shown, found), moment or Moment(first))


def drive(shown: Race, found: Sequence[Entry], seconds: float) -> None:
    """The lanes of a race under way, at a second of its clock; they glide till the next drawing."""
    moment = Moment(seconds, live.TIMED_SECONDS, live.TIMED_SECONDS)
    stage.show(found, length(shown, found), moment)


def entries(shown: Race) -> list[Entry]:
    """The lanes in their order, then who stands beside."""
    firsts = [lane.cards[0] for lane in shown.lanes if lane.cards]
    if isinstance(shown.opponent, RunCard):
        firsts.append(shown.opponent)
    colours = palette().of_runs(firsts)
    found = [_entry(lane, colours) for lane in shown.lanes]
    if shown.opponent:
        found.append(_beside(shown.opponent, colours))
    return found


def stand(entered: Sequence[Lane]) -> None:
    """The lanes of a race that has not begun."""
    found = [
        Entry(
            Runner(lane.title, "waits", None),
            _asked(lane.spec),
            WAITING,
            "pictures",
            without_clock="ready",
        )
        for lane in entered
    ]
    stage.show(found, 1.0, Moment(0.0))


def clock(found: Sequence[Entry]) -> float:
    """Seconds since the common start."""
    return track.clock([entry.runner for entry in found])


def length(shown: Race, found: Sequence[Entry]) -> float:
    """Pictures from the start to the end of the track."""
    plan = shown.underway.plan if shown.underway else None
    cuts = [card.part.cut_seconds for card in shown.cards if card.part]
    leg_seconds = plan.leg_seconds if plan else next(iter(cuts), None)
    whole = None if leg_seconds else max(map(_whole_pictures, shown.cards), default=0.0)
    return track.length([entry.runner for entry in found], whole, leg_seconds)


def _whole_pictures(card: RunCard) -> float:
    return float(card.spec.epochs * card.dataset.train_images) if card.dataset else 0.0


def _entry(lane: Runs, colours: dict[str, str]) -> Entry:
    if not lane.cards:
        return Entry(_runner(lane), "", WAITING, "pictures", (_stand(lane),))
    card = lane.cards[0]
    there = f", on {card.machine.name}" if card.machine else ""
    device = f"{card.device.name if card.device else _asked(card.spec)}{there}"
    things = words.things(card.dataset.kind if card.dataset else None)
    colour = colours[card.run_id]
    return Entry(
        _runner(lane), device, colour, things, tuple(_facts(lane)), without_clock=_begins(lane)
    )


def _begins(lane: Runs) -> str:
    """What a lane does that has not come anywhere, in a word."""
    if _under_way(lane):
        return "starts"
    return str(lane.cards[-1].status) if lane.cards[-1].status.over else "waits"


def _asked(spec: ExperimentSpec) -> str:
    """The name of the device that a spec asks for, or comes to where it leaves that open."""
    cpu, *cards = lab.devices_here(spec.machine)[1:]
    device = spec.device
    if device == "auto":
        device = cards[0] if cards and spec.gpu_off == "none" else cpu
    named = lab.device_labels(spec.machine).get(device, device)
    return named.removeprefix("CPU: ").removeprefix("GPU: ")


def _beside(opponent: Opponent, colours: dict[str, str]) -> Entry:
    """A ghost that was not driven in this race, at the pace at which it was recorded."""
    said = (f"{race.described(opponent)}.",)
    if isinstance(opponent, Reference):
        runner = Runner("Published", "recorded", Trail.published(opponent))
        return Entry(runner, opponent.device, charts.REFERENCE, "pictures", said)
    runner = Runner(f"“{opponent.name}”", "recorded", _trail(opponent, kept_series(opponent)))
    device = opponent.device.name if opponent.device else opponent.spec.device
    things = words.things(opponent.dataset.kind if opponent.dataset else None)
    return Entry(runner, device, colours[opponent.run_id], things, said)


# --- where each is --------------------------------------------------------------------------


def _runner(lane: Runs) -> Runner:
    """The run of a lane that is driven now, else its last one as a ghost."""
    state = _under_way(lane)
    if state and len(state.series):
        return Runner(lane.title, "runs", _trail(state.card, state.series))
    done = [card for card in lane.cards if card.status is Status.FINISHED]
    if done:
        return Runner(lane.title, "ghost", _trail(done[-1], kept_series(done[-1])))
    return Runner(lane.title, "waits", None)


def _under_way(lane: Runs) -> RunState | None:
    """The run of a lane that has begun and is not over."""
    states = (read(card) for card in lane.cards if not card.status.over)
    return next((state for state in states if state.card.status is not Status.QUEUED), None)


def _trail(card: RunCard, series: Series) -> Trail:
    """From the steps; of a run whose steps were not kept, from its epochs."""
    if len(series):
        images = analysis.images_of(series, card.dataset, card.spec.batch_size)
        return Trail.of(series, images)
    each = float(card.dataset.train_images) if card.dataset else 0.0
    seconds = np.cumsum([0.0, *(row.seconds for row in card.epochs)])
    return Trail(seconds, each * np.arange(len(seconds), dtype=np.float64))


# --- what each came to ----------------------------------------------------------------------


def _facts(lane: Runs) -> Iterator[str]:
    """A step, an epoch, a whole training; then where the lane stands."""
    us, size = lane.us_per_image, lane.cards[0].full_step
    if us:
        yield f"{words.duration(size * us / 1e6)} a step"
    whole = _whole(lane.cards)
    if whole:
        yield f"{words.duration(_epoch_seconds(whole))} an epoch"
        yield f"{words.duration(_fit_seconds(whole))} the whole training"
    yield _stand(lane)
    if whole and (sentence := adds_up(whole[-1])):
        yield sentence


def _stand(lane: Runs) -> str:
    """What a lane has done, or does."""
    if state := _under_way(lane):
        return _doing(state.card)
    if not all(card.status.over for card in lane.cards) or not lane.cards:
        return "waits for its turn"
    if lane.lost:
        return lane.lost
    done = sum(card.status is Status.FINISHED for card in lane.cards)
    whole = _whole(lane.cards)
    runs = f"{done} {'run' if done == 1 else 'runs'}"
    if whole and whole[-1].epochs:
        best = words.percent(whole[-1].epochs[-1].val_accuracy)
        return (
            f"{runs}, validation accuracy {best} after {words.count(len(whole[-1].epochs))} epochs"
        )
    return runs


def _doing(card: RunCard) -> str:
    """Where a run is that is driven now."""
    done = len(card.epochs)
    said = f"epoch {words.of_all(min(done + 1, card.spec.epochs), card.spec.epochs)}"
    if done and not (card.part and card.part.cut_seconds):
        said += f", validation accuracy {words.percent(card.epochs[-1].val_accuracy)}"
    return said


def _whole(cards: Sequence[RunCard]) -> list[RunCard]:
    """The runs that were trained to their end."""
    return [
        card
        for card in cards
        if card.status is Status.FINISHED and not (card.part and card.part.cut_seconds)
    ]


def _epoch_seconds(cards: Sequence[RunCard]) -> float | None:
    """Median over the runs, each without its first epoch, the warm-up, where it has more."""
    found = [epoch_seconds(c.epochs, warm=len(c.epochs) > 1) for c in cards if c.epochs]
    return median(found) if found else None


def _fit_seconds(cards: Sequence[RunCard]) -> float | None:
    found = [t for card in cards if (t := card.timing.fit_seconds) is not None]
    return median(found) if found else None


# --- who is on record -----------------------------------------------------------------------


def recorded(opponent: Opponent) -> None:
    """An opponent that was not driven here, before a race."""
    if isinstance(opponent, Reference):
        _published_lane(opponent)
        return
    st.badge("Recorded, not in this race", icon=":material/history:", color="gray")
    device = opponent.device.name if opponent.device else opponent.spec.device
    st.subheader(tables.plain(device), anchor=False)
    st.caption(tables.plain(f"{race.described(opponent)}."))
    step_ms = opponent.timing.step_ms_median
    with st.container(horizontal=True):
        st.metric("A step", words.duration(step_ms and step_ms / 1e3))
        if opponent.epochs:
            st.metric("An epoch", words.duration(_epoch_seconds([opponent])))
        if whole := _whole([opponent]):
            st.metric("Whole training", words.duration(_fit_seconds(whole)))
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
