"""The curves of a race: accuracy against the clock, when an accuracy was reached, the replay."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import pandas as pd
import streamlit as st

from cnnlab import analysis, charts, race, words
from cnnlab.analysis.outcomes import seconds_to
from cnnlab.analysis.series import SPLIT
from cnnlab.published import Reference
from cnnlab.spec import RunCard, Status
from cnnlab.ui import live, tables
from cnnlab.ui.colours import palette
from cnnlab.ui.race import lanes
from cnnlab.ui.race.entrants import Race
from cnnlab.ui.race.stage import Moment
from cnnlab.ui.run import charts as run_charts
from cnnlab.ui.run.state import RunState, read

REPLAY_SECONDS, FRAME_SECONDS = 12.0, 0.25
REPLAY = "race-replay"
MOST_METRICS = 4
POINTS, FEWEST_POINTS = 1200, 40  # of all curves together, which a replay sends at each frame


@dataclass(frozen=True)
class Curves:
    """What one chart of a race shows."""

    frame: pd.DataFrame
    runs: tuple[tuple[str, str], ...]
    """Label and colour of each."""
    key: str


# --- on the way and after -------------------------------------------------------------------


def show(shown: Race) -> None:
    """Accuracy of each lane's first run against wall clock or epochs."""
    with st.container(horizontal=True, vertical_alignment="center"):
        axis = run_charts.axis_choice("race-axis", "seconds")
        # One lane by itself is no race to watch.
        if len(_curves(shown, "seconds").runs) > 1:
            args = (_key(shown),)
            st.button("Replay", icon=":material/replay:", on_click=_begin_replay, args=args)
    curves = _curves(shown, axis)
    if curves.runs:
        spec = charts.overlay_spec("accuracy", axis, curves.runs)
        run_charts.chart("overlay_accuracy", run_charts.table(curves.frame), spec, curves.key)


def _key(shown: Race) -> str:
    """Tells this race from others."""
    return shown.race_id or "-".join(card.run_id for card in shown.cards)


