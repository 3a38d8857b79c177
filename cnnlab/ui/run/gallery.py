"""What the network answers to a few validation pictures, or sequences drawn as lines: epoch by
epoch while it learns, and with a slider over the epochs afterwards.

The pictures stand in a style of their own, which does not change: a browser is sent it once, and
with each refresh only the bars.
"""

from __future__ import annotations

import base64
import html
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from PIL import Image, ImageDraw

from cnnlab import learned, words
from cnnlab.datasets import lookup
from cnnlab.spec import ExperimentSpec, LabError, RunCard
from cnnlab.ui import tables
from cnnlab.ui.lab import dataset_names, lab
from cnnlab.ui.run.state import RunState

LONGEST_SIDE = 64
LINES = (64, 40)
"""Width and height of a sequence that is drawn."""
INKS = ("#0b5cad", "#b3261e", "#14692c", "#4f5a65")
"""Of its first features; more would be a tangle."""
QUALITY = 80
LIKELIEST = 3


@dataclass(frozen=True)
class _Shown:
    """The pictures, and what was answered to them."""

    epoch: int
    class_names: tuple[str, ...]
    labels: Sequence[int]
    classes: Sequence[Sequence[int]]
    """The likeliest of each, the likeliest first."""
    shares: Sequence[Sequence[float]]

    @property
    def right(self) -> int:
        """How many were answered rightly."""
        return sum(said[0] == label for said, label in zip(self.classes, self.labels, strict=True))


def show(state: RunState) -> None:
    """The newest answers of a run that trains; of one that is over, those after any epoch."""
    if state.card.status.over:
        _afterwards(state.card)
    elif state.ours:
        _live(state.card)


def _live(card: RunCard) -> None:
    run = lab().live(card.run_id)
    if run is None or run.gallery is None or run.answers is None:
        return
    chosen, said = run.gallery, run.answers
    shown = _Shown(said.epoch, chosen.class_names, chosen.labels, said.classes, said.shares)
    _draw(card, chosen.indices, shown)


def _afterwards(card: RunCard) -> None:
    try:
        run = learned.open_run(card.run_id)
        gallery = run.gallery
    except LabError:
        return  # nothing was kept, or it had to make room: the History page says the rule
    known = np.flatnonzero(~np.isnan(gallery.probabilities).any(axis=(1, 2))) + 1
    if not len(known):
        return
    st.subheader("What it answered", anchor=False)
    epoch = int(known[-1])
    if len(known) > 1:
        key = f"answers-epoch-{card.run_id}"
        epoch = st.select_slider("After epoch", known.tolist(), value=epoch, key=key)
    answers = gallery.probabilities[epoch - 1].astype(np.float64)
    order = np.argsort(-answers, axis=1, kind="stable")[:, :LIKELIEST]
    shares = np.take_along_axis(answers, order, axis=1)
    labels = gallery.labels.tolist()
    shown = _Shown(epoch, run.facts.class_names, labels, order.tolist(), shares.tolist())
    _draw(card, tuple(gallery.indices.tolist()), shown)


def _draw(card: RunCard, indices: tuple[int, ...], shown: _Shown) -> None:
    try:
        style = _style(card.run_id, card.spec, indices)
    except LabError as error:
        st.caption(f"Its pictures cannot be shown. {tables.plain(str(error))}")
        return
    things = words.things(card.dataset.kind if card.dataset else None)
    st.caption(
        f"After epoch {shown.epoch}: {words.of_all(shown.right, len(indices))} validation {things} "
        "right."
    )
    with st.container(key=_key(card.run_id)):
        st.html(style)
        st.html(_bars(shown))


def _key(run_id: str) -> str:
    """Of the answers of a run, in the signs that the name of a class may have."""
    return "answers-" + re.sub(r"[^A-Za-z0-9-]", "-", run_id)


# --- the pictures ---------------------------------------------------------------------------


@st.cache_resource(max_entries=32, show_spinner=False)
def _style(run_id: str, spec: ExperimentSpec, indices: tuple[int, ...]) -> str:
    """The pictures side by side, as a style of the run's answers.

    Raises:
        LabError: its data set is not here.
    """
    # A run that was brought in may name any path, and is to open none.
    pictures = None
    if spec.dataset in dataset_names():
        pictures = lookup.some(spec, np.array(indices))
    if pictures is None:
        raise LabError("Its data set is not on this machine as it was.")
    if pictures.dtype != np.uint8:
        pictures = _lines(pictures)
    height, width = pictures.shape[1:3]
    strip = np.concatenate(list(pictures), axis=1)
    image = Image.fromarray(strip[..., 0] if strip.shape[2] == 1 else strip)
    shrink = max(height, width) / LONGEST_SIDE
    if shrink > 1:
        side = (round(width / shrink) * len(indices), round(height / shrink))
        image = image.resize(side, Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "WEBP", quality=QUALITY)
    data = base64.b64encode(file.getvalue()).decode()
    return (
        f"<style>.st-key-{_key(run_id)} .answers i{{aspect-ratio:{width}/{height};"
        f"background-size:{len(indices)}00% 100%;"
        f"background-image:url(data:image/webp;base64,{data})}}</style>"
    )


def _lines(sequences: np.ndarray) -> np.ndarray:
    """Sequences (N, steps, features, 1) as pictures, uint8 (N, height, width, 3): a line for each
    feature, all on one scale.
    """
    width, height = LINES
    low, high = float(sequences.min()), float(sequences.max())
    down = (high - sequences[..., 0]) / max(high - low, 1e-9) * (height - 1)
    along = np.linspace(0, width - 1, sequences.shape[1])
    drawn = []
    for sequence in down:
        image = Image.new("RGB", LINES, "white")
        for number, line in enumerate(sequence.T[: len(INKS)]):
            ImageDraw.Draw(image).line(list(zip(along, line, strict=True)), fill=INKS[number])
        drawn.append(np.asarray(image))
    return np.stack(drawn)


# --- the bars -------------------------------------------------------------------------------


def _bars(shown: _Shown) -> str:
    count = len(shown.labels)
    cells = (
        _cell(place / max(count - 1, 1), shown, label, classes, shares)
        for place, (label, classes, shares) in enumerate(
            zip(shown.labels, shown.classes, shown.shares, strict=True)
        )
    )
    return f'<ul class="answers">{"".join(cells)}</ul>'


def _cell(
    place: float, shown: _Shown, label: int, classes: Sequence[int], shares: Sequence[float]
) -> str:
    """A picture, its class, and the likeliest answers.

    Args:
        place: of the picture in the strip, from 0 to 1.
    """
    right = classes[0] == label
    bars = "".join(
        f'<span style="--w:{share:.0%}"{" class=t" if number == label else ""}>'
        f"<em>{_name(shown, number)}</em>{_percent(share)}</span>"
        for number, share in zip(classes, shares, strict=True)
    )
    sign = "✓" if right else "✗"
    return (
        f'<li class="{"right" if right else "wrong"}"><i style="--k:{place:.4f}"></i>'
        f"<b>{sign} {_name(shown, label)}</b>{bars}</li>"
    )


def _percent(share: float) -> str:
    """No finer than a bar shows it."""
    return "&lt;1 %" if 0 < share < 0.005 else f"{share:.0%}".replace("%", " %")


def _name(shown: _Shown, number: int) -> str:
    return html.escape(shown.class_names[number])
