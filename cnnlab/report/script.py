"""A run as a plain Keras script: what a person would write, without this lab."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from cnnlab.spec import CnnModel, DenseModel, ExperimentSpec, Kind, ModelSpec, RnnModel

KERAS_SETS = ("cifar10", "cifar100", "mnist", "fashion_mnist")
"""Data sets that Keras loads by the same name, in the same order."""

Form = Literal["script", "notebook"]

_CELLS = {"simple": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
_OPTIMIZERS = {"adam": "Adam", "adamw": "AdamW", "sgd": "SGD", "rmsprop": "RMSprop"}
_WIDEST = 100


def keras_script(
    spec: ExperimentSpec,
    image_shape: tuple[int, ...],
    classes: int,
    *,
    title: str,
    data_file: str,
    kind: Kind = "pictures",
) -> str:
    """The script that trains `spec` the way the engine `stock` does, with Keras's own progress.

    On the CPU it gives the same losses as `stock`, for it seeds what the lab seeds; of a run of the
    engine `fast` its first lines say what is the same and what is not.

    Args:
        image_shape: height, width, channels of the pictures; steps, features, 1 of sequences.
        title: what to call it, in its first line.
        data_file: where the data lie that Keras does not load by name, as `x_train` (uint8; of
            sequences float32) and `y_train` in a .npz file beside the script.
        kind: what the data are.
    """
    said = told(spec, title, data_file, kind, "script")
    head = "\n".join(f"# {line}".rstrip() for line in said) + "\n"
    return "\n".join([head, *steps(spec, image_shape, classes, data_file, kind, "script")])


def steps(
    spec: ExperimentSpec,
    image_shape: tuple[int, ...],
    classes: int,
    data_file: str,
    kind: Kind,
    form: Form,
) -> tuple[str, ...]:
    """The code that `keras_script` consists of, in parts: imports, data, model, seeding, training.

    Args:
        form: what it will be part of; a notebook has no file of its own to look beside.
    """
    return (
        _imports(spec, form),
        _data(spec, classes, data_file, kind, form),
        _model(spec, image_shape, classes),
        _seeding(spec),
        _fit(spec),
    )


# --- what comes before the model ------------------------------------------------------------


def told(spec: ExperimentSpec, title: str, data_file: str, kind: Kind, form: Form) -> list[str]:
    """What is said before the code, line by line, each of them one whatever the title holds."""
    lines = [
        _line(title),
        "",
        f"A run of CNN Lab as a plain Keras {form}; it needs keras, torch and numpy.",
    ]
    if spec.dataset in KERAS_SETS:
        lines.append(f"Keras downloads the data set {spec.dataset} when it is first used.")
    else:
        values = "uint8" if kind == "pictures" else "float32 sequences, scaled already"
        lines.append(f"It reads x_train ({values}) and y_train from a file beside it:")
        lines.append(_line(data_file))
    if spec.engine == "fast":
        lines += _beside_fast(spec)
    if spec.device == "auto" and spec.gpu_off == "none":
        lines.append("It trains on a GPU where Keras finds one, else on the CPU.")
    return lines


def _beside_fast(spec: ExperimentSpec) -> list[str]:
    """What of a run of the engine `fast` the script repeats, and what not."""
    whole = spec.precision == "float32"
    part = "by less than 0.0001 in the first hundred steps" if whole else "from the first steps on"
    said = (
        "The run was trained by the lab's fast engine; this is Keras's own way.",
        "The same: first weights, order of the batches, dropout, and the mathematics of a step.",
        "Not the same: the order in which sums are added up, and so their last digits; on a CPU",
        "subnormal numbers too: the lab takes them as nought, like torch.set_flush_denormal(True).",
        f"The losses part {part}, and rounding grows",
        "as training goes on: the last accuracy may differ as much as it does between two seeds,",
        "some points on few pictures, less on many.",
    )
    return ["", *said, ""]


def _line(text: str) -> str:
    """Somebody's text as part of a comment: nothing in it ends the line or hides what follows."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _imports(spec: ExperimentSpec, form: Form) -> str:
    lines = ["import os"]
    own_data = spec.dataset not in KERAS_SETS
    if own_data and form == "script":
        lines.append("from pathlib import Path")
    lines += ["", 'os.environ["KERAS_BACKEND"] = "torch"  # read when Keras is imported']
    if spec.gpu_off == "environment":
        lines += [
            'os.environ["CUDA_VISIBLE_DEVICES"] = ""  # no GPU, read when torch is imported',
            'os.environ["KERAS_TORCH_DEVICE"] = "cpu"',
        ]
    if spec.gpu_off == "override":
        lines += ["", "import torch", "", "# No GPU: Keras asks torch when it is imported."]
        asked = ("torch.cuda", "torch.backends.mps", "torch.xpu")
        lines += [f"{module}.is_available = lambda: False" for module in asked]
    lines += ["", "import keras"]
    lines += ["import numpy as np"] if own_data or spec.split == "stratified" else []
    lines += ["import torch"] if spec.gpu_off != "override" else []
    lines += ["from keras import layers", "", f"SEED = {spec.seed}"]
    if spec.tf32 != "default":
        word = {"on": "tf32", "off": "ieee"}[spec.tf32]
        places = ("cuda.matmul", "cudnn.conv", "cudnn.rnn")
        lines += ["", *(f'torch.backends.{place}.fp32_precision = "{word}"' for place in places)]
    if spec.threads:
        lines += ["", f"torch.set_num_threads({spec.threads})"]
    return "\n".join(lines) + "\n"


