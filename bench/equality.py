"""How far the losses of the engines part on the article CNN, and how far rounding alone takes them.

The engines do the same float32 mathematics, but add up in another order, and training magnifies
what is rounded differently. On small networks the tests hold every loss of 200 steps to 1e-4. The
article CNN magnifies more: there the engines are held against the stock engine and itself, its
first weights moved by half of their last bit. An engine that computed something else would part
from the stock one sooner, or further, than the stock one does from itself.
"""

from __future__ import annotations

import json
import os
from itertools import count
from typing import Any

os.environ.setdefault("KERAS_BACKEND", "torch")

import keras
import numpy as np

from bench.measure import paired, save
from bench.quiet import unwatched
from cnnlab import datasets, devices
from cnnlab.engines import ENGINES, Pictures, Start, initial_weights, seed_epoch
from cnnlab.models import split
from cnnlab.spec import PRESETS, Engine, ExperimentSpec, change
from cnnlab.training.run import on

STEPS, SEEDS = 200, 3
HALF_A_BIT = 2.0**-24
"""Of a float32's 24 bits of mantissa, relative to it."""
# The first 200 batches of the preset, without what draws at random while it trains.
ARTICLE = PRESETS["article"].spec
SPEC = change(ARTICLE, dataset="shapes", epochs=1, train_limit=7_560).model_copy(
    update={"model": ARTICLE.model.model_copy(update={"dropout": 0.0})}
)


class StepLosses(keras.callbacks.Callback):
    """The loss of each batch alone: the running mean is read and reset before each.

    And of each epoch the loss and accuracy of its validation.
    """

    def __init__(self, spec: ExperimentSpec) -> None:
        super().__init__()
        self.spec = spec
        self.losses: list[float] = []
        self.epochs: list[tuple[float, float]] = []

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        seed_epoch(self.spec, epoch)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if batch:
            self.losses.append(float(self.model.get_metrics_result()["loss"]))
            self.model.reset_metrics()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.epochs.append((logs["val_loss"], logs["val_accuracy"]))


def run(
    spec: ExperimentSpec,
    data: Pictures,
    device: str = "cpu",
    moved: float = 0.0,
) -> StepLosses:
    """Train a spec on pictures, from the weights and on the batches that a run of it has.

    Args:
        device: torch's name of where to train; the spec's own is not looked at.
        moved: the share of itself by which each first weight is moved, up or down at random.
    """
    devices.use_tf32(spec.tf32)
    random = np.random.default_rng(spec.seed)
    with on(device):
        weights = [
            (array * (1.0 + moved * random.choice((-1.0, 1.0), array.shape))).astype(array.dtype)
            for array in initial_weights(spec, data.images.shape[1:], data.classes)
        ]
        job = ENGINES[spec.engine](spec, data, Start(weights))
        callback = StepLosses(spec)
        job.model.fit(**job.fit, epochs=spec.epochs, callbacks=job.callbacks(callback))
    return callback


def train(engine: Engine, seed: int, moved: float = 0.0) -> StepLosses:
    """One epoch of 200 steps on the CPU, its first weights moved at random by so large a share."""
    spec = change(SPEC, engine=engine, seed=seed)
    found = datasets.load(spec.dataset)
    size = spec.train_limit
    data = Pictures(found.images[:size], found.labels[:size], len(found.class_names))
    assert split(spec, size or 0)[0] // spec.batch_size >= STEPS
    return run(spec, data, moved=moved)


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    seeds = {"fast": count(), "moved": count()}
    stock: dict[int, StepLosses] = {}
    first: list[float] = []
    accuracies: list[tuple[float, float]] = []

    def apart(other: StepLosses, seed: int) -> np.ndarray:
        if seed not in stock:
            stock[seed] = train("stock", seed)
        ours, theirs = np.array(other.losses), np.array(stock[seed].losses)
        return np.abs(ours - theirs) / np.abs(theirs)

    def fast() -> float:
        seed = next(seeds["fast"])
        found = train("fast", seed)
        parted = apart(found, seed)
        first.append(float(parted[0]))
        accuracies.append((found.epochs[-1][1], stock[seed].epochs[-1][1]))
        return 100 * float(np.median(parted))

    def moved() -> float:
        seed = next(seeds["moved"])
        return 100 * float(np.median(apart(train("stock", seed, HALF_A_BIT), seed)))

    result = paired(fast, moved, SEEDS, unwatched)
    pairs = ", ".join(f"{ours:.1%} and {theirs:.1%}" for ours, theirs in accuracies)
    result |= {
        "name": f"Median distance of a step's loss from stock's, {STEPS} steps of the article CNN",
        "unit": "%",
        "arms": {"a": "fast", "b": "stock, first weights moved by half a bit"},
        "first_step": first,
        "validation_accuracy": accuracies,
        "notes": [
            f"On the article CNN the first step's loss of fast is within {max(first):.1e} of "
            f"stock's; afterwards they part as stock does from itself when its first weights move "
            f"by half a bit. Validation accuracy after the epoch, fast and stock: {pairs}."
        ],
    }
    save("equality", [result])
    return [result]


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
