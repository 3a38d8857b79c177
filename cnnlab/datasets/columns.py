"""A table of text as numbers in the order of time, or what is wrong with it, and where.

It is read twice, in pieces of `CHUNK_ROWS` rows, so that memory is bounded by the table alone, and
the table by the windows made of it (`windows.BYTES`): once to learn how its numbers and times are
written, for no single cell can say (rules in `headers`, `numbers`, `times`, `timeline`), and once
to convert them. Rows are counted as a spreadsheet counts them: the line of names is row 1. Nothing
is skipped or sorted without a word; where a few cells of a column hold nothing, its last value
stands for them, which looks at nothing that comes later.
"""

from __future__ import annotations

import csv
import difflib
import warnings
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from cnnlab.datasets import headers, numbers, several, survey, texts, timeline, windows
from cnnlab.datasets.headers import Header
from cnnlab.datasets.numbers import Sign
from cnnlab.datasets.store import Plan, Progress, Windows
from cnnlab.datasets.survey import Column, Survey
from cnnlab.datasets.timeline import Tally
from cnnlab.datasets.understanding import counted, left_out, value_range
from cnnlab.datasets.windows import Options
from cnnlab.spec import Column as Told
from cnnlab.spec import LabError, LeftOut, Understood

Role = Literal["time", "value", "series"]

FILE_BYTES = 2 * 10**9
"""Largest file that is read at all."""
CHUNK_ROWS = 50_000
LOOK = 1000
"""Rows that are looked at before the first reading."""


def plan(path: Path, options: Options, progress: Progress) -> Plan:
    """Read a table and say what it will be.

    Raises:
        LabError: no such column, a cell that cannot be used (by its row and column), times that do
            not rise, too few or too many rows, or no table at all.
    """
    if path.stat().st_size > FILE_BYTES:
        raise LabError(f"{path.name} is refused: it is larger than {FILE_BYTES / 1e9:g} GB.")
    try:
        return _plan(path, options, progress)
    except UnicodeDecodeError as error:
        raise LabError(
            f"{path.name} is no UTF-8 text (byte {error.object[error.start]:#04x} in it): "
            "save it again as “CSV UTF-8”."
        ) from error
    except (pd.errors.ParserError, pd.errors.ParserWarning, csv.Error, UnicodeError) as error:
        raise LabError(f"{path.name} is no CSV file that can be read: {_reason(error)}.") from error
    except LabError:
        raise
    except Exception as error:  # parsers of untrusted text fail in more ways than they list
        reason = str(error) or type(error).__name__
        raise LabError(f"{path.name} is no CSV file that can be read: {reason}.") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()).rstrip(".").removeprefix("Error tokenizing data. C error: ")


def _plan(path: Path, options: Options, progress: Progress) -> Plan:
    table = _Table(path, options, progress)
    rows, lengths = table.read()
    shape = (len(rows), 1, rows.shape[1], 1)
    cut = Windows(window=options.window, horizon=options.horizon, series=lengths)
    labels = several.changes(rows, cut)
    _check_length(path.name, options, lengths or (len(rows),))
    classes = windows.examples(path.name, rows, labels, cut, None, windows.SPLIT)[1]
    return Plan(
        shape=shape,
        labels=labels,
        class_names=windows.CLASS_NAMES,
        fill=partial(np.copyto, src=rows.reshape(shape)),
        understood=lambda: table.understood(rows, classes),
        dtype="float64",
        windows=cut,
    )


def _check_length(name: str, options: Options, lengths: Sequence[int]) -> None:
    needed = options.window + options.horizon - 1 + windows.FEWEST
    if max(lengths) < needed:
        raise LabError(
            f"{name} has {max(lengths):,} rows of values; windows of {options.window} rows and "
            f"a horizon of {options.horizon} need at least {needed:,}."
        )


