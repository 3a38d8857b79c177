"""What both engines begin with and what they hand over: pictures, weights, seeds, threads."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import torch

from cnnlab.devices.cpu import default_threads
from cnnlab.engines.loops import compiled
from cnnlab.models import build_model
from cnnlab.spec import ExperimentSpec, LabError, RnnModel


@dataclass(frozen=True)
class Pictures:
    """What a run learns from, in order: pictures, or sequences in their place.

    `images` are uint8 (N, H, W, C), which the engines divide by 255, or float32 (N, steps,
    features, 1), which they take as they are; `labels` are integers (N,).
    """

    images: np.ndarray
    labels: np.ndarray
    classes: int


@dataclass(frozen=True)
class Start:
    """What a model begins with: weights, and the optimizer's state where a run is resumed."""

    weights: Sequence[np.ndarray]
    optimizer: Sequence[np.ndarray] | None = None


Part = tuple[str, int]
"""What a stretch of a step belongs to: forward or backward of the layer of that number, or data,
loss or optimizer."""
Mark = Callable[[Part], None]
OwnStep = Callable[[torch.Tensor, torch.Tensor, Mark, bool], None]
LOSS, OPTIMIZER = ("loss", 0), ("optimizer", 0)


@dataclass(frozen=True)
class Parts:
    """An engine's step taken apart: the same arithmetic by the same calls, for whoever times them.

    `clear`, each layer, `loss` and its `backward()`, `update`, in this order, are one step. Where
    an engine fuses or records a step as a whole, these are what it makes that whole of.
    """

    batches: Callable[[], Iterable[tuple[torch.Tensor, torch.Tensor]]]
    """An epoch's batches as the engine makes them, on the device."""
    layers: tuple[tuple[keras.Layer, Callable[[torch.Tensor], torch.Tensor]], ...]
    loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
    """Of the last layer's output and the labels; counts them into the metrics as well."""
    clear: Callable[[], None]
    """Forget the gradients of the step before."""
    update: Callable[[], None]
    """Move the weights by their gradients."""
    own: OwnStep | None = None
    """The engine's own way through all of these, where it does without autograd: it tells where a
    part ends, and moves the weights if it is to."""


class Watcher(keras.callbacks.Callback):
    """A callback that wants to know when the host has done with a step. (Keras has no hook there
    that leaves the device alone: for `on_train_batch_end` it reads the metrics after every batch.)
    """

    def on_step_taken(self) -> None:
        """The host has done with a step; what follows is the making of the next batch."""


def called(layer: keras.Layer, training: bool = True) -> Callable[[torch.Tensor], torch.Tensor]:
    """A layer as Keras calls it within a model: with its casts and its bookkeeping."""
    if "training" in inspect.signature(layer.call).parameters:
        return lambda x: layer(x, training=training)
    return layer


class Listener:
    """Hears what a network answers in a validation, where it lies: that costs the validation no
    more than a name for each batch.
    """

    def __init__(self) -> None:
        self._batches: list[torch.Tensor] | None = None

    def listen(self) -> None:
        """From now on, and without what was heard before."""
        self._batches = []

    def hear(self, probabilities: torch.Tensor) -> None:
        """A batch's, (batch, classes)."""
        if self._batches is not None:
            self._batches.append(probabilities)

    def heard(self) -> np.ndarray:
        """All batches since `listen`, float32 (N, classes); then it listens no more."""
        batches, self._batches = self._batches or [], None
        return torch.cat(batches).float().cpu().numpy()


@dataclass(frozen=True, eq=False)
class Judged:
    """How a network did on pictures that it did not learn from."""

    loss: float
    accuracy: float
    probabilities: np.ndarray
    """float32 (N, classes)."""


Poll = Callable[[], None]
"""Called between batches; may raise to end it."""


@dataclass(frozen=True)
class Job:
    """A compiled model and the arguments of its `fit`, all but epochs and callbacks."""

    model: keras.Model
    fit: dict[str, Any]
    callbacks: Callable[[keras.callbacks.Callback], Any]
    """Wraps the lab's callback the way this engine passes it to `fit`."""
    parts: Callable[[], Parts]
    judge: Callable[[Pictures, Poll], Judged]
    """Hold the model, as it stands, against other pictures."""
    listener: Listener | None = None
    """Hears the validation; None where the engine's way through it is not to be touched."""


