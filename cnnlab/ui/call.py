"""What to do next on a page, where that is a link: it looks like the button that it is."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st


def to_train(label: str, recipe: Mapping[str, str] | None = None) -> None:
    """The way to a run, once on a page.

    Args:
        recipe: what the form begins with, as `link.encode` writes it.
    """
    with st.container(key="call", width="content"):  # by which the style sheet finds it
        st.page_link(
            "pages/train.py", label=label, icon=":material/play_arrow:", query_params=recipe
        )
