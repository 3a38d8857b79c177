"""The engine `fast`: a Keras model whose steps do the arithmetic and little else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import keras
import numpy as np
import torch

from cnnlab.engines.batches import Batches, WholeEpoch
from cnnlab.engines.chain import Chain, CrossEntropy, Marked
from cnnlab.engines.job import (
    LOSS,
    OPTIMIZER,
    Job,
    Judged,
    Listener,
    Mark,
    Parts,
    Pictures,
    Poll,
    Start,
    Watcher,
    begin,
    optimizer_of,
)
from cnnlab.engines.memory import keep_memory
from cnnlab.engines.update import update_of
from cnnlab.models import build_model, split
from cnnlab.spec import ExperimentSpec

# Larger batches validate faster and change no number: 256 pictures keep the article's largest
# activation under 100 MB and a batch well under a second on a laptop's CPU.
VALIDATION_BATCH = 256


class FastModel(keras.Model):
    """A functional model whose steps do the arithmetic of Keras's own and little else.

    Keras calls its `train_step` once for an epoch: what Keras does around a batch then costs once
    for them all. Between steps the callback is told what Keras would tell it.
    """

    def prepare(self, spec: ExperimentSpec, start: Start) -> None:
        """Compile for `spec` and take up what to begin with; called once."""
        self.compile(optimizer=optimizer_of(spec))
        self.optimizer.build(self.trainable_variables)
        begin(self, start)
        self._stepper = _Stepper(self, spec)
        self.watched_by(keras.callbacks.Callback())

    def watched_by(self, callback: keras.callbacks.Callback) -> None:
        """Name the callback that is told of every step."""
        self._step_begins = callback.on_train_batch_begin
        self._step_taken = callback.on_step_taken if isinstance(callback, Watcher) else _nothing

    def count_steps(self) -> None:
        """Bring Keras's count of steps up to date, which costs too much to do in each step."""
        self._stepper.update.tell_keras()

    def parts(self, batches: Batches) -> Parts:
        """Its step, taken apart."""
        return self._stepper.parts(batches)

    def train_step(self, data: Any) -> dict[str, Any]:
        """One step on a batch, or one on each batch of an epoch."""
        if isinstance(data, Batches):
            self._train_epoch(data)
        else:
            self._stepper.train(*data)
        return self._stepper.NAMES

    def _train_epoch(self, batches: Batches) -> None:
        train, begins, taken = self._stepper.train, self._step_begins, self._step_taken
        for number, (x, y) in enumerate(batches):
            begins(number)
            train(x, y)
            taken()
            if self.stop_training:
                break

    @property
    def listener(self) -> Listener:
        """Hears what it answers when it is tested."""
        return self._stepper.listener

    def judge(self, batches: Batches, poll: Poll) -> Judged:
        """Test it on pictures of any kind, outside of a `fit`."""
        stepper = self._stepper
        stepper.reset()
        stepper.listener.listen()
        for x, y in batches:
            poll()
            stepper.test(x, y)
        return Judged(**stepper.result(), probabilities=stepper.listener.heard())

    def test_step(self, data: Any) -> dict[str, Any]:
        self._stepper.test(*data)
        return self._stepper.NAMES

    def reset_metrics(self) -> None:
        self._stepper.reset()

    def get_metrics_result(self) -> dict[str, float]:
        return self._stepper.result()


def _nothing() -> None:
    """For a callback that asks for no more than Keras's own hooks."""


