"""Where a table's times stand, how they are written, and whether they rise.

Several ways of reading may fit the first rows: each is followed through the whole file, and the
first one that never fails is taken. A time may stand in one column, in a date and a clock beside
it, or in columns for year, month, day and hour.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cnnlab.datasets import numbers, times
from cnnlab.datasets.headers import TIME_WORDS
from cnnlab.datasets.windows import Options
from cnnlab.spec import LabError

TIME_NAMES = ("time", "date", "timestamp", "datetime")
CLOCK_WORDS = re.compile(r"time|clock|uhr|zeit|hour|hora|heure|stunde|hh|时|時|시", re.IGNORECASE)
PARTS = {
    "year": ("year", "yyyy", "yr", "jahr", "annee", "año", "年", "연도", "년"),
    "month": ("month", "mm", "mon", "monat", "mois", "mes", "月", "월"),
    "day": ("day", "dd", "tag", "jour", "dia", "día", "日", "일"),
    "hour": ("hour", "hh", "hr", "stunde", "heure", "hora", "时", "時", "시"),
    "minute": ("minute", "min", "分", "분"),
}
LOOK = 1000
"""Cells of a column by which it is known."""
SUMMER_SECONDS = 3600.0
"""By how much clocks are set back."""
NIGHT_HOURS = (0, 1, 2, 3, 23)
"""When they are."""
DAYS_BETWEEN = 120
"""Fewest days from one change of the clocks to the next."""
EPOCHS = ((1e8, 5e9), (1e11, 5e12), (1e14, 5e15), (1e17, 5e18))
"""Seconds, milli-, micro- and nanoseconds since 1970 that a table is likely to hold."""

Read = Callable[[pd.DataFrame], np.ndarray]


@dataclass(frozen=True)
class Source:
    """A way to read the times of a table."""

    columns: tuple[str, ...]
    read: Read
    """Rising numbers for each row, float64; NaN where there is no time."""
    dated: bool = True
    """They are seconds since 1970, in whatever zone."""
    order: str = ""
    """In which order a date is read, where it could be another."""


@dataclass
class Tally:
    """How a way of reading fares through a table."""

    source: Source
    rows: int = 0
    bad: tuple[int, object] | None = None
    """The first row without a time, and what stands there."""
    back: tuple[int, object, bool] | None = None
    """The first row whose time does not rise, what stands there, and whether it is the same."""
    ups: int = 0
    downs: int = 0
    """Steps back that no change of the clocks explains."""
    changes: dict[float, float] = field(default_factory=dict)
    """Days on which clocks may have been set back, and the first time that comes twice."""
    first: float = np.nan
    last: float = np.nan
    shortest: float = np.inf

    def see(self, chunk: pd.DataFrame) -> None:
        """Follow it through the next rows; their index are the numbers of the rows."""
        read = self.source.read(chunk)
        cells = chunk[self.source.columns[0]]
        if self.bad is None and np.isnan(read).any():
            place = int(np.flatnonzero(np.isnan(read))[0])
            self.bad = int(chunk.index[place]), cells.iloc[place]
        if self.bad is not None:
            return
        steps = np.diff(read, prepend=self.last if self.rows else np.nan)
        for back in np.flatnonzero(steps <= 0).tolist():
            self._step_back(read, steps, back, chunk, cells)
        self.ups += int((steps > 0).sum())
        self.shortest = min(self.shortest, float(np.min(steps[steps > 0], initial=np.inf)))
        self.first = self.first if self.rows else float(read[0])
        self.last, self.rows = float(read[-1]), self.rows + len(read)

    def _step_back(
        self, read: np.ndarray, steps: np.ndarray, place: int, chunk: pd.DataFrame, cells: pd.Series
    ) -> None:
        hour = int(read[place] % times.DAY // 3600)
        if self.source.dated and steps[place] > -SUMMER_SECONDS and hour in NIGHT_HOURS:
            self.changes.setdefault(read[place] // times.DAY, float(read[place]))
        else:
            self.downs += 1
        if self.back is None:
            same = bool(steps[place] == 0)
            self.back = int(chunk.index[place]), cells.iloc[place], same

    @property
    def rises(self) -> bool:
        """Whether it rises throughout, but for clocks that were set back."""
        if self.bad is not None or self.downs:
            return False
        if not self.changes:
            return True
        days = (self.last - self.first) / times.DAY
        return self.shortest <= 2 * SUMMER_SECONDS and len(self.changes) <= 1 + days / DAYS_BETWEEN

    @property
    def falls(self) -> bool:
        """Whether it falls throughout: the newest row comes first."""
        return self.bad is None and self.rows > 1 and not self.ups and not self._repeats

    @property
    def _repeats(self) -> bool:
        return self.back is not None and self.back[2]


# --- which ways there are -------------------------------------------------------------------


def sources(file: str, head: pd.DataFrame, options: Options) -> list[Source]:
    """The ways in which the times of a table can be read, judged by its first rows.

    Raises:
        LabError: the column that is named, or called so, holds no times; or none does.
    """
    head = head.iloc[:LOOK]
    asked = _asked(options, head)
    if len(asked) > 1:
        return list(_joined(head, asked[0], [asked[1]], options))
    named = asked or [name for name in head if name.casefold() in TIME_NAMES][:1]
    for name in asked or _in_turn(head):
        found = [*_alone(head, name, options), *_joined(head, name, _clocks(head, name), options)]
        found = [source for source in found if name in named or _is_likely(source, head)]
        if found:
            return found
        if name in named and not _is_clock(head, name):
            raise _no_times(file, head, name, options)
    rest = [*_in_parts(head), *_clock_alone(head), *_counting(head)]
    if rest:
        return rest[:1]
    raise LabError(
        f"{file} has no column of times that can be found: name it with time=COLUMN, and say how "
        "its times are written with format=, such as format=%d.%m.%Y."
    )


def _asked(options: Options, head: pd.DataFrame) -> list[str]:
    if options.time is None:
        return []
    return [options.time] if options.time in head else options.time.split(",")


def _no_times(file: str, head: pd.DataFrame, name: str, options: Options) -> LabError:
    cells = head[name].dropna()
    shown = repr(cells.iloc[0]) if len(cells) else "an empty cell"
    how = f"is no time that is written as {options.format}" if options.format else "is no time"
    return LabError(
        f"{file}, column {name}: {shown} {how}: say how its times are written with format=, such "
        "as format=%d.%m.%Y, or name another column with time=."
    )


def _is_likely(source: Source, head: pd.DataFrame) -> bool:
    """Whether a column that is only called like a time is one: numbers must rise."""
    return source.dated or bool((np.diff(source.read(head)) > 0).all())


def _in_turn(head: pd.DataFrame) -> Iterator[str]:
    """Columns that are called like times, then those that hold text."""
    by_name = [name for name in head if name.casefold() in TIME_NAMES]
    by_word = [name for name in head if TIME_WORDS.search(name) and name not in by_name]
    others = (name for name in head if not _mostly(~np.isnan(numbers.plain(head[name]))))
    yield from by_name
    yield from by_word
    yield from (name for name in others if name not in (*by_name, *by_word))


def _mostly(good: np.ndarray) -> bool:
    return len(good) > 0 and 2 * int(good.sum()) > len(good)


def _alone(head: pd.DataFrame, name: str, options: Options) -> Iterator[Source]:
    """Ways to read a column as times."""
    cells = head[name].dropna()
    if options.format is not None:
        form = options.format
        if _mostly(~np.isnan(times.by_format(cells, form))):
            yield Source((name,), lambda chunk: times.by_format(chunk[name], form))
        return
    if _mostly(~np.isnan(_as_numbers(cells))):
        yield Source((name,), lambda chunk: _as_numbers(chunk[name]), dated=False)
        return
    for order in _orders(cells):
        yield Source((name,), _reader(name, order), order=order)


def _as_numbers(cells: pd.Series) -> np.ndarray:
    plain = numbers.plain(cells)
    missing = np.isnan(plain) & cells.notna().to_numpy()
    return np.where(missing, numbers.values(cells, ","), plain) if missing.any() else plain


def _reader(name: str, order: times.Order) -> Read:
    return lambda chunk: times.seconds(chunk[name], order)


def _orders(cells: pd.Series) -> list[times.Order]:
    """The orders in which most cells are dates; the likelier one first."""
    found = {order: int((~np.isnan(times.seconds(cells, order))).sum()) for order in times.ORDERS}
    good = [order for order in times.ORDERS if 2 * found[order] > len(cells)]
    return sorted(good, key=lambda order: -found[order])


def _joined(
    head: pd.DataFrame, name: str, clocks: Sequence[str], options: Options
) -> Iterator[Source]:
    """Ways to read a column of dates with the clock that stands in another."""
    cells = head[name].dropna()
    if options.format is not None or not len(cells) or times.has_clock(cells):
        return
    for clock in clocks:
        for order in _orders(cells):
            yield Source((name, clock), _joint_reader(name, clock, order), order=order)


def _joint_reader(name: str, clock: str, order: times.Order) -> Read:
    def read(chunk: pd.DataFrame) -> np.ndarray:
        return times.seconds(chunk[name], order) + _clock_of(chunk[clock])

    return read


def _clock_of(cells: pd.Series) -> np.ndarray:
    """Seconds since midnight of times of day, or of whole hours."""
    hours = numbers.plain(cells)
    as_hours = (hours <= 24) & (cells.str.len() <= 2).to_numpy(dtype=bool, na_value=False)
    return np.where(as_hours, hours * 3600, times.clock_seconds(cells))


def _clocks(head: pd.DataFrame, date: str) -> list[str]:
    return [name for name in head if name != date and _is_clock(head, name)]


def _is_clock(head: pd.DataFrame, name: str) -> bool:
    """Whether a column holds times of day; bare numbers only if it is called so."""
    cells = head[name].dropna()
    if not _mostly(~np.isnan(_clock_of(cells))):
        return False
    return bool(CLOCK_WORDS.search(name)) or bool(cells.str.contains(":", regex=False).mean() > 0.5)


def _clock_alone(head: pd.DataFrame) -> Iterator[Source]:
    """The times of a single day."""
    for name in _clocks(head, ""):
        yield Source((name,), _clock_reader(name))


def _clock_reader(name: str) -> Read:
    return lambda chunk: _clock_of(chunk[name])


def _in_parts(head: pd.DataFrame) -> Iterator[Source]:
    """Columns for year, month, day and hour."""
    called = {name.casefold(): name for name in head}
    found = {
        part: called[word]
        for part, words in PARTS.items()
        if (word := next((word for word in words if word in called), None))
    }
    if "year" not in found or len(found) < 2:
        return

    def read(chunk: pd.DataFrame) -> np.ndarray:
        fields = {part: numbers.plain(chunk[name]) for part, name in found.items()}
        one = np.ones(len(chunk))
        days = times.calendar(fields["year"], fields.get("month", one), fields.get("day", one))
        seconds = 3600 * fields.get("hour", 0 * one) + 60 * fields.get("minute", 0 * one)
        return days * times.DAY + seconds

    yield Source(tuple(found.values()), read)


def _counting(head: pd.DataFrame) -> Iterator[Source]:
    """A column of numbers that rise like seconds since 1970, or one by one."""
    for name in head:
        read = numbers.plain(head[name])
        if len(read) < 2 or np.isnan(read).any() or not (np.diff(read) > 0).all():
            continue
        epoch = any(low <= read[0] and read[-1] <= high for low, high in EPOCHS)
        if (epoch and (read % 1 == 0).all()) or (np.diff(read) == 1).all():
            yield Source((name,), _number_reader(name), dated=False)


def _number_reader(name: str) -> Read:
    return lambda chunk: numbers.plain(chunk[name])
