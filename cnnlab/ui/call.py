"""What to do next on a page, where that is a link: it looks like the button that it is."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st


def to_train(label: str, recipe: Mapping[str, str] | None = None) -> None:
    """The way to a run, once on a page.

    Args:
        recipe: what the form begins with, as `link.encode` writes it.
    """
    _link("pages/train.py", label, ":material/play_arrow:", recipe)


def to_race() -> None:
    """The way to a race, once on a page."""
    _link("pages/race.py", "Set up a race", ":material/flag:", None)


def _link(page: str, label: str, icon: str, parameters: Mapping[str, str] | None) -> None:
    with st.container(key="call", width="content"):  # by which the style sheet finds it
        st.page_link(page, label=label, icon=icon, query_params=parameters)