class _Stepper:
    """What a step needs, gathered once, and the epoch's sums, kept on the device.

    A plain object: Keras would wrap and track lists of tensors set on a model.
    """

    # Keras takes a step's logs for the model's metrics when the names agree, and asks for those
    # at the end of an epoch: so a step returns the names and nothing has to be read.
    NAMES: ClassVar[dict[str, Any]] = {"accuracy": None, "loss": None}

    def __init__(self, model: FastModel, spec: ExperimentSpec) -> None:
        self.chain = Chain(model, spec)
        self.loss = CrossEntropy()
        self.listener = Listener()
        self.update = update_of(model, spec, self.chain.parameters)
        self.batch_size = spec.batch_size
        step = self._there_and_back
        self.compiled = torch.compile(step, dynamic=False) if spec.compile else step
        device = self.chain.parameters[0].device
        exact = torch.float32 if device.type == "mps" else torch.float64
        self.total = torch.zeros((), dtype=exact, device=device)
        self.correct = torch.zeros((), dtype=torch.int64, device=device)
        self.images = 0

    def _count(self, loss: torch.Tensor, hits: torch.Tensor, images: int) -> None:
        self.total.add_(loss)
        self.correct.add_(hits)
        self.images += images

    @torch.no_grad()
    def train(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """One step: `x` a batch as `Batches` makes them, `y` its labels."""
        # A partial batch, an epoch's last, is not worth what it takes to compile for its size.
        whole = len(y) == self.batch_size
        there_and_back = self.compiled if whole else self._there_and_back
        loss, hits, gradients = there_and_back(x, y)
        self._count(loss, hits, len(y))
        self.update.move(gradients)

    def _there_and_back(
        self, x: torch.Tensor, y: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]:
        """The sum of the batch's losses, its hits, and the gradients."""
        self.chain.cast()
        output, kept = self.chain.forward(x, training=True)
        loss, hits, own = self.loss.forward(output, y)
        gradient = self.update.scaled(self.loss.backward(own))
        return loss, hits, self.chain.backward(kept, gradient)

    @torch.no_grad()
    def test(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Count a batch of the validation."""
        self.chain.cast()
        output, _ = self.chain.forward(x, training=False)
        loss, hits, own = self.loss.forward(output, y)
        self.listener.hear(own[0])
        self._count(loss, hits, len(y))

    def parts(self, batches: Batches) -> Parts:
        """The same by the same kernels, with autograd to lead from one to the next."""
        parameters = self.chain.parameters

        def clear() -> None:
            self.chain.cast()
            for parameter in parameters:
                parameter.grad = None

        def loss(output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            found, hits, _ = self.loss.forward(output, y)
            self._count(found.detach(), hits, len(y))
            return self.update.scaled(found / len(y))

        @torch.no_grad()
        def move() -> None:
            self.update.move([parameter.grad for parameter in parameters])  # type: ignore[misc]

        layers = tuple(zip(self.chain.layers, self.chain.differentiable(), strict=True))
        return Parts(lambda: batches, layers, loss, clear, move, self.marked)

    @torch.no_grad()
    def marked(self, x: torch.Tensor, y: torch.Tensor, mark: Mark, move: bool) -> None:
        """`train`, uncompiled, telling where each of its parts ends; `move` the weights or not."""
        chain = self.chain
        kernels = chain.kernels
        chain.kernels = [Marked(*pair, mark) for pair in enumerate(kernels)]
        try:
            chain.cast()
            output, kept = chain.forward(x, training=True)
            loss, hits, own = self.loss.forward(output, y)
            gradient = self.update.scaled(self.loss.backward(own))
            mark(LOSS)
            gradients = chain.backward(kept, gradient)
        finally:
            chain.kernels = kernels
        self._count(loss, hits, len(y))
        mark(LOSS)
        if move:
            self.update.move(gradients)
        mark(OPTIMIZER)

    def reset(self) -> None:
        self.total.zero_()
        self.correct.zero_()
        self.images = 0

    def result(self) -> dict[str, float]:
        total, correct = torch.stack((self.total, self.correct.to(self.total.dtype))).tolist()
        images = max(self.images, 1)
        return {"accuracy": correct / images, "loss": total / images}


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
    fit = {
        "x": WholeEpoch(training),
        "validation_data": validation,
        "shuffle": False,
        "verbose": 0,
    }

    def judge(pictures: Pictures, poll: Poll) -> Judged:
        return model.judge(Batches(pictures, size, device, shuffle=False, **layout), poll)

    def parts() -> Parts:
        return model.parts(training)

    return Job(model, fit, _told_by(model), parts, judge, model.listener)


def _told_by(model: FastModel) -> Callable[[keras.callbacks.Callback], _QuietCallbacks]:
    def callbacks(callback: keras.callbacks.Callback) -> _QuietCallbacks:
        model.watched_by(callback)
        return _QuietCallbacks([callback], add_history=True, model=model)

    return callbacks


class _QuietCallbacks(keras.callbacks.CallbackList):
    """Callbacks without those around batches: the model itself tells when a step begins, and for
    their ends Keras would hand each to a thread, which reads the device.
    """

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        """Told by the model."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Nothing listens."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Nothing listens."""
