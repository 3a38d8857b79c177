"""The published experiment's own figures, as references: never mixed with what was measured here.

Only what was published stands here. The networks, the data and the recipe are those of the preset
`article`; times are of whole epochs, validation included.
"""

from __future__ import annotations

from typing import Literal

from cnnlab.spec import Frozen


class Point(Frozen):
    """Accuracy and loss at the end of an epoch, as far as published."""

    epoch: int
    accuracy: float
    val_accuracy: float
    loss: float | None = None
    val_loss: float | None = None


class Reference(Frozen):
    """One published run."""

    key: str
    title: str
    kind: Literal["cpu", "accelerator"]
    device: str
    software: str
    epochs: int
    fit_seconds: float
    epoch_seconds: tuple[float, float]
    """Shortest and longest epoch."""
    step_ms: tuple[float, float]
    points: tuple[Point, ...]
    train_images: int = 42_500
    """In an epoch: 1,329 steps of 32, the last one partial."""


_SOFTWARE = "PyTorch 2.4.1+cu118, Keras 3.6.0"
_CPU, _GPU = "Core i7-10875H", "GeForce RTX 3060 laptop, 6 GB"

REFERENCES: dict[str, Reference] = {
    reference.key: reference
    for reference in (
        Reference(
            key="article-gpu-20",
            title="Article, GPU, 20 epochs",
            kind="accelerator",
            device=_GPU,
            software=_SOFTWARE,
            epochs=20,
            fit_seconds=7 * 60 + 35,
            epoch_seconds=(20, 22),
            step_ms=(15, 17),
            points=(
                Point(epoch=1, accuracy=0.0381, val_accuracy=0.1193),
                Point(epoch=20, accuracy=0.5048, val_accuracy=0.4087, loss=1.7399, val_loss=2.3686),
            ),
        ),
        Reference(
            key="article-cpu-20",
            title="Article, CPU, 20 epochs",
            kind="cpu",
            device=_CPU,
            software=_SOFTWARE,
            epochs=20,
            fit_seconds=1 * 3600 + 54 * 60 + 22,
            epoch_seconds=(288, 360),
            step_ms=(216, 271),
            points=(
                Point(epoch=1, accuracy=0.0348, val_accuracy=0.1028),
                Point(epoch=20, accuracy=0.4834, val_accuracy=0.4184, loss=1.8493, val_loss=2.2923),
            ),
        ),
        Reference(
            key="article-gpu-50",
            title="Article, GPU, 50 epochs",
            kind="accelerator",
            device=_GPU,
            software=_SOFTWARE,
            epochs=50,
            fit_seconds=20 * 60 + 40,
            epoch_seconds=(24, 24),
            step_ms=(18, 18),
            points=(
                Point(epoch=50, accuracy=0.8169, val_accuracy=0.4153, loss=0.5465, val_loss=3.6471),
            ),
        ),
    )
}
