"""One run's steps: columns in, narrow frames out (float32, int32, categories).

Narrow, because the live page sends these frames every second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from cnnlab.spec import (
    DatasetFacts,
    Epoch,
    Steps,
    warmup_steps,
)

Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
Integers = np.ndarray[tuple[int], np.dtype[np.int64]]
Axis = Literal["step", "epoch", "seconds"]
Metric = Literal["loss", "accuracy"]

# Beyond about a thousand points a chart gains nothing on a screen and slows the browser.
POINTS = 1000
# While it trains a chart is drawn anew every second, often by the machine whose steps are timed: a
# point for every second pixel or so takes a quarter off all that a browser does for a live page.
LIVE_POINTS = 400
# Averages over time (throughput, memory) are smooth: fewer points show all there is.
SMOOTH_POINTS = 300
MEDIAN_WINDOW_STEPS = 51
# A batch's loss is noise: a training curve is the mean over so large a part of an epoch.
SMOOTHED_SHARE, FEWEST_BATCHES = 0.2, 10
HISTOGRAM_BINS = 40

METRICS: tuple[Metric, ...] = ("loss", "accuracy")
METRIC = pd.CategoricalDtype(list(METRICS))
SPLIT = pd.CategoricalDtype(["training", "validation"])
PLACE = pd.CategoricalDtype(["process", "device"])


@dataclass(frozen=True, eq=False)
class Series:
    """The steps of one run in columns of equal length, oldest first.

    `seconds` (since the fit began), `loss`, `accuracy` (running means of the epoch), `rss_mb` and
    `device_mb` are known where a window of steps ends, NaN between.
    """

    step: Floats
    epoch: Floats
    seconds: Floats
    ms: Floats
    loss: Floats
    accuracy: Floats
    rss_mb: Floats | None = None
    device_mb: Floats | None = None

    def __post_init__(self) -> None:
        """Take any sequence or buffer of numbers; arrays of float64 are not copied."""
        for name, column in vars(self).items():
            if column is not None:
                object.__setattr__(self, name, np.asarray(column, dtype=np.float64))

    @classmethod
    def of(cls, steps: Steps, memory: Mapping[str, Sequence[float | None]] | None = None) -> Series:
        """The steps that a run card keeps; null becomes NaN.

        Args:
            memory: what the history keeps beside them, as `history.History.memory` has it. It may
                be longer: of a run that another process trains it is read a moment later.
        """
        beside = {name: column[: len(steps.step)] for name, column in (memory or {}).items()}
        return cls(**dict(steps), **{n: np.array(c, float) for n, c in beside.items() if c})

    def __len__(self) -> int:
        return len(self.step)


# --- fewer points ---------------------------------------------------------------------------


def _bucket(count: int, buckets: int) -> int:
    """Elements per bucket, a power of two.

    Buckets then stay where they are while a run grows, so that old points of a chart hold still;
    the price is that up to half of the points allowed go unused.
    """
    return 1 << max(0, -(-count // buckets) - 1).bit_length()


def _extremes(y: Floats, points: int) -> Integers:
    """Indices of at most `points` elements: first, last, lowest and highest of each bucket.

    NaN counts only in a bucket that holds nothing else, where it keeps its gap.
    """
    count = len(y)
    if count <= points:
        return np.arange(count)
    size = _bucket(count, (points - 2) // 2)
    rows = -(-count // size)
    padded = np.full(rows * size, np.nan)
    padded[:count] = y
    table = padded.reshape(rows, size)
    absent = np.isnan(table)
    starts = np.arange(rows) * size
    lowest = starts + np.where(absent, np.inf, table).argmin(axis=1)
    highest = starts + np.where(absent, -np.inf, table).argmax(axis=1)
    return np.unique(np.concatenate(([0], lowest, highest, [count - 1])))


def downsample(x: Floats, y: Floats, points: int = POINTS) -> tuple[Floats, Floats]:
    """At most `points` (4 or more) of the pairs, so chosen that spikes and gaps survive."""
    keep = _extremes(y, points)
    return x[keep], y[keep]


def _finite(values: Floats) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """As float32, with infinity as a gap: an axis has no place for it."""
    return np.where(np.isfinite(values), values, np.nan).astype(np.float32)


# --- curves ---------------------------------------------------------------------------------


def curves(
    series: Series,
    epochs: Sequence[Epoch],
    steps_per_epoch: int,
    axis: Axis = "step",
    points: int = POINTS,
) -> pd.DataFrame:
    """Loss and accuracy, training and validation: a row for each point of a curve.

    Training values are `own_means`; a run without steps has its epochs' means. Validation stands
    at the end of its epoch.

    Returns:
        Columns x (steps, epochs or seconds since the fit began), value, metric, split.
    """
    closes = _epoch_ends(epochs, steps_per_epoch, axis)
    parts: list[tuple[Floats, Floats]] = []
    for metric in METRICS:
        ends, training = own_means(series, metric, steps_per_epoch)
        windows = _training_x(series, ends, steps_per_epoch, axis) if len(ends) else closes
        training = training if len(ends) else _column(epochs, metric)
        parts.append(downsample(windows, training, points))
        parts.append(downsample(closes, _column(epochs, f"val_{metric}"), points))
    lengths = [len(x) for x, _ in parts]
    x = np.concatenate([x for x, _ in parts])
    return pd.DataFrame(
        {
            "x": x.astype(np.int32 if axis == "step" else np.float32),
            "value": _finite(np.concatenate([y for _, y in parts])),
            "metric": pd.Categorical.from_codes(np.repeat([0, 0, 1, 1], lengths), dtype=METRIC),
            "split": pd.Categorical.from_codes(np.repeat([0, 1, 0, 1], lengths), dtype=SPLIT),
        }
    )


def own_means(series: Series, metric: Metric, steps_per_epoch: int) -> tuple[Integers, Floats]:
    """What the steps themselves came to, smoothed: places of the windows' ends, and the values.

    Keras reports the mean of the epoch so far. Drawn as it is, that falls off a cliff at every
    epoch which nobody learnt. Two such means and their numbers of batches give the mean of the
    batches between; of those, each point shows the mean over the last `SMOOTHED_SHARE` of an epoch,
    and of no fewer than `FEWEST_BATCHES`.
    """
    ends = np.flatnonzero(~np.isnan(series.seconds))
    if not len(ends):
        return ends, np.zeros(0)
    step, epoch, mean = series.step[ends], series.epoch[ends], getattr(series, metric)[ends]
    begun = series.step[np.searchsorted(series.epoch, epoch)]
    batches = step - begun + 1
    follows = np.append(False, epoch[1:] == epoch[:-1])
    so_far = mean * batches
    before = np.where(follows, np.append(0.0, so_far[:-1]), 0.0)
    counted = np.where(follows, np.append(0.0, batches[:-1]), 0.0)
    with np.errstate(invalid="ignore"):  # infinity less infinity, once a run has diverged
        return ends, _trailing(step, so_far - before, batches - counted, steps_per_epoch)


def _trailing(step: Floats, sums: Floats, counts: Floats, steps_per_epoch: int) -> Floats:
    """The mean over the windows that end within so many steps back."""
    width = max(FEWEST_BATCHES, steps_per_epoch * SMOOTHED_SHARE)
    first = np.searchsorted(step, step - width, side="right")
    total, number = (np.append(0.0, np.cumsum(column)) for column in (sums, counts))
    last = np.arange(1, len(step) + 1)
    return (total[last] - total[first]) / (number[last] - number[first])


def only(frame: pd.DataFrame, metric: Metric) -> pd.DataFrame:
    """The rows of `curves` for one metric, without the column that names it."""
    rows = frame["metric"].array.codes == METRICS.index(metric)
    # Column by column: pandas' own selection of rows and columns takes several times as long.
    return pd.DataFrame({name: frame[name].array[rows] for name in ("x", "value", "split")})


def _column(epochs: Sequence[Epoch], field: str) -> Floats:
    return np.array([getattr(row, field) for row in epochs], dtype=np.float64)


def _training_x(series: Series, ends: Integers, steps_per_epoch: int, axis: Axis) -> Floats:
    match axis:
        case "step":
            return series.step[ends]
        case "epoch":
            return series.step[ends] / steps_per_epoch
        case "seconds":
            return series.seconds[ends]


def _epoch_ends(epochs: Sequence[Epoch], steps_per_epoch: int, axis: Axis) -> Floats:
    if axis == "seconds":
        return np.cumsum(_column(epochs, "seconds"))
    number = _column(epochs, "epoch")
    return number * steps_per_epoch if axis == "step" else number


def overlay(frames: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Frames of several runs as one, with the run's label in the column run."""
    labels = pd.CategoricalDtype(list(frames))
    lengths = [len(frame) for frame in frames.values()]
    whole = pd.concat(list(frames.values()), ignore_index=True)
    codes = np.repeat(np.arange(len(frames)), lengths)
    return whole.assign(run=pd.Categorical.from_codes(codes, dtype=labels))


