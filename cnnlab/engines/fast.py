"""The engine `fast`: a Keras model whose steps do the arithmetic and little else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import torch

from cnnlab.engines.batches import Batches
from cnnlab.engines.job import Job, Parts, Pictures, Start, begin, called, optimizer_of
from cnnlab.engines.kernels import fused
from cnnlab.engines.memory import keep_memory
from cnnlab.engines.update import FusedUpdate, update_of
from cnnlab.models import build_model, split
from cnnlab.spec import ExperimentSpec

# Larger batches validate faster and change no number: 256 pictures keep the article's largest
# activation under 100 MB and a batch well under a second on a laptop's CPU.
VALIDATION_BATCH = 256


class FastModel(keras.Model):
    """A functional model whose steps do the arithmetic of Keras's own and little else."""

    def prepare(self, spec: ExperimentSpec, start: Start) -> None:
        """Compile for `spec` and take up what to begin with; called once."""
        self.compile(optimizer=optimizer_of(spec))
        self.optimizer.build(self.trainable_variables)
        begin(self, start)
        self._stepper = _Stepper(self, spec)

    def count_steps(self) -> None:
        """Bring Keras's count of steps up to date, which costs too much to do in each step."""
        update = self._stepper.update
        if isinstance(update, FusedUpdate):
            self.optimizer.iterations.assign(update.taken)

    def parts(self, batches: Batches) -> Parts:
        """Its step, taken apart."""
        return self._stepper.parts(batches)

    def train_step(self, data: Any) -> dict[str, Any]:
        return self._stepper.train(*data)

    def test_step(self, data: Any) -> dict[str, Any]:
        return self._stepper.test(*data)

    def reset_metrics(self) -> None:
        self._stepper.reset()

    def get_metrics_result(self) -> dict[str, float]:
        return self._stepper.result()


class _Stepper:
    """What a step needs, gathered once, and the epoch's sums, kept on the device.

    A plain object: Keras would wrap and track lists of tensors set on a model.
    """

    # Keras takes a step's logs for the model's metrics when the names agree, and asks for those
    # at the end of an epoch: so a step returns the names and nothing has to be read.
    NAMES: ClassVar[dict[str, Any]] = {"accuracy": None, "loss": None}

    def __init__(self, model: FastModel, spec: ExperimentSpec) -> None:
        self.model, self.spec = model, spec
        self.training, self.inference = _forwards(model, spec)
        self.loss = torch.compile(self._loss) if spec.compile else self._loss
        self.update = update_of(model, spec)
        device = model.trainable_variables[0].value.device
        exact = torch.float32 if device.type == "mps" else torch.float64
        self.total = torch.zeros((), dtype=exact, device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)
        self.images = 0

    def _loss(self, forward: Callable[..., Any], x: Any, y: Any) -> tuple[Any, Any]:
        """Categorical cross-entropy of probabilities, clipped as Keras does it, and the hits."""
        output = forward(x)
        output = output / output.sum(-1, keepdim=True)
        low = keras.config.epsilon()
        logarithms = output.clamp(low, 1.0 - low).log()
        return torch.nn.functional.nll_loss(logarithms, y), (output.detach().argmax(-1) == y).sum()

    def _count(self, loss: torch.Tensor, hits: torch.Tensor, images: int) -> dict[str, Any]:
        self.total.add_(loss.detach(), alpha=images)
        self.correct.add_(hits)
        self.images += images
        return self.NAMES

    def train(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, Any]:
        loss, hits = self.loss(self.training, x, y)
        self.update(loss)
        return self._count(loss, hits, len(y))

    def parts(self, batches: Batches) -> Parts:
        def loss(output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            found, hits = self._loss(lambda x: x, output, y)
            self._count(found, hits, len(y))
            return self.update.scaled(found)

        calls = _calls(self.model, self.spec, training=True)
        layers = tuple(zip(self.model.layers[1:], calls, strict=True))
        return Parts(lambda: batches, layers, loss, self.update.clear, self.update.move)

    def test(self, x: torch.Tensor, y: torch.Tensor) -> dict[str, Any]:
        loss, hits = self.loss(self.inference, x, y)
        return self._count(loss, hits, len(y))

    def reset(self) -> None:
        self.total.zero_()
        self.correct.zero_()
        self.images = 0

    def result(self) -> dict[str, float]:
        total, correct = torch.stack((self.total, self.correct.to(self.total.dtype))).tolist()
        images = max(self.images, 1)
        return {"accuracy": correct / images, "loss": total / images}


def _forwards(model: FastModel, spec: ExperimentSpec) -> tuple[Callable, Callable]:
    """The forward pass for training and for inference.

    The lab's models are chains, so in float32 it is enough to call each layer's `call` in turn, or
    torch's own kernel for it, which torch.compile could not look into; a mixed precision needs
    `Layer.__call__`, which casts.
    """
    if spec.precision != "float32":
        return (lambda x: model(x, training=True)), (lambda x: model(x, training=False))

    def chain(training: bool) -> Callable[[Any], Any]:
        calls = _calls(model, spec, training)

        def forward(x: Any) -> Any:
            for call in calls:
                x = call(x)
            return x

        return forward

    return chain(True), chain(False)


def _calls(model: FastModel, spec: ExperimentSpec, training: bool) -> list[Callable[[Any], Any]]:
    """What each layer of the chain is done by."""
    layers = model.layers[1:]
    if spec.precision != "float32":
        return [called(layer, training) for layer in layers]
    own = [None if spec.compile else fused(layer) for layer in layers]
    return [call or _call(layer, training) for call, layer in zip(own, layers, strict=True)]


def _call(layer: keras.Layer, training: bool) -> Callable[[Any], Any]:
    modal = keras.layers.Dropout, keras.layers.BatchNormalization, keras.layers.RNN
    if isinstance(layer, modal):
        return lambda x: layer.call(x, training=training)
    return layer.call


def optimizer_state(model: keras.Model) -> list[np.ndarray]:
    """Copies of the optimizer's variables: all that its next step depends on, but the weights."""
    if isinstance(model, FastModel):
        model.count_steps()
    return [np.array(variable.numpy()) for variable in model.optimizer.variables]


def fast(spec: ExperimentSpec, data: Pictures, start: Start) -> Job:
    """The same recipe with as little else as possible; see the module's docstring."""
    keep_memory()
    channels_first = spec.model.family == "cnn"
    model = build_model(
        spec,
        data.images.shape[1:],
        data.classes,
        data_format="channels_first" if channels_first else "channels_last",
        model_class=FastModel,
    )
    model.prepare(spec, start)
    count, _ = split(spec, len(data.labels))
    first = Pictures(data.images[:count], data.labels[:count], data.classes)
    last = Pictures(data.images[count:], data.labels[count:], data.classes)
    device = model.trainable_variables[0].value.device
    layout = {"channels_first": channels_first}
    training = Batches(first, spec.batch_size, device, shuffle=True, **layout)
    size = max(spec.batch_size, VALIDATION_BATCH)
    validation = Batches(last, size, device, shuffle=False, **layout)
    fit = {"x": training, "validation_data": validation, "shuffle": False, "verbose": 0}
    return Job(
        model,
        fit,
        lambda callback: _QuietCallbacks([callback], add_history=True, model=model),
        lambda: model.parts(training),
    )


class _QuietCallbacks(keras.callbacks.CallbackList):
    """Callbacks without batch ends: Keras would hand each to a thread, which reads the device."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Nothing listens."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Nothing listens."""
