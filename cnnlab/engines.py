"""Two ways to feed and step the same recipe: `stock`, as the article does it, and `fast`.

Both start from the same weights, see the same batches in the same order and do the same float32
mathematics (a test compares their losses step by step). `fast` leaves out what Keras's own path
does around the arithmetic: pictures as float64, a copy to the device each step, layout changes
around every convolution, the walk through a sequence in Python, metrics and callbacks that read
the device each batch, and the bookkeeping of `Layer.__call__`.
"""

from __future__ import annotations

import ctypes
import hashlib
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import keras
import numpy as np
import torch

from cnnlab.kernels import fused
from cnnlab.models import build_model, split
from cnnlab.spec import ExperimentSpec, LabError

# Larger batches validate faster and change no number: 256 pictures keep the article's largest
# activation under 100 MB and a batch well under a second on a laptop's CPU.
VALIDATION_BATCH = 256


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


@dataclass(frozen=True)
class Job:
    """A compiled model and the arguments of its `fit`, all but epochs and callbacks."""

    model: keras.Model
    fit: dict[str, Any]
    callbacks: Callable[[keras.callbacks.Callback], Any]
    """Wraps the lab's callback the way this engine passes it to `fit`."""


def initial_weights(spec: ExperimentSpec, shape: tuple[int, ...], classes: int) -> list[np.ndarray]:
    """The weights that a run starts from: drawn on the CPU, so that every device gets the same."""
    with keras.device("cpu"):
        keras.utils.set_random_seed(spec.seed)
        return build_model(spec, shape, classes).get_weights()


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


def _optimizer(spec: ExperimentSpec) -> keras.optimizers.Optimizer:
    return keras.optimizers.get(
        {"class_name": spec.optimizer, "config": {"learning_rate": spec.learning_rate}}
    )


def _begin(model: keras.Model, start: Start) -> None:
    """Give a compiled model what it begins with.

    Raises:
        LabError: a checkpoint's arrays do not fit the model.
    """
    _put(model.weights, start.weights)
    if start.optimizer is not None:
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


def optimizer_state(model: keras.Model) -> list[np.ndarray]:
    """Copies of the optimizer's variables: all that its next step depends on, but the weights."""
    if isinstance(model, FastModel):
        model.count_steps()
    return [np.array(variable.numpy()) for variable in model.optimizer.variables]


# Below this many floating-point operations in a step its kernels are so short that threads spend
# about as long waiting for each other as they save, and many times as long where they must share
# their cores with anything else, such as the browser that watches.
SMALL_STEP_FLOPS = 150e6
DEFAULT_THREADS = torch.get_num_threads()


def threads_for(spec: ExperimentSpec, flops_per_image: int) -> int:
    """CPU threads of a step: as the spec says, else one for a small step of the fast engine.

    Every other step has as many as torch takes by itself, as on the published path.
    """
    step = 3 * flops_per_image * spec.batch_size  # forward, and backward at twice the cost
    small = spec.engine == "fast" and step < SMALL_STEP_FLOPS
    return spec.threads or (1 if small else DEFAULT_THREADS)


# --- stock ----------------------------------------------------------------------------------


def stock(spec: ExperimentSpec, data: Pictures, start: Start) -> Job:
    """The article's path: pixels / 255 in NumPy, one-hot labels, channels last, plain `fit`."""
    images = data.images / 255.0 if data.images.dtype == np.uint8 else data.images
    labels = keras.utils.to_categorical(data.labels, data.classes)
    model = build_model(spec, data.images.shape[1:], data.classes)
    model.compile(
        optimizer=_optimizer(spec),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=spec.compile,
    )
    _begin(model, start)
    fit = {
        "x": images,
        "y": labels,
        "batch_size": spec.batch_size,
        "validation_split": spec.validation_split,
        "verbose": 0,
    }
    return Job(model, fit, lambda callback: [callback])


# --- fast -----------------------------------------------------------------------------------


