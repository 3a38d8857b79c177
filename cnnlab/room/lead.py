"""Where the presenter is, for those who follow."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic

SILENT_SECONDS = 8.0
"""After which another browser of a presenter may lead: this one was closed or loaded anew."""
GONE_SECONDS = 120.0
"""After which nobody leads."""


@dataclass(frozen=True)
class Place:
    """A page of the app as an address names it."""

    page: str
    """Its name in the address; empty for the first page."""
    query: tuple[tuple[str, str], ...] = ()
    """Its parameters by name; one that is given several times stands there as often."""

    @classmethod
    def of(cls, page: str, query: Mapping[str, str | Sequence[str]]) -> Place:
        """The place of a page and its query parameters, in whichever order."""
        given = {name: [text] if isinstance(text, str) else text for name, text in query.items()}
        return cls(page, tuple((name, text) for name in sorted(given) for text in given[name]))

    def parameters(self) -> dict[str, list[str]]:
        """The query as Streamlit takes it: every value of each name."""
        found: dict[str, list[str]] = {}
        for name, text in self.query:
            found.setdefault(name, []).append(text)
        return found


@dataclass(frozen=True)
class Led:
    """Where visitors are led, and the how manieth place that is."""

    number: int
    place: Place


class Lead:
    """One browser leads: the first of a presenter, until it falls silent or another asks to."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._leader: str | None = None
        self._heard = 0.0
        self._resting: set[str] = set()
        self._led: Led | None = None

    def lead_to(self, presenter: str, place: Place) -> None:
        """A presenter's browser is there; it counts if that browser leads, or nobody does."""
        with self._lock:
            silent = self._clock() - self._heard > SILENT_SECONDS
            if presenter in self._resting or (self._leader not in (None, presenter) and not silent):
                return
            self._leader, self._heard = presenter, self._clock()
            if self._led is None or self._led.place != place:
                self._led = Led(self._led.number + 1 if self._led else 1, place)

    def take_lead(self, presenter: str) -> None:
        """Let visitors follow this browser from now on."""
        with self._lock:
            self._resting.discard(presenter)
            self._leader, self._heard = presenter, self._clock()

    def give_up_lead(self, presenter: str) -> None:
        """Lead nobody with this browser, until it asks to."""
        with self._lock:
            self._resting.add(presenter)
            if self._leader == presenter:
                self._leader = None

    def leads(self, presenter: str) -> bool:
        """Whether visitors follow this browser."""
        with self._lock:
            return self._leader == presenter

    def led(self) -> Led | None:
        """Where visitors are led; None where nobody leads."""
        with self._lock:
            gone = self._leader is None or self._clock() - self._heard > GONE_SECONDS
            return None if gone else self._led
