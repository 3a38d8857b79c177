"""Runs out of the lab and into it, as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from cnnlab import words
from cnnlab.report.cards import imported_from, read, to_json
from cnnlab.report.page import html
from cnnlab.report.script import KERAS_SETS, keras_script
from cnnlab.report.tables import to_csv
from cnnlab.spec import LabError, RunCard
from cnnlab.ui import compare_choice, tables
from cnnlab.ui.lab import history

UPLOADED = "compare.uploaded"


def export(cards: Sequence[RunCard], origins: Mapping[str, str]) -> None:
    """Buttons that hand the runs out; a file is written when its button is pressed.

    Args:
        origins: by run id, the file that a run was brought in from.
    """
    ids = [card.run_id for card in cards]
    stem = f"run-{ids[0]}" if len(ids) == 1 else f"{len(ids)}-runs"
    st.subheader("Take along", anchor=False)
    with st.container(horizontal=True):
        st.download_button(
            "Report (HTML)",
            data=lambda: html([history().card(run_id) for run_id in ids], origins),
            file_name=f"{stem}.html",
            mime="text/html",
            icon=":material/article:",
            on_click="ignore",
            help="One page with the verdict, the curves and every figure; it needs no network.",
        )
        st.download_button(
            "Run cards (JSON)",
            data=lambda: to_json([history().card(run_id) for run_id in ids]),
            file_name=f"{stem}.json",
            mime="application/json",
            icon=":material/data_object:",
            on_click="ignore",
            help="Everything known about the runs, steps included; another CNN Lab reads it.",
        )
        st.download_button(
            "Epochs (CSV)",
            data=lambda: to_csv(cards),
            file_name=f"{stem}.csv",
            mime="text/csv",
            icon=":material/table:",
            on_click="ignore",
        )
        known = {card.run_id: card for card in cards if card.dataset}
        if known:
            with st.popover("Keras script", icon=":material/code:"):
                _script(known, dict(zip(ids, tables.labels(cards), strict=True)))


def _script(cards: Mapping[str, RunCard], names: Mapping[str, str]) -> None:
    chosen = st.selectbox(
        "Of the run", options=list(cards), format_func=names.__getitem__, key="compare.script"
    )
    card = cards[chosen]
    facts, data_file = card.dataset, f"run-{chosen}-data.npz"
    assert facts
    st.caption("The same experiment in plain Keras, without CNN Lab.")
    if card.spec.dataset not in KERAS_SETS:
        command = f"python -m cnnlab runs export {chosen} --format script -o run-{chosen}.py"
        st.caption("Keras does not load its data; the command line writes them beside it:")
        st.code(command, language="bash", wrap_lines=True)
    st.download_button(
        "Download the script",
        data=lambda: keras_script(
            card.spec,
            facts.image_shape,
            facts.classes,
            title=f"{card.name} (run {chosen})",
            data_file=data_file,
            kind=facts.kind,
        ),
        file_name=f"run-{chosen}.py",
        mime="text/x-python",
        icon=":material/download:",
        on_click="ignore",
    )


def bring_in() -> None:
    """Let the reader bring in run cards from other labs; they are chosen at once."""
    with st.expander("Bring in runs from a file", icon=":material/upload_file:"):
        st.file_uploader(
            "Run cards, as “Take along” or the command line writes them",
            type=["json", "parquet"],
            accept_multiple_files=True,
            key=UPLOADED,
            on_change=_read_files,
        )
        st.caption("They keep the name of their file, to be told from runs made here.")


def _read_files() -> None:
    """For a callback, which owns no place: what went wrong is said in a toast."""
    brought: list[str] = []
    for file in st.session_state[UPLOADED]:
        try:
            brought += history().add_cards(read(file.getvalue()), origin=imported_from(file.name))
        except LabError as error:
            said = tables.plain(f"{file.name}: {error}")
            st.toast(said, icon=":material/error:", duration="long")
    if brought:
        compare_choice.put(list(dict.fromkeys([*compare_choice.asked(), *brought])))
        count = len(brought)
        what = "1 run is" if count == 1 else f"{words.count(count)} runs are"
        st.toast(f"{what} here and chosen.", icon=":material/check_circle:")
