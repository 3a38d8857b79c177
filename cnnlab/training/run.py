"""`train(spec, emit, stop)`: one run, from a spec to events."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import keras
import numpy as np
import torch

from cnnlab import datasets, devices, models
from cnnlab.checkpoints import Checkpoint, Facts
from cnnlab.engines import (
    ENGINES,
    Job,
    Judged,
    Pictures,
    Poll,
    Start,
    fingerprint,
    initial_weights,
    share_of_subnormals,
    threads_for,
)
from cnnlab.learned import Writer
from cnnlab.spec import (
    PRESETS,
    DatasetFacts,
    DeviceFacts,
    Exam,
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
    change,
)
from cnnlab.training.callback import Bookmark, Emit, LabCallback, Save, Stop, Stopped
from cnnlab.training.keeping import Keeper, Validation
from cnnlab.training.ledger import Ledger, timing_of
from cnnlab.training.turns import Turns

log = logging.getLogger(__name__)


def train(
    spec: ExperimentSpec,
    emit: Emit,
    stop: Stop,
    *,
    launched_at: float,
    save: Save | None = None,
    resume: Checkpoint | None = None,
    keep: Callable[[], Writer] | None = None,
    tested: bool = True,
    turns: Turns | None = None,
) -> RunEnded:
    """Train one model and tell `emit` all about it.

    Args:
        emit: takes each event, on this thread, in order; the last one is the `RunEnded` returned.
        stop: asked between batches, of training and of validation; true ends the run.
        launched_at: when the run was launched, for its start-up time: `time.monotonic()`, whose
            clock all processes of a machine share and nobody sets.
        save: keeps a checkpoint, after each epoch.
        resume: where to go on; from there the run is the same as one that never broke off.
        keep: makes what keeps what is learnt, once the model stands; null: nothing is kept.
        tested: hold the run, once it has finished, against the test set of its data.
        turns: when it may train, where others are timed beside it; null: whenever it likes.

    Raises:
        LabError: the spec, its data or its device cannot work, the checkpoint is of another run,
            or the training diverged.
    """
    ledger = Ledger(launched_at)
    device = devices.resolve(spec.device, spec.gpu_off)
    with on(device):
        try:
            data, facts = _load(spec, emit, stop)
        except Stopped:
            ended = RunEnded(status=Status.STOPPED, timing=Timing(total_seconds=ledger.total))
            emit(ended)
            return ended
        ledger.close("data")
        emit(PhaseChanged(phase="building"))
        if resume:
            _check_same(resume, spec, facts)
        classes = facts.classes
        job, weights = build(spec, Pictures(data.images, data.labels, classes), resume)
        started = first_word(spec, job, weights, facts)
        emit(started)
        if resume:
            emit(RunResumed(epochs=resume.facts.epochs))
        about = Facts(spec=spec, dataset=facts, epochs=())
        keeper = _keeper(keep(), job, data, facts, emit) if keep else None
        bookmark = Bookmark(about, started.steps_per_epoch, save, resume, keeper)
        if keeper:
            keeper.begin(spec.epochs, done=len(bookmark.epochs))
        ledger.close("build")
        callback = LabCallback(spec, device, emit, stop, bookmark, turns)
        test = data.test if tested else None
        ended = _fit(callback, job, started, ledger, test and Pictures(*test, classes))
        emit(ended)
        return ended


def _keeper(
    writer: Writer, job: Job, data: datasets.Dataset, facts: DatasetFacts, emit: Emit
) -> Keeper:
    first = facts.train_images
    pictures = Pictures(data.images[first:], data.labels[first:], facts.classes)
    indices = np.arange(len(data.labels)) if data.order is None else data.order
    return Keeper(writer, job, Validation(pictures, indices[first:]), data.class_names, emit)


@contextmanager
def on(device: str) -> Iterator[None]:
    """The scope of everything that computes on a device: it is Keras's and torch's current one.

    Keras puts what it makes on its device by name; but events, by which steps are timed, and
    pinned memory go to torch's current device, which is the first card unless it is told.
    """
    kind = device.partition(":")[0]
    current = getattr(torch, kind).device(device) if kind in ("cuda", "xpu") else nullcontext()
    with current, keras.device(device):
        yield


def _check_same(checkpoint: Checkpoint, spec: ExperimentSpec, facts: DatasetFacts) -> None:
    """Make sure that a checkpoint is of this run and its pictures."""
    if change(checkpoint.facts.spec, machine=spec.machine) != spec:
        raise LabError("The run's checkpoint belongs to another run; train this one again.")
    if _told_apart(checkpoint.facts.dataset) != _told_apart(facts):
        raise LabError(
            f"The data set {facts.name} holds other pictures than when the run began; "
            "put the old ones back, or train it again."
        )


def _told_apart(facts: DatasetFacts) -> DatasetFacts:
    """Without what a later version of the lab may say in other words of the same pictures."""
    return facts.model_copy(update={"understood": None, "warnings": ()})


def _load(spec: ExperimentSpec, emit: Emit, stop: Stop) -> tuple[datasets.Dataset, DatasetFacts]:
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
    data = datasets.for_spec(spec, progress)
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
        understood=data.understood,
        warnings=_warnings(spec, data),
    )
    return data, facts


def _warnings(spec: ExperimentSpec, data: datasets.Dataset) -> tuple[str, ...]:
    """What makes the validation part mean little; windows over time are no pictures to sort."""
    if spec.split == "stratified" or (data.kind == "series" and not data.synthetic):
        return ()
    return datasets.warnings_of(data.labels, data.class_names, spec.validation_split)


def build(
    spec: ExperimentSpec, pictures: Pictures, resume: Checkpoint | None = None
) -> tuple[Job, list[np.ndarray]]:
    """The model on the device of the scope, ready to fit, and the weights that the run began with,
    resumed or not. Sets the threads of a step, and whether a card may use TF32.

    Raises:
        LabError: it is to be compiled, and there is no compiler.
    """
    if spec.compile and devices.compiler() is None:
        raise LabError(f"torch.compile cannot be used: {devices.NO_COMPILER}. Leave it off.")
    devices.use_tf32(spec.tf32)
    shape = pictures.images.shape[1:]
    layers = models.layer_table(spec.model, shape, pictures.classes)
    torch.set_num_threads(threads_for(spec, models.training_flops_per_image(layers), shape))
    weights = initial_weights(spec, shape, pictures.classes)
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
        training_flops_per_image=models.training_flops_per_image(layers),
        weights_sha256=fingerprint(weights),
    )
    device = DeviceFacts(
        requested=spec.device, used=used, name=devices.device_name(used), gpu_off=spec.gpu_off
    )
    return RunStarted(
        model=model,
        dataset=facts,
        device=device,
        environment=devices.environment(used) | _handling(job, used),
        steps_per_epoch=math.ceil(facts.train_images / spec.batch_size),
    )


def _handling(job: Job, used: str) -> dict[str, Any]:
    """Whether all pictures lie on the accelerator, so that no batch is copied to it, whether its
    steps are replayed, those of a sequence compiled, and subnormal numbers taken as nought; null
    where there is none.
    """
    staged = None if used == "cpu" else getattr(job.fit["x"], "staged", False)
    recording = getattr(
        job.model, "recording", {"steps_recorded": None if used == "cpu" else False}
    )
    compiled = getattr(job.model, "sequences_compiled", None)
    flushed = getattr(job.model, "subnormals_flushed", False) if used == "cpu" else None
    return {
        "pictures_staged": staged,
        "sequences_compiled": compiled,
        "subnormals_flushed": flushed,
        **recording,
    }


def _fit(
    callback: LabCallback, job: Job, started: RunStarted, ledger: Ledger, test: Pictures | None
) -> RunEnded:
    spec, device = callback.spec, callback.device
    devices.reset_peak(device)
    meter, sampler = devices.EnergyMeter(), devices.LoadSampler(helpers=spec.compile)
    sampler.start(device, threads=torch.get_num_threads() if device == "cpu" else 1)
    if device == "cpu":  # a step on a card goes on while the host waits
        callback.tell_apart(sampler.waits.quick)
    meter.start(device)
    callback.watches = (meter, sampler)
    status = Status.FINISHED
    try:
        job.model.fit(
            **job.fit,
            epochs=spec.epochs,
            initial_epoch=len(callback.bookmark.epochs),
            callbacks=job.callbacks(callback),
        )
    except Stopped:
        status = Status.STOPPED
        callback.break_off()
    finally:
        energy = meter.stop()
        disturbances = sampler.stop(left_out=callback.tells_apart)
    ledger.close("fit")
    memory = Memory(
        peak_rss_mb=devices.peak_rss_mb(), peak_device_mb=devices.peak_device_mb(device)
    )
    judged = _end(callback, job, test, finished=status is Status.FINISHED)
    timing = timing_of(spec, callback, ledger, started)
    if started.environment["subnormals_flushed"] is False:
        share = share_of_subnormals(job.model.optimizer.variables)
        timing = timing.model_copy(update={"subnormal_share": share})
    if status is Status.FINISHED:  # whoever stops a run wants it to end
        timing = _held_against_peak(timing, spec, device)
    return RunEnded(
        status=status,
        timing=timing,
        memory=memory,
        energy=energy,
        disturbances=disturbances,
        test=judged and _said(judged),
    )


def _said(judged: Judged) -> Exam:
    images = len(judged.probabilities)
    return Exam(loss=judged.loss, accuracy=judged.accuracy, images=images)


def _end(callback: LabCallback, job: Job, test: Pictures | None, finished: bool) -> Judged | None:
    """After a fit: how a run that finished does on the test set; and have its end kept."""

    def poll() -> None:
        if callback.stop():
            raise Stopped

    judged = _judged(callback, job, test, poll) if finished and test else None
    if keeper := callback.bookmark.keeper:
        keeper.end(finished, test, judged, poll)
    return judged


def _judged(callback: LabCallback, job: Job, test: Pictures, poll: Poll) -> Judged | None:
    """None where somebody stops it, or the device has no room: a run that is done must not fail for
    that.
    """
    callback.emit(PhaseChanged(phase="testing"))
    try:
        return job.judge(test, poll)
    except Stopped:
        return None
    except RuntimeError:  # torch's want of memory is one, on every device
        log.exception("the run cannot be held against the test set")
        return None


def _held_against_peak(timing: Timing, spec: ExperimentSpec, device: str) -> Timing:
    """With what the device does at best; without where the device, which the model still fills, has
    no room to try, or the disk none to keep it: a run that is done must not fail for a figure that
    is only held against it.
    """
    if timing.gflops is None:
        return timing
    began = time.perf_counter()
    try:
        peak = devices.peak_beside(timing.gflops, device, spec.precision, spec.model.family)
    except (RuntimeError, OSError):  # torch's want of memory is a RuntimeError, on every device
        log.exception("what the device does at best cannot be measured, so it is not known")
        return timing
    spent = time.perf_counter() - began
    fields = {
        "other_seconds": (timing.other_seconds or 0.0) + spent,
        "total_seconds": (timing.total_seconds or 0.0) + spent,
        "peak_gflops": peak.gflops,
        "peak_operation": peak.operation,
        "matmul_peak_gflops": peak.matmul_gflops,
        "matmul_peak_arithmetic": peak.arithmetic,
    }
    return timing.model_copy(update=fields)


def first_steps(device: str = "cpu") -> None:
    """Train a few steps of nothing: what Keras, torch and the device's own libraries load late is
    then loaded.
    """
    spec = PRESETS["tiny"].spec
    pictures = Pictures(np.zeros((64, 32, 32, 3), np.uint8), np.zeros(64, np.int32), 2)
    with on(device):
        job, _ = build(spec, pictures)
        job.model.fit(**job.fit, epochs=1, callbacks=job.callbacks(keras.callbacks.Callback()))
