"""`train(spec, emit, stop)`: one run, from a spec to events; no database, queue or page."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import psutil
import torch

from cnnlab import datasets, devices, models
from cnnlab.checkpoints import Checkpoint, Facts
from cnnlab.engines import (
    ENGINES,
    Job,
    Pictures,
    Start,
    fingerprint,
    initial_weights,
    optimizer_state,
    seed_epoch,
    threads_for,
)
from cnnlab.spec import (
    PRESETS,
    DatasetFacts,
    DeviceFacts,
    Epoch,
    EpochEnded,
    Event,
    ExperimentSpec,
    LabError,
    Memory,
    ModelFacts,
    PhaseChanged,
    RunEnded,
    RunResumed,
    RunStarted,
    Status,
    Timing,
    Window,
    warmup_steps,
)

log = logging.getLogger(__name__)

Emit = Callable[[Event], None]
Stop = Callable[[], bool]
Save = Callable[[Checkpoint], None]

# Loss and accuracy are read from the device this often: live enough for a chart, and at most a
# few waits a second for the device.
WINDOW_SECONDS = 0.3


class Stopped(Exception):
    """Somebody asked the run to stop; raised out of `fit` between two batches."""


# --- the clock ------------------------------------------------------------------------------


class HostClock:
    """Times between marks on a device that runs with the host (the CPU)."""

    def __init__(self) -> None:
        self._marks: list[float] = []

    def mark(self) -> None:
        self._marks.append(time.perf_counter())

    def read(self) -> list[float]:
        """Milliseconds between the marks so far; the last mark begins the next reading."""
        times = [(b - a) * 1e3 for a, b in zip(self._marks, self._marks[1:], strict=False)]
        del self._marks[:-1]
        return times

    def restart(self) -> None:
        """Forget the marks, at the start of an epoch."""
        self._marks.clear()


class EventClock:
    """The same on a device that runs behind the host: events in its stream, read at window edges.

    Recording an event does not wait; `read` waits for the last one only.
    """

    def __init__(self, event: Callable[..., Any]) -> None:
        self._event = event
        self._marks: list[Any] = []

    def mark(self) -> None:
        event = self._event(enable_timing=True)
        event.record()
        self._marks.append(event)

    def read(self) -> list[float]:
        """Milliseconds between the marks so far; the last mark begins the next reading."""
        if self._marks:
            self._marks[-1].synchronize()
        pairs = zip(self._marks, self._marks[1:], strict=False)
        times = [first.elapsed_time(second) for first, second in pairs]
        del self._marks[:-1]
        return times

    def restart(self) -> None:
        """Forget the marks, at the start of an epoch."""
        self._marks.clear()


Clock = HostClock | EventClock


def clock_for(device: str) -> Clock:
    """The clock that fits a device: "cpu", "cuda:0", "mps" …"""
    match device.split(":")[0]:
        case "cuda":
            return EventClock(torch.cuda.Event)
        case "mps":
            return EventClock(torch.mps.Event)
        case "xpu":
            return EventClock(torch.xpu.Event)
    return HostClock()


# --- the callback ---------------------------------------------------------------------------


class LabCallback(keras.callbacks.Callback):
    """Turns a `fit` into events: windows of steps, epochs, and a stop that acts at once.

    It has no `on_train_batch_end`, which would make Keras read the device after every batch: a
    step ends where the next begins, and an epoch's last where its validation begins.
    """

    window_seconds = WINDOW_SECONDS

    def __init__(
        self,
        spec: ExperimentSpec,
        device: str,
        emit: Emit,
        stop: Stop,
        bookmark: Bookmark | None = None,
    ) -> None:
        super().__init__()
        self.spec, self.device, self.emit, self.stop = spec, device, emit, stop
        self.bookmark = bookmark or Bookmark()
        self.clock = clock_for(device)
        self.began = self.edge = self.epoch_began = self.test_began = time.perf_counter()
        self.epoch = 0
        self.step_ms: list[float] = []
        self.train_seconds = self.validation_seconds = 0.0
        self.wait_ms: list[float] = []
        self.epoch_step = 0

    def on_train_begin(self, logs: Any = None) -> None:
        # Keras has no hook between a step and the fetching of the next batch that leaves the
        # device alone, but it calls whatever `train_function` is.
        step = self.model.train_function

        def timed_step(data: Any) -> Any:
            logs = step(data)
            self.step_left = time.perf_counter()
            return logs

        self.model.train_function = timed_step
        self.began = time.perf_counter() - self.bookmark.seconds_before

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        seed_epoch(self.spec, epoch)
        self.epoch = epoch + 1
        self.epoch_step = len(self.step_ms)
        self.emit(PhaseChanged(phase="training"))
        self.clock.restart()
        self.epoch_began = self.edge = self.step_left = time.perf_counter()

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        now = time.perf_counter()
        self.wait_ms.append((now - self.step_left) * 1e3)
        self._poll()
        self.clock.mark()
        # The first window closes after one step, so that a chart has something to show.
        if batch and (batch == 1 or now - self.edge >= self.window_seconds):
            self.close_window()

    def on_test_begin(self, logs: Any = None) -> None:
        self.clock.mark()
        self.close_window()
        now = time.perf_counter()
        self.train_seconds += now - self.epoch_began
        self.test_began = now
        self.emit(PhaseChanged(phase="validating"))

    def on_test_batch_begin(self, batch: int, logs: Any = None) -> None:
        self._poll()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        now = time.perf_counter()
        self.validation_seconds += now - self.test_began
        logs = logs or {}
        steps = len(self.step_ms) - self.epoch_step
        row = Epoch(
            epoch=self.epoch,
            loss=logs["loss"],
            accuracy=logs["accuracy"],
            val_loss=logs["val_loss"],
            val_accuracy=logs["val_accuracy"],
            seconds=now - self.epoch_began,
            step_ms_mean=(self.test_began - self.epoch_began) * 1e3 / steps,
        )
        if math.isfinite(row.loss):
            # First, so that an epoch which anybody has heard of can be gone on from.
            self.bookmark.keep(self.model, row)
        self.emit(EpochEnded(row=row))
        if not math.isfinite(row.loss):
            raise LabError(_diverged(self.spec, f"epoch {self.epoch}"))

    def break_off(self) -> None:
        """Count the part of an epoch that was done when a stop ended it."""
        now = time.perf_counter()
        if self.test_began > self.epoch_began:
            self.validation_seconds += now - self.test_began
        else:
            self.train_seconds += now - self.epoch_began

    def _poll(self) -> None:
        if self.stop():
            raise Stopped

    def close_window(self) -> None:
        """Read the steps since the last window, and tell of them."""
        result = self.model.get_metrics_result()
        times = self.clock.read()
        first = self.bookmark.steps_before + len(self.step_ms) + 1
        self.step_ms += times
        self.edge = time.perf_counter()
        window = Window(
            epoch=self.epoch,
            first_step=first,
            step_ms=tuple(times),
            seconds=self.edge - self.began,
            loss=float(result["loss"]),
            accuracy=float(result["accuracy"]),
            rss_mb=devices.rss_mb(),
            device_mb=devices.device_mb(self.device),
        )
        self.emit(window)
        if math.isnan(window.loss):
            raise LabError(_diverged(self.spec, f"step {first + len(times) - 1:,}"))


def _diverged(spec: ExperimentSpec, place: str) -> str:
    return (
        f"The training diverged: the loss was no longer a number at {place}. "
        f"Lower the learning rate, which is {spec.learning_rate:g}, and start again."
    )


class Bookmark:
    """Takes a checkpoint after each epoch; knows what was done before this part of the run."""

    def __init__(
        self,
        facts: Facts | None = None,
        steps_per_epoch: int = 0,
        save: Save | None = None,
        resume: Checkpoint | None = None,
    ) -> None:
        self.facts, self.save = facts, save
        self.epochs = resume.facts.epochs if resume else ()
        self.steps_before = len(self.epochs) * steps_per_epoch
        self.seconds_before = sum(row.seconds for row in self.epochs)
        self.seconds = 0.0
        """What the checkpoints cost; the ledger counts it as "other"."""

    def keep(self, model: keras.Model, row: Epoch) -> None:
        """Save the run as it stands after an epoch.

        A disk that takes no checkpoint is no reason to lose the training: it goes on without.
        """
        self.epochs = (*self.epochs, row)
        if self.save is None or self.facts is None:
            return
        began = time.perf_counter()
        facts = self.facts.model_copy(update={"epochs": self.epochs})
        try:
            self.save(Checkpoint(facts, model.get_weights(), optimizer_state(model)))
        except OSError:
            log.exception("no checkpoint can be kept, so this run cannot be resumed later")
            self.save = None
        self.seconds += time.perf_counter() - began


# --- the run --------------------------------------------------------------------------------


class Ledger:
    """Where a run's wall time went, phase by phase."""

    def __init__(self, launched_at: float) -> None:
        self.startup = max(time.monotonic() - launched_at, 0.0)
        self._last = time.perf_counter()
        self._began = self._last
        self.seconds: dict[str, float] = {}

    def close(self, phase: str) -> None:
        """The time since the last call went into `phase`."""
        now = time.perf_counter()
        self.seconds[phase] = now - self._last
        self._last = now

    @property
    def total(self) -> float:
        return self.startup + time.perf_counter() - self._began


