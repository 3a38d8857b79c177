"""A table of numbers as sequences: windows of rows, and what the first column does after each.

A data set name may say how: `prices.csv?time=date&values=open,close&window=32&horizon=1`, and if it
holds several series, `series=COLUMN` or `series=COLUMN=TEXT`. A window is `window` rows in a row;
its class is whether the first value column falls, stays or rises in the `horizon` rows behind it.
"Stays" is the middle third of the changes in the training part, "falls" and "rises" are the thirds
below and above it.

Nothing of the validation part is looked at before it is validated on: windows keep the order of
time, so the training part is the earlier one; its rows alone give the mean and the standard
deviation that every column is scaled by, and its changes alone the bounds of the thirds.
"""

from __future__ import annotations

import difflib
import re
from typing import Annotated, Literal, NamedTuple
from urllib.parse import parse_qsl

import numpy as np
from pydantic import BeforeValidator, Field, ValidationError

from cnnlab.datasets.store import Windows
from cnnlab.spec import ExperimentSpec, Frozen, LabError, problems_of, training_part

CLASS_NAMES = ("falls", "stays", "rises")
SPLIT: float = ExperimentSpec.model_fields["validation_split"].default
FEWEST = 10
"""Fewest windows that a table must give."""
BYTES = 10**9
"""Most memory for all windows of a table, laid out one after the other."""


def _names(value: object) -> object:
    return tuple(value.split(",")) if isinstance(value, str) else value


class Options(Frozen):
    """How a table is read; a column that is not named is found by looking."""

    time: str | None = None
    """The column of times; or a date and a clock, with a comma between them."""
    values: Annotated[tuple[str, ...], BeforeValidator(_names)] = ()
    """Columns of numbers; the first is the one whose change is learnt."""
    window: Annotated[int, Field(ge=2, le=10_000)] = 32
    horizon: Annotated[int, Field(ge=1, le=10_000)] = 1
    format: str | None = None
    """How times are written, as `strptime` knows it; found by looking if null."""
    series: str | None = None
    """The column that tells several series apart, each to be learnt from as its own; with `=` and
    one of its texts behind it, the only one."""
    decimal: Literal[".", ","] | None = None
    """The decimal sign of the numbers; found by looking if null."""


def source(name: str) -> tuple[str, str]:
    """The file or folder that a data set name means, and the options behind it."""
    match = re.fullmatch(r"(.+\.(?:csv|tsv|zip))\?(.*)", name, re.IGNORECASE | re.DOTALL)
    return (match[1], match[2]) if match else (name, "")


def options(name: str) -> Options:
    """The options of a data set name.

    Raises:
        LabError: names every option that is unknown or out of its range.
    """
    file, text = source(name)
    given = dict(parse_qsl(text, keep_blank_values=True))
    for unknown in given.keys() - Options.model_fields.keys():
        near = difflib.get_close_matches(unknown, Options.model_fields, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]}" if near else f"it has {', '.join(Options.model_fields)}"
        raise LabError(f"A CSV file has no option {unknown!r}: {hint}.")
    try:
        return Options.model_validate(given)
    except ValidationError as error:
        said = "; ".join(map(str, problems_of(error)))
        raise LabError(f"The options of {file} cannot be used: {said}.") from error


def count(rows: int, window: int, horizon: int) -> int:
    """Windows of a table that have `horizon` rows behind them."""
    return max(0, rows - window - horizon + 1)


def change(first: np.ndarray, horizon: int) -> np.ndarray:
    """What a column does in the `horizon` rows behind each row, (rows,); NaN where there are none.

    Args:
        first: float64 (rows,).
    """
    out = np.full(len(first), np.nan)
    if horizon < len(first):
        out[:-horizon] = first[horizon:] - first[:-horizon]
    return out


class Scale(NamedTuple):
    """What the columns of a table are scaled by, each (columns,)."""

    mean: np.ndarray
    spread: np.ndarray

    @classmethod
    def of(cls, seen: np.ndarray) -> Scale:
        """That of some rows (rows, columns)."""
        spread = seen.std(axis=0)
        spread[spread == 0] = 1.0  # a column that stands still says nothing, whatever divides it
        return cls(seen.mean(axis=0), spread)

    def put(self, rows: np.ndarray) -> np.ndarray:
        """Rows as networks see them, float32 (rows, columns)."""
        scaled: np.ndarray = ((rows - self.mean) / self.spread).astype(np.float32)
        return scaled


