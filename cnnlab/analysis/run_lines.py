"""The curves of any number of runs in one chart, and what each was at any place along it.

They are drawn from epochs alone, so that hundreds of runs need none of their steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from cnnlab import words
from cnnlab.analysis.series import (
    METRICS,
    POINTS,
    SPLIT,
    Floats,
    Series,
    downsample,
    own_means,
    step_times,
)
from cnnlab.spec import RunCard

Progress = Literal["step", "epoch", "seconds", "images", "joules"]
"""What the curves of several runs can be drawn against."""
Measure = Literal["accuracy", "loss", "step_ms", "gap"]
Split = Literal["training", "validation"]

ALL_POINTS = 12_000  # of all curves in one chart: what a browser draws at once, and 150 kB
FEWEST_POINTS, MOST_DOTS = 8, 60
HOVER_POINTS = 120


@dataclass(frozen=True, eq=False)
class Line:
    """One curve of one run."""

    run: str
    """The run's label."""
    split: Split
    x: Floats
    y: Floats


def steps_per_epoch(card: RunCard) -> int:
    """Batches that cover the training pictures once; 0 where these are not known."""
    return -(-card.dataset.train_images // card.spec.batch_size) if card.dataset else 0


def epoch_ends(card: RunCard, axis: Progress) -> Floats | None:
    """Where each epoch of a run ends on an axis; None where that was not measured.

    Energy is measured over the whole fit; it is spread evenly over the fit's time.
    """
    number = column(card, "epoch")
    seconds = np.cumsum(column(card, "seconds"))
    match axis:
        case "epoch":
            return number
        case "seconds":
            return seconds
        case "step":
            steps = steps_per_epoch(card)
            return number * steps if steps else None
        case "images":
            return number * card.dataset.train_images if card.dataset else None
        case "joules":
            whole = card.timing.fit_seconds or (seconds[-1] if len(seconds) else None)
            return card.energy.joules / whole * seconds if card.energy.joules and whole else None


def lines(card: RunCard, label: str, measure: Measure, axis: Progress) -> list[Line]:
    """The curves of one run, a point an epoch; none where the axis was not measured."""
    x = epoch_ends(card, axis)
    if x is None or not len(x):
        return []
    match measure:
        case "step_ms":
            return [Line(label, "training", x, column(card, "step_ms_mean"))]
        case "gap":
            gap = column(card, "accuracy") - column(card, "val_accuracy")
            return [Line(label, "training", x, gap)]
    validation = Line(label, "validation", x, column(card, f"val_{measure}"))
    return [Line(label, "training", x, column(card, measure)), validation]


def step_lines(card: RunCard, label: str, measure: Measure, series: Series) -> list[Line]:
    """The curves of one run against its steps, as finely as they were kept."""
    by_epoch = lines(card, label, measure, "step")
    if not len(series) or np.isnan(series.seconds).all():
        return by_epoch
    if measure == "step_ms":
        frame = step_times(series)
        x, y = (frame[name].to_numpy(np.float64) for name in ("step", "median_ms"))
        return [Line(label, "training", x, y)]
    if measure not in METRICS:
        return by_epoch
    ends, means = own_means(series, measure, steps_per_epoch(card))
    training = Line(label, "training", series.step[ends], means)
    return [training, *(line for line in by_epoch if line.split == "validation")]


def line_frame(found: Sequence[Line], *, smoothing: float = 0.0, log: bool = False) -> pd.DataFrame:
    """All curves as one frame, each thinned by how many there are.

    Args:
        smoothing: 0 to below 1: the weight of what came before in an exponential mean (without
            its bias towards the start, as `pandas.DataFrame.ewm` has it with `adjust`).
        log: leave out what a logarithmic axis has no place for.
    Returns:
        Columns x, value (float32), split and run (categories, runs in the order they come), and
        dot: whether the points are so few that each deserves one.
    """
    points = max(FEWEST_POINTS, min(POINTS, ALL_POINTS // max(len(found), 1)))
    thin = [downsample(line.x, smooth(line.y, smoothing), points) for line in found]
    counts = [len(x) for x, _ in thin]
    labels = pd.CategoricalDtype(list(dict.fromkeys(line.run for line in found)))
    places = {label: place for place, label in enumerate(labels.categories)}
    splits = {split: place for place, split in enumerate(SPLIT.categories)}
    empty = [np.zeros(0)]
    value = np.concatenate([y for _, y in thin] or empty)
    bad = ~np.isfinite(value) | (log & (value <= 0))
    return pd.DataFrame(
        {
            "x": np.concatenate([x for x, _ in thin] or empty).astype(np.float32),
            "value": np.where(bad, np.nan, value).astype(np.float32),
            "split": _codes([splits[line.split] for line in found], counts, SPLIT),
            "run": _codes([places[line.run] for line in found], counts, labels),
            "dot": np.repeat([count <= MOST_DOTS for count in counts], counts),
        }
    )


def _codes(codes: list[int], counts: list[int], kind: pd.CategoricalDtype) -> pd.Categorical:
    whole = np.repeat(np.asarray(codes, dtype=np.int64), counts)
    return pd.Categorical.from_codes(whole, dtype=kind)


def smooth(values: Floats, weight: float) -> Floats:
    """Exponential mean with `weight` for what came before; gaps stay gaps."""
    if not weight:
        return values
    mean = pd.Series(values).ewm(alpha=1 - weight, ignore_na=True).mean().to_numpy()
    return np.where(np.isfinite(values), mean, np.nan)


def hover_frame(
    found: Sequence[Line], write: Callable[[float], str], *, smoothing: float = 0.0
) -> pd.DataFrame:
    """What each run had reached at each of some places along x, in words.

    Returns:
        Columns x, then one for each run in the order they come, named "0", "1", …: its last value
        at or before x, training and validation, or a dash before its first.
    """
    if not found:
        return pd.DataFrame({"x": np.zeros(0, dtype=np.float32)})
    grid = np.unique(np.concatenate([line.x for line in found]))
    if len(grid) > HOVER_POINTS:
        grid = np.linspace(grid[0], grid[-1], HOVER_POINTS)
    columns: dict[str, list[list[str]]] = defaultdict(list)
    for line in found:
        columns[line.run].append(_as_of(line, grid, write, smoothing))
    said = {
        str(place): [" / ".join(parts) for parts in zip(*texts, strict=True)]
        for place, texts in enumerate(columns.values())
    }
    return pd.DataFrame({"x": grid.astype(np.float32), **said})


def _as_of(line: Line, grid: Floats, write: Callable[[float], str], smoothing: float) -> list[str]:
    at = np.searchsorted(line.x, grid, side="right") - 1
    values = smooth(line.y, smoothing)
    return [write(float(values[i])) if i >= 0 else words.UNKNOWN for i in at]


def column(card: RunCard, field: str) -> Floats:
    """One figure of each epoch of a run, NaN where it was not measured."""
    return np.array([getattr(row, field) for row in card.epochs], dtype=np.float64)
