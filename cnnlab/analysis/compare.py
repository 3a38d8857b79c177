"""Any number of runs against each other: their curves, their results, the pairs among them.

Curves here are drawn from epochs alone, so that hundreds of runs need none of their steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import median
from typing import Any, Literal

import numpy as np
import pandas as pd

from cnnlab import words
from cnnlab.analysis.runs import (
    LEVEL_RATIO,
    DeviceKind,
    SpeedFacts,
    Summary,
    asked_facts,
    device_kind,
    epoch_seconds,
    reasons_between,
)
from cnnlab.analysis.series import METRICS, POINTS, SPLIT, Floats, Series, downsample, step_times
from cnnlab.spec import ExperimentSpec, RunCard

Progress = Literal["step", "epoch", "seconds", "images", "joules"]
"""What the curves of several runs can be drawn against."""
Measure = Literal["accuracy", "loss", "step_ms", "gap"]
Split = Literal["training", "validation"]

ALL_POINTS = 12_000  # of all curves in one chart: what a browser draws at once, and 150 kB
FEWEST_POINTS, MOST_DOTS = 8, 60
HOVER_POINTS = 120
NEWEST = 20  # repeats of one spec on one device that are held against those on another

BY_HEART, NOTICEABLE = 0.2, 0.05
"""Leads of training over validation accuracy from which a run has learnt by heart, or begins to."""


# --- curves ---------------------------------------------------------------------------------


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
    number = _column(card, "epoch")
    seconds = np.cumsum(_column(card, "seconds"))
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
            return [Line(label, "training", x, _column(card, "step_ms_mean"))]
        case "gap":
            gap = _column(card, "accuracy") - _column(card, "val_accuracy")
            return [Line(label, "training", x, gap)]
    validation = Line(label, "validation", x, _column(card, f"val_{measure}"))
    return [Line(label, "training", x, _column(card, measure)), validation]


def step_lines(card: RunCard, label: str, measure: Measure, series: Series) -> list[Line]:
    """The curves of one run against its steps, as finely as they were kept."""
    by_epoch = lines(card, label, measure, "step")
    ends = np.flatnonzero(~np.isnan(series.seconds))
    if not len(ends):
        return by_epoch
    if measure == "step_ms":
        frame = step_times(series)
        x, y = (frame[name].to_numpy(np.float64) for name in ("step", "median_ms"))
        return [Line(label, "training", x, y)]
    if measure not in METRICS:
        return by_epoch
    training = Line(label, "training", series.step[ends], getattr(series, measure)[ends])
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


def _column(card: RunCard, field: str) -> Floats:
    return np.array([getattr(row, field) for row in card.epochs], dtype=np.float64)


# --- learnt by heart ------------------------------------------------------------------------


def by_heart(accuracy: float, val_accuracy: float) -> str:
    """What training and validation accuracy after the same epoch say of a run, in words."""
    said = f"training {words.percent(accuracy)}, validation {words.percent(val_accuracy)}"
    gap = accuracy - val_accuracy
    if not np.isfinite(gap):
        return f"{said}: nothing can be said"
    if gap >= BY_HEART:
        return f"{said}: it has learnt its pictures by heart"
    if gap >= NOTICEABLE:
        return f"{said}: it begins to learn its pictures by heart"
    return f"{said}: no sign of learning by heart"


def past_its_best(card: RunCard) -> str:
    """Since when validation got no better, in words; empty where the last epoch was the best."""
    checks = _column(card, "val_accuracy")
    if not np.isfinite(checks).any():
        return ""
    best = int(np.nanargmax(checks))
    later = len(checks) - 1 - best
    if not later:
        return ""
    return (
        f"Validation was best after epoch {card.epochs[best].epoch}, at "
        f"{words.percent(float(checks[best]))}; the {words.count(later)} "
        f"{'epoch' if later == 1 else 'epochs'} since brought no more"
    )


# --- results --------------------------------------------------------------------------------

BEST: dict[str, Literal["max", "min"]] = {
    "best_val_accuracy": "max",
    "last_val_accuracy": "max",
    "last_accuracy": "max",
    "gap": "min",
    "last_val_loss": "min",
    "reached_seconds": "min",
    "fit_seconds": "min",
    "step_ms_median": "min",
    "images_per_second": "max",
    "joules": "min",
    "images_per_joule": "max",
    "parameters": "min",
}
"""The figures of `results`, and which end of each is the good one."""


def seconds_to(card: RunCard, accuracy: float) -> float | None:
    """Wall seconds of training until an epoch ended with this validation accuracy; None: never."""
    passed = 0.0
    for row in card.epochs:
        passed += row.seconds
        if row.val_accuracy >= accuracy:
            return passed
    return None


def results(cards: Sequence[RunCard], accuracy: float) -> pd.DataFrame:
    """What each run came to: a row for each run id, the columns of `BEST`, NaN where not known.

    Args:
        accuracy: the validation accuracy that `reached_seconds` waits for, 0 to 1.
    """
    rows = [_result(card, accuracy) for card in cards]
    index = pd.Index([card.run_id for card in cards], name="run_id")
    return pd.DataFrame(rows, index=index, columns=list(BEST), dtype="float64")


def _result(card: RunCard, accuracy: float) -> dict[str, float | None]:
    timing, joules = card.timing, card.energy.joules
    last = card.epochs[-1] if card.epochs else None
    checks = [row.val_accuracy for row in card.epochs if np.isfinite(row.val_accuracy)]
    images = card.dataset.train_images * len(card.epochs) if card.dataset else None
    return {
        "best_val_accuracy": max(checks, default=None),
        "last_val_accuracy": last.val_accuracy if last else None,
        "last_accuracy": last.accuracy if last else None,
        "gap": last.accuracy - last.val_accuracy if last else None,
        "last_val_loss": last.val_loss if last else None,
        "reached_seconds": seconds_to(card, accuracy),
        "fit_seconds": timing.fit_seconds,
        "step_ms_median": timing.step_ms_median,
        "images_per_second": timing.images_per_second,
        "joules": joules,
        "images_per_joule": images / joules if images and joules else None,
        "parameters": card.model.parameters if card.model else None,
    }


def best_of(frame: pd.DataFrame) -> dict[str, float]:
    """The best figure of each column of `results` in which runs differ."""
    found = {}
    for name, end in BEST.items():
        values = frame[name].dropna()
        if values.nunique() > 1:
            found[name] = float(values.max() if end == "max" else values.min())
    return found


# --- pairs ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Spread:
    """A speed-up over repeats: median and extremes of all fair pairs of runs."""

    ratio: float
    least: float
    most: float
    pairs: int
    warm: bool
    """False: some pair had one epoch only, warm-up included."""

    @property
    def level(self) -> bool:
        """Nobody is ahead: the lead is within that of epochs of one run, or pairs disagree."""
        return 1 / LEVEL_RATIO < self.ratio < LEVEL_RATIO or self.least < 1 < self.most


@dataclass(frozen=True)
class Pairing:
    """One spec on the CPU and on one accelerator: a speed-up, or the reasons for none."""

    spec: ExperimentSpec
    cpu: str
    accelerator: str
    cpu_runs: tuple[str, ...]
    """Run ids, those of the other kind likewise: the ones that stand in a fair pair, else all."""
    accelerator_runs: tuple[str, ...]
    gain: Spread | None
    reasons: tuple[str, ...]
    """Of the pair that has fewest; empty where there is a gain."""


@lru_cache(maxsize=4096)
def spec_key(spec: ExperimentSpec) -> tuple[tuple[str, str], ...]:
    """Equal for specs that ask for the same work, whatever the device."""
    return tuple((name, str(value)) for name, value in asked_facts(spec).items())


def worth_pairing(runs: Iterable[Summary]) -> list[str]:
    """Ids of the runs whose spec was run on the CPU and on an accelerator, the newest `NEWEST` on
    each device.

    Args:
        runs: the newest first.
    """
    groups: dict[Any, dict[tuple[DeviceKind, str], list[str]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for run in runs:
        if run.device and run.epochs_done:
            place = device_kind(run.device.used), run.device.name
            groups[spec_key(run.spec)][place].append(run.run_id)
    return [
        run_id
        for places in groups.values()
        if len({kind for kind, _ in places}) > 1
        for run_ids in places.values()
        for run_id in run_ids[:NEWEST]
    ]


def pairings(cards: Sequence[RunCard]) -> list[Pairing]:
    """For each spec that was run on the CPU and on an accelerator, how much the latter gained.

    Args:
        cards: the newest first: of repeats, only the first `NEWEST` are taken.
    """
    groups: dict[Any, dict[tuple[DeviceKind, str], list[RunCard]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for card in cards:
        if card.device and card.epochs:
            place = device_kind(card.device.used), card.device.name
            groups[spec_key(card.spec)][place].append(card)
    return [
        _pairing(slow[:NEWEST], fast[:NEWEST])
        for places in groups.values()
        for (slow_kind, _), slow in places.items()
        if slow_kind == "cpu"
        for (fast_kind, _), fast in places.items()
        if fast_kind == "accelerator"
    ]


def _pairing(slow: Sequence[RunCard], fast: Sequence[RunCard]) -> Pairing:
    facts = {card.run_id: SpeedFacts.of(card) for card in (*slow, *fast)}
    why = {
        (a.run_id, b.run_id): reasons_between(facts[a.run_id], facts[b.run_id])
        for a in slow
        for b in fast
    }
    fair = [(a, b) for a in slow for b in fast if not why[a.run_id, b.run_id]]
    first, second = slow[0].device, fast[0].device
    assert first
    assert second
    a_side, b_side = zip(*fair, strict=True) if fair else (slow, fast)
    return Pairing(
        spec=slow[0].spec,
        cpu=first.name,
        accelerator=second.name,
        cpu_runs=tuple(dict.fromkeys(card.run_id for card in a_side)),
        accelerator_runs=tuple(dict.fromkeys(card.run_id for card in b_side)),
        gain=_spread(fair),
        reasons=() if fair else tuple(_fewest(why.values())),
    )


def _spread(fair: Sequence[tuple[RunCard, RunCard]]) -> Spread | None:
    ratios, all_warm = [], True
    for a, b in fair:
        warm = min(len(a.epochs), len(b.epochs)) > 1
        below = epoch_seconds(b.epochs, warm=warm)
        if below:
            ratios.append(epoch_seconds(a.epochs, warm=warm) / below)
            all_warm &= warm
    if not ratios:
        return None
    return Spread(median(ratios), min(ratios), max(ratios), len(ratios), all_warm)


def unpaired(cards: Sequence[RunCard], found: Sequence[Pairing]) -> Mapping[str, list[str]]:
    """Why runs stand in no fair pair: by run id, the reasons against the nearest run of the other
    kind of device. Runs of one kind only have nobody to be compared with, and no reasons.
    """
    paired = {run for one in found if one.gain for run in (*one.cpu_runs, *one.accelerator_runs)}
    cpu: list[tuple[str, SpeedFacts]] = []
    accelerator: list[tuple[str, SpeedFacts]] = []
    for card in cards:
        if card.device:
            side = cpu if device_kind(card.device.used) == "cpu" else accelerator
            side.append((card.run_id, SpeedFacts.of(card)))
    reasons: dict[str, list[str]] = {}
    for mine, others in ((accelerator, cpu), (cpu, accelerator)):
        for run_id, facts in mine:
            if others and run_id not in paired:
                against = [reasons_between(facts, other) for _, other in others[:NEWEST]]
                reasons[run_id] = _fewest(against)
    return {run_id: why for run_id, why in reasons.items() if why}


def _fewest(reasons: Iterable[list[str]]) -> list[str]:
    return min(reasons, key=lambda found: len(found))