def scale_of(
    rows: np.ndarray, cut: Windows, limit: int | None, validation_split: float
) -> Scale | None:
    """That of a table's training part; None where each of several series has its own."""
    if cut.series:
        return None
    used = min(count(len(rows), cut.window, cut.horizon), limit or len(rows))
    return Scale.of(rows[: max(1, training_part(used, validation_split)) + cut.window - 1])


def examples(
    name: str,
    rows: np.ndarray,
    changes: np.ndarray,
    cut: Windows,
    limit: int | None,
    validation_split: float,
) -> tuple[np.ndarray, np.ndarray]:
    """The windows of a table and their classes, in the order of time.

    The windows are a view of the scaled table, of a single series: no row is held twice.

    Args:
        rows: float64 (rows, columns); of several series with the time as the last column.
        changes: what `change` gives of the first column.
        limit: the first so many windows; null for all.
        validation_split: share of those windows, the last ones, that nothing is measured on.

    Returns:
        float32 (N, window, columns, 1), read-only, and int32 (N,).

    Raises:
        LabError: the first column hardly changes in the training part.
    """
    if cut.series:
        return _of_several(name, rows, changes, cut, limit, validation_split)
    used = min(count(len(rows), cut.window, cut.horizon), limit or len(rows))
    train = max(1, training_part(used, validation_split))
    return _of_one(name, rows, changes, cut.window, used, train)


def _of_one(
    name: str, rows: np.ndarray, changes: np.ndarray, window: int, used: int, train: int
) -> tuple[np.ndarray, np.ndarray]:
    scale = Scale.of(rows[: train + window - 1])
    scaled = scale.put(rows[: used + window - 1])
    views = np.lib.stride_tricks.sliding_window_view(scaled, window, axis=0)
    labels = _classes(name, changes[window - 1 :][:used], train)
    return views.transpose(0, 2, 1)[..., None], labels


def _of_several(
    name: str,
    rows: np.ndarray,
    changes: np.ndarray,
    cut: Windows,
    limit: int | None,
    validation_split: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Each series cut, scaled and classed by itself; their windows mixed in the order of time.

    A series that begins in the validation part is left out: nothing could be measured on it.
    """
    counts = [count(length, cut.window, cut.horizon) for length in cut.series]
    begins = np.cumsum((0, *cut.series))[:-1]
    owners = np.repeat(np.arange(len(counts)), counts)
    ends = [
        rows[start + cut.window - 1 :, -1][:windows]
        for start, windows in zip(begins, counts, strict=True)
    ]
    order = np.argsort(np.concatenate(ends), kind="stable")[:limit]
    train = max(1, training_part(len(order), validation_split))
    pieces: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
    for number, (start, length) in enumerate(zip(begins, cut.series, strict=True)):
        places = np.flatnonzero(owners[order] == number)
        measured = int((places < train).sum())
        if measured:
            part = slice(start, start + length)
            own = rows[part, :-1], changes[part]
            pieces.append((places, *_of_one(name, *own, cut.window, len(places), measured)))
    in_time = np.argsort(np.concatenate([places for places, _, _ in pieces]))
    return (
        np.concatenate([images for _, images, _ in pieces])[in_time],
        np.concatenate([labels for _, _, labels in pieces])[in_time],
    )


def _classes(name: str, change: np.ndarray, train: int) -> np.ndarray:
    low, high = np.quantile(change[:train], (1 / 3, 2 / 3))
    # A bound that many changes share goes to the outer third: prices that move by one tick or none.
    labels = ((change > low).astype(np.int32) + (change >= high)).astype(np.int32)
    if len(np.unique(labels[:train])) < 2:
        raise LabError(
            f"The first value column of {name} hardly ever changes in the training part, so there "
            "is nothing to foretell: name another one first, or a longer horizon."
        )
    return labels