class _Table:
    """A table that is read twice."""

    def __init__(self, path: Path, options: Options, progress: Progress) -> None:
        self.path, self.options, self.progress = path, options, progress
        self.header = headers.header_of(path)
        self.series = several.choice(path.name, self.header.names, options)
        self.survey = self._survey()
        self.time = _best(path.name, self.survey, self._explain)
        self.values, self.others = self._choose()
        self.signs: dict[str, Sign] = {name: self._sign(name) for name in self.values}
        self.late = max(self.survey.columns[name].first or 0 for name in self.values)

    # --- the first reading -------------------------------------------------------------------

    def _survey(self) -> Survey:
        found: Survey | None = None
        for chunk in self._chunks():
            found = found or self._begin(chunk)
            found.see(chunk)
            self.progress(None, f"looking through {self.path.name}: {found.rows:,} rows")
        if found is None:
            raise several.no_rows(self.path.name, self.series, self._chunks(whole=True))
        return found

    def _begin(self, chunk: pd.DataFrame) -> Survey:
        for name in self.options.values:
            if name not in chunk:
                raise unknown(self.path.name, name, list(chunk))
        time = self.options.time
        if time is not None and time not in chunk:
            for name in time.split(","):
                if name not in chunk:
                    raise unknown(self.path.name, name, list(chunk))
        apart = chunk.drop(columns=[self.series.column]) if self.series else chunk
        ways = timeline.sources(self.path.name, apart, self.options)
        columns = {str(name): Column(str(name)) for name in chunk}
        if self.series and not self.series.only:
            key = self.series.column
            return Survey(columns, [several.Tallies(way, key) for way in ways])
        return Survey(columns, [Tally(way) for way in ways])

    def _chunks(self, whole: bool = False) -> Iterator[pd.DataFrame]:
        """The rows as text, piece by piece, their numbers as index; of a single series its own."""
        for chunk in _pieces(self.path, self.header):
            if whole or self.series is None or self.series.only is None:
                yield chunk
            else:
                own = chunk[chunk[self.series.column] == self.series.only]
                if len(own):
                    yield own

    def _explain(self, tally: Tally) -> LabError:
        return several.explain(self.path.name, tally, partial(_pieces, self.path, self.header))

    # --- what is learnt from ------------------------------------------------------------------

    def _choose(self) -> tuple[list[str], tuple[LeftOut, ...]]:
        """The columns of values, and those that are left out."""
        taken = {*self.time.source.columns, *([self.series.column] if self.series else [])}
        if clash := [name for name in self.options.values if name in taken]:
            raise LabError(
                f"The column {clash[0]!r} of {self.path.name} is its time: it cannot be a value "
                "as well."
                if clash[0] in self.time.source.columns
                else f"The column {clash[0]!r} of {self.path.name} tells its series apart: it "
                "cannot be a value as well."
            )
        if self.options.values:
            self._check_asked()
            rest = [name for name in self.survey.columns if name not in self.options.values]
            return list(self.options.values), left_out(
                [name for name in rest if name not in taken], "not named in values="
            )
        values, others = self._worth_learning(taken)
        if not values:
            time = " and ".join(map(repr, self.time.source.columns))
            said = "".join(f"; {item.what}: {item.why}" for item in others)
            raise LabError(
                f"{self.path.name} has no column of numbers beside its times in {time}{said}."
            )
        return values, others

    def _worth_learning(self, taken: set[str]) -> tuple[list[str], tuple[LeftOut, ...]]:
        values, texts, others = [], [], []
        for name, column in self.survey.columns.items():
            if name in taken:
                continue
            if not column.numeric:
                texts.append(column)
            elif why := survey.why_not(column, taken_late=False):
                others.append(LeftOut(what=name, why=why, count=column.filled))
            else:
                values.append(name)
        empty = [column.name for column in texts if not column.filled]
        words = [column.name for column in texts if column.filled]
        return values, (
            *others,
            *left_out(words, "columns that hold no numbers"),
            *left_out(empty, "columns that hold nothing"),
        )

    def _check_asked(self) -> None:
        for name in self.options.values:
            column = self.survey.columns[name]
            where = f"{self.path.name}, row {column.first_gap}, column {name}"
            if not column.filled:
                raise LabError(f"{self.path.name}: the column {name} holds no value.")
            if survey.why_not(column, taken_late=True) and column.gaps and not column.bad:
                raise LabError(
                    f"{where}: there is no value, as in {column.gaps:,} of {column.rows:,} rows: "
                    "fill them in, or name other columns."
                )

    def _sign(self, name: str) -> Sign:
        column = self.survey.columns[name]
        if column.bad is not None:
            row, cell = column.bad
            where = f"{self.path.name}, row {row}, column {name}"
            large = numbers.too_large(cell)
            what = f"too large a number: at most {numbers.LARGEST:.1e}" if large else "no number"
            raise LabError(f"{where}: {cell[:60]!r} is {what}.")
        sign = self.options.decimal or column.signs.decimal(
            self.survey.usual, self.header.separator
        )
        if sign is None:
            raise LabError(
                f"{self.path.name}: the column {name} writes decimals in some rows with a point "
                "and in others with a comma; write all of them the same way."
            )
        return sign

    # --- the second reading -------------------------------------------------------------------

    def read(self) -> tuple[np.ndarray, tuple[int, ...]]:
        """The value columns, float64 (rows, columns), and the lengths of several series, of which
        the last column is then the time.
        """
        parts: list[np.ndarray] = []
        keys: list[pd.Series] = []
        rows = 0
        for chunk in self._chunks():
            parts.append(self._converted(chunk))
            if self.series and not self.series.only:
                keys.append(chunk[self.series.column])
                parts[-1] = np.column_stack([parts[-1], self.time.source.read(chunk)])
            rows += len(chunk)
            self._check_size(rows)
            self.progress(None, f"reading {self.path.name}: {rows:,} rows")
        table = np.concatenate(parts)
        if keys:
            return several.sorted_by_series(table, pd.concat(keys), len(self.values))
        table = table[::-1] if self.time.falls else table
        return several.carried(table)[self._skipped(table) :], ()

    def _skipped(self, table: np.ndarray) -> int:
        """Rows before the last column begins."""
        begun = ~np.isnan(table)
        return int(begun.argmax(axis=0).max())

    def _converted(self, chunk: pd.DataFrame) -> np.ndarray:
        columns = [numbers.values(chunk[name], self.signs[name]) for name in self.values]
        return np.stack(columns, axis=1)

    def _check_size(self, rows: int) -> None:
        needed = rows * len(self.values) * self.options.window * 4
        if needed > windows.BYTES:
            raise LabError(
                f"{self.path.name} is refused: the windows of its first {rows:,} rows alone take "
                f"more than {windows.BYTES / 1e9:g} GB; name fewer value columns, a shorter "
                "window, or cut it."
            )

    # --- what is told of it -------------------------------------------------------------------

    def understood(self, rows: np.ndarray, classes: np.ndarray) -> Understood:
        """What the table was taken for."""
        series = [self.series.column] if self.series else []
        roles: dict[str, Role] = dict.fromkeys(self.time.source.columns, "time")
        roles.update(dict.fromkeys(series, "series"))
        roles.update(dict.fromkeys(self.values, "value"))
        columns = self.survey.columns
        read = self.survey.rows
        before = read - len(rows)
        early = LeftOut(
            what="rows", why="before the last column of values begins, or without one", count=before
        )
        return Understood(
            classes=counted(classes, windows.CLASS_NAMES),
            columns=tuple(
                Told(name=name, role=role, values=columns[name].filled)
                for name, role in roles.items()
            ),
            left_out=(*self.header.left_out, *self.others, *([early] if before else [])),
            value_range=value_range(rows[:, : len(self.values)]),
            split=f"all {len(classes):,} windows of {self.options.window} rows, in the order of "
            "time; a run validates on the last of them",
            notes=self._notes(),
        )

    def _notes(self) -> tuple[str, ...]:
        said = list(self.header.notes)
        for name, sign in self.signs.items():
            said += self.survey.columns[name].signs.said(name, sign)
        for name in self.values:
            column = self.survey.columns[name]
            if column.gaps:
                said.append(
                    f"{name} holds no value in {column.gaps:,} rows: the one before stands for it."
                )
        said += several.time_notes(self.time, self.series)
        return tuple(said)


