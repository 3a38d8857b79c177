"""The experiment: everything that decides a run, and how a bad one is refused."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError

from cnnlab.spec.base import Frozen, Problem, SpecError, quoted

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
    sequence_length: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """The last so many steps of each sequence; null for all."""
    dense: Annotated[tuple[Units, ...], Field(max_length=16)] = ()
    activation: Activation = "relu"
    initializer: Initializer = "glorot_uniform"
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


ModelSpec = Annotated[CnnModel | DenseModel | RnnModel, Field(discriminator="family")]

# --- the experiment -------------------------------------------------------------------------

Engine = Literal["stock", "fast"]
Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
Tf32 = Literal["default", "on", "off"]
Optimizer = Literal["adam", "adamw", "sgd", "rmsprop"]
Split = Literal["last", "stratified"]
GpuOff = Literal["none", "device", "environment", "override"]
HERE = "here"
"""The machine that the lab itself runs on."""
MachineName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|(cuda|mps|xpu)(:\d{1,2})?)$")]


class ExperimentSpec(Frozen):
    """Everything that decides a run: the only description of it.

    The form, the command line, the history and the report all read these fields.
    """

    dataset: Annotated[str, Field(min_length=1, max_length=4096)] = "shapes"
    train_limit: Annotated[int, Field(ge=2, le=100_000_000)] | None = None
    validation_split: Annotated[float, Field(gt=0, lt=1)] = 0.15
    split: Split = "last"
    """Which examples validate, and which a limit takes: the last ones and the first, as Keras has
    it, or of each class its share."""
    model: ModelSpec
    epochs: Annotated[int, Field(ge=1, le=10_000)] = 20
    batch_size: Annotated[int, Field(ge=1, le=65_536)] = 32
    optimizer: Optimizer = "adam"
    learning_rate: Annotated[float, Field(gt=0, le=10, allow_inf_nan=False)] = 0.001
    precision: Precision = "float32"
    tf32: Tf32 = "default"
    engine: Engine = "fast"
    compile: bool = False
    device: Device = "auto"
    machine: MachineName = HERE
    """Whose device: the lab's own computer, or a node of its cluster."""
    gpu_off: GpuOff = "none"
    threads: Annotated[int, Field(ge=1, le=1024)] | None = None
    seed: Annotated[int, Field(ge=0, le=2**32 - 1)] = 0


def training_part(count: int, validation_split: float) -> int:
    """How many of `count` pictures or sequences train: Keras's own rule for `validation_split`.

    The first ones train, the others validate.
    """
    return math.floor(count * (1.0 - validation_split))


def _describe(error: Mapping[str, Any]) -> Problem:
    """Turn one of pydantic's errors into the field, its value and what is allowed."""
    place = [str(part) for part in error["loc"]]
    if len(place) > 1 and place[0] == "model" and place[1] in ("cnn", "dense", "rnn"):
        del place[1]  # the discriminator's branch is no field
    field = ".".join(place) or "the spec"
    value = quoted(error["input"])
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
        case "string_pattern_mismatch" if field == "machine":
            allowed = "it must be here, or a machine that `python -m cnnlab machines list` names"
        case "string_pattern_mismatch" if field.split(".")[0] in ("device", "devices"):
            allowed = "it must be auto, cpu, cuda, cuda:N, mps or xpu"
        case _:
            # Behind the comma stands how pydantic tried to read it.
            allowed = "it " + error["msg"].removeprefix("Input ").partition(", unable to")[0]
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
