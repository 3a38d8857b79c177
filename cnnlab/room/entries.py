"""What visitors type: held against its bounds before anybody sees it, and not taken too often."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from cnnlab.spec import LabError

LONGEST_NAME = 24
LEAST_TIMES, MOST_TIMES = 0.01, 10_000.0
MOST_MARKS = 2
"""Accents on one letter; more of them would climb over the lines above."""


def checked_name(text: str) -> str:
    """A name as everybody may see it: one line, no sign that hides or turns what follows.

    Raises:
        LabError: nothing of it can be seen, or it is too long.
    """
    shown: list[str] = []
    marks = 0
    for sign in unicodedata.normalize("NFC", text):
        kind = unicodedata.category(sign)
        marks = marks + 1 if kind[0] == "M" else 0
        if kind == "Cc" or kind[0] == "Z":
            shown.append(" ")
        elif kind[0] != "C" and marks <= MOST_MARKS:
            shown.append(sign)
    name = " ".join("".join(shown).split())
    if not any(unicodedata.category(sign)[0] in "LNPS" for sign in name):
        raise LabError("Give a name, so that the room knows whose it is.")
    if len(name) > LONGEST_NAME:
        raise LabError(f"A name has {LONGEST_NAME} signs at most; this one has {len(name)}.")
    return name


def checked_times(value: float | None) -> float:
    """How many times as fast somebody says it will be.

    Raises:
        LabError: it is no such number.
    """
    if value is None or not math.isfinite(value) or not LEAST_TIMES <= value <= MOST_TIMES:
        raise LabError(f"A bet is a number from {LEAST_TIMES:g} to {MOST_TIMES:,.0f}, such as 2.5.")
    return float(value)


@dataclass
class Allowance:
    """So many at once, then one more every so many seconds."""

    most: float
    every_seconds: float
    left: float
    at: float

    def take(self, now: float) -> float:
        """Take one: 0, or the seconds to wait until there is one."""
        self.left = min(self.most, self.left + (now - self.at) / self.every_seconds)
        self.at = now
        if self.left < 1:
            return (1 - self.left) * self.every_seconds
        self.left -= 1
        return 0.0


class Doorkeeper:
    """Lets each browser, and all of them together, do something only so often.

    The caller holds a lock. A browser may give itself a new name at each visit, so the bound that
    counts in the end is that of all.
    """

    AT_ONCE, EVERY_SECONDS = 4, 3.0
    ALL_AT_ONCE, ALL_EVERY_SECONDS = 200, 0.1
    MOST_KNOWN = 2000

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        now = clock()
        self._all = Allowance(self.ALL_AT_ONCE, self.ALL_EVERY_SECONDS, self.ALL_AT_ONCE, now)
        self._known: dict[str, Allowance] = {}

    def admit(self, visitor: str) -> None:
        """Count one attempt.

        Raises:
            LabError: it is too early; says how long to wait.
        """
        now = self._clock()
        if len(self._known) >= self.MOST_KNOWN:
            self._known.pop(next(iter(self._known)))  # who came first
        mine = self._known.setdefault(
            visitor, Allowance(self.AT_ONCE, self.EVERY_SECONDS, self.AT_ONCE, now)
        )
        if wait := mine.take(now) or self._all.take(now):
            raise LabError(f"That was too quick: try again in {math.ceil(wait)} s.")
