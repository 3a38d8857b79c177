"""A lesson on a page: the question and a guess, the runs that answer it, and the answer."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from cnnlab.lessons import LESSONS, Lesson
from cnnlab.room import Place
from cnnlab.spec import LabError, RunCard, Status
from cnnlab.ui import lab, lead, link, live, orders, rights, standing, tables
from cnnlab.ui.learn import curves, networks
from cnnlab.ui.run import view

LESSON, CHOSEN, RUNS, DONE = "lesson", "lesson", "runs", "learn.done"
REFRESH_SECONDS = 1.0


def choose() -> str:
    """Let the reader choose a lesson; its name, which the address keeps."""
    names = list(LESSONS)
    asked = st.query_params.get(LESSON)
    at = asked if asked in names else names[0]
    # The titles stay what they are: a radio button with another one would be a new widget.
    st.radio(
        "Lesson",
        names,
        index=names.index(at),
        format_func=lambda name: f"{names.index(name) + 1}. {LESSONS[name].title}",
        key=standing.key_at(CHOSEN, at),
        on_change=_turn_to,
        label_visibility="collapsed",
    )
    return at


def answered() -> None:
    """How many of them this reader has the answer to."""
    if done := st.session_state.get(DONE):
        st.caption(f":material/check_circle: {len(done)} of {len(LESSONS)} answered")


def _turn_to() -> None:
    if chosen := standing.chosen(CHOSEN):
        st.query_params.from_dict({LESSON: chosen})


def show(name: str) -> str | None:
    """One lesson, as far as the reader is; the run to be watched, while its runs are trained."""
    lesson = LESSONS[name]
    st.header(lesson.question, anchor=False)
    cards = _begun(lesson)
    if cards and all(card.status is Status.FINISHED for card in cards):
        _answer(name, lesson, cards)
        return None
    st.markdown(lesson.before)
    _guess(name, lesson)
    broken = next((c for c in cards if c.status.over and c.status is not Status.FINISHED), None)
    if broken:
        st.warning(tables.plain(tables.outcome(broken)), icon=":material/warning:")
    if broken or not cards:
        _offer(name, lesson)
        networks.show(lesson)
        return None
    place = next(index for index, card in enumerate(cards) if not card.status.over)
    if len(cards) > 1:
        title = list(lesson.runs)[place]
        st.caption(f"Run {place + 1} of {len(cards)}: {tables.plain(title)}")
    return cards[place].run_id


def _begun(lesson: Lesson) -> list[RunCard]:
    """Its runs, as the address names them; none where it names others, or what is gone."""
    run_ids = [part for part in st.query_params.get(RUNS, "").split(",") if part]
    if len(run_ids) != len(lesson.runs):
        return []
    try:
        return [lab.history().card(run_id, steps=False) for run_id in run_ids]
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/search_off:")
        return []


def _guess(name: str, lesson: Lesson, *, over: bool = False) -> str | None:
    """What the reader expects; once it is over it can only be looked at."""
    key = f"guess-{name}"
    if over and not st.session_state.get(key):
        return None
    return st.pills("Your guess", lesson.guesses, key=key, disabled=over)


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
    if pressed:
        _begin(name, lesson)


def _begin(name: str, lesson: Lesson) -> None:
    named = [(spec, f"{lesson.title}: {title}") for title, spec in lesson.runs.items()]

    def deed() -> Place:
        return Place.of("learn", {LESSON: name, RUNS: ",".join(lab.start_all(named))})

    try:
        orders.begin(deed)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")


def watch(run_id: str) -> None:
    """The run that is trained now, across the page."""
    view.show(run_id)
    if lab.history().card(run_id, steps=False).status is Status.QUEUED:
        live.every(REFRESH_SECONDS, _wait, run_id)


def _wait(run_id: str) -> None:
    """Draw the page anew once a run that waited has begun."""
    if lab.history().card(run_id, steps=False).status is not Status.QUEUED:
        live.anew()


def _answer(name: str, lesson: Lesson, cards: Sequence[RunCard]) -> None:
    """The figure, whether the guess was right, and the way on; what bears it out beneath."""
    answer = lesson.answer(cards)
    if guess := _guess(name, lesson, over=True):
        right = guess == answer.right
        said = f"You guessed {guess}" + (": right" if right else f"; the runs say {answer.right}")
        icon = ":material/check:" if right else ":material/close:"
        st.badge(tables.plain(said), icon=icon, color="green" if right else "orange")
    lead.figure(answer.figure, answer.label)
    first, *more = answer.says
    st.markdown(tables.plain(first))
    _onwards(name, cards)
    curves.show(list(lesson.runs), cards)
    for sentence in more:
        st.markdown(tables.plain(sentence))
    done = st.session_state.setdefault(DONE, [])
    done += [name] if name not in done else []


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
    st.query_params.from_dict({LESSON: name})