def process_started_at() -> float:
    """When this process began, on the clock of `time.monotonic`: what a run in it waited for."""
    return time.monotonic() - (time.time() - psutil.Process().create_time())


def train(
    spec: ExperimentSpec,
    emit: Emit,
    stop: Stop,
    *,
    launched_at: float,
    save: Save | None = None,
    resume: Checkpoint | None = None,
) -> RunEnded:
    """Train one model and tell `emit` all about it.

    Args:
        emit: takes each event, on this thread, in order; the last one is the `RunEnded` returned.
        stop: asked between batches, of training and of validation; true ends the run.
        launched_at: when the run was launched, for its start-up time: `time.monotonic()`, whose
            clock all processes of a machine share and nobody sets.
        save: keeps a checkpoint, after each epoch.
        resume: where to go on; from there the run is the same as one that never broke off.

    Raises:
        LabError: the spec, its data or its device cannot work, the checkpoint is of another run,
            or the training diverged.
    """
    ledger = Ledger(launched_at)
    device = devices.resolve(spec.device, spec.gpu_off)
    with keras.device(device):
        try:
            pictures, facts = _load(spec, emit, stop)
        except Stopped:
            ended = RunEnded(status=Status.STOPPED, timing=Timing(total_seconds=ledger.total))
            emit(ended)
            return ended
        ledger.close("data")
        emit(PhaseChanged(phase="building"))
        if resume:
            _check_same(resume, spec, facts)
        job, weights = build(spec, pictures, resume)
        started = first_word(spec, job, weights, facts)
        emit(started)
        if resume:
            emit(RunResumed(epochs=resume.facts.epochs))
        about = Facts(spec=spec, dataset=facts, epochs=())
        bookmark = Bookmark(about, started.steps_per_epoch, save, resume)
        ledger.close("build")
        flops_per_image = started.model.flops_per_image
        return _fit(spec, device, job, flops_per_image, bookmark, ledger, emit, stop)


