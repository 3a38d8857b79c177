"""Data of one's own on the Data page: a file, or pictures from the camera."""

from __future__ import annotations

import streamlit as st

from cnnlab.ui.data import camera, upload

WAYS = {"A file or a folder": upload.offer, "With the camera": camera.show}


def show() -> None:
    """The ways to bring data, one at a time: a camera begins to look as soon as it is drawn."""
    with st.expander("Bring your own data", icon=":material/add:", key="data.own"):
        way = st.segmented_control(
            "How to bring data",
            list(WAYS),
            default=next(iter(WAYS)),
            required=True,
            key="data.way",
            label_visibility="collapsed",
        )
        WAYS[way]()
