"""The curves of a race: accuracy against the clock, when an accuracy was reached, the replay."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import pandas as pd
import streamlit as st

from cnnlab import analysis, charts, race, words
from cnnlab.analysis.outcomes import seconds_to
from cnnlab.analysis.series import SPLIT
from cnnlab.published import Reference
from cnnlab.race import Opponent
from cnnlab.spec import RunCard
from cnnlab.ui import live, tables
from cnnlab.ui.colours import palette
from cnnlab.ui.run import charts as run_charts
from cnnlab.ui.run.state import RunState, read

LANE_NAMES = {"cpu": "CPU", "accelerator": "Accelerator"}
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


def show(states: Sequence[RunState], opponent: Opponent | None) -> None:
    """Accuracy against wall clock or epochs; nothing before the first point."""
    with st.container(horizontal=True, vertical_alignment="center"):
        axis = run_charts.axis_choice("race-axis", "seconds")
        over = all(state.card.status.over for state in states)
        # One lane by itself is no race to watch.
        if over and len(_curves(states, opponent, "seconds").runs) > 1:
            args = (_key(states, opponent),)
            st.button("Replay", icon=":material/replay:", on_click=_begin_replay, args=args)
    curves = _curves(states, opponent, axis)
    if curves.runs:
        spec = charts.overlay_spec("accuracy", axis, curves.runs)
        run_charts.chart("overlay_accuracy", run_charts.table(curves.frame), spec, curves.key)


def _key(states: Sequence[RunState], opponent: Opponent | None) -> str:
    """Tells this race from others."""
    return "-".join(state.card.run_id for state in entrants(states, opponent).values())


def _curves(states: Sequence[RunState], opponent: Opponent | None, axis: analysis.Axis) -> Curves:
    named = entrants(states, opponent).items()
    shown = {name: state for name, state in named if state.card.epochs or len(state.series)}
    points = max(FEWEST_POINTS, POINTS // max(2 * len(shown), 1))
    frames = {name: _accuracy(state, axis, points) for name, state in shown.items()}
    given = palette().of_runs([state.card for state in shown.values()])
    colours = {name: given[state.card.run_id] for name, state in shown.items()}
    if shown and isinstance(opponent, Reference):
        published = _published(opponent, next(iter(shown.values())), axis)
        if len(published):
            frames["Published"], colours["Published"] = published, charts.REFERENCE
    whole = analysis.overlay(frames) if frames else pd.DataFrame()
    runs = tuple((name, colours[name]) for name in frames)
    return Curves(whole, runs, _key(states, opponent))


def entrants(states: Sequence[RunState], opponent: Opponent | None) -> dict[str, RunState]:
    """The runs by the names that the legend has for them."""
    often, seen = Counter(state.kind for state in states), Counter[str]()
    found: dict[str, RunState] = {}
    for state in states:
        seen[state.kind] += 1
        number = f" {seen[state.kind]}" if often[state.kind] > 1 else ""
        found[LANE_NAMES[state.kind] + number] = state
    if isinstance(opponent, RunCard):
        found["Recorded"] = read(opponent)
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


def reached(states: Sequence[RunState], opponent: Opponent | None) -> None:
    """When each lane first had a validation accuracy that the reader chooses."""
    lanes = _lane_cards(states, opponent)
    if not lanes:
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


def _lane_cards(states: Sequence[RunState], opponent: Opponent | None) -> list[tuple[str, RunCard]]:
    lanes = [(LANE_NAMES[state.kind], state.card) for state in states if state.card.epochs]
    return lanes + ([("Recorded", opponent)] if isinstance(opponent, RunCard) else [])


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


def replay(states: Sequence[RunState], opponent: Opponent | None) -> bool:
    """The race once more, all lanes from one start, in as many seconds as a room has patience.

    Returns:
        False where none was asked for, and nothing was drawn.
    """
    asked, began = st.session_state.get(REPLAY, ("", 0.0))
    if asked != _key(states, opponent):
        return False
    curves = _curves(states, opponent, "seconds")
    if not curves.runs:
        return False
    longest, highest = float(curves.frame["x"].max()), float(curves.frame["value"].max())
    until = (longest, min(1.0, math.ceil(20 * highest) / 20))
    spec = charts.overlay_spec("accuracy", "seconds", curves.runs, until=until)
    st.caption(f"All lanes from one start, {_pace(longest)}.")
    live.every(FRAME_SECONDS, _frame, curves, spec, began, longest)
    st.button("End the replay", icon=":material/stop_circle:", on_click=_end_replay)
    return True


def _pace(longest: float) -> str:
    """How a race of so many seconds is replayed, in words."""
    if longest < REPLAY_SECONDS:
        return f"{words.number(REPLAY_SECONDS / longest, 2)} times as slow as the race was"
    return f"at {words.number(longest / REPLAY_SECONDS)} times the speed of the race"


def _frame(curves: Curves, spec: charts.Spec, began: float, longest: float) -> None:
    """The race up to the moment that the replay has reached."""
    share = (time.time() - began) / REPLAY_SECONDS
    if share >= 1:
        _end_replay()
        st.rerun()
    now = share * longest
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
