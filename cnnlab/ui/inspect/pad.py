"""A pad to draw on, for networks that know small grey pictures."""

from __future__ import annotations

import base64
import binascii
from functools import cache
from pathlib import Path

import streamlit as st
from streamlit.components.v2.types import ComponentRenderer

from cnnlab.spec import LabError

PREFIX = "data:image/png;base64,"
MOST_SIGNS = 1_000_000
"""Of a drawing as it comes from a browser."""


@cache
def _component() -> ComponentRenderer:
    here = Path(__file__)
    return st.components.v2.component(
        "cnnlab.pad",
        html=here.with_name("pad.html").read_text(encoding="utf-8"),
        css=here.with_name("pad.css").read_text(encoding="utf-8"),
        js=here.with_name("pad.js").read_text(encoding="utf-8"),
    )


def drawn() -> bytes | None:
    """What was drawn, light on dark, as a PNG; None where nothing was yet.

    Raises:
        LabError: a browser sent something else.
    """
    found = _component()(key="inspect.pad", on_drawing_change=lambda: None)
    sent = found.get("drawing")
    if not sent:
        return None
    try:
        if not isinstance(sent, str) or len(sent) > MOST_SIGNS or not sent.startswith(PREFIX):
            raise ValueError("no PNG")
        return base64.b64decode(sent.removeprefix(PREFIX), validate=True)
    except (ValueError, binascii.Error) as error:
        raise LabError("What was drawn did not arrive; draw it again.") from error
