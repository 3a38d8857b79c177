"""The colour of each run: the same on every page and for every visitor, while the lab is open."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import streamlit as st

from cnnlab import charts
from cnnlab.spec import RunCard
from cnnlab.ui.held import Held


def theme() -> charts.Theme:
    """The theme that this browser shows; light where it has not said yet."""
    return "dark" if st.context.theme.type == "dark" else "light"


def inked(spec: charts.Spec) -> charts.Spec:
    """A chart whose words can be read in the theme that this browser shows."""
    return charts.inked(spec, theme())


class Palette:
    """The places in the palette that runs were given, by run id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: dict[str, int] = {}

    def of_runs(self, cards: Sequence[RunCard]) -> dict[str, str]:
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

    def of_run(self, card: RunCard) -> str:
        """The colour of a run on a page of its own: what it was given, else the first."""
        place = charts.run_places([card.run_id], self._given)[card.run_id]
        return charts.IDENTITIES[theme()][place]


palette = Held(Palette, lambda _: None)
"""The palette of this lab."""
