"""What tests of the history write into it."""

import math

from cnnlab.spec import (
    PRESETS,
    DatasetFacts,
    DeviceFacts,
    Epoch,
    EpochEnded,
    ModelFacts,
    RunCard,
    RunStarted,
    Window,
)

SPEC = PRESETS["tiny"].spec


NAN, INFINITY = math.nan, math.inf


STARTED = RunStarted(
    model=ModelFacts(parameters=12, flops_per_image=34, weights_sha256="ab"),
    dataset=DatasetFacts(
        name="shapes", train_images=8, validation_images=2, classes=2, image_shape=(4, 4, 3)
    ),
    device=DeviceFacts(requested="auto", used="cpu", name="a processor"),
    environment={"torch": "2", "threads": [1, 2]},
    steps_per_epoch=3,
)


def epoch(number, loss=1.0, val_accuracy=0.5):
    row = Epoch(
        epoch=number,
        loss=loss,
        accuracy=0.25,
        val_loss=2.0,
        val_accuracy=val_accuracy,
        seconds=0.5,
        step_ms_mean=1.5,
    )
    return EpochEnded(row=row)


def window(first_step, *step_ms, number=1, loss=1.0, **readings):
    end = first_step + len(step_ms)
    return Window(
        epoch=number,
        first_step=first_step,
        step_ms=step_ms,
        seconds=end / 100,
        loss=loss,
        accuracy=0.5,
        **readings,
    )


def finished(**fields):
    values = {"run_id": "run-1", "name": "a run", "session": "one", "status": "finished"}
    return RunCard(**values | {"created_at": "2026-01-31T12:00:00Z", "spec": SPEC} | fields)


def written(card):
    """A card as text, in which NaN equals NaN."""
    return card.model_dump_json(by_alias=True)
