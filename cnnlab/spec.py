"""The vocabulary of the lab: what a run is asked to do, what it says while it runs, what is kept.

Nothing here imports Keras, torch or Streamlit, so every process of the lab can speak it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    TypeAdapter,
    ValidationError,
)

RUN_SCHEMA: Literal["cnnlab.run/1"] = "cnnlab.run/1"


def home() -> Path:
    """The folder of the lab's state: history, data sets, checkpoints."""
    return Path(os.environ.get("CNNLAB_HOME", "~/.cnnlab")).expanduser()


class LabError(Exception):
    """Something a person can mend, said in one plain sentence that names the thing and the cure."""


class SpecError(LabError, ValueError):
    """A spec that cannot work; `problems` names every bad field."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(str(problem) for problem in problems))


class Frozen(BaseModel):
    """Base of every record: immutable, and no field goes unnoticed."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Problem(Frozen):
    """One bad field: where it is, what it holds, what is allowed there."""

    field: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.field} is {self.value}, but {self.allowed}"


# --- the model ------------------------------------------------------------------------------

Activation = Literal["relu", "elu", "gelu", "leaky_relu", "selu", "sigmoid", "silu", "tanh"]
Initializer = Literal[
    "he_normal", "he_uniform", "glorot_normal", "glorot_uniform", "lecun_normal", "lecun_uniform"
]
Units = Annotated[int, Field(ge=1, le=16_384)]


def _no_pool(value: Any) -> Any:
    """`null`, `false` and 1 all mean what 0 means: no pooling."""
    return 0 if value is None or value is False or (value == 1 and value is not True) else value


class Conv(Frozen):
    """One Conv2D layer with a square kernel."""

    filters: Annotated[int, Field(ge=1, le=4096)]
    kernel: Annotated[int, Field(ge=1, le=31)] = 3


class Block(Frozen):
    """Conv2D layers in a row, then max pooling over `pool` x `pool` pixels (0: none)."""

    convs: Annotated[tuple[Conv, ...], Field(min_length=1, max_length=16)]
    pool: Annotated[int, Field(ge=0, le=16), BeforeValidator(_no_pool)] = 0


class CnnModel(Frozen):
    """Convolution blocks, a head that makes a vector, Dense layers, softmax."""

    family: Literal["cnn"] = "cnn"
    blocks: Annotated[tuple[Block, ...], Field(min_length=1, max_length=16)]
    padding: Literal["valid", "same"] = "valid"
    activation: Activation = "relu"
    initializer: Initializer = "he_normal"
    batch_norm: bool = False
    head: Literal["global_average", "flatten"] = "global_average"
    dense: Annotated[tuple[Units, ...], Field(max_length=16)] = (200,)
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.5


class DenseModel(Frozen):
    """A multilayer perceptron: the picture as one vector, Dense layers, softmax."""

    family: Literal["dense"] = "dense"
    dense: Annotated[tuple[Units, ...], Field(max_length=16)] = (300, 100)
    activation: Activation = "relu"
    initializer: Initializer = "he_normal"
    batch_norm: bool = False
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class RnnModel(Frozen):
    """Recurrent layers over a sequence (a picture is read row by row), Dense layers, softmax."""

    family: Literal["rnn"] = "rnn"
    cell: Literal["simple", "lstm", "gru"] = "lstm"
    recurrent: Annotated[tuple[Units, ...], Field(min_length=1, max_length=8)] = (64,)
    dense: Annotated[tuple[Units, ...], Field(max_length=16)] = ()
    activation: Activation = "relu"
    initializer: Initializer = "glorot_uniform"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


ModelSpec = Annotated[CnnModel | DenseModel | RnnModel, Field(discriminator="family")]

# --- the experiment -------------------------------------------------------------------------

Engine = Literal["stock", "fast"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
Optimizer = Literal["adam", "adamw", "sgd", "rmsprop"]
GpuOff = Literal["none", "device", "environment", "override"]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|(cuda|mps|xpu)(:\d{1,2})?)$")]


class ExperimentSpec(Frozen):
    """Everything that decides a run: the only description of it.

    The form, the command line, the history and the report all read these fields.
    """

    dataset: Annotated[str, Field(min_length=1, max_length=4096)] = "shapes"
    train_limit: Annotated[int, Field(ge=2, le=100_000_000)] | None = None
    validation_split: Annotated[float, Field(gt=0, lt=1)] = 0.15
    model: ModelSpec
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 32
    optimizer: Optimizer = "adam"
    learning_rate: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 0.001
    precision: Precision = "float32"
    engine: Engine = "fast"
    compile: bool = False
    device: Device = "auto"
    gpu_off: GpuOff = "none"
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0


