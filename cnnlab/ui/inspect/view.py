"""The Inspect page, put together: runs, an epoch, a part of their data, and one of three views of
what they learned.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from cnnlab import words
from cnnlab.analysis.answers import Answers
from cnnlab.history import RunSummary
from cnnlab.learned import Gallery
from cnnlab.spec import PRESETS, HeldOut, LabError
from cnnlab.ui import lab, orders, rights, standing, tables
from cnnlab.ui.inspect import answered, disagree, own, walls, way
from cnnlab.ui.inspect.answered import Answered
from cnnlab.ui.inspect.asking import Subject, Waiting, answers, pictures
from cnnlab.ui.inspect.walls import VIEW, WAY, Place

ANSWERS, OWN = "What it gets wrong", "Your own"
VIEWS = (ANSWERS, WAY, OWN)
NUMBER, SWITCH = "inspect.number", "inspect.switch"


def empty(runs: Sequence[RunSummary]) -> None:
    """Say what will appear here, and offer what makes it appear."""
    with st.container(border=True):
        st.subheader("Nothing to look into yet", anchor=False)
        st.write(
            "A finished run leaves its weights here, epoch by epoch: which pictures it gets wrong, "
            "what it takes for what, what it looks at, and what it says of your own photo."
        )
        if any(not run.status.over for run in runs):
            st.write("One is being trained; it appears here when it is over.")
        elif st.button(
            "Train a small network",
            type="primary",
            icon=":material/play_arrow:",
            key="inspect.train",
            **rights.limits(help="Ten drawn shapes, a few seconds."),
        ):
            _train()


def _train() -> None:
    try:
        orders.begin(lambda: orders.run(lab.start(PRESETS["tiny"].spec)))
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")


def show(looked_into: Sequence[Subject], epoch: int, part: HeldOut) -> None:
    """What one run learned, or two side by side, as they were after an epoch; their answers are
    those to a part of their data."""
    found = _answered(looked_into, epoch, part)
    if found:
        answered.lead(found)
    view = _view()
    if view == WAY:
        _way(looked_into, epoch, found)
    elif view == OWN:
        _own(looked_into, epoch)
    elif found:
        _answers(found)


def _view() -> str:
    """The view that the reader chose, or that a click on a picture opened."""
    at: str = st.session_state.get(VIEW, ANSWERS)
    st.segmented_control(
        "View",
        VIEWS,
        default=at,
        required=True,
        key=standing.key_at(SWITCH, at),
        on_change=lambda: st.session_state.update({VIEW: standing.chosen(SWITCH) or at}),
        label_visibility="collapsed",
    )
    return at


def _answered(looked_into: Sequence[Subject], epoch: int, part: HeldOut) -> Answered:
    """The answers of each run; of those that cannot be had now, why."""
    found: Answered = []
    for subject in looked_into:
        name = f"{subject.name}: " if len(looked_into) > 1 else ""
        try:
            given = answers(subject, subject.shown(epoch), part)
        except LabError as error:
            waits = isinstance(error, Waiting)
            icon = ":material/hourglass_empty:" if waits else ":material/error:"
            (st.info if waits else st.error)(tables.plain(f"{name}{error}"), icon=icon)
            continue
        if given is None or not len(given):
            st.info(tables.plain(f"{name}{_why_none(subject)}"), icon=":material/info:")
        else:
            found.append((subject, given))
    return found


def _why_none(subject: Subject) -> str:
    if not subject.card.status.over:
        return (
            "It is being trained: this is what it has learned so far, and what it answers to all "
            "of its data comes when it has finished."
        )
    if not subject.kept.parts:
        return (
            "Only runs that finished keep what they answer; this one can still be looked through."
        )
    return (
        f"The data set {subject.card.spec.dataset} is not here, so only the last and the best "
        "epoch can be looked at."
    )


def _answers(found: Answered) -> None:
    if len(found) == 2:
        disagree.show(found)
    left, right = st.columns(2, gap="large")
    with left:
        answered.classes(found)
    with right:
        answered.reliability(found)
    answered.confusions(found)
    answered.mistakes(found)


def _own(looked_into: Sequence[Subject], epoch: int) -> None:
    left, right = st.columns([1, 2], gap="large")
    with left:
        st.caption("Nothing of it is kept.")
        seen = own.given(looked_into[0])
    with right:
        if seen:
            way.show(looked_into, epoch, seen)
        else:
            st.caption("What it says, and why, appears here.")


# --- a picture's way ------------------------------------------------------------------------


def _way(looked_into: Sequence[Subject], epoch: int, found: Answered) -> None:
    subject = looked_into[0]
    gallery = subject.kept.gallery
    _wall(subject, subject.shown(epoch), gallery)
    part, number = _choose(subject, gallery.indices)
    shown = pictures(subject, np.array([number]), part)
    if shown is None:
        st.info(
            f"The data set {tables.plain(subject.card.spec.dataset)} is not here, so its pictures "
            "cannot be shown; try one of your own.",
            icon=":material/image_not_supported:",
        )
        way.weights(looked_into, epoch)
    else:
        way.show(looked_into, epoch, way.Seen(shown[0], _truth(found, gallery, (part, number))))


def _wall(subject: Subject, epoch: int, gallery: Gallery) -> None:
    """The pictures that were watched as it learned, with what it said of them after an epoch."""
    said = gallery.probabilities[epoch - 1 : epoch]  # of a run that trains, it may come later
    if len(said) and np.isfinite(said).all():
        given = Answers(said[0], gallery.labels, subject.classes, gallery.indices)
        walls.show(subject, given, range(len(given)), f"inspect-gallery-{subject.card.run_id}")


def _choose(subject: Subject, gallery: np.ndarray) -> Place:
    """One of the pictures that were watched, or one that was clicked."""
    offered: list[Place] = [("validation", int(number)) for number in gallery]
    key = walls.chosen_of(subject.card.spec.dataset)
    chosen: Place = st.session_state.get(key, offered[0])
    options = list(dict.fromkeys([*offered, chosen]))
    st.selectbox(
        "Sequence number" if subject.series else "Picture number",
        options,
        index=options.index(chosen),
        key=standing.key_at(NUMBER, chosen),
        format_func=_place_said,
        on_change=lambda: st.session_state.update({key: standing.chosen(NUMBER) or chosen}),
    )
    return chosen


def _place_said(place: Place) -> str:
    part, number = place
    return words.count(number) if part == "validation" else f"{words.count(number)} of the test set"


def _truth(found: Answered, gallery: Gallery, place: Place) -> int | None:
    """What a picture really is, as far as that was kept."""
    part, number = place
    known = [("validation", gallery.indices, gallery.labels)]
    for told, numbers, labels in (*known, *((a.part, a.numbers, a.labels) for _, a in found)):
        at = np.flatnonzero(numbers == number)
        if told == part and len(at):
            return int(labels[at[0]])
    return None
