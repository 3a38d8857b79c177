"""Runs whose every figure is known."""

import math
from dataclasses import dataclass

import numpy as np

from cnnlab import analysis
from cnnlab.spec import (
    PRESETS,
    DatasetFacts,
    DeviceFacts,
    Epoch,
    ModelFacts,
    RunCard,
    Status,
    Steps,
    change,
)

NAN = math.nan


@dataclass(frozen=True)
class Pretend:
    """A run whose every duration is known: steps, a slow first one, windows, validation."""

    epochs: int = 20
    steps_per_epoch: int = 1329
    step_ms: float = 17.0
    first_ms: float = 2500.0
    validation_seconds: float = 1.5
    window: int = 18
    noise: float = 0.08

    def series(self, steps: int | None = None) -> analysis.Series:
        """The first `steps` of the run, all by default."""
        random = np.random.default_rng(1)
        count = self.epochs * self.steps_per_epoch
        step = np.arange(1, count + 1)
        ms = self.step_ms * random.lognormal(0, self.noise, count)
        ms[0] = self.first_ms
        epoch = 1 + (step - 1) // self.steps_per_epoch
        seconds = np.cumsum(ms) / 1e3 + (epoch - 1) * self.validation_seconds
        ends = (step % self.window == 0) | (step % self.steps_per_epoch == 0)
        columns = {
            "step": step,
            "epoch": epoch,
            "seconds": np.where(ends, seconds, NAN),
            "ms": ms,
            "loss": np.where(ends, 5 - step / count, NAN),
            "accuracy": np.where(ends, step / count, NAN),
            "rss_mb": np.where(ends, 1000 + step / 100, NAN),
            "device_mb": np.where(ends, 500.0, NAN),
        }
        return analysis.Series(**{name: column[:steps] for name, column in columns.items()})

    def rows(self, done: int | None = None) -> tuple[Epoch, ...]:
        """The first `done` epochs, all by default."""
        ms = self.series().ms.reshape(self.epochs, self.steps_per_epoch)
        return tuple(
            epoch(
                number,
                seconds=float(ms[number - 1].sum()) / 1e3 + self.validation_seconds,
                step_ms_mean=float(ms[number - 1].mean()),
            )
            for number in range(1, (self.epochs if done is None else done) + 1)
        )

    def left(self, steps: int) -> float:
        """Seconds from the end of step `steps` to the end of the run."""
        training = float(self.series().ms[steps:].sum()) / 1e3
        checks = self.epochs - (steps - 1) // self.steps_per_epoch
        return training + checks * self.validation_seconds


def epoch(number: int, **fields: float) -> Epoch:
    values = {
        "loss": 4.0 / number,
        "accuracy": 0.1 * number,
        "val_loss": 4.5 / number,
        "val_accuracy": 0.09 * number,
        "seconds": 22.0,
        "step_ms_mean": 16.0,
    }
    return Epoch(epoch=number, **(values | fields))


def empty() -> analysis.Series:
    return analysis.Series.of(Steps())


def card(device: str = "cpu", seconds: tuple[float, ...] = (30, 22, 23), **fields) -> RunCard:
    name = {"cpu": "Core i7-10875H"}.get(device.split(":")[0], "GeForce RTX 3060")
    values = {
        "run_id": f"run-{device}",
        "name": f"On {device}",
        "session": "Tests",
        "status": Status.FINISHED,
        "created_at": "2026-01-02T03:04:05+00:00",
        "spec": change(PRESETS["article"].spec, device=device),
        "model": ModelFacts(parameters=975_692, flops_per_image=193_000_000),
        "dataset": DatasetFacts(
            name="cifar100",
            train_images=42_500,
            validation_images=7_500,
            classes=100,
            image_shape=(32, 32, 3),
        ),
        "device": DeviceFacts(requested=device, used=device, name=name),
        "environment": {"torch": "2.13.0", "threads": 8, "load_average": 0.1},
        "epochs": tuple(epoch(i, seconds=value) for i, value in enumerate(seconds, 1)),
    }
    return RunCard(**(values | fields))


ARTICLE = PRESETS["article"].spec.model_dump(mode="json")["model"]


CPU = card("cpu", (400, 342, 344))


GPU = card("cuda:0", (30, 22.8, 22.8))
