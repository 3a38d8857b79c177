"""Follow the presenter: a visitor's pages go where the presenter goes, until it chooses otherwise.

It rides on the poll of the line above each page (`ui/top.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import streamlit as st

from cnnlab.room import Place
from cnnlab.ui import audience

PAGE, SHOWN, FOLLOWER = "room.page", "room.shown", "room.follower"
"""In the session of a browser: the page it is on; the place that counts in its stead; whether it
follows."""


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
    st.session_state.pop(SHOWN, None)
    if audience.watches():
        _keep_up()


def settle() -> None:
    """When a page is drawn: its address is now what it is going to be."""
    if audience.presents():
        audience.lead_to(_place())
    elif audience.watches() and (mine := _follower()):
        here = _here()
        went = mine.follows and mine.left(here)  # what was changed on the page is in its address
        st.session_state[FOLLOWER] = replace(mine, follows=mine.follows and not went, stands=here)
        if went:
            st.rerun()  # the line above says so


def look() -> None:
    """From time to time: be counted, and go where the presenter went meanwhile."""
    if audience.presents():
        audience.lead_to(_place())
    elif audience.watches():
        _keep_up()


def page() -> str:
    """The name of the page in the address; empty for the first one."""
    return str(st.session_state.get(PAGE, ""))


def show(place: Place) -> None:
    """Let those who follow see that place instead of this page."""
    st.session_state[SHOWN] = place


def moves_by_itself() -> None:
    """The page is about to take its visitor elsewhere: that is not the visitor's choice."""
    if mine := _follower():
        st.session_state[FOLLOWER] = replace(mine, stands=None)


def _keep_up() -> None:
    audience.look_in()
    led, here, mine = audience.room().lead.led(), _here(), _follower()
    if mine is None:  # it has just come in; a link to something is shown first
        came_for_all = here == Place("")
        mine = Follower(brought=led.number if led and not came_for_all else 0)
    elif mine.follows and mine.left(here):
        mine = replace(mine, follows=False)
    if led and mine.follows and mine.brought != led.number:
        mine = replace(mine, brought=led.number, to=led.place, stands=None)
        st.session_state[FOLLOWER] = mine
        if here != led.place:
            page = f"pages/{led.place.page or 'train'}.py"
            st.switch_page(page, query_params=dict(led.place.query))
    st.session_state[FOLLOWER] = mine


def chip() -> None:
    """Whether this visitor follows, and the way to the other."""
    mine = _follower()
    if not (audience.watches() and mine and audience.room().lead.led()):
        return
    if mine.follows:
        st.button(
            "Following the presenter · stop",
            key="room.stop",
            icon=":material/podium:",
            type="tertiary",
            on_click=_choose,
            args=(False,),
        )
    else:
        st.button(
            "Follow the presenter",
            key="room.follow",
            icon=":material/podium:",
            type="tertiary",
            on_click=_choose,
            args=(True,),
        )


def _choose(follows: bool) -> None:
    """Follow from where the presenter is now, or stay."""
    mine = _follower() or Follower()
    st.session_state[FOLLOWER] = Follower(follows, 0 if follows else mine.brought)


def _follower() -> Follower | None:
    found = st.session_state.get(FOLLOWER)
    return found if isinstance(found, Follower) else None


def _here() -> Place:
    return Place.of(page(), st.query_params.to_dict())


def _place() -> Place:
    """Where a presenter is, as those who follow are to see it."""
    shown = st.session_state.get(SHOWN)
    return shown if isinstance(shown, Place) else _here()
