"""Twelve runs of the article's experiment whose pairs cover every grade of a verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cnnlab.spec import (
    PRESETS,
    CnnModel,
    DatasetFacts,
    DeviceFacts,
    Disturbances,
    Epoch,
    ModelFacts,
    RunCard,
    Status,
    Timing,
    change,
)
from tests.example_runs import disturbances

ARTICLE = PRESETS["article"].spec
MACHINE = {
    "cpu": "Core i7-10875H",
    "threads": 8,
    "torch": "2.13.0",
    "accelerator": "GeForce RTX 3060",
    "accelerator_driver": "580.1",
    "accelerator_compute_capability": "8.6",
    "matmul_tf32": False,
    "cudnn_tf32": False,
}
CIFAR = DatasetFacts(
    name="cifar100",
    train_images=42_500,
    validation_images=7_500,
    classes=100,
    image_shape=(32, 32, 3),
)
CARD = DeviceFacts(requested="auto", used="cuda:0", name="GeForce RTX 3060")
CPU = DeviceFacts(requested="cpu", used="cpu", name="Core i7-10875H")


def epochs_of(ends: Sequence[tuple[float, float]]) -> tuple[Epoch, ...]:
    """Epochs that took these seconds and ended with these accuracies."""
    return tuple(
        Epoch(
            epoch=number,
            loss=1.0,
            accuracy=share,
            val_loss=1.0,
            val_accuracy=share,
            seconds=seconds,
            step_ms_mean=seconds,
        )
        for number, (seconds, share) in enumerate(ends, 1)
    )


def run(
    name: str,
    seconds: float,
    val_accuracy: float,
    *,
    asked: dict[str, Any] | None = None,
    environment: dict[str, Any] | None = None,
    **fields: Any,
) -> RunCard:
    """A run whose warm epochs take 0.99, 1 and 1.01 times these seconds."""
    ends = [(2.0, 0.1), (0.99, 0.5 * val_accuracy), (1.0, 0.9 * val_accuracy), (1.01, val_accuracy)]
    epochs = epochs_of([(factor * seconds, share) for factor, share in ends])
    card = RunCard(
        run_id=name.replace(" ", "-"),
        name=name,
        session="article",
        status=Status.FINISHED,
        created_at="2026-10-05T12:00:00Z",
        spec=change(ARTICLE, **(asked or {})),
        model=ModelFacts(parameters=975_692, flops_per_image=10**9, weights_sha256="a" * 64),
        dataset=CIFAR,
        device=CARD,
        environment=MACHINE | (environment or {}),
        timing=Timing(fit_seconds=4.8 * seconds, step_ms_median=seconds),
        epochs=epochs,
    )
    return card.model_copy(update=fields)


def _noisy() -> Disturbances:
    mark = "Other processes kept 2 of 8 cores busy."
    return disturbances(
        mark, seconds=90.0, cores=8, other_load_peak=4.0, other_load_share=0.5, own_cost_seconds=0.1
    )


def _halved() -> dict[str, Any]:
    assert isinstance(ARTICLE.model, CnnModel)
    model = ARTICLE.model.model_dump(mode="json")
    model["blocks"][0]["convs"][0]["filters"] = 64
    return model


SMALLER = ModelFacts(parameters=819_084, flops_per_image=5 * 10**8)
MNIST = CIFAR.model_copy(update={"name": "mnist", "classes": 10, "image_shape": (28, 28, 1)})

TWELVE: dict[str, RunCard] = {
    card.name: card
    for card in (
        run("base", 21.0, 0.41),
        run("again", 21.2, 0.415),
        run("half", 13.1, 0.406, asked={"precision": "mixed_bfloat16"}),
        run("large", 9.0, 0.38, asked={"precision": "mixed_bfloat16", "batch_size": 128}),
        run("fast learner", 21.1, 0.30, asked={"learning_rate": 0.01}),
        run("slim", 14.0, 0.36, asked={"model": _halved()}, model=SMALLER),
        run("host", 320.0, 0.418, device=CPU),
        run("rounded", 17.0, 0.409, environment={"cudnn_tf32": True}),
        run("older", 24.0, 0.412, environment={"torch": "2.4.1"}),
        run(
            "elsewhere",
            6.0,
            0.408,
            asked={"batch_size": 64},
            environment={"cpu": "EPYC 9654", "accelerator_driver": "570.2"},
            device=CARD.model_copy(update={"name": "H100"}),
        ),
        run("beside", 29.0, 0.411, disturbances=_noisy()),
        run("digits", 12.0, 0.99, asked={"dataset": "mnist"}, dataset=MNIST),
    )
}
