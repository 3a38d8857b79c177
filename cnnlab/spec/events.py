"""What a run says while it runs: events, and the facts and figures they carry."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

from pydantic import Field, TypeAdapter

from cnnlab.spec.base import Frozen, Number
from cnnlab.spec.experiment import GpuOff
from cnnlab.spec.profile import Profile, Trial
from cnnlab.spec.understood import Understood

if TYPE_CHECKING:
    import numpy as np


class Status(StrEnum):
    """Where a run stands."""

    QUEUED = "queued"
    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def over(self) -> bool:
        """Nothing more will happen to this run."""
        return self not in (Status.QUEUED, Status.RUNNING)


IntOrArray = TypeVar("IntOrArray", int, "np.ndarray")

Kind = Literal["pictures", "series"]
"""What a data set holds: pictures of 8 bits, or sequences of real numbers, scaled already."""


class ModelFacts(Frozen):
    """What was built."""

    parameters: int
    flops_per_image: int
    """Floating-point operations of one forward pass over one picture."""
    training_flops_per_image: int | None = None
    """Of one training step, forward and backward, for each of its pictures. Null in older cards,
    whose `gflops` count three forward passes: more than was done, for the first layer that learns
    hands no gradient on."""
    weights_sha256: str | None = None
    """Hash of the initial weights: equal hashes mean the same start."""


class DatasetFacts(Frozen):
    """What it was trained on."""

    name: str
    train_images: int
    validation_images: int
    classes: int
    image_shape: tuple[int, ...]
    """Height, width, channels of a picture; steps, features, 1 of a sequence."""
    synthetic: bool = False
    kind: Kind = "pictures"
    understood: Understood | None = None
    """Null in older cards, and where nothing was read."""
    warnings: tuple[str, ...] = ()
    """What makes its validation figures mean little, a sentence each, with the cure."""

    def full_step(self, batch_size: int) -> int:
        """How many pictures a step trains on: a batch, or all there are where they are fewer."""
        return min(batch_size, self.train_images)

    def images_in_step(self, step: IntOrArray, batch_size: int) -> IntOrArray:
        """How many pictures the given step of a run trains on, counted from 1 over all epochs.

        The last of an epoch holds what is left, which may be far less than a batch.
        """
        steps = -(-self.train_images // batch_size)
        missing = steps * batch_size - self.train_images
        return batch_size - (step % steps == 0) * missing


class DeviceFacts(Frozen):
    """What was asked for and what was used; `used` is read from the model's parameters."""

    requested: str
    used: str
    name: str
    gpu_off: GpuOff = "none"


class Machine(Frozen):
    """The node of a cluster on which a run was trained."""

    name: str
    node: str
    """Ray's id of it, another one after each start of the node."""


class Timing(Frozen):
    """Seconds by phase and milliseconds by step; null where it could not be measured."""

    fit_seconds: Number | None = None
    train_seconds: Number | None = None
    validation_seconds: Number | None = None
    startup_seconds: Number | None = None
    data_seconds: Number | None = None
    build_seconds: Number | None = None
    warmup_seconds: Number | None = None
    held_seconds: Number | None = None
    """Of a run that took turns with other lanes of its race: theirs, and the handing over. Null
    where it had its machine to itself, and in older cards, whose `other_seconds` have them."""
    other_seconds: Number | None = None
    total_seconds: Number | None = None
    """Wall time from the launch to the end: the sum of all phases, the turns of others included."""
    step_ms_mean: Number | None = None
    step_ms_median: Number | None = None
    step_ms_p95: Number | None = None
    step_ms_spread: Number | None = None
    """Of a measured cell: how far the medians of its stretches lie apart, as a share of the median.
    Null for other runs."""
    images_per_second: Number | None = None
    data_wait_ms_mean: Number | None = None
    subnormal_share: Number | None = None
    """Of the numbers that the optimizer keeps, those that were subnormal in the end, with which
    many processors are slow. Null where they are taken as nought, on accelerators, in older cards.
    """
    """Part of a step in which the host waits for, or makes, the next batch."""
    gflops: Number | None = None
    """10^9 floating-point operations per second in the median step, see `ModelFacts`."""
    peak_gflops: Number | None = None
    """The most that this device was ever seen to do in the run's arithmetic, on as many threads:
    never less than `gflops`. Null in older cards, which have the matrix product alone."""
    peak_operation: str | None = None
    """What did it: `matrix product`, `convolution`, or a `training step`."""
    matmul_peak_gflops: Number | None = None
    """What one large matrix product reaches here, on the same device and in the same precision;
    convolutions, and so a step, may well do more."""
    matmul_peak_arithmetic: str | None = None
    """The arithmetic of both peaks: `float32`, `TF32`, `bfloat16` or `float16`. Null where they
    are, and in older cards, whose peak in float32 is without TF32 whatever the network was."""
    resumed_after: tuple[int, ...] = ()
    """Epochs after which the run broke off and was resumed. If any, `fit_seconds` are those of the
    epochs that were kept and of the last part, other seconds are not known (null), and the figures
    of its steps are those of its last part."""

    def in_parts(self, resumed_after: tuple[int, ...]) -> Timing:
        """This timing of a part as that of a run which was resumed, if it was."""
        if not resumed_after:
            return self
        seconds = {name for name in Timing.model_fields if name.endswith("_seconds")}
        whole = seconds - {"fit_seconds"}
        return self.model_copy(update={**dict.fromkeys(whole), "resumed_after": resumed_after})


