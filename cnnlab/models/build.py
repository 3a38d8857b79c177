"""A spec's network as a Keras model. Keras is loaded when one is built, not before."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from cnnlab.models.layers import CELL_NAMES, Shape
from cnnlab.spec import CnnModel, DenseModel, ExperimentSpec, ModelSpec, RnnModel

if TYPE_CHECKING:
    import keras


def build_model(
    spec: ExperimentSpec,
    image_shape: Shape,
    classes: int,
    *,
    data_format: str = "channels_last",
    model_class: Callable[..., keras.Model] | None = None,
) -> keras.Model:
    """The spec's network as an uncompiled functional Keras model with softmax outputs.

    Args:
        image_shape: height, width, channels of the pictures, whatever `data_format` is.
        data_format: where the input and the layers of a `cnn` keep the channels; the other
            families read pictures channels last.
        model_class: a subclass of `keras.Model` to build, `keras.Model` by default.
    """
    import keras

    height, width, channels = image_shape
    first = data_format == "channels_first" and spec.model.family == "cnn"
    inputs = keras.Input((channels, height, width) if first else image_shape)
    outputs = _STACKS[spec.model.family](spec.model, inputs, spec.precision, data_format)
    # The last layer stays in float32, or the loss loses digits under a mixed precision.
    outputs = keras.layers.Dense(
        classes, activation="softmax", dtype="float32", **_initial(spec.model)
    )(outputs)
    return (model_class or keras.Model)(inputs=inputs, outputs=outputs)


def _initial(model: ModelSpec) -> dict[str, Any]:
    return {"kernel_initializer": model.initializer}


def _stack_cnn(model: CnnModel, x: Any, precision: str, data_format: str) -> Any:
    from keras import layers

    place = {"data_format": data_format, "dtype": precision}
    for block in model.blocks:
        for conv in block.convs:
            x = layers.Conv2D(
                conv.filters,
                conv.kernel,
                padding=model.padding,
                activation=None if model.batch_norm else model.activation,
                **_initial(model),
                **place,
            )(x)
            if model.batch_norm:
                axis = 1 if data_format == "channels_first" else -1
                x = layers.BatchNormalization(axis=axis, dtype=precision)(x)
                x = layers.Activation(model.activation, dtype=precision)(x)
        if block.pool:
            x = layers.MaxPooling2D(block.pool, **place)(x)
    if model.head == "global_average":
        x = layers.GlobalAveragePooling2D(**place)(x)
    x = layers.Flatten(**place)(x)
    return _hidden(model, x, precision)


def _stack_dense(model: DenseModel, x: Any, precision: str, _: str) -> Any:
    from keras import layers

    x = layers.Flatten(dtype=precision)(x)
    for units in model.dense:
        activation = None if model.batch_norm else model.activation
        x = layers.Dense(units, activation=activation, dtype=precision, **_initial(model))(x)
        if model.batch_norm:
            x = layers.BatchNormalization(dtype=precision)(x)
            x = layers.Activation(model.activation, dtype=precision)(x)
    return layers.Dropout(model.dropout, dtype=precision)(x) if model.dropout else x


def _stack_rnn(model: RnnModel, x: Any, precision: str, _: str) -> Any:
    from keras import layers

    steps = x.shape[1]
    x = layers.Reshape((steps, -1), dtype=precision)(x)
    if model.sequence_length and model.sequence_length < steps:
        x = layers.Cropping1D((steps - model.sequence_length, 0), dtype=precision)(x)
    cell = getattr(layers, CELL_NAMES[model.cell])
    for index, units in enumerate(model.recurrent):
        more = index < len(model.recurrent) - 1
        x = cell(units, return_sequences=more, dtype=precision, **_initial(model))(x)
    return _hidden(model, x, precision)


def _hidden(model: CnnModel | RnnModel, x: Any, precision: str) -> Any:
    """The Dense layers and the dropout between a head and the softmax."""
    from keras import layers

    for units in model.dense:
        x = layers.Dense(units, activation=model.activation, dtype=precision, **_initial(model))(x)
    return layers.Dropout(model.dropout, dtype=precision)(x) if model.dropout else x


_STACKS: dict[str, Callable[[Any, Any, str, str], Any]] = {
    "cnn": _stack_cnn,
    "dense": _stack_dense,
    "rnn": _stack_rnn,
}