def _check_same(checkpoint: Checkpoint, spec: ExperimentSpec, facts: DatasetFacts) -> None:
    """Make sure that a checkpoint is of this run and its pictures."""
    if checkpoint.facts.spec != spec:
        raise LabError("The run's checkpoint belongs to another run; train this one again.")
    if checkpoint.facts.dataset != facts:
        raise LabError(
            f"The data set {facts.name} holds other pictures than when the run began; "
            "put the old ones back, or train it again."
        )


def _load(spec: ExperimentSpec, emit: Emit, stop: Stop) -> tuple[Pictures, DatasetFacts]:
    said = 0.0

    def progress(done: float | None, _: str) -> None:
        nonlocal said
        if stop():
            raise Stopped
        # Ten times a second is plenty for a bar, and a download calls far more often.
        if time.perf_counter() - said > 0.1:
            said = time.perf_counter()
            emit(PhaseChanged(phase="loading", done=done))

    emit(PhaseChanged(phase="loading"))
    data = datasets.load(spec.dataset, spec.train_limit, progress, spec.validation_split)
    if stop():
        raise Stopped
    classes = len(data.class_names)
    models.check(spec, data.images.shape[1:], classes, len(data.labels))
    train_images, validation_images = models.split(spec, len(data.labels))
    facts = DatasetFacts(
        name=data.name,
        train_images=train_images,
        validation_images=validation_images,
        classes=classes,
        image_shape=data.images.shape[1:],
        synthetic=data.synthetic,
        kind=data.kind,
    )
    return Pictures(data.images, data.labels, classes), facts