# As `cnnlab.datasets.mixing` has it; the data beside a script are in that order already.
EVENLY = [
    "# An order in which each class is spread evenly, so that the last ones hold its share.",
    "labels, rank = y.reshape(-1), np.empty(len(y))",
    "shuffled = np.random.default_rng(0).permutation(len(y))",
    "for label in np.unique(labels):",
    "    members = shuffled[labels[shuffled] == label]",
    "    rank[members] = (np.arange(len(members)) + 0.5) / len(members)",
    'order = np.argsort(rank, kind="stable")',
    "x, y = x[order], y[order]",
]


def _data(spec: ExperimentSpec, classes: int, data_file: str, kind: Kind, form: Form) -> str:
    if spec.dataset in KERAS_SETS:
        lines = [f"(x, y), _ = keras.datasets.{spec.dataset}.load_data()"]
    else:
        name = _quoted(data_file)
        place = f"Path(__file__).with_name({name})" if form == "script" else name
        lines = [
            f"with np.load({place}) as data:",
            '    x, y = data["x_train"], data["y_train"]',
        ]
    if spec.split == "stratified" and spec.dataset in KERAS_SETS:
        lines += EVENLY
    if spec.train_limit:
        lines.append(f"x, y = x[:{spec.train_limit}], y[:{spec.train_limit}]")
    if spec.dataset in ("mnist", "fashion_mnist"):
        lines.append("x = x[..., None]  # grey pictures have one channel")
    lines += ["x = x / 255.0"] if kind == "pictures" else []
    lines += [f"y = keras.utils.to_categorical(y, {classes})"]
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    return '"' + text.encode("unicode_escape").decode().replace('"', '\\"') + '"'


# --- the model ------------------------------------------------------------------------------


def _model(spec: ExperimentSpec, image_shape: tuple[int, ...], classes: int) -> str:
    """`build_model`, layer for layer as the lab builds it."""
    stack = _Stack(spec)
    _STACKS[spec.model.family](stack, spec.model, image_shape)
    # Under a mixed precision the last layer stays in float32, or the loss loses digits.
    mixed = {"dtype": "float32"} if stack.place else {}
    last = stack.call("Dense", classes, activation="softmax", **stack.start, **mixed)
    body = [
        f"inputs = keras.Input({tuple(image_shape)})",
        *stack.lines,
        f"outputs = {last}",
        "return keras.Model(inputs, outputs)",
    ]
    return "\n".join(["", "def build_model():", *(f"    {line}" for line in body)]) + "\n"


class _Stack:
    """The lines of a model so far; the first layer is called on `inputs`, all others on `x`."""

    def __init__(self, spec: ExperimentSpec) -> None:
        self.lines: list[str] = []
        self.place = {} if spec.precision == "float32" else {"dtype": spec.precision}
        self.start = {"kernel_initializer": spec.model.initializer}

    def add(self, layer: str, *values: Any, **options: Any) -> None:
        self.lines.append(f"x = {self.call(layer, *values, **options, **self.place)}")

    def call(self, layer: str, *values: Any, **options: Any) -> str:
        """A layer applied to what comes before it, on several lines where one is too long."""
        arguments = [_shown(value) for value in values]
        arguments += [f"{name}={_shown(value)}" for name, value in options.items()]
        before = "x" if self.lines else "inputs"
        flat = f"layers.{layer}({', '.join(arguments)})({before})"
        if len(flat) + len("    outputs = ") <= _WIDEST:
            return flat
        inner = "".join(f"        {argument},\n" for argument in arguments)
        return f"layers.{layer}(\n{inner}    )({before})"


def _shown(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)


