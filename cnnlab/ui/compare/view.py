"""Any number of runs against each other: who is faster, what came out, what differs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import streamlit as st

from cnnlab import analysis, learned, words
from cnnlab.history import RunSummary
from cnnlab.spec import RunCard, label
from cnnlab.ui import call, live, tables
from cnnlab.ui.compare import answers, choice, ladder, networks, panel, results
from cnnlab.ui.compare import charts as compare_charts
from cnnlab.ui.compare import files as compare_files
from cnnlab.ui.compare import speed as compare_speed
from cnnlab.ui.lab import history
from cnnlab.ui.run import details
from cnnlab.ui.run.state import cards_of

REFRESH_SECONDS = 5.0  # while one of the runs still trains
MOST_BARS, MOST_FIELDS = 12, 25


def empty(*, any_runs: bool) -> None:
    """Say what will appear here, and offer what makes it appear."""
    with st.container(border=True):
        st.subheader("No runs chosen" if any_runs else "No runs yet", anchor=False)
        st.write("Runs stand side by side here: who is better, who is faster, and what differs.")
        with st.container(horizontal=True, vertical_alignment="center"):
            if any_runs:
                choice.offer_newest()
                history_link = "Tick them in the history"
                st.page_link("pages/history.py", label=history_link, icon=":material/history:")
            else:
                call.to_train("Train a first run")
            ladder.offer_example()
    compare_charts.learnt_by_heart([], [])


def show(runs: Sequence[RunSummary]) -> None:
    """Show the runs; while one of them trains, every few seconds anew."""
    pace = None if all(run.status.over for run in runs) else REFRESH_SECONDS
    live.every(pace, _body, tuple(run.run_id for run in runs), choice.asked(), pace)


def _body(run_ids: Sequence[str], asked: Sequence[str], pace: float | None) -> None:
    if choice.asked() != asked:
        live.anew()  # a row was taken away, or a ladder begun
    by_id = {run.run_id: run for run in history().summaries(run_ids=run_ids)}
    runs = [by_id[run_id] for run_id in run_ids if run_id in by_id]
    cards = panel.baseline_first(cards_of(runs))
    if pace and all(card.status.over for card in cards):
        live.anew()
    names = tables.labels(cards)
    origins = [by_id[card.run_id].origin for card in cards]
    with st.container(key="compare-split"):
        left, right = st.columns([1, 3], gap="medium")
    with left:
        panel.show(cards, names)
    standing = analysis.rank(cards, names, learned.paired)
    with right:
        _lead(cards, names, standing)
        _charts(cards, names)
    _verdict(cards, names)
    if len(cards) == 2:
        networks.show((cards[0], cards[1]), (names[0], names[1]))
    with st.container():
        results.show(cards, names, origins, standing)
    with st.container():
        _differences(cards, names)
    with st.container():
        compare_charts.learnt_by_heart(cards, names)
    if len(cards) <= MOST_BARS:
        st.subheader("Where the time went", anchor=False)
        details.ledger(*cards)
    compare_files.export(cards, {run.run_id: run.origin for run in runs if run.origin})


def _inspect(run_ids: Sequence[str]) -> None:
    st.page_link(
        "pages/inspect.py",
        label="What the two disagree on",
        icon=":material/visibility:",
        query_params={choice.RUNS: ",".join(run_ids)},
    )


def _lead(cards: Sequence[RunCard], names: Sequence[str], standing: analysis.Standing) -> None:
    """What leads: the ladder where the runs are its rungs, else the three answers."""
    with st.container():
        if ladder.asked() and len(cards) > 1:
            ladder.show(cards)
        elif len(cards) > 1:
            answers.show(cards, names, standing)


def _charts(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    """Accuracy against time, and the curves beside it, of the runs that are not hidden."""
    away = panel.hidden()
    seen = [pair for pair in zip(cards, names, strict=True) if pair[0].run_id not in away]
    shown, called = [card for card, _ in seen], [name for _, name in seen]
    with st.container():
        if not shown:
            st.caption("All runs are hidden: the eyes in the list bring them back.")
        else:
            compare_charts.curves(shown, called)


def _verdict(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    """The answers in sentences, under the names that stand on this page."""
    if ladder.asked():
        return
    called = [
        card.model_copy(update={"name": name}) for card, name in zip(cards, names, strict=True)
    ]
    with st.container():
        compare_speed.verdict(called, names)
        if len(cards) == 2:
            ladder.offer(*cards)
            _inspect([card.run_id for card in cards])


def _differences(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    if len(cards) < 2:
        return
    st.subheader("What differs", anchor=False)
    frame = analysis.differences(cards)
    same = analysis.agreements(cards[0], frame)
    frame = frame.set_axis(names, axis="columns").set_axis(map(label, frame.index))
    if frame.empty:
        st.caption("Nothing: the runs are repeats of each other.")
    else:
        tall: Literal["content", "auto"] = "content" if len(frame) <= MOST_FIELDS else "auto"
        field = {"Field": st.column_config.TextColumn(pinned=True)}
        rows = frame.reset_index(names="Field")
        st.dataframe(rows, hide_index=True, height=tall, column_config=field)
    with st.expander(f"The same in all ({words.count(len(same))})", icon=":material/equal:"):
        fields = list(map(label, same))
        st.dataframe({"Field": fields, "Value": list(same.values())}, hide_index=True)
