"""A lesson on a page: the question and a guess, the runs that answer it, and the answer."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab.lessons import LESSONS, Lesson
from cnnlab.spec import LabError, RunCard, Status
from cnnlab.ui import lab, lead, link, live, rights, tables
from cnnlab.ui.run import charts, view
from cnnlab.ui.run.state import read

LESSON, RUNS = "lesson", "runs"
REFRESH_SECONDS = 1.0


def choose() -> str:
    """Let the reader choose a lesson; its name, which the address keeps."""
    names = list(LESSONS)
    asked = st.query_params.get(LESSON)
    return st.radio(
        "Lesson",
        names,
        index=names.index(asked) if asked in names else 0,
        format_func=lambda name: f"{names.index(name) + 1}. {LESSONS[name].title}",
        key="lesson",
        on_change=_turn_to,
        label_visibility="collapsed",
    )


def _turn_to() -> None:
    st.query_params.from_dict({LESSON: st.session_state["lesson"]})


def show(name: str) -> None:
    """One lesson, as far as the reader is."""
    lesson = LESSONS[name]
    st.subheader(lesson.question, anchor=False)
    st.markdown(lesson.before)
    st.radio("Your guess", lesson.guesses, index=None, horizontal=True, key=f"guess-{name}")
    run_ids = [part for part in st.query_params.get(RUNS, "").split(",") if part]
    if len(run_ids) != len(lesson.runs):
        _offer(name, lesson)
        return
    try:
        cards = [lab.history().card(run_id, steps=False) for run_id in run_ids]
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/search_off:")
        _offer(name, lesson)
        return
    if all(card.status is Status.FINISHED for card in cards):
        _answer(name, lesson, cards)
    elif any(card.status.over and card.status is not Status.FINISHED for card in cards):
        broken = next(card for card in cards if card.status.over)
        st.warning(tables.plain(tables.outcome(broken)), icon=":material/warning:")
        _offer(name, lesson)
    else:
        _watch(lesson, cards)


def _offer(name: str, lesson: Lesson) -> None:
    """Start the runs that answer it."""
    count = len(lesson.runs)
    pressed = st.button(
        "Train it and see" if count == 1 else f"Train {count} networks and see",
        key="lesson-start",
        type="primary",
        icon=":material/play_arrow:",
        **rights.limits(),
    )
    if not pressed:
        return
    begun: list[str] = []
    try:
        for title, spec in lesson.runs.items():
            begun.append(lab.start(spec, f"{lesson.title}: {title}"))
    except LabError as error:
        for run_id in reversed(begun):
            rights.attempt(lab.stop, run_id)
        st.error(tables.plain(str(error)), icon=":material/error:")
        return
    st.query_params.from_dict({LESSON: name, RUNS: ",".join(begun)})
    st.rerun()


def _watch(lesson: Lesson, cards: Sequence[RunCard]) -> None:
    """The run that is trained now, and how many there are."""
    place = next(index for index, card in enumerate(cards) if not card.status.over)
    if len(cards) > 1:
        title = list(lesson.runs)[place]
        st.caption(f"Run {place + 1} of {len(cards)}: {tables.plain(title)}")
    view.show(cards[place].run_id)
    if cards[place].status is Status.QUEUED:
        live.every(REFRESH_SECONDS, _wait, cards[place].run_id)


def _wait(run_id: str) -> None:
    """Draw the page anew once a run that waited has begun."""
    if lab.history().card(run_id, steps=False).status is not Status.QUEUED:
        st.rerun()


def _answer(name: str, lesson: Lesson, cards: Sequence[RunCard]) -> None:
    answer = lesson.answer(cards)
    if guess := st.session_state.get(f"guess-{name}"):
        st.caption(f"Your guess: {guess}.")
    lead.figure(answer.figure, answer.label)
    for sentence in answer.says:
        st.markdown(tables.plain(sentence))
    for (title, card), column in zip(
        zip(lesson.runs, cards, strict=True), st.columns(len(cards)), strict=True
    ):
        with column:
            if len(cards) > 1:
                st.markdown(f"**{tables.plain(title)}**")
            charts.accuracy(read(card))
    _onwards(name, cards)


def _onwards(name: str, cards: Sequence[RunCard]) -> None:
    names = list(LESSONS)
    following = names[(names.index(name) + 1) % len(names)]
    with st.container(horizontal=True):
        st.button(
            f"Next: {LESSONS[following].title}",
            key="lesson-next",
            type="primary",
            icon=":material/arrow_forward:",
            on_click=_go,
            args=(following,),
        )
        st.page_link(
            "pages/train.py",
            label="Change this recipe",
            icon=":material/tune:",
            query_params=link.encode(cards[0].spec),
        )
        if len(cards) > 1:
            st.page_link(
                "pages/compare.py",
                label="Compare in detail",
                icon=":material/compare_arrows:",
                query_params={"runs": ",".join(card.run_id for card in cards)},
            )


def _go(name: str) -> None:
    st.session_state["lesson"] = name
    st.query_params.from_dict({LESSON: name})
