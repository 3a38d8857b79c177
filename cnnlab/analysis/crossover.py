"""A measured grid: where one device is faster than another, in frames and in one sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd

from cnnlab import words
from cnnlab.spec import Value

MOST_ACROSS = 6
"""Values of a single axis that lie side by side: each has room for its label."""

LEAST_NOISE = 0.022
"""Of a ratio, as a logarithm, however well its cells were found again: medians of one cell that two
processes measured on a quiet machine were 1.6 % apart (a standard deviation)."""


@dataclass(frozen=True)
class Side:
    """One axis of a grid."""

    title: str
    values: tuple[Value, ...]


@dataclass(frozen=True)
class Point:
    """One cell of a grid on one device."""

    place: tuple[Value, ...]
    """A value of each axis, in their order."""
    device: str
    """Its name, as it is shown."""
    us_per_image: float | None
    """Microseconds; null where the cell was not measured, or cannot work."""
    noisy: bool = False
    apart: float = 0.0
    """How uncertain the time is, as a share of it."""
    parameters: int | None = None
    batch_size: int = 1
    run_ids: tuple[str, ...] = ()
    error: str | None = None
    missing: bool = False
    """It was not measured, and will not be."""
    accuracy: float | None = None
    """Of the runs that trained its recipe, after their last epochs, the mean; null: none did."""


@dataclass(frozen=True)
class Grid:
    """What was asked for, and what is known of it so far."""

    sides: tuple[Side, ...]
    """One or two: along the bottom, then upwards; a single one as `downwards` says."""
    points: tuple[Point, ...]
    thing: str = "image"
    """What a time is the time of: an image, or a sequence."""

    @property
    def downwards(self) -> bool:
        """The only axis has so many values that each takes a row, from the top."""
        return len(self.sides) == 1 and len(self.sides[0].values) > MOST_ACROSS

    @property
    def devices(self) -> tuple[str, ...]:
        """In the order in which they were measured."""
        return tuple(dict.fromkeys(point.device for point in self.points))

    def at(self, device: str) -> dict[tuple[Value, ...], Point]:
        """The measured cells of a device, by their place."""
        return {
            point.place: point
            for point in self.points
            if point.device == device and point.us_per_image
        }


# --- frames ---------------------------------------------------------------------------------


def times_frame(grid: Grid, device: str) -> pd.DataFrame:
    """A row for each cell of a device: where it lies, its time as a colour and in words.

    `level` goes from 0, the shortest time on any device, to 1, the longest, by its logarithm.
    """
    times = [math.log(point.us_per_image) for point in grid.points if point.us_per_image]
    low, high = (min(times), max(times)) if times else (0.0, 0.0)
    rows = []
    for point in grid.points:
        if point.device == device:
            us = point.us_per_image
            level = (math.log(us) - low) / (high - low) if us and high > low else 0.0
            text = _time(us) if us else _untimed(point)
            rows.append(
                _row(grid, point, text, point.noisy)
                | {"level": level if us else None, "dark": bool(us) and level < 0.55}
            )
    return pd.DataFrame(rows)


def _untimed(point: Point) -> str:
    """Why a cell has no time, in as little as fits into it."""
    return "×" if point.error else "not measured" if point.missing else "…"


def accuracy_frame(grid: Grid, device: str) -> pd.DataFrame:
    """As `times_frame`, with the accuracy of each cell: `level` 1 is the best one."""
    known = [point.accuracy for point in grid.points if point.accuracy is not None]
    low, high = (min(known), max(known)) if known else (0.0, 0.0)
    rows = []
    for point in grid.points:
        if point.device == device:
            share = point.accuracy
            level = (share - low) / (high - low) if share is not None and high > low else 0.0
            row = _row(grid, point, words.UNKNOWN if share is None else words.percent(share), False)
            known_dark = share is not None and level < 0.55
            rows.append(row | {"level": None if share is None else level, "dark": known_dark})
    return pd.DataFrame(rows)


def ratio_frame(grid: Grid, first: str, second: str) -> pd.DataFrame:
    """A row for each cell measured on both devices: how many times as fast the second one is.

    `doublings` is the logarithm of that to the base 2: below 0 the first device is faster. It is 0
    where neither is, as far as the noise of the cells can tell (`level`).
    """
    one, other = grid.at(first), grid.at(second)
    rows = []
    for place, point in one.items():
        if place in other:
            ratio, level = _ratio(point, other[place]), _level(point, other[place])
            noisy = point.noisy or other[place].noisy
            text = f"{'≈ ' if level else ''}{words.times(ratio, 2)}"
            doublings = 0.0 if level else math.log2(ratio)
            row = _row(grid, point, text, noisy)
            rows.append(row | {"ratio": ratio, "doublings": doublings, "level": level})
    return pd.DataFrame(rows)


def border_frame(ratios: pd.DataFrame) -> pd.DataFrame:
    """The break-even line: a piece between every two neighbours of which one is above 1 and one
    below, each by more than its noise. Cells within their noise part nobody: they are the border.

    Args:
        ratios: as `ratio_frame` gives it.
    """
    above = {(row.column, row.row): row.ratio > 1 for row in ratios.itertuples() if not row.level}
    pieces = []
    for (x, y), wins in above.items():
        if above.get((x + 1, y), wins) != wins:
            pieces.append((x + 0.5, x + 0.5, y - 0.5, y + 0.5))
        if above.get((x, y + 1), wins) != wins:
            pieces.append((x - 0.5, x + 0.5, y + 0.5, y + 0.5))
    return pd.DataFrame(pieces, columns=["x", "x2", "y", "y2"], dtype=float)


def _row(grid: Grid, point: Point, text: str, noisy: bool) -> dict[str, object]:
    column, row = _spot(grid, point.place)
    return {
        "column": column,
        "row": row,
        "left": column - 0.5,
        "right": column + 0.5,
        "low": row - 0.5,
        "high": row + 0.5,
        "text": text + (" ~" if noisy else ""),
        "noisy": "yes" if noisy else "no",
        "cell": place_text(grid, point.place),
        "parameters": words.count(point.parameters),
        "time": f"{words.number(point.us_per_image)} µs" if point.us_per_image else words.UNKNOWN,
        "accuracy": words.percent(point.accuracy),
    }


def _spot(grid: Grid, place: tuple[Value, ...]) -> tuple[int, int]:
    """Column and row of a place, from 0."""
    spots = [side.values.index(value) for side, value in zip(grid.sides, place, strict=True)]
    if grid.downwards:
        return 0, len(grid.sides[0].values) - 1 - spots[0]
    return spots[0], spots[1] if len(spots) > 1 else 0


def place_text(grid: Grid, place: tuple[Value, ...]) -> str:
    """A place in words: "batch size 32, units 512"."""
    pairs = zip(grid.sides, place, strict=True)
    return ", ".join(f"{side.title.lower()} {value_text(value)}" for side, value in pairs)


def value_text(value: Value) -> str:
    """A value of an axis in words: 1,024, or bfloat16."""
    return words.count(value) if isinstance(value, int) else value.removeprefix("mixed_")


def _time(us: float) -> str:
    """Microseconds, short enough for a cell."""
    return f"{words.number(us, 3)} µs" if us < 1000 else f"{words.number(us / 1000, 3)} ms"


def _ratio(first: Point, second: Point) -> float:
    assert first.us_per_image
    assert second.us_per_image
    return first.us_per_image / second.us_per_image


def _level(first: Point, second: Point) -> bool:
    """Neither is faster by more than what the measurements of a cell lie apart."""
    noise = math.hypot(math.log1p(first.apart), math.log1p(second.apart))
    return abs(math.log(_ratio(first, second))) <= max(noise, LEAST_NOISE)


# --- in one figure, in one sentence ---------------------------------------------------------


def leading(grid: Grid, first: str, second: str | None = None) -> tuple[str, str]:
    """The figure that is read first, and what it is of: of two devices the largest ratio, of one
    alone its best time.
    """
    one = grid.at(first)
    if second is None:
        steady = [p.us_per_image for p in one.values() if p.us_per_image and not p.noisy]
        if not steady:
            return words.count(len(one)), f"cells measured on {first}"
        return _time(min(steady)), f"per {grid.thing} at best, on {first}"
    other = grid.at(second)
    if not one.keys() & other.keys():  # no ratio yet: what one of them came to
        return leading(grid, first if one else second)
    told = [
        _ratio(one[place], other[place])
        for place in one
        if place in other and not _level(one[place], other[place])
    ]
    if not told:
        return "1×", f"as fast: neither {first} nor {second} is ahead"
    if max(told) >= 1 / min(told):
        return words.times(max(told)), f"as fast at best: {second} against {first}"
    return words.times(1 / min(told)), f"as fast at best: {first} against {second}"


def summary(grid: Grid, first: str, second: str | None = None) -> str:
    """What a grid comes to, in a sentence: two devices against each other, or one alone."""
    if second is None:
        return _alone(grid, first)
    one, other = grid.at(first), grid.at(second)
    both = [place for place in one if place in other]
    if not both:
        return f"No cell has been measured on both {first} and {second} yet."
    noisy = sum(one[place].noisy or other[place].noisy for place in both)
    many = "All" if noisy == len(both) else str(noisy)
    hedge = f" {many} of these {len(both)} cells are noisy, so take it as a rough picture."
    told = [place for place in both if not _level(one[place], other[place])]
    if not told:
        within = f"No cell tells {first} and {second} apart by more than its noise."
        return within + (hedge if 2 * noisy > len(both) else "")
    ratios = {place: _ratio(one[place], other[place]) for place in told}
    level = len(both) - len(told)
    alike = (
        f" In {level} of {len(both)} cells neither is faster by more than noise." if level else ""
    )
    said = _against(grid, first, second, ratios) + alike
    return said + (hedge if 2 * noisy > len(both) else "")


def _against(grid: Grid, first: str, second: str, ratios: Mapping[tuple[Value, ...], float]) -> str:
    """Where the second device is the faster one, by how many times it is so in each place."""
    wins = [place for place, ratio in ratios.items() if ratio > 1]
    both = len(grid.at(first).keys() & grid.at(second).keys())
    whole = both == len({point.place for point in grid.points})
    measured = "cell" if whole else "cell that was measured on both"
    cell = measured if len(ratios) == both else "cell that tells them apart"
    low, high = words.number(min(ratios.values())), words.number(max(ratios.values()))
    if len(wins) == len(ratios):
        much = f"{low} to {high} times as fast as {first}"
        return f"{second} is the faster one in every {cell}: {much}."
    if not wins:
        low, high = (words.number(1 / pick(ratios.values())) for pick in (max, min))
        much = f"{low} to {high} times as fast as {second}"
        return f"{first} is the faster one in every {cell}: {much}."
    borders = _borders(grid, grid.at(first), ratios)
    most = words.number(1 / min(ratios.values()))
    extremes = f"at best {high} times as fast, at worst {first} is {most} times as fast"
    if not borders:
        return (
            f"{second} wins in {len(wins)} of {len(ratios)} cells, without a clear border: "
            f"{extremes}."
        )
    return f"{second} wins {_joined(borders)}; {extremes}."


def _joined(borders: Sequence[str]) -> str:
    if len(borders) == 1:
        return borders[0]
    return f"{', '.join(borders[:-1])} and {borders[-1]}"


def _borders(
    grid: Grid, one: dict[tuple[Value, ...], Point], ratios: Mapping[tuple[Value, ...], float]
) -> list[str]:
    """Where the ratio crosses 1, for each line of the grid that it crosses once, and the lines in
    which it is above 1 throughout; empty where there is no crossing."""
    along = _size_side(grid, one)
    by_parameters = _by_parameters(grid, one, along)
    across = [side for side in range(len(grid.sides)) if side != along]
    lines: dict[tuple[Value, ...], list[tuple[float, float]]] = {}
    for place, ratio in ratios.items():
        size = _size(grid, one[place], along, by_parameters=by_parameters)
        lines.setdefault(tuple(place[side] for side in across), []).append((size, ratio))
    said: list[str] = []
    whole: list[str] = []
    for others, line in lines.items():
        at = _at(grid, across, others)
        if all(ratio > 1 for _, ratio in line):
            whole.append(at)
        elif border := _crossing(sorted(line)):
            what = _what(grid, along, border[0], by_parameters=by_parameters)
            said.append(f"{'above' if border[1] else 'below'} about {what}{at}")
    return [*said, f"everywhere{_joined(whole)}"] if said and whole else said


def _at(grid: Grid, across: Sequence[int], others: tuple[Value, ...]) -> str:
    """Which line of the grid is meant: " at batch size 32"; empty where there is only one."""
    pairs = zip(across, others, strict=True)
    return "".join(
        f" at {grid.sides[side].title.lower()} {value_text(value)}" for side, value in pairs
    )


def _what(grid: Grid, along: int, size: float, *, by_parameters: bool) -> str:
    shown = words.number(size, 2)
    return f"{shown} parameters" if by_parameters else f"{grid.sides[along].title.lower()} {shown}"


def _size_side(grid: Grid, one: dict[tuple[Value, ...], Point]) -> int:
    """The axis along which the network grows; else the first one that counts something."""
    for side in range(len(grid.sides)):
        if _by_parameters(grid, one, side):
            return side
    for side, values in enumerate(side.values for side in grid.sides):
        if all(isinstance(value, int) for value in values):
            return side
    return 0


def _by_parameters(grid: Grid, one: dict[tuple[Value, ...], Point], side: int) -> bool:
    """Whether another value of this axis means another number of parameters."""
    counts: dict[Value, set[int | None]] = {}
    for place, point in one.items():
        counts.setdefault(place[side], set()).add(point.parameters)
    known = [next(iter(found)) for found in counts.values() if len(found) == 1]
    return None not in known and len(known) == len(counts) == len(set(known)) > 1


def _size(grid: Grid, point: Point, along: int, *, by_parameters: bool) -> float:
    if by_parameters and point.parameters:
        return float(point.parameters)
    value = point.place[along]
    return float(value) if isinstance(value, int) else float(grid.sides[along].values.index(value))


def _crossing(line: Sequence[tuple[float, float]]) -> tuple[float, bool] | None:
    """Where a line of (size, ratio), by size, crosses 1, and whether upwards; null if not once.

    Between two sizes the logarithms are taken to run straight.
    """
    crossings = [(one, other) for one, other in pairwise(line) if (one[1] > 1) != (other[1] > 1)]
    if len(crossings) != 1:
        return None
    (size, ratio), (next_size, next_ratio) = crossings[0]
    share = math.log(ratio) / (math.log(ratio) - math.log(next_ratio))
    if size <= 0:
        return size + share * (next_size - size), next_ratio > 1
    return size * (next_size / size) ** share, next_ratio > 1


def _alone(grid: Grid, device: str) -> str:
    """Which cell of a device is the fastest, and by how much, of those that are not noisy."""
    measured = sorted(grid.at(device).values(), key=lambda point: point.us_per_image or 0.0)
    if not measured:
        return f"Nothing has been measured on {device} yet."
    found = [point for point in measured if not point.noisy]
    if not found:
        return (
            f"No cell has a steady figure on {device} yet: too much else is going on there. "
            "Measure again while nothing else runs."
        )
    best, worst = found[0], found[-1]
    said = (
        f"On {device}, {place_text(grid, best.place)} is the fastest: "
        f"{_time(best.us_per_image or 0.0)} per {grid.thing}"
    )
    if best is worst:
        return f"{said}, the only {'cell' if len(measured) == 1 else 'steady cell'} so far."
    much = words.number(_ratio(worst, best))
    hedge = " Noisy cells are left out of this." if len(found) < len(measured) else ""
    return f"{said}, {much} times as fast as {place_text(grid, worst.place)}.{hedge}"
