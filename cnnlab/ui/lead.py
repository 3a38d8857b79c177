"""The one figure that leads a page: large, with what it is of beside it."""

from __future__ import annotations

from html import escape

import streamlit as st


def figure(value: str, says: str, before: str | None = None) -> None:
    """Show it.

    Args:
        value: such as "3.4×".
        says: what it is of, in a few words.
        before: what it was, from which it rolls to what it is.
    """
    st.html(markup(value, says, before))


def markup(value: str, says: str, before: str | None = None) -> str:
    """The figure as HTML; the same text for the same figures, so that nothing rolls anew."""
    was = ""
    if before is not None and before != value:
        was = f'<span class="lead-before" aria-hidden="true">{escape(before)}</span>'
    return (
        f'<p class="lead"><span class="lead-figure">{was}'
        f'<span class="lead-now">{escape(value)}</span></span> '
        f'<span class="lead-says">{escape(says)}</span></p>'
    )
