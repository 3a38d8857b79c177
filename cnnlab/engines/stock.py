"""The engine `stock`: the published path, and the baseline."""

from __future__ import annotations

import keras
import numpy as np

from cnnlab.engines.job import Job, Pictures, Start, begin, optimizer_of
from cnnlab.models import build_model
from cnnlab.spec import ExperimentSpec


def stock(spec: ExperimentSpec, data: Pictures, start: Start) -> Job:
    """The article's path: pixels / 255 in NumPy, one-hot labels, channels last, plain `fit`."""
    images = data.images / 255.0 if data.images.dtype == np.uint8 else data.images
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
    return Job(model, fit, lambda callback: [callback])
