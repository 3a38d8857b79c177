"""Engines against each other: seconds of one epoch's training, each arm in a process of its own.

`fast` is the lab's default, `stock` the article's own path, the twin is the same network written by
hand in torch: channels-last memory, uint8 pictures staged once, fused Adam, nothing else. The arms
take turns, and one that waits does nothing; what an engine sets for its process (how memory is
kept, how many threads there are) stays with it.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from multiprocessing.connection import Connection
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np
import torch

from bench.measure import paired, save
from cnnlab.engines import ENGINES, Pictures, Start, initial_weights
from cnnlab.spec import PRESETS, ExperimentSpec, change

PAIRS = 7
DEVICE = "cuda:0" if torch.cuda.is_available() else "cpu"
KIND = DEVICE.partition(":")[0]
# Steps in an epoch: a few seconds a turn on a CPU, and enough on a GPU to fill its pipeline.
ARTICLE_STEPS, DENSE_STEPS = (400, 400) if DEVICE != "cpu" else (40, 600)
TWIN = "torch by hand"


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


def engine(spec: ExperimentSpec, steps: int) -> Callable[[], float]:
    """One epoch of `spec`, built once; gives its training seconds."""
    data = pictures(spec, steps)
    spec = change(spec, validation_split=64 / len(data.labels))
    with keras.device(DEVICE):
        weights = initial_weights(spec, data.images.shape[1:], data.classes)
        job = ENGINES[spec.engine](spec, data, Start(weights))

    def epoch() -> float:
        clock = TrainingSeconds()
        with keras.device(DEVICE):
            job.model.fit(**job.fit, epochs=1, callbacks=job.callbacks(clock))
        return clock.seconds

    return epoch


def twin(spec: ExperimentSpec, steps: int) -> Callable[[], float]:
    """The article's network, recipe and batches in plain torch, likewise."""
    data = pictures(spec, steps)
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

    def epoch() -> float:
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

    return epoch


# --- arms in processes ----------------------------------------------------------------------


def _serve(pipe: Connection, spec: ExperimentSpec, steps: int, by_hand: bool) -> None:
    """The process of an arm: an epoch for each message, until the pipe is closed."""
    epoch = (twin if by_hand else engine)(spec, steps)
    while True:
        try:
            pipe.recv()
        except EOFError:
            return
        pipe.send(epoch())


@contextmanager
def arm(spec: ExperimentSpec, steps: int, by_hand: bool = False) -> Iterator[Callable[[], float]]:
    """An arm in a process of its own: each call is one epoch, and gives its training seconds."""
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=_serve, args=(theirs, spec, steps, by_hand))
    process.start()
    theirs.close()

    def epoch() -> float:
        ours.send("go")
        return ours.recv()

    try:
        yield epoch
    finally:
        ours.close()
        process.join()


# --- measuring ------------------------------------------------------------------------------


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    article, dense = PRESETS["article"].spec, PRESETS["dense"].spec
    choices = {
        "fast, bfloat16": {"precision": "mixed_bfloat16"},
        "fast, bfloat16, batch 128": {"precision": "mixed_bfloat16", "batch_size": 128},
        "fast, batch 128": {"batch_size": 128},
        "fast, compiled": {"compile": True},
    }
    with ExitStack() as open_arms:

        def begin(spec: ExperimentSpec, steps: int, by_hand: bool = False) -> Callable[[], float]:
            return open_arms.enter_context(arm(spec, steps, by_hand))

        stock = begin(change(article, engine="stock"), ARTICLE_STEPS)
        fast = begin(article, ARTICLE_STEPS)
        by_hand = begin(article, ARTICLE_STEPS, by_hand=True)
        name = f"Epoch, article CNN, batch 32, {KIND}"
        results = [
            _result(name, "fast", fast, "stock", stock),
            _result(name, "fast", fast, TWIN, by_hand),
        ]
        for name, fields in choices.items():
            with arm(change(article, **fields), ARTICLE_STEPS) as chosen:
                results.append(
                    _result(f"Epoch, article CNN, {KIND}", name, chosen, "stock, batch 32", stock)
                )
        arms = [begin(change(dense, engine=name), DENSE_STEPS) for name in ("fast", "stock")]
        name = f"Epoch, dense on MNIST's shape, {KIND}"
        results.append(_result(name, "fast", arms[0], "stock", arms[1]))
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
