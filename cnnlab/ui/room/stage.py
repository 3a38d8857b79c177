"""The page for a room: one screen in the whole window, stepped through by keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import streamlit as st

from cnnlab.room import Place
from cnnlab.ui import following, live, rights
from cnnlab.ui.lab import lab
from cnnlab.ui.room import drawn, screens
from cnnlab.ui.room.screens import SCREEN, Screen

STYLE = Path(__file__).with_name("stage.css")
PLACE = "room.stage"
LONGEST_VERDICT = 200
"""Signs: on a projector three lines hold about as many."""
SCREENS: dict[str, Callable[[], Screen]] = {
    "run": screens.run,
    "result": screens.result,
    "race": screens.race,
    "comparison": screens.comparison,
    "visitors": screens.visitors,
}


def show() -> None:
    """The screen that the address names, else the one that is live."""
    st.html(STYLE)
    names = [name for name in SCREENS if name != "visitors" or rights.shared()]
    asked = st.query_params.get(SCREEN)
    name = asked if asked in names else "race" if lab().races() else names[0]
    with st.container(key="stage"):
        _steps(names, names.index(name))
        pace = live.TIMED_SECONDS if SCREENS[name]().live else None
        live.every(pace, _body, name, pace)


def _body(name: str, pace: float | None) -> None:
    screen = SCREENS[name]()
    if screen.live != bool(pace):
        live.anew()  # it is over, or something has begun
    following.show(screen.place)
    st.session_state[PLACE] = screen.place
    st.html(f"<h2>{escape(screen.title)}</h2>")
    if screen.figures:
        _figures(screen.figures)
    _pictures(screen)
    st.html(f'<p class="verdict">{escape(_for_a_room(screen.verdict))}</p>')
    if screen.call:
        screen.call()


def _for_a_room(verdict: str) -> str:
    """As many whole sentences as three lines hold; the first in any case."""
    first, *others = re.split(r"(?<=[.!?]) (?=[^a-z])", verdict)
    for sentence in others:
        if len(first) + len(sentence) >= LONGEST_VERDICT:
            break
        first = f"{first} {sentence}"
    return first


def _figures(figures: Sequence[tuple[str, str]]) -> None:
    """As large as the longest of them allows, all of one size."""
    rows = "".join(
        f"<div><dt>{escape(label)}</dt><dd>{escape(value)}</dd></div>" for label, value in figures
    )
    signs = max(len(value) for _, value in figures)
    st.html(f'<dl class="figures" style="--signs:{signs}">{rows}</dl>')


def _pictures(screen: Screen) -> None:
    """The chart and the network, beside each other where there are both."""
    both = screen.chart and screen.layers
    left, right = st.columns([3, 2]) if both else [st.container()] * 2
    if screen.chart:
        with left.container(key="stage-chart"):
            screen.chart()
    if screen.layers:
        with right.container(key="stage-network"):
            drawn.blocks(screen.layers)


# --- keys -----------------------------------------------------------------------------------


def _steps(names: list[str], at: int) -> None:
    """Back, on, and out; by keys too, which letters press as well as arrows."""
    before, after = names[at - 1], names[(at + 1) % len(names)]
    with st.container(horizontal=True, vertical_alignment="center", key="stage-steps"):
        _step("Back", before, "stage-back", "Left")
        st.markdown(f"{at + 1} of {len(names)}", width="content")
        _step("Next", after, "stage-next", "Right")
        if st.button("Leave", key="stage-leave", type="tertiary", shortcut="Escape"):
            _leave()
    with st.container(key="stage-keys"):
        _step("Back, by a letter", before, "stage-p", "p")
        _step("Next, by a letter", after, "stage-n", "n")


def _step(label: str, to: str, key: str, shortcut: str) -> None:
    st.button(label, key=key, type="tertiary", shortcut=shortcut, on_click=_go, args=(to,))


def _go(screen: str) -> None:
    st.query_params[SCREEN] = screen


def _leave() -> None:
    """To the page that shows what was on the screen."""
    following.go_to(st.session_state.get(PLACE, Place("")))
