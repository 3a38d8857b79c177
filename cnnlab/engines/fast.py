"""The engine `fast`: a Keras model whose steps do the arithmetic and little else."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

import keras
import numpy as np
import torch

from cnnlab.engines.batches import Batches, WholeEpoch
from cnnlab.engines.chain import Chain, Marked
from cnnlab.engines.graph import Replayed, Step, recorder_for
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
from cnnlab.engines.subnormals import flush_subnormals
from cnnlab.engines.tally import Answers, CrossEntropy, Tally
from cnnlab.engines.update import update_of
from cnnlab.models import build_model, split
from cnnlab.spec import ExperimentSpec

# Larger batches validate faster and change no number: 256 pictures keep the article's largest
# activation under 100 MB and a batch well under a second on a laptop's CPU.
VALIDATION_BATCH = 256

log = logging.getLogger(__name__)


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

    def record(self, batches: Batches) -> None:
        """Record a step on a card, so that it can be replayed; where it cannot, note why."""
        self._stepper.record(batches)

    @property
    def recording(self) -> dict[str, Any]:
        """Whether its steps are replayed (null where none ever is), and if not, why not."""
        stepper = self._stepper
        replays = stepper.replayed is not None if stepper.recorder else None
        return {"steps_recorded": replays, "steps_not_recorded_because": stepper.eager_because}

    subnormals_flushed = False
    """Whether subnormal numbers are taken as nought."""

    @property
    def sequences_compiled(self) -> bool | None:
        """Whether compiled loops take the steps of its sequences; null where none takes them one by
        one on a CPU.
        """
        return self._stepper.chain.sequences_compiled

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
        begins, taken = self._step_begins, self._step_taken
        train, made = self._stepper.way_through(batches)
        for number, batch in enumerate(made):
            begins(number)
            train(batch)
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
        stepper.tally.reset()
        stepper.listener.listen()
        for x, y in batches:
            poll()
            stepper.test(x, y)
        return Judged(**stepper.tally.result(), probabilities=stepper.listener.heard())

    def test_step(self, data: Any) -> dict[str, Any]:
        self._stepper.test(*data)
        return self._stepper.NAMES

    def reset_metrics(self) -> None:
        self._stepper.tally.reset()

    def get_metrics_result(self) -> dict[str, float]:
        return self._stepper.tally.result()


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
        device = self.chain.parameters[0].device
        self.recorder = recorder_for(device)
        recorded = spec.compile or self.recorder is not None
        self.update = update_of(model, spec, self.chain.parameters, recorded=recorded)
        self.batch_size = spec.batch_size
        self.compiled = torch.compile(self._step, dynamic=False) if spec.compile else self._step
        self.tally = Tally(device)
        # What is compiled or recorded whole leaves nothing for later.
        self._count = self.tally.count if recorded else self.tally.put_aside
        self.variables = [*model.weights, *model.optimizer.variables]
        self.eager_because: str | None = None
        self.replayed: Replayed | None = None

    @torch.no_grad()
    def train(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """One step: `x` a batch as `Batches` makes them, `y` its labels."""
        # A partial batch, an epoch's last, is not worth what it takes to compile for its size.
        step = self.compiled if len(y) == self.batch_size else self._step
        step(x, y)
        self.tally.images += len(y)

    def _step(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """All that a step does on the device."""
        answers, gradients = self._there_and_back(x, y)
        self._count(answers)
        self.update.move(gradients)

    def record(self, batches: Batches) -> None:
        """Record a step on a whole batch, where the device can; the weights stay as they are."""
        if self.recorder is None:
            return
        if not batches.staged:
            self.eager_because = "the pictures do not fit on the card"
        elif len(batches.labels) < self.batch_size:
            self.eager_because = "no batch is whole"
        else:
            index = torch.arange(self.batch_size, device=batches.device)
            self._record(lambda chosen: self.compiled(*batches.gather(chosen)), index)

    @torch.no_grad()
    def _record(self, step: Step, index: torch.Tensor) -> None:
        assert self.recorder is not None
        try:
            self.replayed = Replayed(step, index, self._works_on(), self.recorder)
        except RuntimeError as error:  # all that a recording fails by is one, want of memory too
            log.exception("the step cannot be recorded, so each of its calls is made anew")
            self.eager_because = str(error).partition("\n")[0]

    def way_through(self, batches: Batches) -> tuple[Callable[[Any], None], Iterable[Any]]:
        """How a step of an epoch is taken, and what each takes: a batch, or where steps are
        replayed the indices of one.
        """
        if self.replayed is None:
            return lambda batch: self.train(*batch), batches
        return lambda index: self._replay(index, batches), batches.indices()

    @torch.no_grad()
    def _replay(self, index: torch.Tensor, batches: Batches) -> None:
        """A step as it was recorded; a partial batch's call by call."""
        if self.replayed is None or len(index) != self.batch_size:
            self.train(*batches.gather(index))
            return
        self.replayed(index)
        self.tally.images += len(index)

    def _works_on(self) -> list[torch.Tensor]:
        """All that a step changes and the next one reads."""
        variables = [variable.value.detach() for variable in self.variables]
        return [*variables, *self.update.counts, self.tally.total, self.tally.correct]

    def _there_and_back(
        self, x: torch.Tensor, y: torch.Tensor
    ) -> tuple[Answers, list[torch.Tensor]]:
        """What the network answers, and the gradients."""
        self.chain.cast()
        output, kept = self.chain.forward(x, training=True)
        answers = self.loss.forward(output, y)
        gradient = self.update.scaled(self.loss.backward(answers))
        return answers, self.chain.backward(kept, gradient)

    @torch.no_grad()
    def test(self, x: torch.Tensor, y: torch.Tensor) -> None:
        """Count a batch of the validation."""
        self.chain.cast()
        output, _ = self.chain.forward(x, training=False)
        answers = self.loss.forward(output, y)
        self.listener.hear(answers.probabilities)
        self._count(answers)
        self.tally.images += len(y)

    def parts(self, batches: Batches) -> Parts:
        """The same by the same kernels, with autograd to lead from one to the next."""
        parameters = self.chain.parameters

        def clear() -> None:
            self.chain.cast()
            for parameter in parameters:
                parameter.grad = None

        def loss(output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            answers = self.loss.forward(output, y)
            self._count(Answers(*(each.detach() for each in answers)))
            self.tally.images += len(y)
            return self.update.scaled(self.loss.summed(answers.right.flatten()) / len(y))

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
            answers = self.loss.forward(output, y)
            gradient = self.update.scaled(self.loss.backward(answers))
            mark(LOSS)
            gradients = chain.backward(kept, gradient)
        finally:
            chain.kernels = kernels
        self._count(answers)
        self.tally.images += len(y)
        mark(LOSS)
        if move:
            self.update.move(gradients)
        mark(OPTIMIZER)


def optimizer_state(model: keras.Model) -> list[np.ndarray]:
    """Copies of the optimizer's variables: all that its next step depends on, but the weights."""
    if isinstance(model, FastModel):
        model.count_steps()
    return [np.array(variable.numpy()) for variable in model.optimizer.variables]


def fast(spec: ExperimentSpec, data: Pictures, start: Start) -> Job:
    """The same recipe with as little else as possible; see the module's docstring."""
    keep_memory()
    torch.backends.cudnn.benchmark = True  # on a card: of each convolution's ways the quickest
    channels_first = spec.model.family == "cnn"
    model = build_model(
        spec,
        data.images.shape[1:],
        data.classes,
        data_format="channels_first" if channels_first else "channels_last",
        model_class=FastModel,
    )
    model.subnormals_flushed = flush_subnormals(True)
    model.prepare(spec, start)
    count, _ = split(spec, len(data.labels))
    first = Pictures(data.images[:count], data.labels[:count], data.classes)
    last = Pictures(data.images[count:], data.labels[count:], data.classes)
    device = model.trainable_variables[0].value.device
    layout = {"channels_first": channels_first}
    training = Batches(first, spec.batch_size, device, shuffle=True, **layout)
    size = max(spec.batch_size, VALIDATION_BATCH)
    validation = Batches(last, size, device, shuffle=False, **layout)
    model.record(training)
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
