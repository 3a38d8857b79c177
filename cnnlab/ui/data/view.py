"""Data sets on a page: what is here, what it looks like, how to add one's own."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import numpy as np
import streamlit as st
from PIL import Image

from cnnlab import charts, datasets, words
from cnnlab.datasets import DatasetInfo
from cnnlab.spec import PRESETS, change
from cnnlab.ui import call, lead, link, prepared, standing, tables
from cnnlab.ui.colours import inked
from cnnlab.ui.data import series as series_view

CHOSEN, NEXT = "data.set", "data.next"
SHOWN_PIXELS = 96
PER_CLASS, CLASSES = 8, 20
SEQUENCES = 3
"""Of each class that are drawn."""


def choose(known: Sequence[DatasetInfo]) -> DatasetInfo:
    """Let the reader choose a data set; the URL keeps the choice."""
    by_name = {info.name: info for info in known}
    linked = st.query_params.get("dataset")
    if linked and linked not in by_name:
        st.warning(
            f"There is no data set {tables.plain(linked[:40])} here.", icon=":material/link_off:"
        )
    asked = (st.session_state.pop(NEXT, None), linked)  # one that was just kept comes first
    name = next((name for name in asked if name in by_name), known[0].name)
    st.pills(
        "Data set",
        options=list(by_name),
        default=name,
        required=True,
        format_func=lambda name: _option(by_name[name]),
        key=standing.key_at(CHOSEN, name),
        on_change=_chosen,
        label_visibility="collapsed",
    )
    st.query_params["dataset"] = name
    return by_name[name]


def _chosen() -> None:
    if chosen := standing.chosen(CHOSEN):
        st.query_params["dataset"] = chosen


def choose_next(name: str) -> None:
    """Let the next drawing of the page begin with a data set."""
    st.session_state[NEXT] = name


def _option(info: DatasetInfo) -> str:
    sign = ":material/check_circle:" if info.ready else ":material/cloud_download:"
    return f"{sign} {tables.plain(info.title)}"


def figures(info: DatasetInfo) -> None:
    """How much a data set holds, and of what shape."""
    shape = " × ".join(map(str, info.image_shape)) if info.image_shape else words.UNKNOWN
    with st.container(horizontal=True, vertical_alignment="center", gap="medium", key="data-facts"):
        lead.figure(words.count(info.train_images), f"{words.things(info.kind)} to train on")
        st.metric("Classes", words.count(info.classes), width="content")
        if info.kind == "series":
            st.metric("Steps × features", shape.removesuffix(" × 1"), width="content")
        else:
            st.metric("Height × width × channels", shape, width="content")


def facts(info: DatasetInfo) -> None:
    """The figures of a data set, and what it needs before it can be used."""
    figures(info)
    if not info.ready:
        _not_ready(info)
    with st.container(horizontal=True, vertical_alignment="center"):
        _train_on(info)
        if info.synthetic:
            real = "measurements" if info.kind == "series" else "photographs"
            st.caption(
                f":material/brush: **Synthetic**: drawn by a program, the same every time. "
                f"Results say nothing about {real}."
            )
        elif info.ready:
            st.caption(f":material/check_circle: {tables.plain(info.origin)}")
    prepared.told(info.understood, info.kind)


def _train_on(info: DatasetInfo) -> None:
    """The way to a run on this data set."""
    preset = "lstm" if info.kind == "series" else link.DEFAULT_PRESET
    spec = change(PRESETS[preset].spec, dataset=info.name)
    if info.ready:
        call.to_train("Train on it", link.encode(spec))
        return
    st.page_link(
        "pages/train.py",
        label="Train on it",
        icon=":material/play_arrow:",
        query_params=link.encode(spec),
    )


def _not_ready(info: DatasetInfo) -> None:
    st.warning(
        f"Not prepared yet: {tables.plain(info.origin)}. The first run on it prepares it; "
        "or do it now, here or in a terminal:",
        icon=":material/cloud_download:",
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        prepared.button(info)
        st.code(
            f"python -m cnnlab datasets fetch {shlex.quote(info.name)}",
            language="bash",
            wrap_lines=True,
        )


# --- samples --------------------------------------------------------------------------------


def gallery(info: DatasetInfo) -> None:
    """Samples of each class."""
    things = words.things(info.kind)
    if not info.ready:
        st.caption(f"Its {things} appear here once it is prepared.")
        return
    samples = _samples(info.name, info.train_images)
    if info.classes and info.classes > len(samples):
        st.caption(f"{len(samples)} of {words.count(info.classes)} classes.")
    grid = st.grid(2, min_column_width=320)
    for name, found in samples:
        with grid.cell():
            st.markdown(f"**{tables.plain(name)}**")
            if info.kind == "series":
                _show_lines(name, found[:SEQUENCES])
            else:
                alt = f"Sample pictures of the class {name}."
                st.image(sheet(found), alt=alt, width="stretch")


def _show_lines(name: str, sequences: np.ndarray) -> None:
    data = charts.packed(series_view.frame(sequences))
    says = series_view.alt_text(name, sequences)
    st.vega_lite_chart(data, inked(series_view.chart()), key=f"lines {name}", alt=says)


# Not for long: files of the same name and number may be put in their place.
@st.cache_data(max_entries=16, ttl=60, show_spinner="Looking for samples …")
def _samples(name: str, count: int | None) -> list[tuple[str, np.ndarray]]:
    return datasets.gallery(name, per_class=PER_CLASS, classes=CLASSES)


def sheet(pictures: np.ndarray) -> np.ndarray:
    """Pictures in a row, enlarged by whole pixels so that small ones stay crisp.

    Args:
        pictures: uint8 (n, height, width, 1 or 3).

    Returns:
        uint8 (height, width, 3), with a transparent gap of a few pixels between pictures (RGBA).
    """
    count, height, width, channels = pictures.shape
    factor = max(1, SHOWN_PIXELS // max(height, width))
    gap = 2 * factor
    rgb = np.repeat(pictures, 3, axis=3) if channels == 1 else pictures
    row = np.zeros((height, count * width + (count - 1) * gap, 4), dtype=np.uint8)
    for place, picture in enumerate(rgb):
        left = place * (width + gap)
        row[:, left : left + width, :3] = picture
        row[:, left : left + width, 3] = 255
    large = Image.fromarray(row).resize(
        (row.shape[1] * factor, height * factor), Image.Resampling.NEAREST
    )
    return np.asarray(large)
