"""What a network answered to the pictures kept aside, or to the test set: how many are right, and
which are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from cnnlab import charts, words
from cnnlab.analysis import answers as answering
from cnnlab.analysis import sureness
from cnnlab.analysis.answers import Answers
from cnnlab.ui import tables
from cnnlab.ui.colours import inked
from cnnlab.ui.inspect import walls
from cnnlab.ui.inspect.asking import Subject

FEW_CLASSES = 12
"""Classes up to which all are listed; of more, so many that are known least."""
FREQUENT = 5
"""Mistakes that are offered as buttons."""
Answered = list[tuple[Subject, Answers]]


def lead(found: Answered) -> None:
    """The one figure, and the words beside it; of two runs side by side."""
    for column, (subject, answers) in zip(st.columns(len(found)), found, strict=True):
        with column, st.container(horizontal=True, vertical_alignment="center", key=_key(subject)):
            share = answering.right_share(answers)
            name = subject.name if len(found) > 1 else "Right"
            st.metric(tables.plain(name), words.percent(share.value), width="content")
            st.markdown(_beside(subject, answers), width="stretch")


def _key(subject: Subject) -> str:
    return f"inspect-lead-{subject.card.run_id}"


def _beside(subject: Subject, answers: Answers) -> str:
    share = answering.right_share(answers)
    things = words.things("series" if subject.series else "pictures")
    whole = _whole(subject, answers)
    some = f" of the {words.count(whole)}" if whole > len(answers) else ""
    where = "kept aside" if answers.part == "validation" else "of the test set"
    said = (
        f"of {words.count(len(answers))}{some} {things} {where}: between "
        f"{words.percent(share.low)} and {words.percent(share.high)}, as far as so many can tell."
    )
    known = _extremes(answering.by_class(answers))
    return f"{said} {known}".replace(" %", "\u00a0%")  # a line never ends before its sign


def _extremes(table: pd.DataFrame) -> str:
    """Which classes it knows least and best; several of them may be known alike."""
    shares = table.loc[answering.weakest_first(table), "share"]
    least, most = float(shares.iloc[0]), float(shares.iloc[-1])
    if least == most:
        return f"It knows all classes alike: {words.percent(least)} right."
    first, last = (_some(table.loc[table["share"] == share, "name"]) for share in (least, most))
    return (
        f"It knows {first} least, {words.percent(least)} right, and {last} best, "
        f"{words.percent(most)}."
    )


def _some(names: Sequence[str]) -> str:
    """One or two classes by name; of more the first, and how many there are besides."""
    first, *others = (f"**{tables.plain(name)}**" for name in names)
    if len(others) > 1:
        return f"{first} and {words.count(len(others))} others"
    return " and ".join((first, *others))


def _whole(subject: Subject, answers: Answers) -> int:
    """How many pictures the part has that was answered, or some of it."""
    data, test = subject.card.dataset, subject.card.test
    if answers.part == "test":
        return test.images if test else len(answers)
    return data.validation_images if data else len(answers)


# --- class by class -------------------------------------------------------------------------


def classes(found: Answered) -> None:
    """Which share of each class is right."""
    st.subheader("Class by class", anchor=False)
    table = answering.by_class(found[0][1])
    order = answering.weakest_first(table)
    if len(order) > FEW_CLASSES and not st.toggle(
        f"All {words.count(len(order))} classes", key="inspect.classes"
    ):
        order = order[:FEW_CLASSES]
    frame = pd.concat(
        [_placed(answering.by_class(answers), order, subject) for subject, answers in found]
    )
    st.vega_lite_chart(
        charts.packed(frame.reset_index(drop=True)),
        inked(charts.by_class_spec(_runs(found), len(order))),
        key="inspect-classes",
        alt=charts.alt_text("by_class"),
    )
    st.caption("Lines are what so many examples can tell (95 %, Wilson); the least known on top.")


def _placed(table: pd.DataFrame, order: Sequence[int], subject: Subject) -> pd.DataFrame:
    return table.loc[list(order)].assign(place=range(len(order)), run=subject.name)


def _runs(found: Answered) -> charts.Runs:
    return tuple((subject.name, subject.colour) for subject, _ in found)


# --- what is taken for what -----------------------------------------------------------------

WORST, ALIKE, ORDERED = "The most confused", "All, alike side by side", "All, in their order"


def confusions(found: Answered) -> None:
    """What each class was taken for; a click on a cell shows its pictures."""
    st.subheader("What it takes for what", anchor=False)
    many = len(found[0][1].names) > FEW_CLASSES
    ways = (WORST, ALIKE, ORDERED) if many else (ORDERED, ALIKE)
    way = st.segmented_control(
        "Classes",
        ways,
        default=ways[0],
        required=True,
        key="inspect.order",
        label_visibility="collapsed",
    )
    for column, (subject, answers) in zip(st.columns(len(found)), found, strict=True):
        with column:
            _confusion(subject, answers, way, several=len(found) > 1)


def _confusion(subject: Subject, answers: Answers, way: str, *, several: bool) -> None:
    matrix = answering.confusion(answers)
    shown = _shown(matrix, way)
    if several:
        st.markdown(f"**{tables.plain(subject.name)}**")
    key = f"inspect-confusion-{subject.card.run_id}"
    event = st.vega_lite_chart(
        charts.packed(answering.confusion_frame(matrix, answers.names, shown)),
        inked(charts.confusion_spec(tuple(answers.names[number] for number in shown))),
        key=key,
        alt=charts.alt_text("confusion"),
        on_select="rerun",
        selection_mode=charts.CELL,
    )
    wrong = int((~answers.right).sum())
    st.caption(
        f"{words.count(wrong)} of {words.count(len(answers))} are mistaken. Rows are what they "
        "are, columns what it says. Click a coloured cell to see its pictures."
    )
    cell = _clicked(event["selection"].get(charts.CELL, []), shown)
    if cell := cell or _frequent(subject, answers, matrix):
        _cell(subject, answers, *cell)


def _clicked(points: Sequence[Any], shown: Sequence[int]) -> tuple[int, int] | None:
    """The cell that was clicked; a browser may send anything, and only what is shown counts."""
    for point in points:
        truth, said = point.get("truth"), point.get("said")
        if truth in shown and said in shown:
            return int(truth), int(said)
    return None


def _frequent(subject: Subject, answers: Answers, matrix: np.ndarray) -> tuple[int, int] | None:
    """The mistakes that are made most often, for who has no pointer, or no patience."""
    found = {
        f"{answers.names[truth]} → {answers.names[said]} · {matrix[truth, said]}": (truth, said)
        for truth, said in answering.frequent(matrix, FREQUENT)
    }
    chosen = st.pills(
        "Most often",
        list(found),
        format_func=tables.plain,
        key=f"inspect-often-{subject.card.run_id}",
    )
    return found.get(chosen) if chosen else None


def _shown(matrix: np.ndarray, way: str) -> list[int]:
    if way == WORST:
        return answering.most_confused(matrix, FEW_CLASSES)
    return answering.alike(matrix) if way == ALIKE else list(range(len(matrix)))


def _cell(subject: Subject, answers: Answers, truth: int, said: int) -> None:
    places = answering.in_cell(answers, truth, said)
    true_name, said_name = (tables.plain(answers.names[number]) for number in (truth, said))
    st.markdown(f"{words.count(len(places))} × **{true_name}** taken for **{said_name}**")
    walls.show(subject, answers, list(places), f"inspect-cell-{subject.card.run_id}")


# --- single pictures ------------------------------------------------------------------------


def mistakes(found: Answered) -> None:
    """The surest mistakes, and what it is least sure of."""
    st.subheader("Where it goes wrong", anchor=False)
    for column, (subject, answers) in zip(st.columns(len(found)), found, strict=True):
        with column:
            if len(found) > 1:
                st.markdown(f"**{tables.plain(subject.name)}**")
            _kind(subject, answers, "worst", "Surest, and wrong")
            _kind(subject, answers, "least sure", "Least sure")


def _kind(subject: Subject, answers: Answers, order: answering.Order, title: str) -> None:
    places = answering.notable(answers, order, walls.MOST)
    st.markdown(title)
    if len(places):
        key = f"inspect-{order.replace(' ', '-')}-{subject.card.run_id}"
        walls.show(subject, answers, list(places), key)
    else:
        st.caption("None is wrong.")


def reliability(found: Answered) -> None:
    """Whether it is as often right as it is sure."""
    st.subheader("Is it as good as it thinks?", anchor=False)
    tables_ = [(subject, sureness.reliability(answers)) for subject, answers in found]
    frame = pd.concat([table.assign(run=subject.name) for subject, table in tables_])
    st.vega_lite_chart(
        charts.packed(frame.reset_index(drop=True)),
        inked(charts.reliability_spec(_runs(found))),
        key="inspect-reliability",
        alt=charts.alt_text("reliability"),
    )
    for (subject, table), (_, answers) in zip(tables_, found, strict=True):
        name = f"**{tables.plain(subject.name)}**: " if len(found) > 1 else ""
        error = words.percent(sureness.calibration_error(table))
        said = tables.plain(sureness.sureness_said(answers))
        st.caption(f"{name}{said} Expected calibration error {error}.")
