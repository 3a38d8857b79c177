"""The way of a picture, or a sequence, through a network: what it says, and what made it say so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import pandas as pd
import streamlit as st

from cnnlab import charts, words
from cnnlab.analysis.answers import likeliest
from cnnlab.insight import Answer
from cnnlab.spec import LabError
from cnnlab.ui import tables
from cnnlab.ui.colours import inked
from cnnlab.ui.inspect import sheets
from cnnlab.ui.inspect.asking import Subject, Waiting, look

BARS = 5
"""Likeliest classes that are shown."""
LEAST = 0.001
"""A probability below which nobody needs its digits."""
SHOWN_WIDTH = 160  # pixels: two stand side by side on a phone
UNITS = 48
"""Of a Dense layer, whose weights are shown."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What the networks are shown."""

    input: np.ndarray
    """uint8 (height, width, channels), or float32 (steps, features, 1)."""
    truth: int | None
    """The class that it really has; null where nobody says."""

    @property
    def is_series(self) -> bool:
        """Whether it is a sequence."""
        return self.input.dtype != np.uint8


def show(looked_into: Sequence[Subject], epoch: int, seen: Seen) -> None:
    """What each network makes of it, side by side; of a single one the answer beside the layers."""
    alone = len(looked_into) == 1
    for column, subject in zip(st.columns(len(looked_into)), looked_into, strict=True):
        with column, st.container(key=f"inspect-way-{subject.card.run_id}"):
            at = subject.shown(epoch)
            if not alone:
                st.markdown(f"**{tables.plain(subject.name)}**, epoch {at}")
            left, right = st.columns(2, gap="large") if alone else (st.container(), st.container())
            with left:
                found = _said(subject, at, seen)
            with right:
                if found:
                    _inside(found)
                _first_layer(subject, at)


def _said(subject: Subject, epoch: int, seen: Seen) -> Answer | None:
    """What the network says and what made it say so; None, and why, where it cannot be asked."""
    network = subject.network(epoch)
    if seen.input.shape != network.image_shape:
        shape = " × ".join(map(str, network.image_shape))
        st.info(f"This network sees {shape}, and not what is shown here.", icon=":material/info:")
        return None
    try:
        found = look(network, seen.input, None)
        _bars(subject, found, seen)
        target = _asked_about(subject, found)
        likely = target == int(found.arrays["probabilities"].argmax())
        why = (found if likely else look(network, seen.input, target)).arrays["heat"]
    except LabError as error:
        icon = ":material/hourglass_empty:" if isinstance(error, Waiting) else ":material/error:"
        (st.info if isinstance(error, Waiting) else st.error)(tables.plain(str(error)), icon=icon)
        return None
    said = tables.plain(subject.classes[target])
    if seen.is_series:
        _moved_by(subject, why, said, seen)
    else:
        _heat(why, said, seen, gradcam=bool(found.named("maps")))
    return found


# --- the answer -----------------------------------------------------------------------------


def _bars(subject: Subject, found: Answer, seen: Seen) -> None:
    frame = bars_frame(found.arrays["probabilities"], subject.classes, seen.truth)
    st.vega_lite_chart(
        charts.packed(frame),
        inked(charts.bars_spec(subject.colour, len(frame))),
        key=f"inspect-bars-{subject.card.run_id}",
        alt=f"{charts.alt_text('bars')} {'; '.join(frame['name'] + ' ' + frame['text'])}.",
    )


def bars_frame(
    probabilities: np.ndarray, classes: Sequence[str], truth: int | None
) -> pd.DataFrame:
    """The likeliest classes for `charts.bars_spec`, right or wrong by a sign where known."""
    numbers = likeliest(probabilities, BARS)
    shares = [float(probabilities[number]) for number in numbers]
    marks = ["" if truth is None else " ✓" if number == truth else "" for number in numbers]
    if truth is not None and numbers[0] != truth:
        marks[0] = " ✕"
    return pd.DataFrame(
        {
            "place": range(len(numbers)),
            "name": [classes[number] for number in numbers],
            "share": shares,
            "text": [f"{_percent(s)}{m}" for s, m in zip(shares, marks, strict=True)],
        }
    )


def _percent(share: float) -> str:
    return words.percent(share) if share >= LEAST else f"< {words.percent(LEAST)}"


def _asked_about(subject: Subject, found: Answer) -> int:
    """The class of which the reader wants to know what speaks for it: by itself the likeliest."""
    numbers = likeliest(found.arrays["probabilities"], BARS)
    return st.pills(
        "What speaks for",
        numbers,
        default=numbers[0],
        required=True,
        format_func=lambda number: tables.plain(subject.classes[number]),
        key=f"inspect-why-{subject.card.run_id}",
    )


