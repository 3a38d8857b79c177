"""How the runs of a lesson learnt: in one chart, so that they can be held against each other."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import analysis, charts, words
from cnnlab.spec import RunCard
from cnnlab.ui import tables
from cnnlab.ui.colours import inked, mark, palette


def show(titles: Sequence[str], cards: Sequence[RunCard]) -> None:
    """The accuracy of each run, training thin and validation strong, under their names."""
    colours = palette().of_runs(cards)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
        for title, card in zip(titles, cards, strict=True):
            mark(colours[card.run_id])
            st.markdown(f"**{tables.plain(title)}**", width="content")
    found = [
        line
        for title, card in zip(titles, cards, strict=True)
        for line in analysis.lines(card, title, "accuracy", "epoch")
    ]
    pairs = tuple((title, colours[card.run_id]) for title, card in zip(titles, cards, strict=True))
    data = {
        "source": charts.packed(analysis.line_frame(found)),
        "hover": charts.packed(analysis.hover_frame(found, words.percent)),
    }
    spec = charts.comparison_spec("accuracy", "epoch", pairs) | {"datasets": data}
    alt = charts.alt_text("compare_accuracy")
    st.vega_lite_chart(None, inked(spec), key="lesson-curves", alt=alt, **charts.KEEP_ZOOM)
    st.caption("Training thin, validation strong.")
