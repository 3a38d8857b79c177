"""A run as a plain Keras script: what a person would write, without this lab."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cnnlab.spec import (
    CnnModel,
    DenseModel,
    ExperimentSpec,
    LabError,
    RnnModel,
)

KERAS_SETS = ("cifar10", "cifar100", "mnist", "fashion_mnist")
_CELLS = {"simple": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}


def keras_script(spec: ExperimentSpec, image_shape: tuple[int, ...], classes: int) -> str:
    """The script that trains `spec` the way the engine `stock` does, with Keras's own progress.

    On the CPU it gives the same losses: it seeds what the lab seeds.

    Args:
        image_shape: height, width, channels of the pictures.

    Raises:
        LabError: the data set is one that a script without the lab cannot read.
    """
    parts = (
        _head(spec),
        _data(spec, classes),
        _model(spec, image_shape, classes),
        _fit(spec),
    )
    return "\n\n".join(parts) + "\n"


def _head(spec: ExperimentSpec) -> str:
    off = spec.gpu_off == "environment"
    # A file's name is anybody's text: nothing of it may end the docstring.
    data = re.sub(r"[^\w .+-]", "?", Path(spec.dataset).name)
    lines = [
        f'"""{spec.model.family.upper()} on {data}, as trained in CNN Lab."""',
        "",
        "import os",
        "",
        'os.environ["KERAS_BACKEND"] = "torch"',
        *(['os.environ["CUDA_VISIBLE_DEVICES"] = ""  # before torch is loaded'] if off else []),
        "",
        "import torch",
    ]
    if spec.gpu_off == "override":
        lines += ["", "torch.cuda.is_available = lambda: False  # before Keras asks"]
    lines += ["", "import keras", "import numpy as np", "from keras import layers"]
    if spec.threads:
        lines += ["", f"torch.set_num_threads({spec.threads})"]
    return "\n".join(lines)


def _data(spec: ExperimentSpec, classes: int) -> str:
    limit = f"[:{spec.train_limit}]" if spec.train_limit else ""
    path = Path(spec.dataset)
    if spec.dataset in KERAS_SETS:
        load = f"(x_train, y_train), _ = keras.datasets.{spec.dataset}.load_data()"
    elif path.suffix == ".npz":
        load = (
            f"with np.load({str(path)!r}) as file:\n"
            '    x_train, y_train = file["x_train"], file["y_train"]'
        )
    else:
        raise LabError(
            f"The data set {spec.dataset!r} is read or drawn by the lab, which a script of Keras "
            "alone cannot do; train on a Keras data set or a .npz file, then export the script."
        )
    return "\n".join(
        [
            load,
            f"x_train, y_train = x_train{limit}, y_train{limit}.reshape(-1)",
            "if x_train.ndim == 3:  # grey pictures",
            "    x_train = x_train[..., np.newaxis]",
            "x_train = x_train / 255.0",
            f"y_train = keras.utils.to_categorical(y_train, {classes})",
        ]
    )


def _model(spec: ExperimentSpec, image_shape: tuple[int, ...], classes: int) -> str:
    start = f'"kernel_initializer": "{spec.model.initializer}"'
    policy = "" if spec.precision == "float32" else f', "dtype": "{spec.precision}"'
    body = [
        f"start = {{{start}{policy}}}",
        f'place = {{"dtype": "{spec.precision}"}}',
        f"inputs = keras.Input({tuple(image_shape)})",
        "x = inputs",
        *_LAYERS[spec.model.family](spec.model),
        f"outputs = layers.Dense({classes}, activation='softmax', dtype='float32', "
        f"kernel_initializer={spec.model.initializer!r})(x)",
        "return keras.Model(inputs, outputs)",
    ]
    lines = ["def build():", *(f"    {line}" for line in body)]
    return "\n".join(lines)


def _cnn(model: CnnModel) -> list[str]:
    lines = []
    activation = "None" if model.batch_norm else repr(model.activation)
    for block in model.blocks:
        for conv in block.convs:
            lines.append(
                f"x = layers.Conv2D({conv.filters}, {conv.kernel}, padding={model.padding!r}, "
                f"activation={activation}, **start)(x)"
            )
            lines += _norm(model)
        if block.pool:
            lines.append(f"x = layers.MaxPooling2D({block.pool}, **place)(x)")
    if model.head == "global_average":
        lines.append("x = layers.GlobalAveragePooling2D(**place)(x)")
    return [*lines, "x = layers.Flatten(**place)(x)", *_hidden(model)]


def _dense(model: DenseModel) -> list[str]:
    activation = "None" if model.batch_norm else repr(model.activation)
    lines = ["x = layers.Flatten(**place)(x)"]
    for units in model.dense:
        lines.append(f"x = layers.Dense({units}, activation={activation}, **start)(x)")
        lines += _norm(model)
    return lines + _dropout(model.dropout)


def _rnn(model: RnnModel) -> list[str]:
    lines = ["x = layers.Reshape((x.shape[1], -1), **place)(x)"]
    last = len(model.recurrent) - 1
    for index, units in enumerate(model.recurrent):
        more = index < last
        cell = _CELLS[model.cell]
        lines.append(f"x = layers.{cell}({units}, return_sequences={more}, **start)(x)")
    return lines + _hidden(model)


_LAYERS: dict[str, Callable[[Any], list[str]]] = {"cnn": _cnn, "dense": _dense, "rnn": _rnn}


def _norm(model: CnnModel | DenseModel) -> list[str]:
    if not model.batch_norm:
        return []
    return [
        "x = layers.BatchNormalization(**place)(x)",
        f"x = layers.Activation({model.activation!r}, **place)(x)",
    ]


def _hidden(model: CnnModel | RnnModel) -> list[str]:
    lines = [
        f"x = layers.Dense({units}, activation={model.activation!r}, **start)(x)"
        for units in model.dense
    ]
    return lines + _dropout(model.dropout)


def _dropout(rate: float) -> list[str]:
    return [f"x = layers.Dropout({rate}, **place)(x)"] if rate else []


def _fit(spec: ExperimentSpec) -> str:
    device = "cpu" if spec.gpu_off != "none" else spec.device
    scope = "" if device == "auto" else f'with keras.device("{device}"):\n'
    optimizer = {
        "adam": "Adam",
        "adamw": "AdamW",
        "sgd": "SGD",
        "rmsprop": "RMSprop",
    }[spec.optimizer]
    body = f"""\
model = build()
model.set_weights(weights)
print(f"{{model.count_params():,}} parameters")
model.compile(
    optimizer=keras.optimizers.{optimizer}(learning_rate={spec.learning_rate!r}),
    loss="categorical_crossentropy",
    metrics=["accuracy"],
    jit_compile={spec.compile},
)
model.fit(
    x_train,
    y_train,
    batch_size={spec.batch_size},
    epochs={spec.epochs},
    validation_split={spec.validation_split!r},
    callbacks=[SeedEpochs()],
)"""
    if scope:
        body = "\n".join(f"    {line}" for line in body.splitlines())
    return f'''\
class SeedEpochs(keras.callbacks.Callback):
    """The same batches in the same order on every device, whatever dropout draws."""

    def on_epoch_begin(self, epoch, logs=None):
        torch.manual_seed(({spec.seed} << 16) + epoch)


with keras.device("cpu"):  # the same initial weights, whatever device trains
    keras.utils.set_random_seed({spec.seed})
    weights = build().get_weights()

{scope}{body}'''
