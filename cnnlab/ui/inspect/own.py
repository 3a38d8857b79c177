"""Your own picture, drawing or sequence, brought to what the networks see. None of it is kept."""

from __future__ import annotations

from urllib.parse import urlsplit

import numpy as np
import streamlit as st

from cnnlab.datasets import own
from cnnlab.datasets.own import Brought
from cnnlab.spec import LabError
from cnnlab.ui import tables
from cnnlab.ui.inspect import pad, sheets
from cnnlab.ui.inspect.asking import Subject, pictures
from cnnlab.ui.inspect.way import SHOWN_WIDTH, Seen

FILE, CAMERA, DRAW, PASTE = "A file", "Camera", "Draw", "Paste"
EXAMPLES = 24
"""Pictures of the data set that show what its ground is like."""
Shape = tuple[int, int, int]


def given(subject: Subject) -> Seen | None:
    """Ask for something of the reader's own; None until there is any that can be used.

    Args:
        subject: the run whose data say what it must be like.
    """
    shape = subject.network(subject.kept.frames[-1]).image_shape
    ways = (
        (PASTE, FILE)
        if subject.series
        else (DRAW, FILE, CAMERA)
        if shape[2] == 1
        else (FILE, CAMERA)
    )
    way = st.segmented_control(
        "Your own",
        ways,
        default=ways[0],
        required=True,
        key="inspect.own",
        label_visibility="collapsed",
    )
    try:
        if subject.series:
            return _sequence(way, subject, shape)
        return _picture(way, subject, shape)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
        return None


def _sequence(way: str, subject: Subject, shape: Shape) -> Seen | None:
    steps, features, _ = shape
    what = f"{steps} rows or more, {features} columns of numbers as in its data"
    if way == FILE:
        sent = st.file_uploader(f"A CSV file: {what}", type=["csv", "tsv", "txt"])
        data, name = (sent.getvalue(), sent.name) if sent else (b"", "")
    else:
        data = st.text_area(f"A table: {what}", key="inspect.table").encode()
        name = "The table"
    if not data.strip():
        return None
    return Seen(own.scaled(subject.card.spec, own.sequence(data, name, shape)), None)


def _picture(way: str, subject: Subject, shape: Shape) -> Seen | None:
    examples = _examples(subject)
    if way == DRAW:
        data = pad.drawn()
        dark = examples is None or own.on_dark(examples)
        brought = own.drawing(data, "The drawing", shape, on_dark=dark) if data else None
        return _shown(brought, "scaled and centred as digits of MNIST are")
    if way == CAMERA:
        if not _has_camera():
            st.info(
                "A browser lends its camera only to this computer's own pages, or over TLS. "
                "Choose “A file” instead: a phone offers its camera there.",
                icon=":material/no_photography:",
            )
            return None
        sent = st.camera_input("A photo", key="inspect.camera")
    else:
        sent = st.file_uploader("A picture", key="inspect.file")  # its content says what it is
    if not sent:
        return None
    brought = own.picture(sent.getvalue(), sent.name, shape)
    if examples is not None and own.other_way_round(brought.seen, examples):
        flipped = st.toggle("Light and dark swapped, as its pictures are", value=True)
        brought = brought._replace(seen=255 - brought.seen) if flipped else brought
    return _shown(brought, "its middle, made smaller or larger")


def _has_camera() -> bool:
    """Whether browsers take this page for one that may have a camera."""
    at = urlsplit(st.context.url or "")
    return at.scheme != "http" or at.hostname in ("localhost", "127.0.0.1", "::1")


def _examples(subject: Subject) -> np.ndarray | None:
    """Some pictures of the data set; None where it is not here."""
    return pictures(subject, np.arange(EXAMPLES))


def _shown(brought: Brought | None, how: str) -> Seen | None:
    """Show what was given, and what becomes of it."""
    if brought is None:
        return None
    height, width, _ = brought.seen.shape
    with st.container(horizontal=True):
        st.image(
            sheets.enlarged(brought.cut), caption="Yours", width=SHOWN_WIDTH, alt="What you gave."
        )
        st.image(
            sheets.enlarged(brought.seen),
            caption=f"What it sees: {width} × {height}, {how}",
            width=SHOWN_WIDTH,
            alt="The same as the network sees it.",
        )
    return Seen(brought.seen, None)
