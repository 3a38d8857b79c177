"""What two runs disagree on, and how likely so much is by chance."""

from __future__ import annotations

import streamlit as st

from cnnlab import words
from cnnlab.analysis import disagreement as disagreeing
from cnnlab.analysis.answers import Answers
from cnnlab.analysis.disagreement import Disagreement
from cnnlab.spec import LabError
from cnnlab.ui import tables
from cnnlab.ui.inspect import walls
from cnnlab.ui.inspect.answered import Answered
from cnnlab.ui.inspect.asking import Subject

SURE = 0.05
"""A chance below which a difference is no accident, as is usual."""


def show(found: Answered) -> None:
    """How many pictures only one of two runs gets right, and which."""
    st.subheader("What the two disagree on", anchor=False)
    (first, one), (second, other) = found
    if first.card.spec.dataset != second.card.spec.dataset:
        st.info(
            "They learned from different data, so they cannot disagree.", icon=":material/info:"
        )
        return
    try:
        one, other = disagreeing.paired(one, other)
    except LabError as error:
        st.info(tables.plain(str(error)), icon=":material/info:")
        return
    apart = disagreeing.disagreement(one, other)
    names = tables.plain(first.name), tables.plain(second.name)
    st.markdown(_said(apart, names, len(one)))
    sides = ((first, one, apart.first_only), (second, other, apart.second_only))
    for column, (subject, answers, places) in zip(st.columns(2), sides, strict=True):
        with column:
            st.markdown(f"Only **{tables.plain(subject.name)}** is right")
            _wall(subject, answers, list(places))


def _wall(subject: Subject, answers: Answers, places: list[int]) -> None:
    if places:
        walls.show(subject, answers, places, f"inspect-only-{subject.card.run_id}")
    else:
        st.caption("On none.")


def _said(apart: Disagreement, names: tuple[str, str], total: int) -> str:
    """The four counts and McNemar's test in words."""
    counts = (
        f"Of the same {words.count(total)}, both are right on {words.count(len(apart.both))}, "
        f"only {names[0]} on **{words.count(len(apart.first_only))}**, only {names[1]} on "
        f"**{words.count(len(apart.second_only))}**, neither on "
        f"{words.count(len(apart.neither))}."
    )
    chance = f"= {words.number(apart.chance)}" if apart.chance >= 0.001 else "< 0.001"
    better = names[0] if len(apart.first_only) > len(apart.second_only) else names[1]
    worth = f"{better} is better" if apart.chance < SURE else "neither is shown to be better"
    return f"{counts} McNemar's exact test gives p {chance}: {worth}."
