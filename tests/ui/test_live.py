"""A part of a page that changes more than itself has the whole page drawn again."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest


def page_of_which_a_part_changes() -> None:
    """Above its button, a part that finds something new whenever `new` is set."""
    import streamlit as st

    from cnnlab.ui import live

    def part() -> None:
        if st.session_state.pop("new", False):
            live.anew()

    with live.drawing():
        st.session_state["drawn"] = st.session_state.get("drawn", 0) + 1
        live.every(None, part)
        if st.button("Press", key="press"):
            st.session_state["presses"] = st.session_state.get("presses", 0) + 1


def test_what_was_pressed_is_answered_before_the_page_is_drawn_again() -> None:
    app = AppTest.from_function(page_of_which_a_part_changes).run()
    app.session_state["new"] = True
    app.button(key="press").click().run()
    assert not app.exception
    assert app.session_state["presses"] == 1
    assert app.session_state["drawn"] == 3
    app.run()
    assert app.session_state["drawn"] == 4
