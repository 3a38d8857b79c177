"""Walls of pictures; a click on one opens its way through the network."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st

from cnnlab import charts, words
from cnnlab.analysis.answers import Answers
from cnnlab.spec import HeldOut
from cnnlab.ui import live
from cnnlab.ui.colours import inked
from cnnlab.ui.inspect import sheets
from cnnlab.ui.inspect.asking import Subject, pictures

MOST = 12
"""Pictures of a wall."""
VIEW, WAY = "inspect.view", "Through the network"
"""In the session: the view that is open."""
TILE_PIXELS = 96
Place = tuple[HeldOut, int]
"""A picture of a data set: its part, and which it is there, as `Answers.numbers` counts."""


def show(subject: Subject, answers: Answers, places: Sequence[int], key: str) -> None:
    """Some of the pictures that were answered, with what they are and what was said.

    Args:
        places: of the pictures among the answers, in the order in which they are shown.
    """
    chosen = np.array(places[:MOST], int)
    if not len(chosen):
        return
    shown = pictures(subject, answers.numbers[chosen], answers.part)
    if shown is None:
        st.caption(_without_pictures(answers, chosen))
        return
    dataset = subject.card.spec.dataset
    if subject.series:
        _as_buttons(dataset, answers, chosen, key)
        return
    frame = _frame(answers, chosen, shown)
    rows = int(frame["row"].max()) + 1
    st.vega_lite_chart(
        charts.packed(frame),
        inked(charts.pictures_spec(rows)),
        key=key,
        alt=_alt(answers, chosen),
        on_select=lambda: _picked(dataset, key, answers.part, frame["picture"].tolist()),
        selection_mode=charts.PICTURE,
    )


def _frame(answers: Answers, chosen: np.ndarray, shown: np.ndarray) -> pd.DataFrame:
    count = np.arange(len(chosen))
    return pd.DataFrame(
        {
            "picture": answers.numbers[chosen],
            "column": count % charts.COLUMNS,
            "row": count // charts.COLUMNS,
            "url": [sheets.data_url(picture, TILE_PIXELS) for picture in shown],
            "above": [answers.names[number] for number in answers.labels[chosen]],
            "below": [said(answers, place) for place in chosen],
        }
    )


def said(answers: Answers, place: int) -> str:
    """What was said of a picture, right or wrong by a sign: "✕ square 98 %"."""
    sign = "✓" if answers.right[place] else "✕"
    name = answers.names[int(answers.said[place])]
    return f"{sign} {name} {words.percent(float(answers.sure[place]))}"


def _alt(answers: Answers, chosen: np.ndarray) -> str:
    told = [f"{answers.names[int(answers.labels[p])]}: {said(answers, p)}" for p in chosen]
    return f"{charts.alt_text('pictures')} {'; '.join(told)}."


def _without_pictures(answers: Answers, chosen: np.ndarray) -> str:
    told = "; ".join(
        f"{answers.names[int(answers.labels[p])]} {said(answers, p)}" for p in chosen[:6]
    )
    return f"The data set is not here, so its pictures cannot be shown: {told}."


def _as_buttons(dataset: str, answers: Answers, chosen: np.ndarray, key: str) -> None:
    """Sequences have no face: what they are and what was said stands on buttons."""
    with st.container(horizontal=True):
        for place in chosen:
            number = int(answers.numbers[place])
            name = answers.names[int(answers.labels[place])]
            st.button(
                f"{name}: {said(answers, place)}",
                key=f"{key}.{number}",
                on_click=open_way,
                args=(dataset, (answers.part, number)),
            )


def _picked(dataset: str, key: str, part: HeldOut, shown: list[int]) -> None:
    """Open what was clicked; a browser may send anything, and only what is shown counts."""
    told = live.said(key)
    points = told["selection"].get(charts.PICTURE, []) if told else []
    numbers = [point.get("picture") for point in points]
    if numbers and numbers[0] in shown:
        open_way(dataset, (part, int(numbers[0])))


def open_way(dataset: str, picture: Place) -> None:
    """Show the way of a picture through the network; for callbacks."""
    st.session_state[chosen_of(dataset)] = picture
    st.session_state[VIEW] = WAY


def chosen_of(dataset: str) -> str:
    """In the session: the `Place` of the chosen picture in a data set."""
    return f"inspect.picture.{dataset}"
