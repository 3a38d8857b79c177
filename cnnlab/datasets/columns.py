"""A CSV file as a table of numbers in the order of time, or what is wrong with it, and where.

The file is UTF-8 text whose first line names the columns, separated by commas, semicolons or tabs.
It is read in pieces of `CHUNK_ROWS` rows, so that memory is bounded by the table alone, and the
table by the windows made of it (`windows.BYTES`). Rows are counted as a spreadsheet counts them:
the line of names is row 1. Nothing is skipped, filled in or sorted.
"""

from __future__ import annotations

import csv
import difflib
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd

from cnnlab.datasets import archives, windows
from cnnlab.datasets.store import Plan, Progress, Windows
from cnnlab.datasets.windows import Options
from cnnlab.spec import LabError, Understood

TIME_NAMES = ("time", "date", "timestamp", "datetime")
FILE_BYTES = 2 * 10**9
"""Largest file that is read at all."""
HEADER_BYTES = 10**6
CHUNK_ROWS = 50_000
LOOK = 1000
"""Cells of a column by which it is known: more than half of them must be numbers, or times."""


def plan(path: Path, options: Options, progress: Progress) -> Plan:
    """Read a CSV file and say what its table will be.

    Raises:
        LabError: no such column, a cell that cannot be used (by its row and column), times that do
            not rise, too few or too many rows, or no CSV file at all.
    """
    if path.stat().st_size > FILE_BYTES:
        raise LabError(f"{path.name} is refused: it is larger than {FILE_BYTES / 1e9:g} GB.")
    with archives.readable(path):
        table = _table(path, options, progress)
    needed = options.window + options.horizon - 1 + windows.FEWEST
    if len(table) < needed:
        raise LabError(
            f"{path.name} has {len(table):,} rows of values; windows of {options.window} rows and "
            f"a horizon of {options.horizon} need at least {needed:,}."
        )
    shape = (len(table), 1, table.shape[1], 1)
    return Plan(
        shape=shape,
        labels=windows.changes(table[:, 0], options.horizon),
        class_names=windows.CLASS_NAMES,
        fill=partial(np.copyto, src=table.reshape(shape)),
        understood=lambda: Understood(classes={}, split="all rows"),
        dtype="float64",
        windows=Windows(window=options.window, horizon=options.horizon),
    )


def _table(path: Path, options: Options, progress: Progress) -> np.ndarray:
    try:
        return _read(path, options, progress)
    except UnicodeDecodeError as error:
        raise LabError(
            f"{path.name} is no UTF-8 text (byte {error.object[error.start]:#04x} in it): "
            "save it again as “CSV UTF-8”."
        ) from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error) as error:
        raise LabError(f"{path.name} is no CSV file that can be read: {_reason(error)}.") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".").removeprefix("Error tokenizing data. C error: ")


def _read(path: Path, options: Options, progress: Progress) -> np.ndarray:
    """The value columns, float64 (rows, columns)."""
    names, separator = _header(path)
    parts: list[np.ndarray] = []
    reader: _Reader | None = None
    rows = 0
    for chunk in _chunks(path, names, separator):
        reader = reader or _choose(path.name, chunk, options)
        parts.append(reader.values_of(chunk, first_row=rows + 2))
        rows += len(chunk)
        _check_size(path.name, options, rows, parts[0].shape[1])
        progress(None, f"reading {path.name}: {rows:,} rows")
    if reader is None:
        raise LabError(f"{path.name} has a line of names and no rows below it.")
    return np.concatenate(parts)


def _check_size(name: str, options: Options, rows: int, columns: int) -> None:
    needed = rows * columns * options.window * 4
    if needed > windows.BYTES:
        raise LabError(
            f"{name} is refused: the windows of its first {rows:,} rows alone take more than "
            f"{windows.BYTES / 1e9:g} GB; name fewer value columns, a shorter window, or cut it."
        )


# --- text -----------------------------------------------------------------------------------