class Batches(torch.utils.data.DataLoader):
    """Batches of (float32 pictures in 0..1 or sequences, labels), made on the device they lie on.

    They cross to the device once, pictures as uint8, when this is made; where the device cannot
    hold them all they stay in pinned host memory and each batch is copied one step ahead.
    """

    def __init__(
        self,
        data: Pictures,
        batch_size: int,
        device: torch.device,
        *,
        shuffle: bool,
        channels_first: bool,
    ) -> None:
        super().__init__(
            torch.utils.data.TensorDataset(torch.arange(len(data.labels))), batch_size=batch_size
        )
        self.device = device
        self.shuffle, self.channels_first = shuffle, channels_first
        self.shape = data.images.shape[1:]
        rows = torch.from_numpy(np.array(data.images)).view(len(data.labels), -1)
        labels = torch.from_numpy(data.labels.astype(np.int64))
        self.staged = _fits(rows, self.device)
        if self.staged:
            rows, labels = rows.to(self.device), labels.to(self.device)
        self.rows, self.labels = rows, labels

    def order(self) -> torch.Tensor:
        """Indices of an epoch's pictures.

        Made by the same classes, hence from the same random draws, as Keras's own shuffling.
        """
        count = len(self.labels)
        if not self.shuffle:
            return torch.arange(count)
        loader = torch.utils.data.DataLoader(self.dataset, count, shuffle=True)
        return next(iter(loader))[0]

    def __iter__(self) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:  # type: ignore[override]
        order = self.order()
        if self.staged:
            for index in order.to(self.device).split(self.batch_size):
                yield self._pictures(self.rows.index_select(0, index)), self.labels[index]
        else:
            yield from self._copied_ahead(order)

    def _copied_ahead(self, order: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        waiting = None
        for index in order.split(self.batch_size):
            rows = self.rows.index_select(0, index).pin_memory()
            labels = self.labels[index].pin_memory()
            batch = (
                rows.to(self.device, non_blocking=True),
                labels.to(self.device, non_blocking=True),
            )
            if waiting is not None:
                yield self._pictures(waiting[0]), waiting[1]
            waiting = batch
        if waiting is not None:
            yield self._pictures(waiting[0]), waiting[1]

    def _pictures(self, rows: torch.Tensor) -> torch.Tensor:
        pictures = rows.view(-1, *self.shape)
        if self.channels_first:
            # A view: the memory stays channels last, which is what convolutions like best.
            pictures = pictures.permute(0, 3, 1, 2)
        return pictures.to(torch.float32).div_(255) if rows.dtype == torch.uint8 else pictures


def _fits(rows: torch.Tensor, device: torch.device) -> bool:
    """Whether the device can hold the pictures and leave half of its free memory to the model."""
    if device.type != "cuda":
        return True
    free, _ = torch.cuda.mem_get_info(device)
    return rows.nbytes < free / 2


class FastModel(keras.Model):
    """A functional model whose steps do the arithmetic of Keras's own and little else."""

    def prepare(self, spec: ExperimentSpec, start: Start) -> None:
        """Compile for `spec` and take up what to begin with; called once."""
        self.compile(optimizer=_optimizer(spec))
        self.optimizer.build(self.trainable_variables)
        _begin(self, start)
        self._stepper = _Stepper(self, spec)

    def count_steps(self) -> None:
        """Bring Keras's count of steps up to date, which costs too much to do in each step."""
        update = self._stepper.update
        if isinstance(update, _FusedUpdate):
            self.optimizer.iterations.assign(update.taken)

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
        self.model = model
        self.training, self.inference = _forwards(model, spec)
        self.loss = torch.compile(self._loss) if spec.compile else self._loss
        self.update = _update(model, spec)
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
        layers = model.layers[1:]
        own = [None if spec.compile else fused(layer) for layer in layers]
        calls = [call or _call(layer, training) for call, layer in zip(own, layers, strict=True)]

        def forward(x: Any) -> Any:
            for call in calls:
                x = call(x)
            return x

        return forward

    return chain(True), chain(False)


def _call(layer: keras.Layer, training: bool) -> Callable[[Any], Any]:
    modal = keras.layers.Dropout, keras.layers.BatchNormalization, keras.layers.RNN
    if isinstance(layer, modal):
        return lambda x: layer.call(x, training=training)
    return layer.call


_FUSED = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}