def _cnn(stack: _Stack, model: CnnModel, _: tuple[int, ...]) -> None:
    same = {"padding": "same"} if model.padding == "same" else {}
    for block in model.blocks:
        for conv in block.convs:
            active = {} if model.batch_norm else {"activation": model.activation}
            stack.add("Conv2D", conv.filters, conv.kernel, **same, **active, **stack.start)
            _norm(stack, model)
        if block.pool:
            stack.add("MaxPooling2D", block.pool)
    if model.head == "global_average":
        stack.add("GlobalAveragePooling2D")
    stack.add("Flatten")
    _hidden(stack, model)


def _dense(stack: _Stack, model: DenseModel, _: tuple[int, ...]) -> None:
    stack.add("Flatten")
    for units in model.dense:
        active = {} if model.batch_norm else {"activation": model.activation}
        stack.add("Dense", units, **active, **stack.start)
        _norm(stack, model)
    _dropout(stack, model)


def _rnn(stack: _Stack, model: RnnModel, image_shape: tuple[int, ...]) -> None:
    height, width, channels = image_shape
    stack.add("Reshape", (height, width * channels))
    if model.sequence_length and model.sequence_length < height:
        stack.add("Cropping1D", (height - model.sequence_length, 0))
    for units in model.recurrent[:-1]:
        stack.add(_CELLS[model.cell], units, return_sequences=True, **stack.start)
    stack.add(_CELLS[model.cell], model.recurrent[-1], **stack.start)
    _hidden(stack, model)


_STACKS: dict[str, Callable[[_Stack, Any, tuple[int, ...]], None]] = {
    "cnn": _cnn,
    "dense": _dense,
    "rnn": _rnn,
}


def _norm(stack: _Stack, model: CnnModel | DenseModel) -> None:
    if model.batch_norm:
        stack.add("BatchNormalization")
        stack.add("Activation", model.activation)


def _hidden(stack: _Stack, model: CnnModel | RnnModel) -> None:
    for units in model.dense:
        stack.add("Dense", units, activation=model.activation, **stack.start)
    _dropout(stack, model)


def _dropout(stack: _Stack, model: ModelSpec) -> None:
    if model.dropout:
        stack.add("Dropout", model.dropout)


# --- training -------------------------------------------------------------------------------


def _seeding(spec: ExperimentSpec) -> str:
    return '''
class SeedEpochs(keras.callbacks.Callback):
    """Seeds batch order and dropout by the epoch's number.

    Keras draws both from torch's generator, which dropout moves on a CPU but not on a
    GPU: left alone, two devices would see different batches from the second epoch on.
    """

    def on_epoch_begin(self, epoch, logs=None):
        torch.manual_seed((SEED << 16) + epoch)

'''


def _fit(spec: ExperimentSpec) -> str:
    device = _device(spec)
    build = ["keras.utils.set_random_seed(SEED)"]
    if device == "cpu" or spec.gpu_off != "none":
        build += ["model = build_model()"]
        before: list[str] = []
    else:
        # Another device draws other numbers from the same seed.
        before = [
            "# The first weights are drawn on the CPU, so that every device starts alike.",
            'with keras.device("cpu"):',
            "    keras.utils.set_random_seed(SEED)",
            "    weights = build_model().get_weights()",
            "",
        ]
        build = ["model = build_model()", "model.set_weights(weights)"]
    body = [*build, *_training(spec)]
    if device:
        body = [f'with keras.device("{device}"):', *(f"    {line}" for line in body)]
    return "\n".join([*before, *body]) + "\n"


def _device(spec: ExperimentSpec) -> str | None:
    """The device to name in a scope; null where Keras's own choice is the one asked for."""
    if spec.gpu_off == "device":
        return "cpu"
    if spec.gpu_off != "none" or spec.device == "auto":
        return None
    return spec.device if spec.device == "cpu" or ":" in spec.device else f"{spec.device}:0"


def _training(spec: ExperimentSpec) -> Iterable[str]:
    name = _OPTIMIZERS[spec.optimizer]
    optimizer = f"keras.optimizers.{name}(learning_rate={spec.learning_rate!r})"
    yield "model.summary()"
    if spec.precision == "mixed_float16":
        yield "# Keras scales the loss by itself only where the whole model is float16, not layers."
        yield f"optimizer = {optimizer}"
        optimizer = "keras.optimizers.LossScaleOptimizer(optimizer)"
    yield "model.compile("
    yield f"    optimizer={optimizer},"
    yield '    loss="categorical_crossentropy",'
    yield '    metrics=["accuracy"],'
    if spec.compile:
        yield "    jit_compile=True,"
    yield ")"
    yield "history = model.fit("
    yield "    x,"
    yield "    y,"
    yield f"    batch_size={spec.batch_size},"
    yield f"    epochs={spec.epochs},"
    yield f"    validation_split={spec.validation_split!r},"
    yield "    callbacks=[SeedEpochs()],"
    yield ")"
