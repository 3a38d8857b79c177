"""The colour of each run: the same on every page and for every visitor, while the lab is open."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from cnnlab import charts
from cnnlab.spec import RunCard
from cnnlab.ui import tables
from cnnlab.ui.held import Held


class Palette:
    """The colours that runs were given, by run id."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._given: dict[str, str] = {}

    def of_runs(self, cards: Sequence[RunCard]) -> dict[str, str]:
        """A colour for each run id, apart from each other as far as there are shades.

        A run keeps what it was first given, except beside an older one that has the same. New ones
        are served oldest first, so that the order in which they were chosen does not matter.
        """
        by_age = sorted(cards, key=lambda card: (card.created_at, card.run_id))
        families = {card.run_id: tables.kind_of(card) for card in by_age}
        with self._lock:
            colours = charts.run_colours(families, self._given)
            self._given = colours | self._given
        return colours

    def of_run(self, card: RunCard) -> str:
        """The colour of a run on a page of its own: what it was given, else its kind's."""
        kind = tables.kind_of(card)
        return charts.run_colours({card.run_id: kind}, self._given)[card.run_id]


palette = Held(Palette, lambda _: None)
"""The palette of this lab."""
