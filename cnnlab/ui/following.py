"""Follow the presenter: a visitor's pages go where the presenter goes, until it chooses otherwise.

It rides on the poll of the line above each page (`ui/top.py`). A browser's timer may have sent one
before it heard that its page has moved, and its visitor may have pressed something there. What then
comes names the place before, which is nobody's choice: it neither ends following nor leads back,
and what it says of the page's fields is what they said before, see `late`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from cnnlab.room import Place
from cnnlab.ui import audience

PAGE, SHOWN, FOLLOWER = "room.page", "room.shown", "room.follower"
"""In the session of a browser: the page it is on; the place that counts in its stead; whether it
follows."""
DRAWN, LEFT = "room.drawn", "room.left"
"""And the place that was drawn last, with what Streamlit calls its page; the one before, until the
browser names another."""
LATE, ANSWERS_LATE = "room.late", "room.answers-late"
"""And whether the page is drawn next, and now, because of a poll that was late."""


@dataclass(frozen=True)
class Follower:
    """A visitor who may follow."""

    follows: bool = True
    brought: int = 0
    """The number of the place it was last brought to."""
    to: Place | None = None
    """That place. A quick browser may name it a moment after its page has written another link."""
    stands: Place | None = None
    """Where that came to rest; None before it has, or where its page moved on by itself."""

    def left(self, here: Place) -> bool:
        """Whether its visitor went elsewhere since."""
        return self.stands is not None and here not in (self.stands, self.to)


def arrive(page: str) -> None:
    """At the start of a page: know which it is; who follows may go on to another one."""
    st.session_state[PAGE] = page
    st.session_state[ANSWERS_LATE] = st.session_state.pop(LATE, False)
    st.session_state.pop(SHOWN, None)
    at = here()
    crossed = at == st.session_state.get(LEFT)
    _draw_at(at)
    if audience.watches():
        _keep_up(crossed)


def settle() -> None:
    """When a page is drawn: its address is now what it is going to be."""
    at = here()
    _draw_at(at)
    if audience.presents():
        audience.lead_to(_place())
    elif audience.watches() and (mine := _follower()):
        went = mine.follows and mine.left(at)  # what was changed on the page is in its address
        st.session_state[FOLLOWER] = replace(mine, follows=mine.follows and not went, stands=at)
        if went:
            st.rerun()  # the line above says so


def look() -> None:
    """From time to time: be counted, and go where the presenter went meanwhile."""
    if _late():
        st.session_state[LATE] = True
        go_to(st.session_state[DRAWN][0])
    if audience.presents():
        audience.lead_to(_place())
    elif audience.watches():
        _keep_up(crossed=False)


def late() -> bool:
    """Whether the page is drawn for a browser that had not heard of it when it asked: what was set
    here since stands in none of the fields that it told of.
    """
    return bool(st.session_state.get(ANSWERS_LATE))


def page() -> str:
    """The name of the page in the address; empty for the first one."""
    return str(st.session_state.get(PAGE, ""))


def show(place: Place) -> None:
    """Let those who follow see that place instead of this page."""
    st.session_state[SHOWN] = place


def go_to(place: Place) -> None:
    """Take this browser to a place."""
    st.switch_page(f"pages/{place.page or 'train'}.py", query_params=place.parameters())


def moves_by_itself() -> None:
    """The page is about to take its visitor elsewhere: that is not the visitor's choice."""
    if mine := _follower():
        st.session_state[FOLLOWER] = replace(mine, stands=None)


def _keep_up(crossed: bool) -> None:
    """Go where the presenter is, if this browser follows and has not gone elsewhere.

    Args:
        crossed: this was pressed before the browser heard that its page has moved.
    """
    audience.look_in()
    led, at, mine = audience.room().lead.led(), here(), _follower()
    if mine is None:  # it has just come in; a link to something is shown first
        came_for_all = at == Place("")
        mine = Follower(brought=led.number if led and not came_for_all else 0)
    elif mine.follows and crossed:
        mine = replace(mine, brought=0)
    elif mine.follows and mine.left(at):
        mine = replace(mine, follows=False)
    if led and mine.follows and mine.brought != led.number:
        mine = replace(mine, brought=led.number, to=led.place, stands=None)
        st.session_state[FOLLOWER] = mine
        if at != led.place:
            go_to(led.place)
    st.session_state[FOLLOWER] = mine


# --- the page and its address ---------------------------------------------------------------


def _draw_at(place: Place) -> None:
    context, drawn = get_script_run_ctx(), st.session_state.get(DRAWN)
    if drawn and drawn[0] != place:
        st.session_state[LEFT] = drawn[0]
    st.session_state[DRAWN] = place, context.page_script_hash if context else ""


def _late() -> bool:
    """Whether this was sent by a timer before its browser heard where its page is now."""
    context, drawn = get_script_run_ctx(), st.session_state.get(DRAWN)
    if context is None or not context.fragment_ids_this_run or drawn is None:
        return False  # the whole page is drawn, where its browser asked for it
    if context.page_script_hash != drawn[1] or here() == st.session_state.get(LEFT):
        return True
    st.session_state.pop(LEFT, None)
    return False


def here() -> Place:
    """The page in the address, with its parameters."""
    return Place.of(page(), {name: st.query_params.get_all(name) for name in st.query_params})


def _place() -> Place:
    """Where a presenter is, as those who follow are to see it."""
    shown = st.session_state.get(SHOWN)
    return shown if isinstance(shown, Place) else here()


# --- the choice -----------------------------------------------------------------------------


def chip() -> None:
    """Whether this visitor follows, and the way to the other."""
    mine = _follower()
    if not (audience.watches() and mine and audience.room().lead.led()):
        return
    label, key = (
        ("Following the presenter · stop", "room.stop")
        if mine.follows
        else ("Follow the presenter", "room.follow")
    )
    st.button(
        label,
        key=key,
        icon=":material/podium:",
        type="tertiary",
        on_click=_choose,
        args=(not mine.follows,),
    )


def _choose(follows: bool) -> None:
    """Follow from where the presenter is now, or stay."""
    mine = _follower() or Follower()
    st.session_state[FOLLOWER] = Follower(follows, 0 if follows else mine.brought)


def _follower() -> Follower | None:
    found = st.session_state.get(FOLLOWER)
    return found if isinstance(found, Follower) else None
