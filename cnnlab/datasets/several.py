"""Several series in one table, below each other or mixed: to be told apart by a column."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from cnnlab.datasets.store import Windows
from cnnlab.datasets.timeline import Source, Tally
from cnnlab.datasets.understanding import some
from cnnlab.datasets.windows import Options, change
from cnnlab.spec import LabError

MOST = 1000
"""Most series of a table."""

Pieces = Callable[[], Iterator[pd.DataFrame]]
Explain = Callable[[Tally], LabError]


class Choice(NamedTuple):
    """The column that tells series apart, and the only one to learn from; null for each."""

    column: str
    only: str | None


def choice(file: str, names: list[str], options: Options) -> Choice | None:
    """What the option `series` says: a column, or a column and one of its texts.

    Raises:
        LabError: there is no such column.
    """
    if options.series is None:
        return None
    column, is_one, only = options.series.partition("=")
    if options.series in names:
        return Choice(options.series, None)
    if column not in names:
        listed = ", ".join(names[:10])
        raise LabError(f"{file} has no column {column!r} to tell series apart: it has {listed}.")
    return Choice(column, only if is_one else None)


def no_rows(file: str, series: Choice | None, pieces: Iterator[pd.DataFrame]) -> LabError:
    """That a table, or a series of it, has no rows."""
    if series is None or series.only is None:
        return LabError(f"{file} has a line of names and no rows below it.")
    held: dict[str, None] = {}
    for chunk in pieces:
        held |= dict.fromkeys(map(str, chunk[series.column].dropna().unique()[:MOST]))
    return LabError(
        f"{file} has no series {series.only!r} in the column {series.column}: it has "
        f"{some(sorted(held))}."
    )


@dataclass
class Tallies(Tally):
    """How a way of reading fares in each of several series."""

    source: Source
    key: str = ""
    each: dict[str, Tally] = field(default_factory=dict)

    def __init__(self, source: Source, key: str) -> None:
        super().__init__(source)
        self.key, self.each = key, {}

    def see(self, chunk: pd.DataFrame) -> None:
        """Follow each series through the next rows."""
        if self.bad is None and chunk[self.key].isna().any():
            self.bad = int(chunk.index[chunk[self.key].isna()][0]), None
        for name, rows in chunk.groupby(self.key, sort=False):
            if len(self.each) > MOST:
                raise LabError(f"The column {self.key} tells more than {MOST:,} series apart.")
            tally = self.each.setdefault(str(name), Tally(self.source))
            tally.see(rows)
            self.bad = self.bad or tally.bad
            self.back = self.back or tally.back
        self.rows += len(chunk)

    @property
    def rises(self) -> bool:
        """Whether it rises in each of them."""
        return self.bad is None and all(tally.rises for tally in self.each.values())

    @property
    def falls(self) -> bool:
        """Never: series whose newest rows come first are refused."""
        return False


def explain(file: str, tally: Tally, pieces: Pieces) -> LabError:
    """Why times do not rise, and what helps."""
    assert tally.back is not None
    row, cell, same = tally.back
    where = f"{file}, row {row}, column {' and '.join(tally.source.columns)}"
    what = "the time of the row above it as well" if same else "earlier than the row above it"
    said = f"{where}: {str(cell)[:60]!r} is {what}"
    if not isinstance(tally, Tallies) and (found := _telling(tally.source, pieces)):
        column, names = found
        return LabError(
            f"{said}, for the file holds {len(names):,} series, told apart by the column {column} "
            f"({some(names)}): learn from one with series={column}={names[0]}, or from each as "
            f"its own with series={column}."
        )
    if same:
        return LabError(
            f"{said}: if there is more to the time, name both columns with time=DATE,CLOCK; if the "
            "file holds several series, name the column that tells them apart with series=COLUMN."
        )
    return LabError(f"{said}: sort the rows by time.")


def _telling(source: Source, pieces: Pieces) -> tuple[str, list[str]] | None:
    """The column within whose texts the times rise, and those texts; null if there is none."""
    columns: dict[str, Tallies] | None = None
    for chunk in pieces():
        if columns is None:
            names = [str(name) for name in chunk if name not in source.columns]
            columns = {name: Tallies(source, name) for name in names if _repeats(chunk[name])}
        for name in list(columns):
            try:
                columns[name].see(chunk)
            except LabError:  # more texts than series
                del columns[name]
                continue
            if not columns[name].rises:
                del columns[name]
    for name, tallies in (columns or {}).items():
        if len(tallies.each) > 1:
            return name, sorted(tallies.each)
    return None


def _repeats(cells: pd.Series) -> bool:
    """Whether a column could tell series apart: few texts, each of them in several rows."""
    count = cells.nunique()
    return 1 < count <= min(MOST, len(cells) // 2)


def sorted_by_series(
    table: np.ndarray, keys: pd.Series, values: int
) -> tuple[np.ndarray, tuple[int, ...]]:
    """The rows of each series together, in the order of the series' names, and their numbers.

    Rows before the last value column of a series begins are left out.
    """
    codes, _ = pd.factorize(keys, sort=True)
    parts = []
    for code in range(int(codes.max()) + 1):
        part = table[codes == code]
        begun = ~np.isnan(part[:, :values])
        if begun.any(axis=0).all():
            parts.append(carried(part)[int(begun.argmax(axis=0).max()) :])
    return np.concatenate(parts), tuple(len(part) for part in parts)


def carried(table: np.ndarray) -> np.ndarray:
    """The table with the last value of a column in the place of each gap behind it."""
    if not np.isnan(table).any():
        return table
    return pd.DataFrame(table).ffill().to_numpy()


def changes(rows: np.ndarray, cut: Windows) -> np.ndarray:
    """What `windows.change` gives of the first column, for each series by itself."""
    ends = np.cumsum(cut.series)[:-1].tolist() if cut.series else []
    parts = np.split(rows[:, 0], ends)
    return np.concatenate([change(part, cut.horizon) for part in parts])


def time_notes(tally: Tally, series: Choice | None) -> list[str]:
    """What is to be said of how times were read."""
    said = []
    if series:
        which = series.only or "each one by itself, scaled by its own rows"
        said.append(f"Of the series that {series.column} tells apart: {which}.")
    if len(tally.source.columns) > 1:
        said.append(f"The time is read from {' and '.join(tally.source.columns)}.")
    if tally.falls and not tally.rises:
        said.append("The newest row comes first: the rows are read from the end.")
    if tally.changes and tally.rises and not isinstance(tally, Tallies):
        days = [str(pd.Timestamp(time, unit="s")) for time in tally.changes.values()]
        said.append(
            f"Clocks were set back: the hour of {some(days)} comes twice, and its rows are taken "
            "in the order of the file."
        )
    words = {"dmy": "the day first", "mdy": "the month first"}
    if tally.source.order in words:
        said.append(f"Dates are read with {words[tally.source.order]}.")
    return said
