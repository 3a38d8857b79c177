"""Bets on a race, in a shared lab: how many times as fast, and who came nearest."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import streamlit as st

from cnnlab import charts, race, room, words
from cnnlab.room import LEAST_TIMES, MOST_TIMES, Book
from cnnlab.spec import Lane
from cnnlab.ui import audience, live, lobby, rights
from cnnlab.ui.colours import inked, theme
from cnnlab.ui.race.entrants import Race

WHO, TIMES = "bets.name", "bets.times"
SPREAD_SECONDS = 2.9
"""While bets come in; no multiple of other parts' pace, see `live.every`."""


def announced() -> None:
    """Before a race: what is bet on, where one's answer goes, and what others say."""
    if rights.shared() and (book := audience.room().bets.book()):
        _bet(book)
        live.every(SPREAD_SECONDS, _open_spread)


def beside(shown: Race) -> None:
    """Beside a race: what was bet on it, and who is nearest, so far or in the end."""
    book = audience.room().bets.book(shown.race_id) if shown.race_id else None
    if book is None:
        return
    if book.open:
        _bet(book)
    where = landed(shown)
    spread(book, where)
    if said := verdict(book, where, over=shown.over):
        st.html(f"<p>{escape(said)}</p>")


# --- before ---------------------------------------------------------------------------------


def take(entered: Sequence[Lane]) -> None:
    """Let the presenter take bets on these lanes, or none any more."""
    if not audience.presents():
        return
    lanes, book = tuple(lane.title for lane in entered), audience.room().bets.book()
    with st.container(horizontal=True, vertical_alignment="center"):
        if len(lanes) > 1 and (book is None or book.lanes != lanes):
            st.button(
                "Take bets" if book is None else "Take bets on these lanes instead",
                key="bets.open",
                icon=lobby.BETS,
                on_click=_open,
                args=(lanes,),
                help="Everybody says how many times as fast; bets close when the race begins.",
            )
        if book:
            st.button(
                "Take no bets",
                key="bets.close",
                icon=":material/close:",
                type="tertiary",
                on_click=_close,
            )


def _open(lanes: tuple[str, ...]) -> None:
    rights.attempt(audience.open_bets, lanes)


def _close() -> None:
    rights.attempt(audience.close_bets)


def _bet(book: Book) -> None:
    """The question, and where one's answer goes."""
    st.html(f"<h3>{escape(book.question)}</h3>")
    row = st.form("bets.form", border=False).container(horizontal=True, vertical_alignment="bottom")
    with row:
        lobby.name_field(WHO)
        st.number_input(
            "Times as fast",
            LEAST_TIMES,
            MOST_TIMES,
            None,
            step=0.1,
            key=TIMES,
            placeholder="2.5",
            help="Below 1: slower.",
        )
        st.form_submit_button("Bet", key="bets.bet", icon=lobby.BETS, on_click=_place)
    if mine := book.of(audience.visitor()):
        said = f"You bet {words.number(mine.times)} as {mine.name}; change it until the race begins"
        st.html(f"<p>{escape(said)}.</p>")


def _place() -> None:
    name = live.said(WHO)
    if name is None:
        return
    st.session_state[lobby.NAME] = name
    rights.attempt(audience.place_bet, name, live.said(TIMES))


def _open_spread() -> None:
    if book := audience.room().bets.book():
        spread(book, None)


# --- while it runs, and afterwards ----------------------------------------------------------


def spread(book: Book, where: float | None) -> None:
    """Every bet as a dot, and where the race stands or landed."""
    count = len(book.bets)
    st.caption("Nobody has bet yet." if not count else f"{count} {'bet' if count == 1 else 'bets'}")
    if not count:
        return
    frame = charts.packed(room.dots_frame(book.all, where))
    key = f"bets-{book.race_id}-{where is None}"
    st.vega_lite_chart(frame, spec(), key=key, alt=charts.alt_text("bets"))


def spec() -> charts.Spec:
    """The chart in the ink of the theme that this browser shows."""
    return inked(charts.bets_spec(charts.INK[theme()][1]))


def landed(shown: Race) -> float | None:
    """How many times as fast as the first lane the other, or the fastest of the others, is; so far
    where the race is under way. None where that is not known.
    """
    if shown.underway:
        found = list(shown.underway.gains.values())
    else:
        standings = race.judge(shown.cards, shown.opponent).standings
        found = [one.gain for one in standings[1:] if one.gain]
    return max((gain.ratio for gain in found), default=None)


def verdict(book: Book, where: float | None, *, over: bool) -> str:
    """Who came nearest; while the race runs, who would; empty where nobody can be told.

    Args:
        where: as `landed` has it.
        over: the race is.
    """
    if book.open or not book.bets:
        return ""
    if where is None:
        return "The race came to no ratio, so nobody is nearest." if over else ""
    said = room.told(book.all, where)
    return said if over else f"So far {words.number(where)} times. {said}"
