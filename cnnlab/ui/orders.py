"""Buttons that begin something and lead to it, as Start does.

A browser hears late where it was led, on a slow machine by seconds. Until then its visitor may
press the button again, by a double click say. What comes then is the same order: it begins nothing
more, and leads to what was begun.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from cnnlab.room import Place
from cnnlab.ui import following, live

ORDER, BEGUN = "order", "begun"
"""In the session of a browser: what it began last, and if that was a run, its id."""
RUN = "run"


@dataclass
class _Order:
    """What was begun last in this browser: where it was pressed, and where that led.

    An object of its own, since whatever touches the session may be broken off there by what the
    browser sends next: between what is begun and the note of it nothing may come.
    """

    pressed_at: Place | None = None
    led_to: Place | None = None
    returns: int = 0
    """How often the browser has asked since for the page where it was pressed."""

    def again(self, here: Place) -> bool:
        """Whether a press there, which the page is drawn for, is that order once more.

        Who has come back to press it has asked for the page before that. A part of the page that
        was left is drawn no more, so what is pressed in one was not pressed before.
        """
        left = self.led_to is not None and here == self.pressed_at
        return left and self.returns == 1 and not live.sent_by_part()


def arrive() -> None:
    """At the start of a page: know whether its browser has heard where it was led."""
    order, here = _last(), following.here()
    if here == order.pressed_at:
        order.returns += 1
    elif here != order.led_to:
        order.led_to = None


def begin(deed: Callable[[], Place]) -> None:
    """Do what was pressed, once, and go where that leads.

    Args:
        deed: what is done, and the place of it.

    Raises:
        LabError: as the deed.
    """
    order, here = _last(), following.here()
    if order.again(here):
        order.returns = 0
    else:
        order.led_to = deed()
        order.pressed_at, order.returns = here, 0
    assert order.led_to is not None
    if run_id := dict(order.led_to.query).get(RUN):
        st.session_state[BEGUN] = run_id
    _go(order.led_to, here)


def run(run_id: str) -> Place:
    """Where a run is shown."""
    return Place.of("", {RUN: run_id})


def _last() -> _Order:
    order: _Order = st.session_state.setdefault(ORDER, _Order())
    return order


def _go(to: Place, here: Place) -> None:
    if to.page != here.page:
        following.go_to(to)
    st.query_params.from_dict(to.parameters())
    st.rerun()
