"""The first reading of a table: what each column holds, from its first row to its last."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from cnnlab.datasets import numbers
from cnnlab.datasets.numbers import Sign, Signs
from cnnlab.datasets.timeline import Tally

MOST_GAPS = 0.05
"""Share of a column's cells that may hold nothing: its last value stands for them."""
MOST_LATE = 0.1
"""Share of the rows that may be left out because a column begins late."""
COUNTERS = frozenset(
    (
        *(
            "",
            "index",
            "idx",
            "id",
            "no",
            "no.",
            "nr",
            "nr.",
            "n",
            "#",
            "row",
            "rownum",
            "row_number",
        ),
        *("unnamed: 0", "x1", "obs", "seq", "序号", "번호"),
    )
)
"""What columns that only count the rows are called."""


@dataclass
class Column:
    """What a column holds."""

    name: str
    rows: int = 0
    filled: int = 0
    numbers: int = 0
    first: int | None = None
    """Its first row that holds something, from 0."""
    first_gap: int | None = None
    """Number of its first row that holds nothing, after the first that does."""
    bad: tuple[int, str] | None = None
    """The first row that holds something else than a number, and what."""
    signs: Signs = field(default_factory=Signs)
    counts: bool = True
    """It holds whole numbers, each one more than that of the row above."""
    last: float | None = None
    low: float = np.inf
    high: float = -np.inf

    def see(self, cells: pd.Series) -> None:
        """Take in the next rows; their index are the numbers of the rows."""
        gaps = numbers.gaps_of(cells)
        good = numbers.survey(cells, gaps, self.signs)
        filled = ~gaps
        if self.first is None and filled.any():
            self.first = self.rows + int(np.flatnonzero(filled)[0])
        if self.first is not None and self.first_gap is None:
            after = gaps[max(0, self.first - self.rows) :]
            if after.any():
                place = max(0, self.first - self.rows) + int(np.flatnonzero(after)[0])
                self.first_gap = int(cells.index[place])
        wrong = np.flatnonzero(filled & ~good)
        if self.bad is None and len(wrong):
            self.bad = int(cells.index[wrong[0]]), str(cells.iloc[wrong[0]])
        self._count(cells)
        self.rows += len(cells)
        self.filled += int(filled.sum())
        self.numbers += int(good.sum())

    def _count(self, cells: pd.Series) -> None:
        if not self.counts:
            return
        read = numbers.plain(cells)
        before = read[0] - 1 if self.last is None else self.last
        self.counts = bool((np.diff(read, prepend=before) == 1).all())
        self.last = float(read[-1])

    @property
    def numeric(self) -> bool:
        """Whether more than half of what it holds are numbers."""
        return self.filled > 0 and 2 * self.numbers > self.filled

    @property
    def gaps(self) -> int:
        """Rows that hold nothing, after the first that does."""
        return self.rows - (self.first or 0) - self.filled

    @property
    def counter(self) -> bool:
        """Whether it only counts the rows."""
        name = self.name.strip().casefold()
        unnamed = name in COUNTERS or name.startswith("column ")
        return self.counts and unnamed and self.rows > 1


@dataclass
class Survey:
    """What a table holds."""

    columns: dict[str, Column]
    tallies: list[Tally]
    rows: int = 0

    def see(self, chunk: pd.DataFrame) -> None:
        """Take in the next rows; their index are the numbers of the rows."""
        for name, column in self.columns.items():
            column.see(chunk[name])
        for tally in self.tallies:
            tally.see(chunk)
        self.rows += len(chunk)

    @property
    def usual(self) -> Sign | None:
        """The decimal sign that the file's columns prove; null if they prove none, or both."""
        numeric = [column.signs for column in self.columns.values() if column.numeric]
        point, comma = any(s.point for s in numeric), any(s.comma for s in numeric)
        return None if point == comma else "." if point else ","


def why_not(column: Column, taken_late: bool) -> str | None:
    """Why a column of numbers is better not learnt from, unless it is named; null if it may be.

    Args:
        taken_late: rows before its first value may be left out.
    """
    late = (column.first or 0) / max(1, column.rows)
    if column.counter:
        return "it only counts the rows"
    if column.gaps > MOST_GAPS * (column.rows - (column.first or 0)):
        return (
            f"it holds no value in {column.gaps:,} of {column.rows:,} rows: fill them in, and it "
            "is learnt from"
        )
    if late > MOST_LATE and not taken_late:
        return (
            f"its first {column.first:,} of {column.rows:,} rows hold no value: name it in values= "
            "to learn from it and the rows behind them"
        )
    return None
