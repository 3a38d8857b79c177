"""Bets on a race: how many times as fast, by everybody who watches."""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from time import monotonic

from cnnlab.room.entries import Doorkeeper, checked_name, checked_times
from cnnlab.spec import LabError

MOST_BETS, MOST_BOOKS = 500, 50
LEVEL = 1e-9
"""Two bets whose distances differ by less, as logarithms, are equally near."""


@dataclass(frozen=True)
class Bet:
    """What one visitor says."""

    name: str
    times: float


@dataclass(frozen=True)
class Entered:
    """A race of the lab's queue, as far as bets go by it."""

    race_id: str
    lanes: tuple[str, ...]
    begun: bool


@dataclass(frozen=True)
class Book:
    """The bets on one race."""

    lanes: tuple[str, ...]
    """Their titles; the first is what the others are held against."""
    race_id: str | None = None
    """Null until the race is in the queue."""
    earlier: frozenset[str] = frozenset()
    """Races that had begun when bets were opened, so that these are not on them."""
    open: bool = True
    bets: tuple[tuple[str, Bet], ...] = ()
    """By the visitor's browser, in the order in which they first came."""

    @property
    def question(self) -> str:
        """What is bet on."""
        first, *others = self.lanes
        whom = others[0] if len(others) == 1 else "the fastest of the others"
        return f"How many times as fast as {first} will {whom} be?"

    @property
    def all(self) -> tuple[Bet, ...]:
        """The bets alone."""
        return tuple(bet for _, bet in self.bets)

    def of(self, visitor: str) -> Bet | None:
        """What one visitor said."""
        return dict(self.bets).get(visitor)


class Bets:
    """The book that is open, and those of the races that were run."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._lock = threading.Lock()
        self._door = Doorkeeper(clock)
        self._current: Book | None = None
        self._closed: dict[str, Book] = {}
        self._changes = 0

    @property
    def changes(self) -> int:
        """Counts books that were opened, tied to a race or closed."""
        with self._lock:
            return self._changes

    def open_bets(self, lanes: Sequence[str], begun: Collection[str] = ()) -> None:
        """Take bets on the next race of these lanes; those on another that was not run are gone.

        Args:
            begun: the races under way, which are not the next one.

        Raises:
            LabError: one lane alone has nobody to be faster than.
        """
        if len(lanes) < 2:
            raise LabError("Bets are on two lanes or more; choose another lane.")
        with self._lock:
            self._set(Book(tuple(lanes), earlier=frozenset(begun)))

    def close_bets(self) -> None:
        """Take no bets, and forget those of the race that was not run."""
        with self._lock:
            self._set(None)

    def place_bet(self, visitor: str, name: str, times: float | None) -> None:
        """Bet, or change one's bet.

        Raises:
            LabError: no bets are taken, what was given cannot be a bet, somebody else has the
                name, or it was too quick.
        """
        with self._lock:
            self._door.admit(visitor)
            book = self._current
            if book is None:
                raise LabError("No bets are taken now: the race has begun, or none is announced.")
            bet = Bet(checked_name(name), checked_times(times))
            known = dict(book.bets)
            if any(
                other != visitor and one.name.casefold() == bet.name.casefold()
                for other, one in known.items()
            ):
                raise LabError(f"Somebody else bets as {bet.name}; choose another name.")
            if visitor not in known and len(known) >= MOST_BETS:
                raise LabError(f"The book is full: it holds {MOST_BETS} bets.")
            known[visitor] = bet
            self._current = replace(book, bets=tuple(known.items()))

    def keep_up(self, races: Sequence[Entered]) -> None:
        """Tie the open book to its race once that is queued; close it once that has begun."""
        with self._lock:
            book = self._current
            if book is None:
                return
            if book.race_id is None:
                mine = next((one for one in races if _is_of(book, one)), None)
                if mine is None:
                    return
                book = replace(book, race_id=mine.race_id)
                self._set(book)
            waits = any(one.race_id == book.race_id and not one.begun for one in races)
            if not waits and book.race_id:
                self._closed[book.race_id] = replace(book, open=False)
                self._set(None)
                while len(self._closed) > MOST_BOOKS:
                    del self._closed[next(iter(self._closed))]

    def book(self, race_id: str | None = None) -> Book | None:
        """The bets on a race; without one, those that are taken now. None where there are none."""
        with self._lock:
            if race_id is None or (self._current and self._current.race_id == race_id):
                return self._current
            return self._closed.get(race_id)

    def _set(self, book: Book | None) -> None:
        self._changes += 1
        self._current = book


def _is_of(book: Book, race: Entered) -> bool:
    return race.lanes == book.lanes and race.race_id not in book.earlier


def nearest(bets: Sequence[Bet], times: float) -> tuple[Bet, ...]:
    """The bets that lie nearest, by ratio: twice and half are equally far. All of a tie."""
    apart = [abs(math.log(bet.times / times)) for bet in bets]
    least = min(apart, default=0.0)
    return tuple(bet for bet, far in zip(bets, apart, strict=True) if far - least < LEVEL)