class Memory(Frozen):
    """Peaks in MB (10^6 bytes) of the worker process and of the accelerator's allocator."""

    peak_rss_mb: Number | None = None
    peak_device_mb: Number | None = None


class Energy(Frozen):
    """Energy of the fit, or null and why not."""

    joules: Number | None = None
    source: str = "not measured"
    scope: Literal["package", "card"] | None = None
    """What they are of: a CPU's package, with all that ran on it, or a card without its host. Null
    where nothing was measured, and in older cards."""
    host_joules: Number | None = None
    """Of a run on a card, what the package of its host used meanwhile: only both together stand
    beside a CPU's. Null where that cannot be measured."""


class Disturbances(Frozen):
    """What went on beside a run, as far as it can be read; null where it cannot.

    "Others" are all other processes, the lab's own pages and a run's own child processes included.
    """

    seconds: float
    """Time observed, without the time in which the machine slept."""
    cores: int
    other_load_mean: float | None
    """Cores that other processes kept busy, on average."""
    other_load_peak: float | None
    """The same in their busiest second."""
    other_load_share: float | None
    """Share of the time, 0 to 1, for which threads of the run waited for cores that others had. In
    older cards: in which others kept more than a quarter of a core busy, whichever it was."""
    stolen_mean: float | None
    """Cores that the hypervisor gave to other guests; null on bare metal and outside Linux."""
    throttled: bool | None
    """The run's device, or the CPU that fed it, slowed its clock down against heat."""
    paused_seconds: float
    own_cost_seconds: float
    """CPU time of the sampler itself: what watching cost the run."""
    marks: tuple[str, ...]
    """Each disturbance worth knowing, as a sentence."""
    quota_share: Number | None = None
    """Share of the time for which a used-up quota (control group) kept the run's threads waiting.
    This and the following are null where the system does not tell, and in older cards."""
    stolen_share: Number | None = None
    """The same for what the hypervisor gave to other guests."""
    throttled_share: Number | None = None
    """Share of the time in which the run's device, or the CPU that fed it, ran at a lower clock."""
    card_shared_share: Number | None = None
    """Share of the time in which other processes used the run's card."""
    notes: tuple[str, ...] = ()
    """What went on likewise, and is not in the figures that are compared (`quiet_seconds`)."""


class Epoch(Frozen):
    """One finished epoch. `loss` and `accuracy` are means over the epoch's batches."""

    epoch: int
    """Counts from 1."""
    loss: Number
    accuracy: Number
    val_loss: Number
    val_accuracy: Number
    seconds: Number
    """Wall time of the epoch, validation included."""
    quiet_seconds: Number | None = None
    """What it takes when nothing else wants its cores: the same, with the steps during which a
    thread of it waited for one counted as the others. Null where the system does not tell, on
    accelerators, in older cards, and where too few steps were without."""
    step_ms_mean: Number
    """Training seconds of the epoch over its steps, as Keras's progress bar counts."""

    @property
    def timed_seconds(self) -> float:
        """What is compared: without what others took of its cores, where that is known."""
        return self.seconds if self.quiet_seconds is None else self.quiet_seconds


