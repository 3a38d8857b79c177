"""The colour of each run: the same on every page and for every visitor, while the lab is open."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Protocol

import streamlit as st

from cnnlab import charts
from cnnlab.ui.held import Held


def theme() -> charts.Theme:
    """The theme that this browser shows; light where it has not said yet."""
    return "dark" if st.context.theme.type == "dark" else "light"


def inked(spec: charts.Spec) -> charts.Spec:
    """A chart whose words can be read in the theme that this browser shows."""
    return charts.inked(spec, theme())


BETTER = {"light": ("#5AB4AC", "#D8B365"), "dark": ("#2F8F86", "#9A6B1F")}
"""By theme, what the ground is tinted with where a figure is better, and where worse: the hues of
nothing else, apart for every eye."""
STRONGEST_TINT = 0.6


def ground() -> str:
    """What lies behind everything in the theme that this browser shows."""
    return charts.GROUND[theme()]


def tint(good: float) -> str:
    """The ground of a figure that is so much better (1) or worse (-1) than another."""
    better, worse = BETTER[theme()]
    share = STRONGEST_TINT * abs(good)
    pairs = zip(_channels(ground()), _channels(better if good > 0 else worse), strict=True)
    return "#" + "".join(f"{round(x + share * (y - x)):02X}" for x, y in pairs)


def _channels(colour: str) -> list[int]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def mark(colour: str, *, faint: bool = False) -> None:
    """Draw a run's colour and shape, which stand before its name."""
    opacity = 0.25 if faint else 1
    picture = f'<img src="{charts.swatch(colour)}" alt="" width="16" style="opacity:{opacity}">'
    st.html(picture, width="content")


class Coloured(Protocol):
    """What a run needs to be given a colour."""

    @property
    def run_id(self) -> str: ...
    @property
    def created_at(self) -> str: ...


class Palette:
    """The places in the palette that runs were given, by run id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: dict[str, int] = {}

    def of_runs(self, cards: Sequence[Coloured]) -> dict[str, str]:
        """A colour for each run id, apart from each other as far as there are colours.

        A run keeps what it was first given, except beside an older one that has the same. New ones
        are served oldest first, so that the order in which they were chosen does not matter.
        """
        by_age = sorted(cards, key=lambda card: (card.created_at, card.run_id))
        with self._lock:
            places = charts.run_places([card.run_id for card in by_age], self._given)
            self._given = places | self._given
        colours = charts.IDENTITIES[theme()]
        return {run_id: colours[place] for run_id, place in places.items()}

    def of_run(self, card: Coloured) -> str:
        """The colour of a run on a page of its own: what it was given, else one that the latest
        others have not, which it keeps.
        """
        with self._lock:
            latest = [*self._given][1 - charts.PLACES :]
            places = charts.run_places([*latest, card.run_id], self._given)
            place = self._given.setdefault(card.run_id, places[card.run_id])
        return charts.IDENTITIES[theme()][place]


palette = Held(Palette, lambda _: None)
"""The palette of this lab."""