def _header(path: Path) -> tuple[list[str], str]:
    """The names of the columns, and what separates them."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        line = file.readline(HEADER_BYTES)
    if not line.strip():
        raise LabError(f"{path.name} is empty, or its first line is: that must name the columns.")
    if len(line) == HEADER_BYTES:
        raise LabError(f"{path.name} is no CSV file: its first line does not end.")
    separator = max(",;\t", key=line.count)
    names = next(csv.reader([line], delimiter=separator))
    names = [name.strip() or f"column {place}" for place, name in enumerate(names, start=1)]
    for name in names:
        if names.count(name) > 1:
            raise LabError(f"{path.name} names the column {name!r} twice; name each once.")
    return names, separator


def _chunks(path: Path, names: list[str], separator: str) -> Iterator[pd.DataFrame]:
    """The rows as text, piece by piece; lines without anything at the very end are left out."""
    blank = 0
    with warnings.catch_warnings():
        # What pandas would cut off with a warning, such as a cell too many, is an error here.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        with pd.read_csv(
            path,
            sep=separator,
            header=0,
            names=names,
            index_col=False,
            dtype=str,
            skipinitialspace=True,
            skip_blank_lines=False,
            encoding="utf-8-sig",
            chunksize=CHUNK_ROWS,
        ) as reader:
            for chunk in reader:
                filled = np.flatnonzero(chunk.notna().any(axis=1))
                end = int(filled[-1]) + 1 if len(filled) else 0
                if end and blank:  # so those lines were not at the end
                    yield chunk.iloc[:0].reindex(range(blank))
                if end:
                    blank = 0
                    yield chunk.iloc[:end].reset_index(drop=True)
                blank += len(chunk) - end


# --- columns --------------------------------------------------------------------------------


@dataclass
class _Reader:
    """Turns pieces of text into numbers, and sees to it that time rises from piece to piece."""

    file: str
    time: str
    form: str | None
    """How times are written; null: as numbers."""
    values: Sequence[str]
    last: float = -np.inf

    def values_of(self, chunk: pd.DataFrame, first_row: int) -> np.ndarray:
        """The value columns of a piece, float64 (rows, columns).

        Args:
            first_row: number of its first row in the file.
        """
        self._check_times(chunk[self.time], first_row)
        columns = [self._numbers(chunk[name], first_row) for name in self.values]
        return np.stack(columns, axis=1)

    def _numbers(self, cells: pd.Series, first_row: int) -> np.ndarray:
        numbers = _as_numbers(cells)
        if not np.isfinite(numbers).all():
            place = int(np.flatnonzero(~np.isfinite(numbers))[0])
            self._refuse(cells, place, first_row, "no number")
        return numbers

    def _check_times(self, cells: pd.Series, first_row: int) -> None:
        times = _as_times(cells, self.form)
        if np.isnan(times).any():
            place = int(np.flatnonzero(np.isnan(times))[0])
            self._refuse(cells, place, first_row, "no time" if self.form else "no number")
        steps = np.diff(times, prepend=self.last)
        if not (steps > 0).all():
            place = int(np.flatnonzero(steps <= 0)[0])
            what, cure = (
                ("the time of the row above it as well", "keep one of them")
                if steps[place] == 0
                else ("earlier than the row above it", "sort the rows by time")
            )
            where = f"{self.file}, row {first_row + place}, column {self.time}"
            raise LabError(f"{where}: {cells.iloc[place]!r} is {what}: {cure}.")
        self.last = float(times[-1])

    def _refuse(self, cells: pd.Series, place: int, first_row: int, what: str) -> NoReturn:
        where = f"{self.file}, row {first_row + place}, column {cells.name}"
        cell = cells.iloc[place]
        if pd.isna(cell):
            raise LabError(f"{where}: there is no value: fill it in, or leave the row out.")
        raise LabError(f"{where}: {cell[:60]!r} is {what}.")


def _as_numbers(cells: pd.Series) -> np.ndarray:
    return pd.to_numeric(cells, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def _as_times(cells: pd.Series, form: str | None) -> np.ndarray:
    """Times as rising numbers, NaN where a cell is none."""
    if form is None:
        return _as_numbers(cells)
    try:
        times = pd.to_datetime(cells, format=form, utc=True, errors="coerce")
    except (ValueError, OverflowError):  # a year out of range can fail in spite of "coerce"
        if len(cells) == 1:
            return np.array([np.nan])
        return np.concatenate([_as_times(cells.iloc[[n]], form) for n in range(len(cells))])
    # Whole nanoseconds since the file's first days have more digits than a float: days do not.
    return (times - pd.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy()


def _choose(file: str, head: pd.DataFrame, options: Options) -> _Reader:
    """Which columns are the time and the values, judged by the first cells of each."""
    looked = head.iloc[:LOOK]
    for name in (*([options.time] if options.time is not None else []), *options.values):
        if name not in head:
            raise LabError(_unknown(file, name, list(head)))
    numeric = {name for name in head if _mostly(~np.isnan(_as_numbers(looked[name])))}
    time, form = _time_column(file, looked, options, numeric)
    values = options.values or tuple(name for name in head if name in numeric - {time})
    if not values:
        raise LabError(f"{file} has no column of numbers beside its times in {time!r}.")
    if time in values:
        raise LabError(f"The column {time!r} of {file} is its time: it cannot be a value as well.")
    return _Reader(file, time, form, values)


def _mostly(good: np.ndarray) -> bool:
    return len(good) > 0 and 2 * int(good.sum()) > len(good)


def _time_column(
    file: str, head: pd.DataFrame, options: Options, numeric: set[str]
) -> tuple[str, str | None]:
    """The time column, and how its times are written."""
    named = [name for name in head if name.casefold() in TIME_NAMES]
    asked = [options.time] if options.time is not None else named[:1]
    for name in asked or [name for name in head if name not in numeric]:
        if name in numeric:
            return name, None
        if form := _form(head[name].dropna()):
            return name, form
    if asked:
        raise LabError(f"{file}, column {asked[0]}: {head[asked[0]].iloc[0]!r} is no time.")
    raise LabError(f"{file} has no column of times that can be found: name it with time=COLUMN.")


def _form(cells: pd.Series) -> str | None:
    """The way in which most of these times are written; null if they are no times."""
    if not len(cells):
        return None
    guess = partial(pd.tseries.api.guess_datetime_format, str(cells.iloc[0]))
    forms = ("ISO8601", guess(), guess(dayfirst=True))
    found = {form: int((~np.isnan(_as_times(cells, form))).sum()) for form in forms if form}
    best = max(found, key=found.__getitem__)
    return best if 2 * found[best] > len(cells) else None


def _unknown(file: str, name: str, columns: list[str]) -> str:
    near = difflib.get_close_matches(name, columns, n=3, cutoff=0.5)
    listed = ", ".join(columns[:10]) + (" …" if len(columns) > 10 else "")
    hint = f"did you mean {' or '.join(near)}" if near else f"it has {listed}"
    return f"{file} has no column {name!r}: {hint}."
