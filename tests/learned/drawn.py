"""What a run of one's own invention has learnt."""

from __future__ import annotations

import numpy as np

from cnnlab.learned import About, Answers, Writer
from cnnlab.spec import RunCard
from tests.analysis.twelve_runs import epochs_of, run

CLASSES, PICTURES, SHOWN = 3, 9, 4
NAMES = ("0000.conv2d_1.kernel", "0001.conv2d_1.bias", "0002.dense_1.kernel")
SHAPES = ((3, 3, 1, 2), (2,), (50, 3))
FRAME_BYTES = 4 * sum(int(np.prod(shape)) for shape in SHAPES)


def weights(epoch: int) -> dict[str, np.ndarray]:
    """Those after an epoch: each is the number of the epoch."""
    return {
        name: np.full(shape, epoch, np.float32) for name, shape in zip(NAMES, SHAPES, strict=True)
    }


def answers(epoch: int, count: int = SHOWN) -> np.ndarray:
    """Probabilities that differ from epoch to epoch."""
    drawn = np.random.default_rng(epoch).random((count, CLASSES)).astype(np.float32)
    return drawn / drawn.sum(1, keepdims=True)


def about(epochs: int, frame_bytes: int = FRAME_BYTES) -> About:
    """A run that is to have so many epochs."""
    return About(
        epochs=epochs,
        class_names=("cat", "dog", "owl"),
        weights=NAMES,
        frame_bytes=frame_bytes,
        gallery=np.arange(SHOWN) + 100,
        gallery_labels=np.arange(SHOWN) % CLASSES,
    )


def of_validation(final: np.ndarray, best: np.ndarray | None = None) -> dict[str, Answers]:
    """What a run keeps of its answers to a validation part."""
    labels = np.arange(len(final)) % CLASSES
    return {"validation": Answers(labels, np.arange(len(final)), final, best)}


def write(run_id: str, epochs: int = 3, accuracies: tuple[float, ...] = ()) -> Writer:
    """A whole run, from its beginning to its end."""
    writer = Writer(run_id)
    writer.begin(about(epochs), done=0)
    for epoch in range(1, epochs + 1):
        accuracy = accuracies[epoch - 1] if accuracies else 0.1 * epoch
        writer.epoch(weights(epoch), accuracy, answers(epoch))
    writer.end(of_validation(answers(99, PICTURES)))
    return writer


def go_on(run_id: str, done: int, accuracies: tuple[float, ...]) -> Writer:
    """A run that is resumed and trains epochs of these accuracies; killed, if it does not end."""
    writer = Writer(run_id)
    writer.begin(about(8), done)
    for epoch, accuracy in enumerate(accuracies, done + 1):
        writer.epoch(weights(epoch), accuracy, answers(epoch))
    return writer


def card(run_id: str, epochs: int = 3) -> RunCard:
    """What the history knows of a run that has done so many epochs."""
    return run(run_id, 21.0, 0.5).model_copy(update={"epochs": epochs_of([(21.0, 0.5)] * epochs)})
