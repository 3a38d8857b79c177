"""Data sets that are read before anything is trained on them, and what they were taken for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from cnnlab import datasets, words
from cnnlab.datasets import DatasetInfo
from cnnlab.spec import PRESETS, LabError, Understood, change
from cnnlab.ui import lab, link, rights, tables

AT_ONCE = {"pictures": ("tiny", "shapes"), "series": ("lstm", "waves")}
"""A preset and a drawn data set, by what is looked for: they need no download."""


def told(understood: Understood | None, kind: str) -> None:
    """What a data set was taken for, as a list; nothing where that is not known."""
    if understood:
        lines = datasets.sentences(understood, words.things(kind))
        st.markdown("\n".join(f"- {tables.plain(line)}" for line in lines))


def folded(name: str) -> None:
    """The same behind a line, for where there is little room."""
    try:
        info = datasets.info(name)
    except LabError:
        return  # what is wrong with it is said where it is chosen
    if info.understood:
        with st.expander("What was understood", icon=":material/fact_check:"):
            told(info.understood, info.kind)


def button(info: DatasetInfo) -> None:
    """The way to read a data set now; the page is drawn anew once it is there."""
    verb = "Download" if info.origin.startswith("downloads") else "Prepare"
    pressed = st.button(
        f"{verb} it now",
        type="primary",
        icon=":material/download:",
        key="prepare",
        **rights.limits(),
    )
    if pressed and ready(info.name):
        st.rerun()


def shape_known(name: str) -> bool:
    """`ready` where only reading a data set tells its shape, which is all that a sweep needs."""
    return datasets.info(name).image_shape is not None or ready(name)


def ready(name: str) -> bool:
    """Read a data set if it was not read yet, with progress; false, and why, where that fails."""
    info = datasets.info(name)
    if info.ready:
        return True
    try:
        with progress(info.title) as show:
            lab.prepare(name, show)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
        _instead(info)
        return False
    return True


@contextmanager
def progress(title: str) -> Iterator[datasets.Progress]:
    """A bar that follows the reading of a data set, and is gone after it."""
    bar = st.progress(0.0, text=f"Preparing {tables.plain(title)} …")

    def show(share: float | None, what: str) -> None:
        bar.progress(share or 0.0, text=tables.plain(what))

    try:
        yield show
    finally:
        bar.empty()


def _instead(info: DatasetInfo) -> None:
    """What can be trained at once, where a data set cannot be had."""
    preset, name = AT_ONCE[info.kind]
    spec = change(PRESETS[preset].spec, dataset=name)
    st.page_link(
        "pages/train.py",
        label=f"Train on {datasets.REGISTRY[name].title} at once",
        icon=":material/play_arrow:",
        query_params=link.encode(spec),
    )
