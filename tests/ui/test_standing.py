"""Widgets that stand where the page wants them are told so in each drawing of it."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from tests.quiet_lab import page


def turned() -> None:
    """A page with a choice that an address decides, or a click elsewhere."""
    import streamlit as st

    from cnnlab.ui import standing

    def take() -> None:
        st.session_state["at"] = standing.chosen("choice")

    at = st.session_state.setdefault("at", "a")
    key = standing.key_at("choice", at)
    st.pills("Choice", list("abc"), default=at, required=True, key=key, on_change=take)


def stands(app: AppTest) -> tuple[str, list[int]]:
    assert not app.exception, app.exception[0].stack_trace
    (choice,) = app.button_group
    return choice.value, list(choice.proto.default)


def test_each_drawing_tells_what_was_chosen() -> None:
    app = AppTest.from_function(turned).run()
    assert stands(app) == ("a", [0])
    assert stands(app.run()) == ("a", [0])
    app.button_group[0].set_value("b").run()
    assert stands(app) == ("b", [1])
    assert stands(app.run()) == ("b", [1])


def test_what_is_turned_elsewhere_stands_there_and_can_be_chosen_again() -> None:
    app = AppTest.from_function(turned).run()
    before = app.button_group[0].proto.id
    app.button_group[0].set_value("b").run()
    assert app.button_group[0].proto.id == before  # or the keyboard would lose its place
    app.session_state["at"] = "c"
    assert stands(app.run()) == ("c", [2])
    app.button_group[0].set_value("a").run()
    assert stands(app) == ("a", [0])


@pytest.mark.usefixtures("quiet_lab")
@pytest.mark.parametrize("name", ["history", "data", "explore", "learn", "race", "compare"])
def test_no_page_leaves_it_to_one_drawing_what_must_be_chosen(name: str) -> None:
    app = page(name)
    for drawn in (app, app.run()):
        groups = [group for group in drawn.button_group if group.proto.required]
        assert all(len(group.proto.default) for group in groups)
