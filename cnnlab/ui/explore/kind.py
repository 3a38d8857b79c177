"""The two kinds of sweeps on the page: those that time their cells, and those that train them."""

from __future__ import annotations

import streamlit as st

from cnnlab.ui.explore import trained, view
from cnnlab.ui.explore.chosen import AGAINST, SWEEP

KIND = "explore.kind"
KINDS = {"measure": "Speed of many sizes", "train": "Accuracy of many variants"}


def show() -> None:
    """The kind that the address asks for, or the reader chooses."""
    linked = st.query_params.get(SWEEP, "")
    row = st.container(horizontal=True, vertical_alignment="center")
    found = row.segmented_control(
        "What to explore",
        list(KINDS),
        # Not set in the session: a browser that misses the first drawing would show none chosen.
        default="train" if linked in trained.known() else "measure",
        required=True,
        format_func=KINDS.__getitem__,
        key=KIND,
        on_change=_another,
        label_visibility="collapsed",
    )
    if found == "train":
        trained.page(row)
    else:
        view.show(row)


def _another() -> None:
    """A sweep of the other kind is none of this one's."""
    for name in (SWEEP, AGAINST):
        st.query_params.pop(name, None)
