"""A sweep that trained its variants: what each value brings in accuracy, and at which time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cnnlab import analysis, charts, words
from cnnlab.analysis import Grid, Point, Repeats, Side, Varied
from cnnlab.history import RunSummary
from cnnlab.spec import RunCard
from cnnlab.sweep.variants import broken_off
from cnnlab.ui import front, lab, lead, live, rights, tables
from cnnlab.ui.colours import ground, inked
from cnnlab.ui.explore import cells, sweeps, training
from cnnlab.ui.explore.chosen import choose, new_sweep
from cnnlab.ui.explore.grid import Cells
from cnnlab.ui.run.state import cards_of

REFRESH_SECONDS = 3.0
MOST_RUNS = 1000
"""The newest so many runs of sweeps that train are known by them."""


@dataclass(frozen=True)
class Trained:
    """A sweep that trains, by its runs."""

    sweep_id: str
    name: str
    runs: tuple[RunSummary, ...]
    """In the order of its variants."""

    @property
    def title(self) -> str:
        return f"{self.name}, {len(self.runs)} runs trained"

    @property
    def over(self) -> bool:
        return all(run.status.over for run in self.runs)


def known() -> dict[str, Trained]:
    """All of them by id, newest first."""
    found: dict[str, list[RunSummary]] = {}
    for run in lab.history().summaries(part_kind="sweep", limit=MOST_RUNS):
        if run.part:
            found.setdefault(run.part.group_id, []).append(run)
    return {group_id: _of(group_id, runs) for group_id, runs in found.items()}


def _of(sweep_id: str, runs: Sequence[RunSummary]) -> Trained:
    assert runs[0].part
    return Trained(sweep_id, runs[0].part.group, tuple(sorted(runs, key=_turn)))


def _turn(run: RunSummary) -> int:
    return run.part.turn if run.part else 0


def page(row: DeltaGenerator) -> None:
    """Choose a sweep in a row above, or begin one, and what it came to so far."""
    sweeps_known = known()
    chosen = choose(sweeps_known, row) if sweeps_known else None
    if not sweeps_known:
        st.subheader("What does each choice bring?", anchor=False)
        st.write("Each variant of a recipe is trained and becomes a point: accuracy against time.")
    with new_sweep("A new sweep that trains", folded=bool(sweeps_known)):
        training.show()
    if chosen:
        pace = None if chosen.over else REFRESH_SECONDS
        live.every(pace, _show, chosen.sweep_id, chosen.over)


def _show(sweep_id: str, over: bool) -> None:
    """The sweep as it stands: progress, the scatter, parallel coordinates, the variants."""
    runs = lab.history().summaries(group_id=sweep_id)
    if all(run.status.over for run in runs) != over or not runs:
        live.anew()  # the clock of this part starts or stops, or all is gone
    if not runs:
        return
    shown = _of(sweep_id, runs)
    _state(shown)
    cards = [card for card in cards_of(shown.runs) if card.epochs]
    axes = analysis.varied(cards)
    found = analysis.repeats(cards, _names(cards, axes))
    if not found:
        st.caption("The first points appear when a variant has trained its first epoch.")
        return
    _headline(found)
    if other := len(cards) - sum(len(group.runs) for group in found):
        did = "1 run" if other == 1 else f"{words.count(other)} runs"
        st.caption(f"{did} learnt from other data than the first, and cannot stand beside it.")
    left, right = st.columns(2)
    with left:
        front.show(cards, _names(cards, axes))
    with right:
        _parallel(axes, found)
    if 0 < len(axes) < 3:
        left, right = st.columns(2)
        with left:
            _map(axes, found, cards)
        with right:
            _table(axes, found)
    else:
        _table(axes, found)


def _names(cards: Sequence[RunCard], axes: Sequence[Varied]) -> list[str]:
    """Each run by its values; runs of one variant have one name."""
    return [
        ", ".join(f"{axis.title.lower()} {axis.of_run[card.run_id]}" for axis in axes)
        or "every seed"
        for card in cards
    ]


def _state(shown: Trained) -> None:
    """How far it is, and a way to end it."""
    if shown.over:
        lost = sum(run.epochs_done == 0 for run in shown.runs)
        if lost:
            what = "1 run" if lost == 1 else f"{words.count(lost)} runs"
            st.warning(f"{what} ended without an epoch and has no point here.")
        if left := broken_off(shown.runs):
            _offer_to_go_on(shown.sweep_id, len(left))
        return
    done = sum(run.status.over for run in shown.runs)
    with st.container(horizontal=True, vertical_alignment="center", key="sweep-state"):
        with st.container(width="stretch"):
            st.progress(done / len(shown.runs), text=f"{done} of {len(shown.runs)} runs trained")
        st.button(
            "Stop",
            key="trained-stop",
            icon=":material/stop:",
            on_click=_stop,
            args=([run.run_id for run in shown.runs if not run.status.over],),
            **rights.limits(),
        )


def _offer_to_go_on(sweep_id: str, left: int) -> None:
    what = "1 run" if left == 1 else f"{words.count(left)} runs"
    st.button(
        "Go on",
        key="trained-go-on",
        icon=":material/play_arrow:",
        on_click=_go_on,
        args=(sweep_id,),
        **rights.limits(help=f"Trains {what} that broke off; what is finished stays."),
    )


def _go_on(sweep_id: str) -> None:
    rights.attempt(sweeps.go_on_training, sweep_id)


def _stop(run_ids: Sequence[str]) -> None:
    rights.attempt(sweeps.stop_training, run_ids)


def _headline(found: Sequence[Repeats]) -> None:
    """Which variant is the most accurate, and which is the quickest on the front."""
    best = max(found, key=lambda group: group.accuracy)
    quick = min(found, key=lambda group: group.time)
    lead.figure(words.percent(best.accuracy), f"the most accurate: {best.name}")
    more = f"Quickest: {quick.name}, {analysis.said(quick)}."
    if quick is best:
        more = "It is the quickest too."
    st.markdown(tables.plain(f"{analysis.said(best)}. {more}"))


def _parallel(axes: Sequence[Varied], found: Sequence[Repeats]) -> None:
    st.markdown("**Every variant through all that varies**")
    spec = inked(charts.parallel_spec(analysis.parallel_axes(axes), ground()))
    data = {
        "source": charts.packed(analysis.parallel_frame(axes, found)),
        "ticks": charts.packed(analysis.ticks_frame(axes, found)),
    }
    event = st.vega_lite_chart(
        None,
        spec | {"datasets": data},
        key="parallel",
        alt=charts.alt_text("parallel"),
        on_select="rerun",
        selection_mode=charts.PICKED,
    )
    st.caption(
        "A line is a variant, brown where its accuracy is the worst and green where it is the "
        "best. Click one of its points to single it out and open its runs."
    )
    picked = {point.get("first") for point in event["selection"].get(charts.PICKED, [])}
    for group in found:
        if group.runs[0] in picked:
            front.open_group(group)


def _map(axes: Sequence[Varied], found: Sequence[Repeats], cards: Sequence[RunCard]) -> None:
    """The accuracies as a heat map of one or two things; a click opens a cell's runs."""
    specs = {card.run_id: card.spec for card in cards}
    points = [
        Point(
            place=tuple(axis.of_run[group.runs[0]] for axis in axes),
            device="",
            us_per_image=None,
            run_ids=group.runs,
            parameters=group.parameters,
            accuracy=group.accuracy,
        )
        for group in found
    ]
    recipes = {
        (point.place, ""): specs[group.runs[0]] for point, group in zip(points, found, strict=True)
    }
    sides = tuple(Side(axis.title, axis.values) for axis in axes)
    cells.accuracies(Cells(Grid(sides, tuple(points)), recipes))


def _table(axes: Sequence[Varied], found: Sequence[Repeats]) -> None:
    """The variants, the most accurate first; a star marks those that nothing beats in both."""
    rows = [
        {
            **{axis.title: axis.of_run[group.runs[0]] for axis in axes},
            "Runs": len(group.runs),
            "Accuracy": words.percent(group.accuracy),
            "Spread (points)": words.UNKNOWN
            if group.spread is None
            else words.number(100 * group.spread, 2),
            "Training": words.duration(group.time),
            "Front": "★" if group.on_front else "",
        }
        for group in sorted(found, key=lambda group: -group.accuracy)
    ]
    st.dataframe(
        pd.DataFrame(rows),
        hide_index=True,
        height="auto" if len(rows) <= 10 else 400,
        alt="The variants with their accuracy, its spread over seeds and their training time.",
    )
