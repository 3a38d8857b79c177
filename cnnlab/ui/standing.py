"""Widgets that stand where the page wants them: as its address says, or after a click elsewhere.

What is set in the session Streamlit tells a browser in one drawing alone, and a browser that missed
that drawing shows none chosen, or the first. So the value of such a widget is its default, which
every drawing tells. A default counts once for each key: a widget that is turned has another one.
"""

from __future__ import annotations

from typing import Any

import streamlit as st

from cnnlab.ui import live


def key_at(name: str, at: Any) -> str:
    """The key of a widget that stands at `at`, which is to be its default.

    Its `on_change` carries what was `chosen` to where `at` comes from.
    """
    if st.session_state.get(_key(name), at) != at:
        st.session_state[_count(name)] = _turns(name) + 1
    return _key(name)


def chosen(name: str) -> Any:
    """What the reader has chosen by now; None where its page was left, see `live.said`."""
    return live.said(_key(name))


def _key(name: str) -> str:
    turns = _turns(name)
    return f"{name}-{turns}" if turns else name


def _turns(name: str) -> int:
    return int(st.session_state.get(_count(name), 0))


def _count(name: str) -> str:
    return f"{name}.turns"
