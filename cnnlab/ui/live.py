"""Parts of a page that refresh themselves, and how what many browsers see is sure to arrive."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

import streamlit as st
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

REFRESH_SECONDS = 1.0
TIMED_SECONDS = 2.0
"""While the CPU of this machine is timed: a page that is drawn takes of its cores."""
AT_ONCE = 3
"""Pages that are drawn at the same time; the others wait. One may be slow, and two more go on."""
PATIENCE_SECONDS = 10.0
"""With the slow ones: some pages wait for a process of their own while they are drawn."""

_slots = threading.BoundedSemaphore(AT_ONCE)
_mine = threading.local()


def every(seconds: float | None, draw: Callable[..., None], *arguments: object) -> None:
    """Draw a part of the page, and again each so many seconds; null: once.

    Parts of one page should not take multiples of each other's pace: of two timers at once one may
    be lost, see `drawing`.
    """

    @wraps(draw)
    def once(*given: object) -> None:
        with drawing():
            draw(*given)

    st.fragment(once, run_every=seconds)(*arguments)


def said(key: str) -> Any:
    """What a widget says, for who is called when that changed; None where it is there no more.

    A browser that has not heard that a page was left still tells of its widgets. Streamlit (1.67)
    takes that for a change, and calls who was to hear of one.
    """
    return st.session_state.get(key)


def anew() -> None:
    """Draw the whole page again, once: what a part tells of has changed for its others too.

    While the whole page is being drawn that waits until it is drawn to its end. What was pressed
    may be further down, and Streamlit forgets a press with the script run that it came with.
    """
    if sent_by_part():
        st.rerun()
    _mine.anew = True


def sent_by_part() -> bool:
    """Whether a part of the page asked to be drawn, by its timer or by a widget within it."""
    context = get_script_run_ctx()
    return bool(context and context.fragment_ids_this_run)


@contextmanager
def drawing() -> Iterator[None]:
    """Around all that a script run draws: wait for a turn, and at the end until it is delivered.

    Python runs one thread at a time, in turns of 5 ms. With fifty pages being drawn, as when a run
    ends before fifty browsers, the thread that sends them waited a quarter of a second for each
    piece, and the browsers' timers came round before it was through. Then Streamlit (1.67,
    `AppSession`: "non-current ScriptRunner") drops what a script run had yet to send, draws the
    same again, and nothing arrives any more. In a smaller crowd it may be a single page that stands
    still for good, because its timers went with the first piece of a run whose rest was dropped.
    """
    if getattr(_mine, "turn", False):  # a part of a page that is being drawn whole
        yield
        return
    mine = _slots.acquire(timeout=PATIENCE_SECONDS)  # rather out of turn than not at all
    _mine.turn, _mine.anew = True, False
    try:
        yield
        _deliver()
        if _mine.anew:
            st.rerun()
    finally:
        _mine.turn = False
        if mine:
            _slots.release()


def _deliver() -> None:
    """Wait until the server's event loop has taken over all that this thread gave it."""
    loop = runtime.get_instance()._get_async_objs().eventloop if runtime.exists() else None
    if loop is None or loop.is_running() is not True:
        return  # in a test of the pages alone, where a dummy stands for it
    taken = threading.Event()
    loop.call_soon_threadsafe(taken.set)
    taken.wait(PATIENCE_SECONDS)
