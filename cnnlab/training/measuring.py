"""`measure(spec, …)`: the step time of a spec, from a short fit that ends when it is steady.

The same engines, the same `fit` and the same clocks as in `cnnlab.training`; no validation, and
pictures of noise, which are as good as photographs for timing and need no download. Many may follow
each other in one process.
"""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from typing import Any

import numpy as np
import psutil
import torch

from cnnlab import datasets, devices, models, words
from cnnlab.engines import Job, Pictures, give_memory_back
from cnnlab.spec import (
    DatasetFacts,
    ExperimentSpec,
    LabError,
    Memory,
    PhaseChanged,
    RunEnded,
    RunStarted,
    Status,
    warmup_steps,
)
from cnnlab.training.callback import Emit, LabCallback, Stop, Stopped
from cnnlab.training.ledger import Ledger, timing_of
from cnnlab.training.run import build, first_steps, first_word, on

WINDOW_SECONDS = 0.1
STRETCHES = 5
STEADY_SPREAD = 0.02
# Five stretches of a tenth of a second each: a clock that changes its speed is seen in them.
STEADY_SECONDS = 0.5
# One to warm up and one to count: a cell whose single steps outlast its share is over soon.
LEAST_STEPS = 2
# An epoch's first batches differ a little from the others: it should have many.
STEPS_PER_EPOCH = 32
LEAST_PICTURES = 2048
EPOCHS = 10_000


class _Measured(Exception):
    """The cell has been measured; raised out of `fit` between two batches."""


def spread(step_ms: np.ndarray) -> float | None:
    """How far the medians of equal stretches lie apart, as a share of the median of them all.

    Args:
        step_ms: durations of the steps after warm-up, in order.

    Returns:
        Highest less lowest, over the median; None of fewer than two steps.
    """
    if len(step_ms) < 2:
        return None
    parts = np.array_split(step_ms, min(STRETCHES, len(step_ms)))
    medians = [float(np.median(part)) for part in parts]
    return (max(medians) - min(medians)) / float(np.median(step_ms))


class MeasuringCallback(LabCallback):
    """Ends a fit when its steps are steady, or when its time is over."""

    window_seconds = WINDOW_SECONDS

    def __init__(
        self,
        spec: ExperimentSpec,
        device: str,
        emit: Emit,
        stop: Stop,
        deadline: float,
        until_steady: bool,
    ) -> None:
        super().__init__(spec, device, emit, stop)
        self.deadline, self.until_steady = deadline, until_steady

    def steady_ms(self) -> np.ndarray:
        """Durations of the steps after warm-up so far."""
        return np.asarray(self.step_ms[warmup_steps(len(self.step_ms)) :])

    def close_window(self) -> None:
        super().close_window()
        if len(self.step_ms) < LEAST_STEPS:
            return
        if time.perf_counter() >= self.deadline or (self.until_steady and self._steady()):
            raise _Measured

    def _steady(self) -> bool:
        steady = self.steady_ms()
        found = spread(steady)
        return steady.sum() >= STEADY_SECONDS * 1e3 and found is not None and found < STEADY_SPREAD

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        # Without validation no other hook tells the end of the last step.
        self.clock.mark()
        self.train_seconds += time.perf_counter() - self.epoch_began
        self.epoch_began = time.perf_counter()
        self.close_window()


def measure(
    spec: ExperimentSpec,
    emit: Emit,
    stop: Stop,
    *,
    seconds: float,
    until_steady: bool = True,
) -> RunEnded:
    """Time the steps of a spec and tell `emit` about it, as `training.train` does.

    Args:
        seconds: the share of this cell, from when its device is warm. A few steps are taken
            whatever it is.
        until_steady: end before that if the median does not move any more.

    Raises:
        LabError: the spec or its device cannot work, or does not fit into memory.
    """
    with cleared(spec) as device:
        deadline = time.perf_counter() + seconds
        ledger = Ledger(time.monotonic())  # its process was there already
        ended = _measure(spec, device, ledger, emit, stop, deadline, until_steady)
    emit(ended)
    return ended


@contextmanager
def cleared(spec: ExperimentSpec) -> Iterator[str]:
    """The scope of a measurement: gives the device, warm and free of what was measured before.

    What holds a model must return within it, or the model cannot be let go of.

    Raises:
        LabError: the spec's device is not here.
    """
    if not gc.get_freeze_count():
        # What is here at first stays, torch and Keras above all: without them to walk through,
        # letting go of a model takes no time, instead of a fifth of a second for every cell.
        gc.freeze()
    device = devices.resolve(spec.device, spec.gpu_off)
    _free(device)  # an error holds on to its model until it is dealt with, after `finally`
    try:
        _warm(device)
        with on(device):
            yield device
    finally:
        _free(device)


@cache
def _warm(device: str) -> None:
    """Open an accelerator in this process, once: its context and its libraries take seconds, which
    would be the whole share of the first cell, and its steps would be none but the first ones.
    """
    if device != "cpu":  # a worker has warmed that before anything was asked of it
        first_steps(device)


