"""What a spec describes, layer by layer, without Keras: a page asks it as a field changes.

A test holds it against what `build.build_model` builds.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from cnnlab.spec import (
    CnnModel,
    DenseModel,
    ExperimentSpec,
    ModelSpec,
    Problem,
    RnnModel,
    SpecError,
    training_part,
)

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One layer as it will be built.

    `output_shape` is without the batch, channels last; `flops` are floating-point operations of
    one forward pass over one picture, two for each multiply-add of a kernel (biases, activations
    and pooling are left out, as is usual: they are under 1 % here); `backward_flops` are those of
    its gradients: of its weights, and of its input where a layer before it learns.
    """

    kind: str
    detail: str
    output_shape: Shape
    parameters: int = 0
    flops: int = 0
    backward_flops: int = 0
    held: int = 0
    """Values that training keeps for one picture beside the output, until the backward pass."""

    @property
    def size(self) -> int:
        """Values that the layer puts out for one picture."""
        return math.prod(self.output_shape)


@dataclass
class _Walk:
    """Layers so far, and what is wrong on the way."""

    shape: Shape
    layers: list[Layer] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def add(
        self,
        kind: str,
        detail: str,
        shape: Shape,
        parameters: int = 0,
        flops: int = 0,
        backward_flops: int = 0,
        held: int = 0,
    ) -> None:
        self.layers.append(Layer(kind, detail, shape, parameters, flops, backward_flops, held))
        self.shape = shape

    def backward(self, flops: int) -> int:
        """Operations of a kernel's gradients: each product of the forward pass has one for the
        weights and one for the input, which the first layer that learns need not hand on.
        """
        return 2 * flops if any(layer.parameters for layer in self.layers) else flops

    def refuse(self, where: str, value: int, allowed: str) -> None:
        self.problems.append(Problem(field=where, value=str(value), allowed=allowed))

    def dense(self, units: int, activation: str, batch_norm: bool = False) -> None:
        inputs = self.shape[-1]
        flops = 2 * inputs * units
        weights = (inputs + 1) * units
        detail = f"{units} {activation}"
        self.add("Dense", detail, (units,), weights, flops, self.backward(flops))
        if batch_norm:
            self.add("BatchNormalization", "", self.shape, 4 * units)

    def hidden(self, units: tuple[int, ...], activation: str, dropout: float) -> None:
        for count in units:
            self.dense(count, activation)
        if dropout:
            self.add("Dropout", f"{dropout:g}", self.shape)


def _walk_cnn(model: CnnModel, walk: _Walk) -> None:
    for number, block in enumerate(model.blocks):
        where = f"model.blocks.{number}"
        for index, conv in enumerate(block.convs):
            _walk_conv(model, walk, conv.filters, conv.kernel, f"{where}.convs.{index}.kernel")
        if block.pool:
            _walk_pool(walk, block.pool, f"{where}.pool")
    if model.head == "global_average":
        walk.add("GlobalAveragePooling2D", "", (walk.shape[-1],))
    walk.add("Flatten", "", (math.prod(walk.shape),))
    walk.hidden(model.dense, model.activation, model.dropout)


def _walk_conv(model: CnnModel, walk: _Walk, filters: int, kernel: int, where: str) -> None:
    height, width, channels = walk.shape
    if model.padding == "valid":
        if kernel > min(height, width):
            allowed = (
                f"what it reads is only {height} x {width} there; "
                f"use at most {min(height, width)}, pool less before it, or choose padding 'same'"
            )
            walk.refuse(where, kernel, allowed)
            return
        height, width = height - kernel + 1, width - kernel + 1
    weights = kernel * kernel * channels * filters
    detail = f"{filters} {kernel}x{kernel} {model.activation}"
    shape = (height, width, filters)
    flops = 2 * weights * height * width
    walk.add("Conv2D", detail, shape, weights + filters, flops, walk.backward(flops))
    if model.batch_norm:
        walk.add("BatchNormalization", "", walk.shape, 4 * filters)