def build(
    spec: ExperimentSpec, pictures: Pictures, resume: Checkpoint | None = None
) -> tuple[Job, list[np.ndarray]]:
    """The model on the device of the scope, ready to fit, and the weights that the run began with,
    resumed or not. Sets the threads of a step, and whether a card may use TF32.
    """
    devices.use_tf32(spec.tf32)
    layers = models.layer_table(spec.model, pictures.images.shape[1:], pictures.classes)
    torch.set_num_threads(threads_for(spec, models.flops_per_image(layers)))
    weights = initial_weights(spec, pictures.images.shape[1:], pictures.classes)
    start = Start(resume.weights, resume.optimizer) if resume else Start(weights)
    return ENGINES[spec.engine](spec, pictures, start), weights


def first_word(
    spec: ExperimentSpec, job: Job, weights: list[np.ndarray], facts: DatasetFacts
) -> RunStarted:
    """What can be said of a run once its model stands."""
    layers = models.layer_table(spec.model, facts.image_shape, facts.classes)
    used = str(job.model.trainable_variables[0].value.device)
    model = ModelFacts(
        parameters=job.model.count_params(),
        flops_per_image=models.flops_per_image(layers),
        weights_sha256=fingerprint(weights),
    )
    device = DeviceFacts(
        requested=spec.device, used=used, name=devices.device_name(used), gpu_off=spec.gpu_off
    )
    return RunStarted(
        model=model,
        dataset=facts,
        device=device,
        environment=devices.environment(used),
        steps_per_epoch=math.ceil(facts.train_images / spec.batch_size),
    )


def _fit(
    spec: ExperimentSpec,
    device: str,
    job: Job,
    flops_per_image: int,
    bookmark: Bookmark,
    ledger: Ledger,
    emit: Emit,
    stop: Stop,
) -> RunEnded:
    callback = LabCallback(spec, device, emit, stop, bookmark)
    devices.reset_peak(device)
    meter, sampler = devices.EnergyMeter(), devices.LoadSampler()
    sampler.start(device)
    meter.start(device)
    status = Status.FINISHED
    try:
        job.model.fit(
            **job.fit,
            epochs=spec.epochs,
            initial_epoch=len(bookmark.epochs),
            callbacks=job.callbacks(callback),
        )
    except Stopped:
        status = Status.STOPPED
        callback.break_off()
    finally:
        energy, disturbances = meter.stop(), sampler.stop()
    ledger.close("fit")
    memory = Memory(
        peak_rss_mb=devices.peak_rss_mb(), peak_device_mb=devices.peak_device_mb(device)
    )
    # Whoever stops a run wants it to end; one that finished can spare a third of a second.
    peak = devices.matmul_peak(device, spec.precision) if status is Status.FINISHED else None
    ended = RunEnded(
        status=status,
        timing=timing_of(spec, callback, ledger, flops_per_image, peak),
        memory=memory,
        energy=energy,
        disturbances=disturbances,
    )
    emit(ended)
    return ended