def warmup_steps(steps: int) -> int:
    """How many of a run's first steps are warm-up, left out of medians and shown on their own.

    In the first steps memory pools fill, kernels are loaded, and what is to be compiled is; five
    are enough for all three. Of a run of fewer than ten steps it is half.
    """
    return min(5, steps // 2)


class RunStarted(Frozen):
    """The model stands on its device and training is about to begin."""

    kind: Literal["started"] = "started"
    model: ModelFacts
    dataset: DatasetFacts
    device: DeviceFacts
    environment: dict[str, Any]
    steps_per_epoch: int
    machine: Machine | None = None
    """Null on the lab's own computer."""


class PhaseChanged(Frozen):
    """What the worker is doing, for the page; it waits while another lab has its machine, and holds
    while another lane of its race does."""

    kind: Literal["phase"] = "phase"
    phase: Literal["waiting", "loading", "building", "holding", "training", "validating", "testing"]
    done: float | None = None
    """Share of the phase that is done, 0 to 1, where it is known."""


class RunResumed(Frozen):
    """A run that had broken off goes on from a checkpoint; said after `RunStarted`."""

    kind: Literal["resumed"] = "resumed"
    epochs: tuple[Epoch, ...]
    """All that is done: what was recorded beyond, such as half an epoch, is to be forgotten."""


class Window(Frozen):
    """The steps since the last window, read together so that the device is not disturbed."""

    kind: Literal["window"] = "window"
    epoch: int
    first_step: int
    """Counts from 1 over the whole run."""
    step_ms: tuple[Number, ...]
    """Duration of each step of the window, in order."""
    seconds: Number
    """Wall time since the fit began, at the end of the window."""
    loss: Number
    """Running mean over the epoch so far, as Keras reports it."""
    accuracy: Number
    rss_mb: Number | None = None
    device_mb: Number | None = None


class EpochEnded(Frozen):
    """An epoch with its validation is over."""

    kind: Literal["epoch"] = "epoch"
    row: Epoch


class GalleryChosen(Frozen):
    """The few validation pictures whose answers are told after each epoch; said once."""

    kind: Literal["gallery"] = "gallery"
    indices: tuple[int, ...]
    """Where they lie in the prepared data set."""
    labels: tuple[int, ...]
    class_names: tuple[str, ...]


class Answered(Frozen):
    """What the network answered to those pictures after an epoch, in their order."""

    kind: Literal["answers"] = "answers"
    epoch: int
    classes: tuple[tuple[int, ...], ...]
    """The three likeliest of each picture, the likeliest first."""
    shares: tuple[tuple[Number, ...], ...]
    """Their probabilities."""


class Exam(Frozen):
    """How a finished run did on the test set, on which nothing was learnt or chosen."""

    loss: Number
    accuracy: Number
    images: int


class RunEnded(Frozen):
    """The run's last word."""

    kind: Literal["ended"] = "ended"
    status: Status
    error: str | None = None
    timing: Timing = Timing()
    memory: Memory = Memory()
    energy: Energy = Energy()
    disturbances: Disturbances | None = None
    """Null where nobody watched."""
    test: Exam | None = None
    """Null where the data have no test set, or the run did not finish."""


class Profiled(Frozen):
    """The step of a run that is over was taken apart."""

    kind: Literal["profiled"] = "profiled"
    profile: Profile


class Tried(Frozen):
    """A change was measured against the run as it is."""

    kind: Literal["tried"] = "tried"
    trial: Trial


Event = Annotated[
    RunStarted
    | RunResumed
    | PhaseChanged
    | Window
    | EpochEnded
    | GalleryChosen
    | Answered
    | RunEnded
    | Profiled
    | Tried,
    Field(discriminator="kind"),
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)
