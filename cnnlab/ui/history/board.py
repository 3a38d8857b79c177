"""The high-score board: by data set the most accurate, the fastest, the most frugal runs."""

from __future__ import annotations

import streamlit as st

from cnnlab import analysis, words
from cnnlab.analysis.board import Board, Score
from cnnlab.ui import tables
from cnnlab.ui.colours import mark, palette
from cnnlab.ui.history import view
from cnnlab.ui.lab import dataset_labels, history


def show() -> None:
    """A board for each data set, of all sessions."""
    runs = {run.run_id: run for run in history().summaries()}
    found = analysis.boards(list(runs.values()))
    if not found:
        with st.container(border=True):
            st.subheader("No scores yet", anchor=False)
            st.write(
                "The most accurate, the fastest and the most frugal runs stand here by their data "
                "set, as soon as one is finished."
            )
            st.page_link("pages/train.py", label="Train a run", icon=":material/play_arrow:")
        return
    named = {score.run_id for board in found for _, scores in board.lists for score in scores}
    colours = palette().of_runs([runs[run_id] for run_id in named])
    titles = dataset_labels()
    for board in found:
        _board(board, titles.get(board.dataset, board.dataset), colours)
    st.caption(
        "Whole trainings alone; who was there first stands first. Speed is in examples trained "
        "a second, energy in what one example took. A network may be fast because it is small: "
        "Compare says what a lead is worth."
    )


def _board(board: Board, title: str, colours: dict[str, str]) -> None:
    count = "1 run" if board.runs == 1 else f"{words.count(board.runs)} runs"
    st.subheader(f"{tables.plain(title)} · {count}", anchor=False)
    with st.grid(len(board.lists), min_column_width=260, key=f"board-{board.dataset}"):
        for name, scores in board.lists:
            with st.container(border=True, height="stretch", gap="small"):
                st.markdown(f"**{tables.plain(name)}**")
                for place, score in enumerate(scores, 1):
                    _score(place, score, colours[score.run_id], f"{board.dataset}-{name}")


def _score(place: int, score: Score, colour: str, key: str) -> None:
    with st.container(gap=None):
        with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
            st.markdown(f"{place} · **{tables.plain(score.figure)}**", width="content")
            mark(colour)
            st.button(
                tables.plain(score.name),
                key=f"board-{key}-{score.run_id}",
                type="tertiary",
                on_click=view.look_into,
                args=(score.run_id,),
            )
        st.caption(tables.plain(score.beside))
