"""The high-score board: by data set the most accurate, the fastest, the most frugal runs."""

from __future__ import annotations

from collections.abc import Iterable

import streamlit as st

from cnnlab import analysis, words
from cnnlab.analysis.board import Board, Score
from cnnlab.history import Order, RunSummary
from cnnlab.ui import call, tables
from cnnlab.ui.colours import mark, palette
from cnnlab.ui.history import view
from cnnlab.ui.lab import dataset_labels, history

AMONG = 20
"""Runs that are looked through for the best few: what energy is of differs among them."""


def show() -> None:
    """A board for each data set, of all sessions."""
    counts = history().whole_runs()
    runs = {run.run_id: run for run in _best(counts)}
    found = analysis.boards(list(runs.values()))
    if not found:
        with st.container(border=True):
            st.subheader("No scores yet", anchor=False)
            st.write("The most accurate, fastest and most frugal runs of each data set stand here.")
            call.to_train("Train a run")
        return
    named = {score.run_id for board in found for _, scores in board.lists for score in scores}
    colours = palette().of_runs([runs[run_id] for run_id in named])
    titles = dataset_labels()
    for board in sorted(found, key=lambda board: -counts.get(board.dataset, board.runs)):
        count = counts.get(board.dataset, board.runs)
        _board(board, titles.get(board.dataset, board.dataset), count, colours)
    st.caption(
        "Whole trainings alone; who was there first stands first. Speed is in examples trained "
        "a second, energy in what one example took. A network may be fast because it is small: "
        "Compare says what a lead is worth."
    )


def _best(datasets: Iterable[str]) -> list[RunSummary]:
    """The runs among which the best of each data set are, whatever they are best in."""
    orders: tuple[Order, ...] = ("best_val_accuracy", "images_per_second", "joules_each")
    return [
        run
        for name in datasets
        for order in orders
        for run in history().summaries(whole=True, trained_on=name, order=order, limit=AMONG)
    ]


def _board(board: Board, title: str, runs: int, colours: dict[str, str]) -> None:
    count = "1 run" if runs == 1 else f"{words.count(runs)} runs"
    st.subheader(f"{tables.plain(title)} · {count}", anchor=False)
    with st.grid(len(board.lists), min_column_width=260, key=f"board-{board.dataset}"):
        for name, scores in board.lists:
            with st.container(border=True, height="stretch", gap="small"):
                st.markdown(f"**{tables.plain(name)}**")
                for place, score in enumerate(scores, 1):
                    _score(place, score, colours[score.run_id], f"{board.dataset}-{name}")


def _score(place: int, score: Score, colour: str, key: str) -> None:
    with st.container(gap=None, key=f"score-{place}-{key}-{score.run_id}"):
        st.markdown(f"{place} · **{tables.plain(score.figure)}**")
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
            mark(colour)
            st.button(
                tables.plain(score.name),
                key=f"board-{key}-{score.run_id}",
                type="tertiary",
                on_click=view.look_into,
                args=(score.run_id,),
            )
        st.caption(tables.plain(score.beside))