def _update(model: FastModel, spec: ExperimentSpec) -> Callable[[torch.Tensor], None]:
    """A function that takes a loss and moves the weights by one optimizer step."""
    variables = list(model.trainable_variables)
    parameters = [variable.value for variable in variables]
    if spec.optimizer not in _FUSED or spec.precision == "mixed_float16":
        # Keras's own update: its RMSprop differs from torch's, and float16 needs its loss scale.
        def keras_update(loss: torch.Tensor) -> None:
            for parameter in parameters:
                parameter.grad = None
            model.optimizer.scale_loss(loss).backward()
            with torch.no_grad():
                model.optimizer.apply([parameter.grad for parameter in parameters], variables)

        return keras_update

    return _FusedUpdate(spec, model.optimizer, parameters)


class _FusedUpdate:
    """An optimizer step by torch's fused kernels, on the Keras optimizer's own state and with its
    formula.

    Keras's Adam adds epsilon to sqrt(v), torch's to sqrt(v / (1 - beta_2^t)): dividing epsilon by
    sqrt(1 - beta_2^t) before each step makes the two the same.
    """

    def __init__(
        self,
        spec: ExperimentSpec,
        optimizer: keras.optimizers.Optimizer,
        parameters: list[torch.Tensor],
    ) -> None:
        self.taken = int(optimizer.iterations.numpy())
        self._optimizer = optimizer
        self._fused = _FUSED[spec.optimizer](parameters, lr=spec.learning_rate, fused=True)
        self._group = self._fused.param_groups[0]
        self._adaptive = spec.optimizer != "sgd"  # plain SGD keeps no state
        if self._adaptive:
            self._adopt(parameters)

    def _adopt(self, parameters: list[torch.Tensor]) -> None:
        variables = self._optimizer.variables
        momenta = [v.value for v in variables if v.path.endswith("_momentum")]
        velocities = [v.value for v in variables if v.path.endswith("_velocity")]
        for parameter, momentum, velocity in zip(parameters, momenta, velocities, strict=True):
            taken = float(self.taken)
            step = torch.full((), taken, dtype=torch.float32, device=parameter.device)
            state = {"step": step, "exp_avg": momentum.detach(), "exp_avg_sq": velocity.detach()}
            self._fused.state[parameter] = state
        self._group["betas"] = (self._optimizer.beta_1, self._optimizer.beta_2)
        self._group["weight_decay"] = self._optimizer.weight_decay or 0.0

    def __call__(self, loss: torch.Tensor) -> None:
        self._fused.zero_grad()
        loss.backward()
        self.taken += 1
        if self._adaptive:
            correction = 1.0 - self._optimizer.beta_2**self.taken
            self._group["eps"] = self._optimizer.epsilon / correction**0.5
        self._fused.step()


# Parameters of glibc's `mallopt` (malloc.h).
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def _glibc(function: str, *arguments: int) -> None:
    """Call one of glibc's own functions; nothing where the C library is another."""
    found = getattr(ctypes.CDLL(None), function, None) if sys.platform == "linux" else None
    if found:
        found(*arguments)


def _keep_memory() -> None:
    """Let this process keep what it frees, for the next step to use again.

    Else glibc gives the activations of each step back to the system, which clears page after page
    for the next: a few thousand page faults a step.
    """
    _glibc("mallopt", _MMAP_MAX, 0)
    _glibc("mallopt", _TRIM_THRESHOLD, -1)


def give_memory_back() -> None:
    """Return what this process has kept, before it trains something else."""
    _glibc("malloc_trim", 0)


def fast(spec: ExperimentSpec, data: Pictures, start: Start) -> Job:
    """The same recipe with as little else as possible; see the module's docstring."""
    _keep_memory()
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
        model, fit, lambda callback: _QuietCallbacks([callback], add_history=True, model=model)
    )


class _QuietCallbacks(keras.callbacks.CallbackList):
    """Callbacks without batch ends: Keras would hand each to a thread, which reads the device."""

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        """Nothing listens."""

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        """Nothing listens."""


ENGINES: dict[str, Callable[[ExperimentSpec, Pictures, Start], Job]] = {
    "stock": stock,
    "fast": fast,
}