def _best(file: str, found: Survey, explain: several.Explain) -> Tally:
    """The way of reading times that holds through the whole file.

    Raises:
        LabError: none does; says where the likeliest one fails.
    """
    good = [tally for tally in found.tallies if tally.rises]
    good = good or [tally for tally in found.tallies if tally.falls]
    if good:  # of several readings the one that makes the least of it: days, not years
        return min(
            good, key=lambda tally: (len(tally.source.columns), abs(tally.last - tally.first))
        )
    readable = [tally for tally in found.tallies if tally.bad is None]
    if readable:
        raise explain(readable[-1])
    tally = max(found.tallies, key=lambda tally: tally.bad[0] if tally.bad else 0)
    assert tally.bad is not None
    row, cell = tally.bad
    where = f"{file}, row {row}, column {tally.source.columns[0]}"
    if pd.isna(cell):
        raise LabError(f"{where}: there is no value: fill it in, or leave the row out.")
    kind = "time" if tally.source.dated else "number"
    cure = ": say how times are written with format=, such as format=%d.%m.%Y"
    raise LabError(f"{where}: {str(cell)[:60]!r} is no {kind}{cure if kind == 'time' else ''}.")


def unknown(file: str, name: str, columns: list[str]) -> LabError:
    """That a table has no such column."""
    near = difflib.get_close_matches(name, columns, n=3, cutoff=0.5)
    listed = ", ".join(columns[:10]) + (" …" if len(columns) > 10 else "")
    hint = f"did you mean {' or '.join(near)}" if near else f"it has {listed}"
    return LabError(f"{file} has no column {name!r}: {hint}.")


# --- text -----------------------------------------------------------------------------------


def _pieces(path: Path, header: Header) -> Iterator[pd.DataFrame]:
    """The rows as text, piece by piece; lines without anything at the very end are left out."""
    blank = 0
    with warnings.catch_warnings(), texts.opened(path) as file:
        # What pandas would cut off with a warning, such as a cell too many, is an error here.
        warnings.simplefilter("error", pd.errors.ParserWarning)
        with pd.read_csv(
            texts.skip(file, header.lines),
            sep=header.separator,
            header=None,
            names=header.names,
            index_col=False,
            dtype=str,
            skipinitialspace=True,
            skip_blank_lines=False,
            chunksize=CHUNK_ROWS,
        ) as reader:
            done = header.first_row
            for chunk in reader:
                filled = np.flatnonzero(chunk.notna().any(axis=1))
                end = int(filled[-1]) + 1 if len(filled) else 0
                if end and blank:  # so those lines were not at the end
                    yield chunk.iloc[:0].reindex(range(done, done + blank))
                    done += blank
                if end:
                    blank = 0
                    yield chunk.iloc[:end].set_axis(range(done, done + end))
                    done += end
                blank += len(chunk) - end