# --- steps ----------------------------------------------------------------------------------


def step_times(series: Series, points: int = POINTS) -> pd.DataFrame:
    """Columns step, ms (spikes kept) and median_ms, the median of the steps around it."""
    keep = _extremes(series.ms, points)
    return pd.DataFrame(
        {
            "step": series.step[keep].astype(np.int32),
            "ms": _finite(series.ms[keep]),
            "median_ms": _finite(_rolling_median(series.ms, keep)),
        }
    )


def _rolling_median(y: Floats, at: Integers) -> Floats:
    """Median of the `MEDIAN_WINDOW_STEPS` values around each index in `at`, ends mirrored."""
    if not len(y):
        return y
    padded = np.pad(y, MEDIAN_WINDOW_STEPS // 2, mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, MEDIAN_WINDOW_STEPS)
    middle = MEDIAN_WINDOW_STEPS // 2
    return np.partition(windows[at], middle, axis=1)[:, middle]


def step_histogram(series: Series) -> pd.DataFrame:
    """How the durations of steps after warm-up are distributed.

    The bins reach up to the 99.5th percentile; longer steps are counted in one last row.

    Returns:
        Columns from_ms, to_ms, steps, overflow (true: steps longer than from_ms).
    """
    ms = steady_ms(series)
    if not len(ms):
        low, high, edges, steps, longer = 0.0, 0.0, np.zeros(0), np.zeros(0, int), 0
        starts = stops = edges
    else:
        low, high = float(ms.min()), float(np.percentile(ms, 99.5))
        high = max(high, low * 1.01, low + 1e-6)  # equal steps still need a bin of some width
        steps, edges = np.histogram(ms, HISTOGRAM_BINS, (low, high))
        starts, stops, longer = edges[:-1], edges[1:], int((ms > high).sum())
    if longer:
        starts = np.append(starts, high)
        stops = np.append(stops, high + (high - low) / HISTOGRAM_BINS)
        steps = np.append(steps, longer)
    return pd.DataFrame(
        {
            "from_ms": starts.astype(np.float32),
            "to_ms": stops.astype(np.float32),
            "steps": steps.astype(np.int32),
            "overflow": np.arange(len(starts)) >= HISTOGRAM_BINS,
        }
    )


def images_of(series: Series, dataset: DatasetFacts | None, batch_size: int) -> Floats:
    """How many pictures each step trained on; a full batch where the data set is not known."""
    if dataset is None:
        return np.full(len(series), float(batch_size))
    return dataset.images_in_step(series.step.astype(np.int64), batch_size).astype(np.float64)


def throughput(series: Series, images: Floats | float, points: int = SMOOTH_POINTS) -> pd.DataFrame:
    """Columns seconds (since the fit began) and images_per_second, averaged over equal steps.

    Args:
        images: pictures of each step, see `images_of`; or one number for all of them.
    """
    count = len(series)
    size = max(8, _bucket(count, points))  # single steps are the step chart's matter
    starts = np.arange(0, count, size)
    each = np.broadcast_to(np.asarray(images, dtype=np.float64), (count,))
    trained, totals = (
        np.add.reduceat(column, starts) if count else np.zeros(0) for column in (each, series.ms)
    )
    ends = np.minimum(starts + size, count)
    with np.errstate(divide="ignore"):
        rate = trained * 1e3 / totals
    known = np.flatnonzero(~np.isnan(series.seconds))
    clock = np.interp(ends, np.append(0, known + 1), np.append(0.0, series.seconds[known]))
    return pd.DataFrame(
        {"seconds": clock.astype(np.float32), "images_per_second": _finite(rate)},
    )


def memory(series: Series, points: int = SMOOTH_POINTS) -> pd.DataFrame:
    """Columns seconds, mb (10^6 bytes), place: the worker process and the device's allocator."""
    seconds, mb, places = [], [], []
    for place, column in enumerate((series.rss_mb, series.device_mb)):
        if column is None:
            continue
        known = np.flatnonzero(~np.isnan(column) & ~np.isnan(series.seconds))
        x, y = downsample(series.seconds[known], column[known], points)
        seconds.append(x)
        mb.append(y)
        places.append(np.full(len(x), place))
    none = [np.zeros(0)]
    return pd.DataFrame(
        {
            "seconds": np.concatenate(seconds or none).astype(np.float32),
            "mb": _finite(np.concatenate(mb or none)),
            "place": pd.Categorical.from_codes(
                np.concatenate(places or none).astype(np.int8), dtype=PLACE
            ),
        }
    )


def steady_ms(series: Series) -> Floats:
    """Durations of the steps after the warm-up, which `spec.warmup_steps` defines."""
    ms = series.ms[warmup_steps(len(series)) :]
    return ms[np.isfinite(ms)]