def _describe(error: Mapping[str, Any]) -> Problem:
    """Turn one of pydantic's errors into the field, its value and what is allowed."""
    place = [str(part) for part in error["loc"]]
    if len(place) > 1 and place[0] == "model" and place[1] in ("cnn", "dense", "rnn"):
        del place[1]  # the discriminator's branch is no field
    field = ".".join(place) or "the spec"
    value = json.dumps(error["input"], default=str, ensure_ascii=False)
    if len(value) > 60:
        value = value[:57] + "..."
    context = error.get("ctx", {})
    match error["type"]:
        case "extra_forbidden":
            allowed = "no such field exists; remove it"
        case "missing":
            value, allowed = "missing", "it is required"
        case "union_tag_invalid" | "union_tag_not_found":
            allowed = "its family must be one of 'cnn', 'dense', 'rnn'"
        case "too_short" | "too_long":
            bound = context.get("min_length", context.get("max_length"))
            most = "least" if error["type"] == "too_short" else "most"
            allowed = f"it should have at {most} {bound} items"
        case "model_type" | "model_attributes_type" | "tuple_type":
            allowed = "it should be a JSON " + ("list" if "tuple" in error["type"] else "object")
        case "string_pattern_mismatch" if field == "device":
            allowed = "it must be auto, cpu, cuda, cuda:N, mps or xpu"
        case _:
            allowed = "it " + error["msg"].removeprefix("Input ")
    return Problem(field=field, value=value, allowed=allowed)


def problems_of(error: ValidationError) -> list[Problem]:
    """Every bad field that pydantic found, as `Problem`s."""
    items = error.errors(include_url=False)
    # A list with a bad item is reported twice: as the item, and as a list that is then too short.
    inner = {item["loc"][:depth] for item in items for depth in range(1, len(item["loc"]))}
    return [_describe(item) for item in items if item["loc"] not in inner]


def parse_spec(data: Any) -> ExperimentSpec:
    """Read a spec from plain data.

    Raises:
        SpecError: names every bad field, its value and what is allowed.
    """
    try:
        return ExperimentSpec.model_validate(data)
    except ValidationError as error:
        raise SpecError(problems_of(error)) from error


def change(spec: ExperimentSpec, **fields: Any) -> ExperimentSpec:
    """A copy of `spec` with some fields replaced, validated anew.

    Raises:
        SpecError: as `parse_spec`.
    """
    return parse_spec(spec.model_dump(mode="json") | fields)


def _blocks(*rows: tuple[tuple[tuple[int, int], ...], int]) -> tuple[Block, ...]:
    return tuple(
        Block(convs=tuple(Conv(filters=f, kernel=k) for f, k in convs), pool=pool)
        for convs, pool in rows
    )


class Preset(Frozen):
    """A spec worth starting from, and one line on what it shows."""

    title: str
    shows: str
    spec: ExperimentSpec


PRESETS: dict[str, Preset] = {
    "tiny": Preset(
        title="Tiny",
        shows="A small CNN that learns in seconds on any laptop.",
        spec=ExperimentSpec(
            train_limit=8000,
            epochs=8,
            learning_rate=0.003,
            model=CnnModel(
                blocks=_blocks((((16, 5),), 2), (((32, 3),), 2)), dense=(64,), dropout=0.0
            ),
        ),
    ),
    "article": Preset(
        title="Article",
        shows="The published experiment: CIFAR-100, 15 times as fast on its GPU.",
        spec=ExperimentSpec(
            dataset="cifar100",
            model=CnnModel(blocks=_blocks((((128, 7),), 2), (((256, 3), (256, 3)), 0))),
        ),
    ),
    "deeper": Preset(
        title="Deeper",
        shows="The article's network with one more Conv2D and pooling.",
        spec=ExperimentSpec(
            dataset="cifar100",
            epochs=50,
            model=CnnModel(
                blocks=_blocks((((128, 7),), 2), (((256, 3), (256, 3)), 2), (((256, 3),), 0))
            ),
        ),
    ),
    "dense": Preset(
        title="Dense",
        shows="A 300-100-10 perceptron on MNIST, where a CPU may well win.",
        spec=ExperimentSpec(dataset="mnist", epochs=5, model=DenseModel()),
    ),
}


