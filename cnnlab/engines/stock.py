"""The engine `stock`: the published path, and the baseline."""

from __future__ import annotations

from collections.abc import Iterator

import keras
import numpy as np
import torch

from cnnlab.engines.job import (
    Job,
    Judged,
    Parts,
    Pictures,
    Poll,
    Start,
    begin,
    called,
    optimizer_of,
)
from cnnlab.engines.subnormals import flush_subnormals
from cnnlab.models import build_model
from cnnlab.spec import ExperimentSpec, training_part

JUDGED_AT_ONCE = 256
"""Pictures: the same numbers as with others, in little time and memory."""


def stock(spec: ExperimentSpec, data: Pictures, start: Start) -> Job:
    """The article's path: pixels / 255 in NumPy, one-hot labels, channels last, plain `fit`."""
    flush_subnormals(False)  # as torch comes
    images = _scaled(data.images)
    labels = keras.utils.to_categorical(data.labels, data.classes)
    model = build_model(spec, data.images.shape[1:], data.classes)
    model.compile(
        optimizer=optimizer_of(spec),
        loss="categorical_crossentropy",
        metrics=["accuracy"],
        jit_compile=spec.compile,
    )
    begin(model, start)
    fit = {
        "x": images,
        "y": labels,
        "batch_size": spec.batch_size,
        "validation_split": spec.validation_split,
        "verbose": 0,
    }

    def parts() -> Parts:
        count = training_part(len(images), spec.validation_split)
        return _parts(model, images[:count], labels[:count], spec.batch_size)

    def judge(pictures: Pictures, poll: Poll) -> Judged:
        return _judged(model, pictures, poll)

    return Job(model, fit, lambda callback: [callback], parts, judge)


def _scaled(images: np.ndarray) -> np.ndarray:
    return images / 255.0 if images.dtype == np.uint8 else images


def _judged(model: keras.Model, pictures: Pictures, poll: Poll) -> Judged:
    """Keras's `evaluate`, which does not tell what the network answers, batch by batch."""
    found, labels = [], pictures.labels
    for start in range(0, len(labels), JUDGED_AT_ONCE):
        poll()
        batch = _scaled(pictures.images[start : start + JUDGED_AT_ONCE])
        with torch.no_grad():
            found.append(keras.ops.convert_to_numpy(model(batch, training=False)))
    probabilities = np.concatenate(found)
    right = probabilities[np.arange(len(labels)), labels]
    # As `categorical_crossentropy` does.
    clipped = np.clip(right, keras.config.epsilon(), 1 - keras.config.epsilon())
    return Judged(
        loss=float(-np.log(clipped).mean()),
        accuracy=float((probabilities.argmax(1) == labels).mean()),
        probabilities=probabilities,
    )


def _parts(model: keras.Model, images: np.ndarray, labels: np.ndarray, batch_size: int) -> Parts:
    """Keras's `train_step` (read in 3.15.1, `keras/src/backend/torch/trainer.py`), part by part."""
    variables = list(model.trainable_variables)

    def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        for index in torch.randperm(len(images)).split(batch_size):
            picked = images[index.numpy()], labels[index.numpy()]
            x, y = (keras.ops.convert_to_tensor(side, "float32") for side in picked)
            yield x, y

    def loss(output: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        found = model.compute_loss(y=y, y_pred=output, training=True)
        model.compute_metrics(None, y, output)
        scaled: torch.Tensor = model.optimizer.scale_loss(found)
        return scaled

    def update() -> None:
        with torch.no_grad():
            model.optimizer.apply([variable.value.grad for variable in variables], variables)

    layers = tuple((layer, called(layer)) for layer in model.layers[1:])
    return Parts(batches, layers, loss, model.zero_grad, update)
