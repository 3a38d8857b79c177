"""How a table of text is laid out: its encoding, its separator, its names, where its rows begin.

What separates cells is the sign that cuts the first lines into the same number of cells, most of
them numbers and times; `sep=;` on the first line is believed. The rows begin where the columns that
hold numbers or times further down hold them first. Of the lines above, the nearest ones of the
table's width name the columns; where the very first line looks like all others, none does.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cnnlab.datasets.numbers import is_gap, is_number
from cnnlab.datasets.texts import opened
from cnnlab.datasets.times import is_time
from cnnlab.spec import LabError, LeftOut

HEADER_BYTES = 10**6
"""What is looked at to find out how a file is laid out."""
LOOKED_LINES = 300
SEPARATORS = (",", ";", "\t", "|")
TIME_WORDS = re.compile(
    r"(?:^|[\W_])(?:date|time|timestamp|datetime|datum|zeit|zeitpunkt|zeitstempel|uhrzeit|fecha|hora"
    r"|heure|tid|unix|epoch|utc|gmt|local|ds)(?:$|[\W_])|日期|时间|時間|日時|日付|날짜|일시|시간|일자",
    re.IGNORECASE,
)
"""What columns of times are called."""

Rows = list[list[str]]


@dataclass(frozen=True)
class Header:
    """How a table is laid out."""

    names: list[str]
    separator: str
    lines: int
    """Lines of text above the rows."""
    first_row: int
    """Number of the first row, counted as a spreadsheet counts."""
    left_out: tuple[LeftOut, ...]
    notes: tuple[str, ...]


def header_of(path: Path) -> Header:
    """Find out how a table is laid out.

    Raises:
        LabError: it is empty, its first line does not end, or a name stands twice.
    """
    with opened(path) as file:
        text = file.read(HEADER_BYTES)
        whole = not file.read(1)
    lines = io.StringIO(text, newline="").readlines()
    if not lines or not lines[0].strip():
        raise LabError(f"{path.name} is empty, or its first line is: that must name the columns.")
    if len(lines) == 1 and not whole:
        raise LabError(f"{path.name} is no CSV file: its first line does not end.")
    lines = lines[: LOOKED_LINES if whole else min(LOOKED_LINES, len(lines) - 1)]
    hint = re.fullmatch(r"\W*sep\s*=\s*(.)\W*", lines[0].strip("\r\n"), re.IGNORECASE)
    above = 1 if hint else 0
    separator = hint[1] if hint else _separator(lines)
    records, ends = _records(lines[above:], separator)
    width = _width(records)
    start = _first_row(records, width)
    names, left_out, notes = _named(records[:start], records[start:], width)
    _check_names(path, names)
    if hint:
        notes = (*notes, f"The first line says that {separator!r} separates the columns.")
    used = ends[start - 1] if start else 0
    return Header(names, separator, above + used, above + start + 1, left_out, notes)


def _records(lines: Sequence[str], separator: str) -> tuple[Rows, list[int]]:
    """The cells of the first lines, and after how many lines each record ends."""
    records: Rows = []
    ends: list[int] = []
    reader = csv.reader(lines, delimiter=separator, skipinitialspace=True)
    for record in reader:
        records.append(record)
        ends.append(reader.line_num)
    return records, ends


def _separator(lines: Sequence[str]) -> str:
    """The sign that cuts most lines into the same number of cells, most of them figures."""

    def fit(separator: str) -> tuple[float, int]:
        records = [record for record in _records(lines, separator)[0] if any(record)]
        width = _width(records)
        fitting = [record for record in records if len(record) == width]
        cells = [cell for record in fitting for cell in record]
        figures = sum(is_number(cell) or is_time(cell) for cell in cells)
        share = (1 + figures) / (1 + len(cells)) * len(fitting) / max(1, len(records))
        return (share if width > 1 else 0.0), width

    return max(SEPARATORS, key=fit)


def _width(records: Rows) -> int:
    counts = Counter(len(record) for record in records if any(record))
    return max(counts, key=lambda width: (counts[width], width), default=1)


def _figures(records: Rows, width: int) -> list[int]:
    """The columns that hold numbers or times in the later half of the lines."""
    fitting = [record for record in records if len(record) == width]
    later = fitting[len(fitting) // 2 :]
    found = []
    for place in range(width):
        cells = [record[place] for record in later if not is_gap(record[place])]
        good = sum(is_number(cell) or is_time(cell) for cell in cells)
        if cells and 2 * good > len(cells):
            found.append(place)
    return found


def _first_row(records: Rows, width: int) -> int:
    """The place of the first record that is a row, and no name, unit or title."""
    columns = _figures(records, width)
    if not columns:
        return 1
    for place, record in enumerate(records):
        if len(record) != width:
            continue
        cells = [record[column] for column in columns]
        good = sum(is_number(cell) or is_time(cell) for cell in cells)
        gaps = sum(is_gap(cell) for cell in cells)
        # The first line names the columns unless there is no text where figures should be: names
        # such as 101 and 102 are numbers as well.
        if good and (good + gaps == len(cells) if place == 0 else 2 * good > len(cells) - gaps):
            return place
    return 1


def _named(
    above: Rows, rows: Rows, width: int
) -> tuple[list[str], tuple[LeftOut, ...], tuple[str, ...]]:
    """The names of the columns, the lines above that are left out, and what is to be said."""
    if not above:
        names = [f"column {place}" for place in range(1, width + 1)]
        return names, (), ("No line names the columns: the first one is a row as well.",)
    block: Rows = []
    for record in reversed(above):
        if not block or len(record) == len(block[0]):
            block.insert(0, record)
        else:
            break
    chosen = _naming(block)
    names = _fitted(_unique(block, chosen), rows, width)
    others = len(above) - 1
    left_out = (
        (LeftOut(what="lines above the rows", why="they name no column", count=others),)
        if others
        else ()
    )
    named = [name.strip() or f"column {place}" for place, name in enumerate(names, start=1)]
    return named, left_out, ()


def _naming(block: Rows) -> list[str]:
    """Of several lines the one that names the columns: units and titles stand around it."""
    full = [record for record in block if 3 * sum(map(bool, record)) >= 2 * len(record)] or block
    worded = (record for record in full if any(TIME_WORDS.search(cell) for cell in record))
    distinct = (record for record in full if len(set(record)) == len(record))
    return next(worded, None) or next(distinct, None) or full[0]


def _unique(block: Rows, chosen: list[str]) -> list[str]:
    """The names; where some stand several times, with what the other lines say beside."""
    if len(set(chosen)) == len(chosen) or len(block) == 1:
        return chosen
    return [" ".join(dict.fromkeys(filter(None, cells))) for cells in zip(*block, strict=True)]


def _fitted(names: list[str], rows: Rows, width: int) -> list[str]:
    """As many names as columns: R leaves out that of the row names, others end in a separator."""
    if len(names) == width - 1 and rows:
        empty = all(not record[-1] for record in rows if len(record) == width)
        return [*names, ""] if empty else ["", *names]
    if len(names) == width + 1 and not names[-1]:
        return names[:-1]
    return names


def _check_names(path: Path, names: Sequence[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise LabError(f"{path.name} names the column {name!r} twice; name each once.")