def initial_weights(spec: ExperimentSpec, shape: tuple[int, ...], classes: int) -> list[np.ndarray]:
    """The weights that a run starts from: drawn on the CPU and in one thread, so that every device
    and engine gets the same. (Recurrent ones are made orthogonal, which threads round otherwise.)
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with keras.device("cpu"):
            keras.utils.set_random_seed(spec.seed)
            return build_model(spec, shape, classes).get_weights()
    finally:
        torch.set_num_threads(threads)


def fingerprint(weights: list[np.ndarray]) -> str:
    """SHA-256 over the bytes of `weights`, in order."""
    digest = hashlib.sha256()
    for array in weights:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def seed_epoch(spec: ExperimentSpec, epoch: int) -> None:
    """Seed batch order and dropout for an epoch (from 0).

    Called before the epoch's iterator is made. Keras draws the order from torch's global
    generator, which dropout advances on a CPU but not on a GPU: without this, two devices would
    see different batches from the second epoch on, and a resumed run different ones from the
    first. Seeds are below 2**32 and epochs below 2**16, so no two pairs meet.
    """
    torch.manual_seed((spec.seed << 16) + epoch)


def optimizer_of(spec: ExperimentSpec) -> keras.optimizers.Optimizer:
    """The optimizer of a run; for float16 it scales the loss, or small gradients would be nought.

    Keras does so by itself only where the whole model has that policy, and here layers have it.
    """
    optimizer = keras.optimizers.get(
        {"class_name": spec.optimizer, "config": {"learning_rate": spec.learning_rate}}
    )
    if spec.precision == "mixed_float16":
        return keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


def begin(model: keras.Model, start: Start) -> None:
    """Give a compiled model what it begins with.

    Raises:
        LabError: a checkpoint's arrays do not fit the model.
    """
    _put(model.weights, start.weights)
    if start.optimizer is not None:
        if not model.optimizer.built:  # a second time would give a loss scale its variables twice
            model.optimizer.build(model.trainable_variables)
        _put(model.optimizer.variables, start.optimizer)


def _put(variables: Sequence[Any], arrays: Sequence[np.ndarray]) -> None:
    shapes = [[tuple(item.shape) for item in side] for side in (variables, arrays)]
    if shapes[0] != shapes[1]:
        raise LabError(
            "The run's checkpoint does not fit the network that this CNN Lab builds for it; "
            "train it again."
        )
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(array)


# Below this many floating-point operations in a step its kernels are so short that threads spend
# about as long waiting for each other as they save, and many times as long where they must share
# their cores with anything else, such as the browser that watches.
SMALL_STEP_FLOPS = 150e6
# Where the steps of a sequence are calls that wait for one another, what each does by itself is
# three products, where a step of another network has a dozen and more: below this many operations
# threads cost.
SMALL_TURN_FLOPS = 5e6
DEFAULT_THREADS = default_threads()


def threads_for(spec: ExperimentSpec, training_flops_per_image: int, shape: tuple[int, ...]) -> int:
    """CPU threads of a step: as the spec says, else one for a small step of the fast engine.

    Every other step has as many as torch takes by itself, as on the published path, unless a quota
    leaves this process fewer cores.

    Args:
        shape: of a picture, or of a sequence, whose steps come first.
    """
    if spec.threads or spec.engine != "fast":
        return spec.threads or DEFAULT_THREADS
    step, model = training_flops_per_image * spec.batch_size, spec.model
    if step < SMALL_STEP_FLOPS:
        return 1
    return _threads_of_sequences(model, step, shape) if model.family == "rnn" else DEFAULT_THREADS


def _threads_of_sequences(model: RnnModel, step: float, shape: tuple[int, ...]) -> int:
    """Compiled loops share out the samples of a batch, and a core stays with whoever watches: where
    one of the threads has to share its core, the others wait for it, and all are slower than
    without it. oneDNN takes all steps of an LSTM in one call, torch each of another cell.
    """
    if compiled.library():
        return max(1, DEFAULT_THREADS - 1)
    turns = 1 if model.cell == "lstm" else min(model.sequence_length or shape[0], shape[0])
    return 1 if step / turns < SMALL_TURN_FLOPS else DEFAULT_THREADS
