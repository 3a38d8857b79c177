"""Accuracy against time for several runs; a click on a point opens its runs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import analysis, charts
from cnnlab.spec import RunCard
from cnnlab.ui import tables
from cnnlab.ui.compare import choice

FEWEST = 3


def show(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    """The scatter with its Pareto front, where there are runs enough to make one."""
    found = analysis.repeats(cards, names)
    if len(cards) < FEWEST or not found:
        return
    st.subheader("Accuracy against time", anchor=False)
    event = st.vega_lite_chart(
        charts.packed(analysis.front_frame(found)),
        charts.front_spec(),
        key="compare-front",
        alt=charts.alt_text("front"),
        on_select="rerun",
        selection_mode=charts.PICKED,
    )
    picked = {point.get("first") for point in event["selection"].get(charts.PICKED, [])}
    for group in found:
        if group.runs[0] in picked:
            _open(group)
    st.caption(
        "On the line stands what nothing else beats in both. Runs that differ in their seed "
        "alone are one point, their mean; a bar goes from the worst to the best. Click a point "
        "to open its runs."
    )


def _open(group: analysis.Repeats) -> None:
    st.markdown(f"**{tables.plain(group.name)}**: {tables.plain(analysis.said(group))}")
    for run_id in group.runs:
        st.page_link(
            "pages/history.py",
            label=f"Run {run_id}",
            icon=":material/open_in_new:",
            query_params={"run": run_id},
        )
    if len(group.runs) > 1:
        choice.link(group.runs, "Compare them")
