"""How long a run may take: by the cost model of measured cells, or by earlier runs most like it."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from cnnlab import words
from cnnlab.analysis import cost
from cnnlab.models import (
    Layer,
    flops_per_image,
    layer_table,
    split,
    step_counts,
    training_flops_per_image,
)
from cnnlab.spec import ExperimentSpec, ModelFacts, RunCard, Status

WORST_ERROR = 0.5
"""A cost model that misses its own cells by more than this as a rule says nothing of others."""


class EarlierRun(cost.CellRun, Protocol):
    """What is asked of an earlier run; a summary of the history has it."""

    @property
    def model(self) -> ModelFacts | None: ...
    @property
    def created_at(self) -> str: ...
    @property
    def origin(self) -> str | None: ...


@dataclass(frozen=True)
class Estimate:
    """A guess at the duration of a fit."""

    seconds: float
    train_seconds: float
    """Of it, what goes to training: the rest is validation."""
    basis: str
    """What it rests on, after "judging by"."""


def estimate(
    spec: ExperimentSpec,
    layers: Sequence[Layer],
    images: int,
    device: str,
    runs: Sequence[EarlierRun],
) -> Estimate | None:
    """How long a spec may take on a device; None where nothing like it was measured here.

    Args:
        images: pictures in the training set.
        device: as it is used, e.g. `cpu` or `cuda:0`.
        runs: the history; what was measured elsewhere is left out.
    """
    runs = [run for run in runs if run.spec.machine == spec.machine]
    return _by_cells(spec, layers, images, device, runs) or _by_runs(
        spec, layers, images, device, runs
    )


def estimate_before(card: RunCard, runs: Sequence[EarlierRun]) -> Estimate | None:
    """What `estimate` would have said of a run that is over, before it began."""
    if card.status is not Status.FINISHED or not (card.dataset and card.device) or card.sweep:
        return None
    facts = card.dataset
    layers = layer_table(card.spec.model, facts.image_shape, facts.classes)
    earlier = [run for run in runs if run.created_at < card.created_at]
    images = facts.train_images + facts.validation_images
    return estimate(card.spec, layers, images, card.device.used, earlier)


# --- by measured cells ----------------------------------------------------------------------


# FLOP/s of a core and seconds of one kernel call: what a small network reaches on an old laptop,
# and what a large one does on a server of today.
SLOWEST, FASTEST = (5e9, 0.5e-3), (200e9, 0.02e-3)


def bracket(
    spec: ExperimentSpec, layers: Sequence[Layer], images: int, cores: int
) -> tuple[float, float]:
    """Between how many seconds a fit on the CPU will lie, before anything was measured here.

    Args:
        images: pictures in the training set.
        cores: how many a step may use.
    """
    calls, flops, _ = step_counts(spec, list(layers))
    train, _ = split(spec, images)
    steps = spec.epochs * math.ceil(train / spec.batch_size)
    quick, slow = (
        steps * (flops / (rate * cores) + calls * call) for rate, call in (FASTEST, SLOWEST)
    )
    return quick, slow


@lru_cache(maxsize=64)
def _model(found: tuple[cost.Sample, ...]) -> cost.CostModel | None:
    return cost.fit(found)


def _by_cells(
    spec: ExperimentSpec,
    layers: Sequence[Layer],
    images: int,
    device: str,
    runs: Sequence[EarlierRun],
) -> Estimate | None:
    here = cost.samples(run for run in runs if run.origin is None)
    work = cost.Work(*step_counts(spec, list(layers)))
    model = _model(cost.samples_like(spec, device, work, here))
    if model is None or spec.compile or model.error > WORST_ERROR:
        return None
    step_ms = model.predict(work)
    train, validation = split(spec, images)
    forward_steps = validation / spec.batch_size / _training_passes(layers)
    train_seconds = spec.epochs * math.ceil(train / spec.batch_size) * step_ms / 1e3
    validation_seconds = spec.epochs * forward_steps * step_ms / 1e3
    basis = f"{model.cells} measured cells, give or take {words.percent(model.error)}"
    return Estimate(train_seconds + validation_seconds, train_seconds, basis)


# --- by earlier runs ------------------------------------------------------------------------

_SAME = ("engine", "precision", "tf32", "compile")


def _by_runs(
    spec: ExperimentSpec,
    layers: Sequence[Layer],
    images: int,
    device: str,
    runs: Sequence[EarlierRun],
) -> Estimate | None:
    """By the rate in FLOP/s of those most like it.

    It is that of up to three finished runs of the same family and device, alike in `_SAME` and with
    as many threads, whose networks are nearest in FLOPs, within a factor of ten: small networks
    reach only a small part of a device's speed.
    """
    flops, passes = flops_per_image(list(layers)), _training_passes(layers)
    near = sorted(
        (abs(run.model.flops_per_image - flops), number, run)
        for number, run in enumerate(runs)
        if run.model
        and flops / 10 <= run.model.flops_per_image <= flops * 10
        and _alike(run, spec, device)
    )
    like = _as_many_threads(spec, [run for _, _, run in near])
    rates = [_rate(run, passes) for run in like[:3]]
    if not rates:
        return None
    train, validation = split(spec, images)
    rate = statistics.median(rates)
    train_seconds = spec.epochs * flops * passes * train / rate
    basis = "one earlier run" if len(rates) == 1 else f"{len(rates)} earlier runs"
    return Estimate(train_seconds + spec.epochs * flops * validation / rate, train_seconds, basis)


def _alike(run: EarlierRun, spec: ExperimentSpec, device: str) -> bool:
    return (
        run.status is Status.FINISHED
        and run.origin is None
        and run.sweep is None
        and run.device is not None
        and run.device.used == device
        and run.spec.model.family == spec.model.family
        and all(getattr(run.spec, name) == getattr(spec, name) for name in _SAME)
        and bool(run.timing.images_per_second)
    )


def _as_many_threads(spec: ExperimentSpec, near: Sequence[EarlierRun]) -> list[EarlierRun]:
    """The runs that used as many threads as the spec will, as far as can be known before.

    That is what it asks for, or else what the nearest run that asked for none was given.
    """
    free = (cost.threads_used(run) for run in near if run.spec.threads is None)
    threads = spec.threads or next(free, None)
    return [run for run in near if cost.threads_used(run) == threads]


def _training_passes(layers: Sequence[Layer]) -> float:
    """How many forward passes' worth of FLOPs a training step takes; validation takes one."""
    return training_flops_per_image(list(layers)) / flops_per_image(list(layers))


def _rate(run: EarlierRun, passes: float) -> float:
    """FLOP/s of training, from the measured images per second.

    Args:
        passes: of the network to judge, for runs that do not say what theirs took.
    """
    assert run.model
    assert run.timing.images_per_second
    training = run.model.training_flops_per_image or passes * run.model.flops_per_image
    return run.timing.images_per_second * training