def timing_of(
    spec: ExperimentSpec,
    callback: LabCallback,
    ledger: Ledger,
    flops_per_image: int,
    peak_gflops: float | None,
) -> Timing:
    """The ledger of a run: its parts add up to `total_seconds`."""
    step_ms = np.asarray(callback.step_ms)
    warm = warmup_steps(len(step_ms))
    warmup_seconds = float(step_ms[:warm].sum()) / 1e3
    parts = {
        "startup_seconds": ledger.startup,
        "data_seconds": ledger.seconds["data"],
        "build_seconds": ledger.seconds["build"],
        "warmup_seconds": warmup_seconds,
        "train_seconds": max(callback.train_seconds - warmup_seconds, 0.0),
        "validation_seconds": callback.validation_seconds,
    }
    total = ledger.total
    return Timing(
        **parts,
        fit_seconds=ledger.seconds["fit"] - callback.bookmark.seconds,
        other_seconds=total - sum(parts.values()),
        total_seconds=total,
        matmul_peak_gflops=peak_gflops,
        **_step_statistics(step_ms[warm:], callback.wait_ms[warm:], spec, flops_per_image),
    )


def _step_statistics(
    steady_ms: np.ndarray, wait_ms: list[float], spec: ExperimentSpec, flops_per_image: int
) -> dict[str, float]:
    """What the steps after warm-up took, and what they achieved."""
    if not len(steady_ms):
        return {}
    mean, median = float(steady_ms.mean()), float(np.median(steady_ms))
    return {
        "step_ms_mean": mean,
        "step_ms_median": median,
        "step_ms_p95": float(np.percentile(steady_ms, 95)),
        "images_per_second": spec.batch_size * 1e3 / mean,
        "data_wait_ms_mean": float(np.mean(wait_ms)),
        # Backward takes about twice what forward takes (models.flops_per_image).
        "gflops": 3 * flops_per_image * spec.batch_size / median / 1e6,
    }


def first_steps() -> None:
    """Train a few steps of nothing, on the CPU: what Keras and torch load late is then loaded."""
    spec = PRESETS["tiny"].spec
    pictures = Pictures(np.zeros((64, 32, 32, 3), np.uint8), np.zeros(64, np.int32), 2)
    with keras.device("cpu"):
        job, _ = build(spec, pictures)
        job.model.fit(**job.fit, epochs=1, callbacks=job.callbacks(keras.callbacks.Callback()))


# Libraries below torch report a want of memory as any other error.
_ACCELERATOR_IS_FULL = ("CUDA out of memory", "CUDA error: out of memory", "STATUS_ALLOC_FAILED")
_MEMORY_IS_FULL = ("DefaultCPUAllocator: can't allocate", "DefaultCPUAllocator: not enough memory")


def _says(error: BaseException, texts: tuple[str, ...]) -> bool:
    return isinstance(error, RuntimeError) and any(text in str(error) for text in texts)


def explain(error: BaseException) -> str:
    """One plain sentence for an error that ended a run; the traceback belongs into the log."""
    if isinstance(error, LabError):
        return str(error)
    if isinstance(error, torch.OutOfMemoryError) or _says(error, _ACCELERATOR_IS_FULL):
        return (
            "The accelerator ran out of memory: use a smaller batch or fewer filters, "
            "or train on the CPU."
        )
    if isinstance(error, MemoryError) or _says(error, _MEMORY_IS_FULL):
        return "The computer ran out of memory: use a smaller batch, fewer pictures or filters."
    first = (str(error).splitlines() or [""])[0]
    return f"The training failed with {type(error).__name__}: {first:.200}"
