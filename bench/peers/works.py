"""The recipes that contenders are held against each other on: every preset's, on noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from cnnlab import datasets
from cnnlab.spec import PRESETS, ExperimentSpec, change

EPOCHS = 10_000
"""More than anybody waits for: a contender trains until it is told that it was the last epoch."""
VALIDATION_PICTURES = 64
ON_A_CARD = 2
"""Times the steps, on a card: its pipeline is to be full. What is held up by its host is no faster
there, so that an epoch of it takes seconds."""


@dataclass(frozen=True)
class Work:
    """A recipe, and how many steps of it an epoch has: about a second's worth."""

    title: str
    preset: str
    steps: int
    changes: dict[str, Any]

    @property
    def spec(self) -> ExperimentSpec:
        """The preset with what is changed of it, on its own data set."""
        return change(PRESETS[self.preset].spec, **self.changes)

    @property
    def pictures(self) -> int:
        """Pictures or sequences in an epoch, and the few that validate."""
        return self.steps * self.spec.batch_size + VALIDATION_PICTURES

    def sized(self, device: str) -> Work:
        """The same with as many steps as suit a device."""
        return self if device == "cpu" else replace(self, steps=ON_A_CARD * self.steps)

    def changed(self, **changes: Any) -> Work:
        """The same with more changed of its preset."""
        return replace(self, changes={**self.changes, **changes})

    def on(self, file: Path, device: str) -> ExperimentSpec:
        """The spec as the lab trains it, on what `draw` wrote into a file."""
        spec, count = self.spec, self.pictures
        return change(
            spec,
            dataset=str(file) if spec.model.family != "rnn" else spec.dataset,
            train_limit=count,
            # Half a picture less: the split rounds, and one picture too few would be a short batch.
            validation_split=(VALIDATION_PICTURES - 0.5) / count,
            epochs=EPOCHS,
            device=device,
        )


def draw(work: Work, file: Path) -> None:
    """Write what a work trains on: noise in the shape of its data set, or the drawn sequences.

    Noise is as good as photographs for timing, and needs no download.
    """
    spec, random = work.spec, np.random.default_rng(0)
    info = datasets.info(spec.dataset)
    if spec.model.family == "rnn":
        found = datasets.load(spec.dataset, work.pictures)
        images, labels = found.images, found.labels
    else:
        assert info.image_shape
        assert info.classes
        images = random.integers(0, 256, (work.pictures, *info.image_shape), dtype=np.uint8)
        labels = random.integers(0, info.classes, work.pictures)
    np.savez(file, x_train=images, y_train=labels)


_BFLOAT16 = {"precision": "mixed_bfloat16"}
_SIMPLE = {"model": {**PRESETS["lstm"].spec.model.model_dump(mode="json"), "cell": "simple"}}

WORKS: dict[str, Work] = {
    "tiny": Work("tiny, batch 32", "tiny", 200, {}),
    "article": Work("article, float32, batch 32", "article", 20, {}),
    "article-bfloat16": Work("article, bfloat16, batch 32", "article", 40, _BFLOAT16),
    "article-bfloat16-128": Work(
        "article, bfloat16, batch 128", "article", 10, {**_BFLOAT16, "batch_size": 128}
    ),
    "deeper": Work("deeper, batch 32", "deeper", 20, {}),
    "dense": Work("dense 784-300-100-10, batch 32", "dense", 400, {}),
    "lstm": Work("LSTM 48, 128 steps x 3, batch 64", "lstm", 40, {}),
    "gru": Work("GRU 48, 128 steps x 3, batch 64", "gru", 40, {}),
    "simple": Work("SimpleRNN 48, 128 steps x 3, batch 64", "lstm", 40, _SIMPLE),
}