# --- what a run says while it runs ----------------------------------------------------------


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


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value


def _written(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


# NaN and infinity are results too (a diverged loss): JSON has no number for them, so they are
# written as the strings "nan", "inf" and "-inf" and read back as floats.
Number = Annotated[
    float, BeforeValidator(_number), PlainSerializer(_written, when_used="json-unless-none")
]


class ModelFacts(Frozen):
    """What was built."""

    parameters: int
    flops_per_image: int
    """Floating-point operations of one forward pass over one picture."""
    weights_sha256: str | None = None
    """Hash of the initial weights: equal hashes mean the same start."""


class DatasetFacts(Frozen):
    """What it was trained on."""

    name: str
    train_images: int
    validation_images: int
    classes: int
    image_shape: tuple[int, ...]
    synthetic: bool = False


class DeviceFacts(Frozen):
    """What was asked for and what was used; `used` is read from the model's parameters."""

    requested: str
    used: str
    name: str
    gpu_off: GpuOff = "none"


class Timing(Frozen):
    """Seconds by phase and milliseconds by step; null where it could not be measured."""

    fit_seconds: Number | None = None
    train_seconds: Number | None = None
    validation_seconds: Number | None = None
    startup_seconds: Number | None = None
    data_seconds: Number | None = None
    build_seconds: Number | None = None
    warmup_seconds: Number | None = None
    other_seconds: Number | None = None
    total_seconds: Number | None = None
    step_ms_mean: Number | None = None
    step_ms_median: Number | None = None
    step_ms_p95: Number | None = None
    images_per_second: Number | None = None


class Memory(Frozen):
    """Peaks in MB (10^6 bytes) of the worker process and of the accelerator's allocator."""

    peak_rss_mb: Number | None = None
    peak_device_mb: Number | None = None


class Energy(Frozen):
    """Energy of the fit, or null and why not."""

    joules: Number | None = None
    source: str = "not measured"


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
    step_ms_mean: Number
    """Training seconds of the epoch over its steps, as Keras's progress bar counts."""


def warmup_steps(steps: int) -> int:
    """How many of a run's first steps are warm-up, left out of medians and shown on their own.

    Memory pools, kernel choice (cuDNN's search) and compilation happen in the first steps; five
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


class PhaseChanged(Frozen):
    """What the worker is doing, for the page: one of loading, building, training, validating."""

    kind: Literal["phase"] = "phase"
    phase: Literal["loading", "building", "training", "validating"]
    done: float | None = None
    """Share of the phase that is done, 0 to 1, where it is known."""


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


class RunEnded(Frozen):
    """The run's last word."""

    kind: Literal["ended"] = "ended"
    status: Status
    error: str | None = None
    timing: Timing = Timing()
    memory: Memory = Memory()
    energy: Energy = Energy()


Event = Annotated[
    RunStarted | PhaseChanged | Window | EpochEnded | RunEnded, Field(discriminator="kind")
]
EVENT: TypeAdapter[Event] = TypeAdapter(Event)


# --- what is kept ---------------------------------------------------------------------------


class Steps(Frozen):
    """The steps of a run in columns of equal length.

    `loss` and `accuracy` are running means of the epoch, known at window ends, null between.
    """

    step: tuple[int, ...] = ()
    epoch: tuple[int, ...] = ()
    seconds: tuple[Number | None, ...] = ()
    ms: tuple[Number, ...] = ()
    loss: tuple[Number | None, ...] = ()
    accuracy: tuple[Number | None, ...] = ()


class RunCard(Frozen):
    """One run, whole: what `train --json` prints and `runs export` writes."""

    schema_: Annotated[Literal["cnnlab.run/1"], Field(alias="schema")] = RUN_SCHEMA
    run_id: str
    name: str
    session: str
    status: Status
    error: str | None = None
    note: str = ""
    created_at: str
    """ISO 8601, UTC."""
    spec: ExperimentSpec
    model: ModelFacts | None = None
    dataset: DatasetFacts | None = None
    device: DeviceFacts | None = None
    environment: dict[str, Any] = {}
    timing: Timing = Timing()
    memory: Memory = Memory()
    energy: Energy = Energy()
    epochs: tuple[Epoch, ...] = ()
    steps: Steps = Steps()

    model_config = ConfigDict(populate_by_name=True)
