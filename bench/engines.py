"""Engines against each other: seconds of one epoch's training, arms in turn in one process.

`fast` is the lab's default, `stock` the article's own path, the twin is the same network written by
hand in torch: channels-last memory, uint8 pictures staged once, fused Adam, nothing else.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch

from bench.measure import paired, save
from cnnlab.engines import ENGINES, Pictures, Start, initial_weights
from cnnlab.spec import PRESETS, ExperimentSpec, change

PAIRS = 5
DEVICE = "cuda:0" if torch.cuda.is_available() else "cpu"
# Steps in an epoch: a few seconds a turn on a CPU, and enough on a GPU to fill its pipeline.
ARTICLE_STEPS, DENSE_STEPS = (400, 400) if DEVICE != "cpu" else (40, 600)


class TrainingSeconds(keras.callbacks.Callback):
    """Seconds from the first batch of an epoch to its validation."""

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.began = time.perf_counter()

    def on_test_begin(self, logs: Any = None) -> None:
        if DEVICE != "cpu":
            torch.cuda.synchronize()
        self.seconds = time.perf_counter() - self.began


def pictures(spec: ExperimentSpec, steps: int) -> Pictures:
    """Noise is as good as photographs for timing: 32 x `steps` of it, and a little to validate."""
    shape, classes = ((28, 28, 1), 10) if spec.model.family == "dense" else ((32, 32, 3), 100)
    random = np.random.default_rng(0)
    count = 32 * steps + 64
    images = random.integers(0, 256, (count, *shape), dtype=np.uint8)
    return Pictures(images, random.integers(0, classes, count).astype(np.int32), classes)


def engine(spec: ExperimentSpec, data: Pictures) -> Callable[[], float]:
    """An arm: one epoch of `spec`, built once."""
    with keras.device(DEVICE):
        weights = initial_weights(spec, data.images.shape[1:], data.classes)
        job = ENGINES[spec.engine](spec, data, Start(weights))

    def arm() -> float:
        clock = TrainingSeconds()
        with keras.device(DEVICE):
            job.model.fit(**job.fit, epochs=1, callbacks=job.callbacks(clock))
        return clock.seconds

    return arm


def twin(data: Pictures, steps: int) -> Callable[[], float]:
    """An arm: the article's network, recipe and batches in plain torch."""
    layers = torch.nn
    network = layers.Sequential(
        layers.Conv2d(3, 128, 7),
        layers.ReLU(),
        layers.MaxPool2d(2),
        layers.Conv2d(128, 256, 3),
        layers.ReLU(),
        layers.Conv2d(256, 256, 3),
        layers.ReLU(),
        layers.AdaptiveAvgPool2d(1),
        layers.Flatten(),
        layers.Linear(256, 200),
        layers.ReLU(),
        layers.Dropout(0.5),
        layers.Linear(200, data.classes),
    ).to(DEVICE, memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.001, eps=1e-7, fused=True)
    images = torch.from_numpy(data.images).to(DEVICE)
    labels = torch.from_numpy(data.labels.astype(np.int64)).to(DEVICE)

    def arm() -> float:
        began = time.perf_counter()
        order = torch.randperm(32 * steps, device=DEVICE)
        for index in order.split(32):
            x = images[index].permute(0, 3, 1, 2).float().div_(255)
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x), labels[index]).backward()
            optimizer.step()
        if DEVICE != "cpu":
            torch.cuda.synchronize()
        return time.perf_counter() - began

    return arm


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    article = change(PRESETS["article"].spec, validation_split=0.01)
    data = pictures(article, ARTICLE_STEPS)
    article = change(article, validation_split=64 / len(data.labels))
    stock = engine(change(article, engine="stock"), data)
    fast = engine(article, data)
    where = f"article CNN, batch 32, {DEVICE.split(':')[0]}"
    results = [
        _result(f"Epoch, {where}", "fast", fast, "stock", stock),
        _result(f"Epoch, {where}", "fast", fast, "torch by hand", twin(data, ARTICLE_STEPS)),
    ]
    choices = {
        "fast, bfloat16": {"precision": "mixed_bfloat16"},
        "fast, bfloat16, batch 128": {"precision": "mixed_bfloat16", "batch_size": 128},
        "fast, batch 128": {"batch_size": 128},
        "fast, compiled": {"compile": True},
    }
    for name, fields in choices.items():
        arm = engine(change(article, **fields), data)
        results.append(_result("Epoch, article CNN", name, arm, "stock, batch 32", stock))
    dense = change(PRESETS["dense"].spec, validation_split=0.01)
    data = pictures(dense, DENSE_STEPS)
    arms = [engine(change(dense, engine=name), data) for name in ("fast", "stock")]
    results.append(_result("Epoch, dense on MNIST's shape", "fast", arms[0], "stock", arms[1]))
    save("engines", results)
    return results


def _result(
    name: str, ours: str, a: Callable[[], float], other: str, b: Callable[[], float]
) -> dict[str, Any]:
    measured = paired(a, b, PAIRS)
    return measured | {"name": name, "unit": "s", "arms": {"a": ours, "b": other}}


if __name__ == "__main__":
    for result in main():
        ratio = result["ratio"]
        print(
            f"{result['name']}: {result['arms']['a']} takes {1 / ratio['median']:.3f} of "
            f"{result['arms']['b']} ({1 / ratio['most']:.3f} to {1 / ratio['least']:.3f})"
        )
