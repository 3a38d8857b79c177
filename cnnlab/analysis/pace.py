"""How fast a run goes, how far it is and how long it will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cnnlab.analysis.series import Series, steady_ms
from cnnlab.spec import Epoch, ExperimentSpec, warmup_steps

RECENT_STEPS = 256
FEWEST_STEPS = 3
# Validation runs forward only; a training step runs forward, then backward at twice the cost.
FORWARD_SHARE = 1 / 3


@dataclass(frozen=True)
class Steady:
    """The steps of a run without its warm-up, and the warm-up on its own."""

    median_ms: float
    mean_ms: float
    p95_ms: float
    warmup_steps: int
    warmup_seconds: float


def steady(series: Series) -> Steady | None:
    """Median, mean and 95th percentile of the steps after warm-up; None before there are any."""
    ms = steady_ms(series)
    if not len(ms):
        return None
    warm = warmup_steps(len(series))
    median, p95 = np.percentile(ms, [50, 95])
    warm_seconds = float(series.ms[:warm].sum()) / 1e3
    return Steady(float(median), float(ms.mean()), float(p95), warm, warm_seconds)


def progress(series: Series, steps_per_epoch: int, epochs: int) -> float:
    """Share of the run's steps that are done, 0 to 1."""
    done = float(series.step[-1]) if len(series) else 0.0
    return min(done / (steps_per_epoch * epochs), 1.0)


def eta_seconds(
    series: Series,
    epochs: Sequence[Epoch],
    spec: ExperimentSpec,
    steps_per_epoch: int,
) -> float | None:
    """Wall seconds until the run ends; None before enough is known.

    Whole epochs to come cost what recent ones did, validation included; the rest of this epoch
    goes by the recent steps.
    """
    left = spec.epochs - len(epochs)
    if left <= 0:
        return 0.0
    pace = _pace(series)
    if pace is None:
        return None
    done = series.step[-1] - len(epochs) * steps_per_epoch
    training = (steps_per_epoch - min(max(float(done), 0.0), steps_per_epoch)) * pace
    whole = _whole_epoch(epochs)
    if whole is None:
        validation = _first_validation(epochs, spec, steps_per_epoch, pace)
        whole = steps_per_epoch * pace + validation
    else:
        last = epochs[-1]
        validation = max(last.seconds - steps_per_epoch * last.step_ms_mean / 1e3, 0.0)
    return training + validation + (left - 1) * whole


def _pace(series: Series) -> float | None:
    """Seconds of a recent step: the mean without the slowest twentieth, which are hiccups. None
    before there are some after the warm-up: by a compilation a guess would be ten times too long.
    """
    ms = np.sort(steady_ms(series)[-RECENT_STEPS:])
    if len(ms) < FEWEST_STEPS:
        return None
    return float(ms[: -(-19 * len(ms) // 20)].mean()) / 1e3


def _whole_epoch(epochs: Sequence[Epoch]) -> float | None:
    """Seconds of an epoch to come: the median of the last three; None where there was only the
    first, whose warm-up, compilation and first validation no other has.
    """
    recent = [row.seconds for row in epochs if row.epoch > 1][-3:]
    return float(np.median(recent)) if recent else None


def _first_validation(
    epochs: Sequence[Epoch], spec: ExperimentSpec, steps_per_epoch: int, pace: float
) -> float:
    """Seconds of a validation before a second one was seen: as the first, which may hold a
    compilation of its own, but no longer than to train on as many pictures.
    """
    as_training = steps_per_epoch * pace * spec.validation_split / (1 - spec.validation_split)
    if not epochs:
        return as_training * FORWARD_SHARE
    first = epochs[0]
    seen = max(first.seconds - steps_per_epoch * first.step_ms_mean / 1e3, 0.0)
    return min(seen, as_training)
