"""Accuracy against time for several runs; a click on a point opens its runs."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import analysis, charts
from cnnlab.spec import RunCard
from cnnlab.ui import tables
from cnnlab.ui.colours import inked, palette

FEWEST = 2


def worth_drawing(cards: Sequence[RunCard]) -> bool:
    """Whether there are points enough to be held against each other."""
    return len(analysis.repeats(cards, [card.name for card in cards])) >= FEWEST


def show(cards: Sequence[RunCard], names: Sequence[str]) -> None:
    """The scatter with its Pareto front."""
    found = analysis.repeats(cards, names)
    colours = palette().of_runs(cards)
    firsts = tuple((group.runs[0], colours[group.runs[0]]) for group in found)
    st.markdown("**Accuracy against time**")
    event = st.vega_lite_chart(
        charts.packed(analysis.front_frame(found)),
        inked(charts.front_spec(firsts)),
        key="front",
        alt=charts.alt_text("front"),
        on_select="rerun",
        selection_mode=charts.PICKED,
    )
    st.caption(
        "On the line stands what nothing else beats in both; the larger a point, the more "
        "parameters. Seeds of one recipe are one point, their mean, with a bar from the worst to "
        "the best. Click a point to open its runs."
    )
    picked = {point.get("first") for point in event["selection"].get(charts.PICKED, [])}
    for group in found:
        if group.runs[0] in picked:
            open_group(group)


def open_group(group: analysis.Repeats) -> None:
    """What repeats came to, and links to their runs."""
    st.markdown(f"**{tables.plain(group.name)}**: {tables.plain(analysis.said(group))}")
    for run_id in group.runs:
        st.page_link(
            "pages/history.py",
            label=f"Run {run_id}",
            icon=":material/open_in_new:",
            query_params={"run": run_id},
        )
    if len(group.runs) > 1:
        st.page_link(
            "pages/compare.py",
            label="Compare them",
            icon=":material/compare_arrows:",
            query_params={"runs": ",".join(group.runs)},
        )
