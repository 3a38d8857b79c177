"""The three answers on top: most accurate, fastest, the best trade-off, against the baseline."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab import analysis, learned
from cnnlab.spec import RunCard
from cnnlab.ui import tables
from cnnlab.ui.colours import mark, palette
from cnnlab.ui.compare.speed import grade_badge


def show(cards: Sequence[RunCard], names: Sequence[str], standing: analysis.Standing) -> None:
    """A card for each answer.

    Args:
        cards: the baseline first.
        standing: theirs.
    """
    called = dict(zip((card.run_id for card in cards), names, strict=True))
    colours = palette().of_runs(cards)
    with st.grid(3, min_column_width=220, key="compare-answers"):
        for answer in analysis.leaders(cards, standing, learned.paired):
            with st.container(border=True, height="stretch", gap="xsmall"):
                _answer(answer, called, colours[answer.run_id], cards[0].run_id)


def _answer(answer: analysis.Leader, names: dict[str, str], colour: str, baseline: str) -> None:
    st.metric(answer.question, answer.figure)
    with st.container(horizontal=True, vertical_alignment="center", gap="xsmall", wrap=False):
        mark(colour)
        st.markdown(f"**{tables.plain(names[answer.run_id])}**")
    if answer.run_id == baseline:
        st.caption("The baseline itself.")
    else:
        said = answer.beside[:1].upper() + answer.beside[1:]
        st.caption(f"{tables.plain(said)}.")
    if answer.also:
        others = ", ".join(tables.plain(names[run_id]) for run_id in answer.also[:3])
        more = f" and {len(answer.also) - 3} more" if len(answer.also) > 3 else ""
        st.caption(f"Not to be told from it: {others}{more}.")
    if answer.grade:
        grade_badge(answer.grade)