def _heat(heat: np.ndarray, said: str, seen: Seen, *, gradcam: bool) -> None:
    with st.container(horizontal=True):
        st.image(
            sheets.enlarged(seen.input),
            caption="What it sees",
            width=SHOWN_WIDTH,
            alt="The picture as it is seen.",
        )
        st.image(
            sheets.under_heat(seen.input, heat),
            caption="Grad-CAM" if gradcam else "Gradient",
            width=SHOWN_WIDTH,
            alt=f"The same under a heat map of what speaks for {said}.",
        )
    what = (
        "the last feature maps there speak for it (Grad-CAM)"
        if gradcam
        else "a small change of the pixel there would move it"
    )
    st.caption(f"**{said}**: the brighter, the more {what}.")


# --- sequences ------------------------------------------------------------------------------


def _moved_by(subject: Subject, heat: np.ndarray, said: str, seen: Seen) -> None:
    """The sequence, and how much each of its steps moves the answer."""
    key = subject.card.run_id
    st.vega_lite_chart(
        charts.packed(signal_frame(seen.input)),
        inked(charts.signal_spec(min(seen.input.shape[1], charts.MOST_FEATURES))),
        key=f"inspect-signal-{key}",
        alt=charts.alt_text("signal"),
    )
    pull = heat.sum(axis=1)
    st.vega_lite_chart(
        charts.packed(pd.DataFrame({"step": np.arange(1, len(pull) + 1), "pull": pull})),
        inked(charts.pull_spec(subject.colour)),
        key=f"inspect-pull-{key}",
        alt=charts.alt_text("pull"),
    )
    st.caption(f"**{said}**: the higher, the more a small change of that step would move it.")


def signal_frame(sequence: np.ndarray) -> pd.DataFrame:
    """A sequence (steps, features, 1) for `charts.signal_spec`: of many features the first few."""
    shown = sequence[:, : charts.MOST_FEATURES, 0]
    steps, features = (axis.reshape(-1) for axis in np.indices(shown.shape))
    return pd.DataFrame({"step": steps + 1, "value": shown.reshape(-1), "feature": features + 1})


# --- inside ---------------------------------------------------------------------------------


def _inside(found: Answer) -> None:
    """What the layers make of it, one after the other."""
    for layer, states in found.named("states"):
        st.image(
            sheets.states_sheet(states),
            caption=f"{layer}: its hidden state, time from left to right, a row for each unit",
            alt=f"The hidden state of {layer} at each step, as colours.",
        )
    for layer, maps in found.named("maps"):
        height, width = maps.shape[1:]
        st.image(
            sheets.maps_sheet(maps),
            caption=f"{layer}: the first {len(maps)} feature maps, {height} × {width}",
            alt=f"Feature maps of the layer {layer}.",
        )


def weights(looked_into: Sequence[Subject], epoch: int) -> None:
    """What the first layer of each looks for, where there is nothing to show to them."""
    for column, subject in zip(st.columns(len(looked_into)), looked_into, strict=True):
        with column:
            _first_layer(subject, subject.shown(epoch))


def _first_layer(subject: Subject, epoch: int) -> None:
    """What the first layer looks for."""
    try:
        kept = subject.kept.weights(epoch)
    except LabError as error:
        st.error(tables.plain(str(error)), icon=":material/error:")
        return
    found = first_weights(list(kept.values()), subject.network(epoch).image_shape)
    if found is None:
        return
    unit = "filters" if subject.card.spec.model.family == "cnn" else "units"
    st.image(
        sheets.weights_sheet(found),
        caption=f"What the first layer looks for: {len(found)} of its {unit}",
        alt=f"The weights of the first layer's {unit} as small pictures.",
    )


def first_weights(weights: Sequence[np.ndarray], shape: Sequence[int]) -> np.ndarray | None:
    """The first layer's weights as pictures (count, height, width, channels); None where they
    are none, as those of recurrent layers.

    Args:
        weights: as `keras.Model.get_weights` orders them.
        shape: height, width, channels of what the network sees.
    """
    kernel = weights[0].astype(np.float32)
    if kernel.ndim == 4:
        return kernel.transpose(3, 0, 1, 2)[:UNITS]
    if kernel.shape[0] == prod(shape) and len(weights) > 1 and weights[1].shape == kernel.shape[1:]:
        return kernel.T[:UNITS].reshape(-1, *shape)
    return None