def _walk_pool(walk: _Walk, pool: int, where: str) -> None:
    height, width, channels = walk.shape
    if pool > min(height, width):
        allowed = (
            f"what it reads is only {height} x {width} there; "
            f"use at most {min(height, width)}, or 0 for no pooling"
        )
        walk.refuse(where, pool, allowed)
        return
    walk.add("MaxPooling2D", f"{pool}x{pool}", (height // pool, width // pool, channels))


def _walk_dense(model: DenseModel, walk: _Walk) -> None:
    walk.add("Flatten", "", (math.prod(walk.shape),))
    for units in model.dense:
        walk.dense(units, model.activation, model.batch_norm)
    if model.dropout:
        walk.add("Dropout", f"{model.dropout:g}", walk.shape)


# Weight matrices of a cell, and bias vectors of each: Keras's GRU keeps two (reset_after=True).
_GATES = {"simple": (1, 1), "gru": (3, 2), "lstm": (4, 1)}
CELL_NAMES = {"simple": "SimpleRNN", "gru": "GRU", "lstm": "LSTM"}


def _walk_rnn(model: RnnModel, walk: _Walk) -> None:
    steps, *rest = walk.shape
    features = math.prod(rest)
    walk.add("Reshape", "", (steps, features))
    if model.sequence_length and model.sequence_length > steps:
        allowed = f"the data have {steps} steps; use at most {steps}, or leave it empty for all"
        walk.refuse("model.sequence_length", model.sequence_length, allowed)
    elif model.sequence_length and model.sequence_length < steps:
        walk.add("Cropping1D", f"last {model.sequence_length}", (model.sequence_length, features))
        steps = model.sequence_length
    gates, biases = _GATES[model.cell]
    for index, units in enumerate(model.recurrent):
        inputs = walk.shape[-1]
        last = index == len(model.recurrent) - 1
        shape = (units,) if last else (steps, units)
        read, recur = 2 * gates * units * inputs, 2 * gates * units * units  # for one step
        walk.add(
            CELL_NAMES[model.cell],
            f"{units}",
            shape,
            parameters=gates * units * (inputs + units + biases),
            flops=(read + recur) * steps,
            # The state before the first step is nought and learns nothing.
            backward_flops=walk.backward(read * steps) + recur * (2 * steps - 1),
            held=steps * units * (gates + 1),  # every gate and the state, at every step
        )
    walk.hidden(model.dense, model.activation, model.dropout)


_WALKS: dict[str, Callable[[Any, _Walk], None]] = {
    "cnn": _walk_cnn,
    "dense": _walk_dense,
    "rnn": _walk_rnn,
}


def _walked(model: ModelSpec, image_shape: Shape, classes: int) -> _Walk:
    walk = _Walk(image_shape, [Layer("Input", "", image_shape)])
    _WALKS[model.family](model, walk)
    walk.dense(classes, "softmax")
    return walk


def layer_table(model: ModelSpec, image_shape: Shape, classes: int) -> list[Layer]:
    """The layers of `model` for pictures of `image_shape` (height, width, channels), or for
    sequences (steps, features, 1).

    Raises:
        SpecError: a layer cannot work on that picture size; names every such field.
    """
    walk = _walked(model, image_shape, classes)
    if walk.problems:
        raise SpecError(walk.problems)
    return walk.layers


def parameters(layers: list[Layer]) -> int:
    """Weights and biases, moving statistics included, as Keras's `count_params` counts them."""
    return sum(layer.parameters for layer in layers)


def flops_per_image(layers: list[Layer]) -> int:
    """Floating-point operations of one forward pass."""
    return sum(layer.flops for layer in layers)


def training_flops_per_image(layers: list[Layer]) -> int:
    """Those of one training step for each of its pictures, forward and backward: three forward
    passes' worth less the gradient of the picture itself, which nobody needs.
    """
    return sum(layer.flops + layer.backward_flops for layer in layers)


def split(spec: ExperimentSpec, images: int) -> tuple[int, int]:
    """How many of `images` pictures or sequences train, the first ones, and how many validate."""
    used = min(images, spec.train_limit or images)
    train = training_part(used, spec.validation_split)
    return train, used - train


def check(spec: ExperimentSpec, image_shape: Shape, classes: int, images: int) -> list[Layer]:
    """Hold a spec against the data it is to run on; the layers, if all is well.

    Raises:
        SpecError: names every field that cannot work, its value and what is allowed.
    """
    walk = _walked(spec.model, image_shape, classes)
    train, validation = split(spec, images)
    if not train or not validation:
        empty = "training" if not train else "validation"
        allowed = f"of {train + validation} in all that leaves none for {empty}"
        problem = Problem(
            field="validation_split", value=f"{spec.validation_split:g}", allowed=allowed
        )
        walk.problems.append(problem)
    if walk.problems:
        raise SpecError(walk.problems)
    return walk.layers
