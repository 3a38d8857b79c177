"""A recipe in plain Keras, on whichever backend this process's environment has.

The network is the lab's own `build_model`; the pictures are float32 in 0..1, the labels one-hot,
and `fit` is called as its documentation does, with whichever of `SETTINGS` is the quickest here.
Runs in the virtual environment of a peer, which has Keras and pydantic but not what the lab needs
beside.
"""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np

from bench.peers.answering import Line
from cnnlab.models import build_model
from cnnlab.spec import ExperimentSpec, parse_spec

_JOINED = {"steps_per_execution": 10}
SETTINGS: dict[str, tuple[dict[str, Any], ...]] = {
    "tensorflow": ({}, _JOINED, {**_JOINED, "jit_compile": False}),
    "jax": ({}, _JOINED),
}
"""What to tell `compile`, by backend: nothing, or to run steps without Python between them, which
TensorFlow does quicker without XLA in places, and JAX nowhere."""
TRIED_EPOCHS = 3


class Times(keras.callbacks.Callback):
    """Times each epoch's training."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps
        self.step_ms: list[float] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        # Keras has read the epoch's loss by now, so the last step is done on every backend.
        self.step_ms.append(1e3 * (time.perf_counter() - self.began) / self.steps)


class Turns(Times):
    """The same, and waits between two epochs for the next order."""

    def __init__(self, steps: int, line: Line) -> None:
        super().__init__(steps)
        self.line = line

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        super().on_epoch_end(epoch)
        self.model.stop_training = not self.line.answer(self.step_ms[-1])


def model_of(
    spec: ExperimentSpec, shape: tuple[int, ...], classes: int, setting: dict[str, Any]
) -> keras.Model:
    """The compiled model."""
    model = build_model(spec, shape, classes)
    optimizer = {"class_name": spec.optimizer, "config": {"learning_rate": spec.learning_rate}}
    model.compile(
        optimizer=keras.optimizers.get(optimizer),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        **setting,
    )
    return model


def quickest(spec: ExperimentSpec, steps: int, fit: dict[str, Any]) -> keras.Model:
    """The model with the setting whose epochs take the least time."""
    found: list[tuple[float, keras.Model]] = []
    for setting in SETTINGS[keras.backend.backend()]:
        model = model_of(spec, fit["x"].shape[1:], fit["y"].shape[1], setting)
        times = Times(steps)
        model.fit(**fit, epochs=TRIED_EPOCHS, callbacks=[times])
        found.append((min(times.step_ms), model))
    return min(found, key=lambda pair: pair[0])[1]


def main() -> None:
    """Serve one recipe."""
    line = Line()
    order = line.order()
    spec = parse_spec(order["spec"])
    with np.load(order["data"]) as data:
        x, y = data["x_train"], data["y_train"]
    count, classes = spec.batch_size * order["steps"], int(y.max()) + 1
    fit = {
        "x": x[:count] / np.float32(255) if x.dtype == np.uint8 else x[:count],
        "y": keras.utils.to_categorical(y[:count], classes),
        "batch_size": spec.batch_size,
        "verbose": 0,
    }
    model = quickest(spec, order["steps"], fit)
    model.fit(**fit, epochs=spec.epochs, callbacks=[Turns(order["steps"], line)])


if __name__ == "__main__":
    main()
