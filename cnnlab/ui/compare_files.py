"""Runs out of the lab, as files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from cnnlab.report.cards import to_json
from cnnlab.report.page import html
from cnnlab.spec import RunCard
from cnnlab.ui.lab import history


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