def _measure(
    spec: ExperimentSpec,
    device: str,
    ledger: Ledger,
    emit: Emit,
    stop: Stop,
    deadline: float,
    until_steady: bool,
) -> RunEnded:
    """All that holds the model: when this returns, it can be let go of."""
    emit(PhaseChanged(phase="building"))
    if spec.compile:
        devices.compile_anew()
    pictures, facts = noise(spec)
    check_room(spec, pictures, device)
    ledger.close("data")
    job, weights = build(spec, pictures)
    started = first_word(spec, job, weights, facts)
    emit(started)
    ledger.close("build")
    callback = MeasuringCallback(spec, device, emit, stop, deadline, until_steady)
    return _fit(callback, job, started, ledger)


def _fit(callback: MeasuringCallback, job: Job, started: RunStarted, ledger: Ledger) -> RunEnded:
    spec, device = callback.spec, callback.device
    devices.reset_peak(device)
    sampler = devices.LoadSampler(helpers=spec.compile)
    sampler.start(device, threads=torch.get_num_threads() if device == "cpu" else 1)
    status = Status.FINISHED
    try:
        fit_a_while(callback, job, started.dataset.train_images)
    except Stopped:
        status = Status.STOPPED
        callback.break_off()
    finally:
        disturbances = sampler.stop()
    ledger.close("fit")
    timing = timing_of(spec, callback, ledger, started)
    return RunEnded(
        status=status,
        timing=timing.model_copy(update={"step_ms_spread": spread(callback.steady_ms())}),
        memory=Memory(
            peak_rss_mb=devices.peak_rss_mb(), peak_device_mb=devices.peak_device_mb(device)
        ),
        disturbances=disturbances,
    )


def fit_a_while(callback: MeasuringCallback, job: Job, train_images: int) -> None:
    """Train without validation until the callback has measured enough.

    Raises:
        Stopped: somebody asked for it first.
    """
    fit = _training_only(job, train_images)
    try:
        job.model.fit(**fit, epochs=EPOCHS, callbacks=job.callbacks(callback))
    except _Measured:
        callback.break_off()


def _training_only(job: Job, train_images: int) -> dict[str, Any]:
    """The arguments of a fit without validation."""
    fit = {name: value for name, value in job.fit.items() if not name.startswith("validation")}
    # The stock engine leaves it to `fit` to take the last pictures away.
    arrays = {name: fit[name] for name in ("x", "y") if isinstance(fit.get(name), np.ndarray)}
    return fit | {name: array[:train_images] for name, array in arrays.items()}


def _free(device: str) -> None:
    """Let go of what a measurement held; models refer to themselves in circles."""
    gc.collect()
    give_memory_back()
    if device.startswith("cuda"):
        torch.cuda.empty_cache()


# --- pictures -------------------------------------------------------------------------------


def noise(spec: ExperimentSpec) -> tuple[Pictures, DatasetFacts]:
    """Pictures of noise in the shape of the spec's data set, whole batches of them to train on.

    As many as the spec says, or, if it does not, enough for an epoch of many steps.

    Raises:
        LabError: the data set cannot be read, or a batch is larger than all its pictures.
    """
    info = datasets.info(spec.dataset)
    if info.image_shape is None:  # its shape is not known before it is read
        info = datasets.fetch(spec.dataset)
    assert info.image_shape
    assert info.classes
    assert info.train_images
    models.check(spec, info.image_shape, info.classes, info.train_images)
    here, _ = models.split(spec, info.train_images)
    enough = max(STEPS_PER_EPOCH * spec.batch_size, LEAST_PICTURES)
    batches = (here if spec.train_limit else min(here, enough)) // spec.batch_size
    if not batches:
        raise LabError(
            f"A batch of {spec.batch_size:,} is more than the {here:,} pictures to train on: "
            "use a smaller batch or more pictures."
        )
    train = batches * spec.batch_size
    # The inverse of the split: rounded up, so that these many remain to train on.
    count = math.ceil(train / (1.0 - spec.validation_split))
    train, validation = models.split(spec.model_copy(update={"train_limit": None}), count)
    pictures = _noise(info.image_shape, info.classes, count)
    facts = DatasetFacts(
        name=f"noise in the shape of {info.title}",
        train_images=train,
        validation_images=validation,
        classes=info.classes,
        image_shape=info.image_shape,
        synthetic=True,
    )
    return pictures, facts


@lru_cache(maxsize=2)
def _noise(shape: tuple[int, ...], classes: int, count: int) -> Pictures:
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (count, *shape), dtype=np.uint8)
    return Pictures(images, random.integers(0, classes, count).astype(np.int32), classes)


def check_room(spec: ExperimentSpec, pictures: Pictures, device: str) -> None:
    """Refuse what cannot fit before the system kills the process for it.

    Raises:
        LabError: the estimate is more than the computer's free memory.
    """
    if device != "cpu":
        return  # an accelerator's allocator says so itself, and only the cell is lost
    layers = models.layer_table(spec.model, pictures.images.shape[1:], pictures.classes)
    needed = models.memory_mb(spec, layers)
    free = psutil.virtual_memory().available / 1e6
    if needed > free:
        raise LabError(
            f"A step needs about {words.size(needed * 1e6)} of memory and {words.size(free * 1e6)} "
            "are free: use a smaller batch, fewer filters or units."
        )
