"""Runs written into a history as a worker would tell them, for tests of pages."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from cnnlab.history import History
from cnnlab.spec import (
    PRESETS,
    DatasetFacts,
    DeviceFacts,
    Disturbances,
    Epoch,
    EpochEnded,
    Event,
    ExperimentSpec,
    ModelFacts,
    Part,
    RunEnded,
    RunStarted,
    Status,
    Timing,
    Window,
    change,
)

TINY = change(PRESETS["tiny"].spec, epochs=5)
CPU = DeviceFacts(requested="cpu", used="cpu", name="Example CPU")
CARD = DeviceFacts(requested="auto", used="cuda:0", name="Example GPU")
STEPS_PER_EPOCH = 107
WINDOW_STEPS = 20


def disturbances(*marks: str, **facts: Any) -> Disturbances:
    """What went on beside a run: two other processes' cores, unless `facts` say otherwise."""
    usual = {
        "seconds": 10.0,
        "cores": 4,
        "other_load_mean": 2.0,
        "other_load_peak": 2.0,
        "other_load_share": 1.0,
        "stolen_mean": None,
        "throttled": None,
        "paused_seconds": 0.0,
        "own_cost_seconds": 0.0,
    }
    return Disturbances(**usual | facts, marks=marks)


def started(spec: ExperimentSpec, device: DeviceFacts) -> RunStarted:
    """The first word of a run on 3,400 pictures."""
    dataset = DatasetFacts(
        name=spec.dataset,
        train_images=3400,
        validation_images=600,
        classes=100,
        image_shape=(32, 32, 3),
    )
    model = ModelFacts(parameters=13_620, flops_per_image=2_000_000, weights_sha256="a" * 64)
    return RunStarted(
        model=model,
        dataset=dataset,
        device=device,
        environment={"cpu": "Example CPU", "threads": 2, "torch": "2.9"},
        steps_per_epoch=STEPS_PER_EPOCH,
    )


def epoch(number: int, step_ms: float) -> list[Event]:
    """The windows of an epoch, then its end."""
    events: list[Event] = []
    first = (number - 1) * STEPS_PER_EPOCH + 1
    for begin in range(first, first + STEPS_PER_EPOCH, WINDOW_STEPS):
        end = min(begin + WINDOW_STEPS, first + STEPS_PER_EPOCH)
        durations = tuple(step_ms * (1 + 0.1 * math.sin(step)) for step in range(begin, end))
        events.append(
            Window(
                epoch=number,
                first_step=begin,
                step_ms=durations,
                seconds=end * step_ms / 1e3,
                loss=4.6 - 0.001 * end,
                accuracy=0.0005 * end,
                rss_mb=800.0,
            )
        )
    row = Epoch(
        epoch=number,
        loss=4.6 - 0.1 * number,
        accuracy=0.05 * number,
        val_loss=4.5 - 0.08 * number,
        val_accuracy=0.04 * number,
        seconds=STEPS_PER_EPOCH * step_ms / 1e3 * 1.05,
        step_ms_mean=step_ms,
    )
    return [*events, EpochEnded(row=row)]


def ended(epochs: int, step_ms: float, status: Status, error: str | None = None) -> RunEnded:
    """The last word of a run, with the times of its steps."""
    train = epochs * STEPS_PER_EPOCH * step_ms / 1e3
    timing = Timing(
        fit_seconds=1.05 * train,
        train_seconds=train,
        validation_seconds=0.05 * train,
        startup_seconds=2.0,
        total_seconds=1.05 * train + 2.0,
        step_ms_mean=step_ms,
        step_ms_median=step_ms,
        images_per_second=32e3 / step_ms,
    )
    return RunEnded(status=status, error=error, timing=timing)


def events(
    spec: ExperimentSpec, device: DeviceFacts, epochs: int, step_ms: float, status: Status
) -> Iterator[Event]:
    """A whole run."""
    yield started(spec, device)
    for number in range(1, epochs + 1):
        yield from epoch(number, step_ms)
    error = "The data set is gone: bring it back." if status is Status.FAILED else None
    yield ended(epochs, step_ms, status, error)


def add_run(
    history: History,
    *,
    name: str = "Example",
    session: str = "today",
    spec: ExperimentSpec = TINY,
    device: DeviceFacts = CPU,
    epochs: int = 3,
    step_ms: float = 12.0,
    status: Status = Status.FINISHED,
    part: Part | None = None,
) -> str:
    """Write a run that is over; its id."""
    spec = change(spec, device=device.requested, epochs=max(epochs, 1))
    run_id = history.create(spec, name=name, session=session, part=part)
    for event in events(spec, device, epochs, step_ms, status):
        history.record(run_id, event)
    return run_id