def _curves(shown: Race, axis: analysis.Axis) -> Curves:
    named = first_runs(shown).items()
    drawn = {name: state for name, state in named if state.card.epochs or len(state.series)}
    points = max(FEWEST_POINTS, POINTS // max(2 * len(drawn), 1))
    frames = {name: _accuracy(state, axis, points) for name, state in drawn.items()}
    given = palette().of_runs([state.card for state in drawn.values()])
    colours = {name: given[state.card.run_id] for name, state in drawn.items()}
    if drawn and isinstance(shown.opponent, Reference):
        published = _published(shown.opponent, next(iter(drawn.values())), axis)
        if len(published):
            frames["Published"], colours["Published"] = published, charts.REFERENCE
    whole = analysis.overlay(frames) if frames else pd.DataFrame()
    runs = tuple((name, colours[name]) for name in frames)
    return Curves(whole, runs, _key(shown))


def first_runs(shown: Race) -> dict[str, RunState]:
    """The first run of each lane that has finished one, under the lane's title.

    A run of a lane differs from its others in its times alone.
    """
    found = {
        lane.title: read(card.model_copy(update={"name": lane.title}))
        for lane in shown.lanes
        for card in [card for card in lane.cards if card.status is Status.FINISHED][:1]
    }
    if isinstance(shown.opponent, RunCard):
        found["Recorded"] = read(shown.opponent)
    return found


def _accuracy(state: RunState, axis: analysis.Axis, points: int) -> pd.DataFrame:
    both = analysis.curves(state.series, state.card.epochs, state.steps_per_epoch, axis, points)
    return analysis.only(both, "accuracy")


def _published(reference: Reference, beside: RunState, axis: analysis.Axis) -> pd.DataFrame:
    """The points that were published, where the recipe is the published one: on other data or with
    another network they would say nothing. When an epoch ended was told of the last alone.
    """
    points = reference.points if not race.other_than_published(beside.card.spec) else ()
    if axis == "seconds":
        points = tuple(point for point in points if point.epoch == reference.epochs)
    scale = {"epoch": 1.0, "step": beside.steps_per_epoch, "seconds": 0.0}[axis]
    rows = [
        (point.epoch * scale or reference.fit_seconds, value, split)
        for point in points
        for value, split in ((point.accuracy, "training"), (point.val_accuracy, "validation"))
    ]
    return pd.DataFrame(rows, columns=["x", "value", "split"]).astype(
        {"x": "float32", "value": "float32", "split": SPLIT}
    )


# --- an accuracy to reach -------------------------------------------------------------------


def reached(shown: Race) -> None:
    """When each lane first had a validation accuracy that the reader chooses; of short runs, which
    had none, nothing.
    """
    lanes = _lane_cards(shown)
    if len({name for name, _ in lanes}) < 2:
        return
    bests = [max((row.val_accuracy for row in c.epochs), default=0.0) for _, c in lanes]
    highest, common = (math.floor(1000 * value) / 10 for value in (max(bests), min(bests)))
    if not highest:
        return
    wanted = st.slider(
        "Validation accuracy to reach (%)",
        0.0,
        highest,
        common or highest,
        0.1,
        format="%.1f",
        key="race-accuracy",
        help="Read at the ends of epochs, from the start of training.",
    )
    names = list(dict.fromkeys(name for name, _ in lanes))
    with st.container(horizontal=True):
        for name in names:
            mine = [seconds_to(card, wanted / 100) for lane, card in lanes if lane == name]
            st.metric(f"{tables.plain(name)} reached it after", _typical(mine))


def _lane_cards(shown: Race) -> list[tuple[str, RunCard]]:
    lanes = [(lane.title, card) for lane in shown.lanes for card in lane.cards if card.epochs]
    recorded = shown.opponent
    return lanes + ([("Recorded", recorded)] if isinstance(recorded, RunCard) else [])


def _typical(seconds: Sequence[float | None]) -> str:
    """The median over repeats, if every one of them got there."""
    got = [value for value in seconds if value is not None]
    if len(got) == len(seconds):
        return words.duration(median(got))
    return f"{len(got)} of {len(seconds)} got there" if got else "never"


# --- the replay -----------------------------------------------------------------------------


def _begin_replay(key: str) -> None:
    st.session_state[REPLAY] = (key, time.time())


def _end_replay() -> None:
    st.session_state.pop(REPLAY, None)


def replay(shown: Race) -> bool:
    """The race once more, all lanes from one start, in as many seconds as a room has patience.

    Returns:
        False where none was asked for, and nothing was drawn.
    """
    asked, began = st.session_state.get(REPLAY, ("", 0.0))
    if asked != _key(shown):
        return False
    curves = _curves(shown, "seconds")
    if not curves.runs:
        return False
    longest, highest = float(curves.frame["x"].max()), float(curves.frame["value"].max())
    until = (longest, min(1.0, math.ceil(20 * highest) / 20))
    spec = charts.overlay_spec("accuracy", "seconds", curves.runs, until=until)
    st.caption(f"All lanes from one start, {_pace(longest)}.")
    live.every(FRAME_SECONDS, _frame, shown, curves, spec, began, longest)
    st.button("End the replay", icon=":material/stop_circle:", on_click=_end_replay)
    return True


def _pace(longest: float) -> str:
    """How a race of so many seconds is replayed, in words."""
    if longest < REPLAY_SECONDS:
        return f"{words.number(REPLAY_SECONDS / longest, 2)} times as slow as the race was"
    return f"at {words.number(longest / REPLAY_SECONDS)} times the speed of the race"


def _frame(shown: Race, curves: Curves, spec: charts.Spec, began: float, longest: float) -> None:
    """The race up to the moment that the replay has reached."""
    share = (time.time() - began) / REPLAY_SECONDS
    if share >= 1:
        _end_replay()
        live.anew()
    now = share * longest
    since = FRAME_SECONDS * longest / REPLAY_SECONDS
    lanes.show(shown, Moment(now, since, FRAME_SECONDS))
    rows = curves.frame[curves.frame["x"] <= now]
    with st.container(horizontal=True):
        st.metric("Race clock", words.duration(now))
        for name, _ in curves.runs[:MOST_METRICS]:
            st.metric(f"{tables.plain(name)}: val. accuracy", _so_far(rows, name))
    run_charts.chart("overlay_accuracy", run_charts.table(rows), spec, f"replay-{curves.key}")


def _so_far(rows: pd.DataFrame, name: str) -> str:
    """The last validation accuracy of a run among the rows."""
    mine = rows[(rows["run"] == name) & (rows["split"] == "validation")]
    return words.percent(float(mine["value"].iloc[-1])) if len(mine) else words.UNKNOWN
