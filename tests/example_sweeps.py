"""Sweeps written into a history as the lab would keep them, for tests of pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cnnlab.history import History
from cnnlab.spec import (
    PRESETS,
    Axis,
    DatasetFacts,
    DeviceFacts,
    ModelFacts,
    Place,
    RunEnded,
    RunStarted,
    Status,
    SweepPlan,
    SweepStatus,
    Timing,
)
from cnnlab.sweep import Cell, cells

CPU = DeviceFacts(requested="cpu", used="cpu", name="Example CPU")
GPU = DeviceFacts(requested="cuda:0", used="cuda:0", name="Example GPU")
AXES = (
    Axis(name="batch_size", values=(32, 128, 512)),
    Axis(name="units", values=(64, 256, 1024)),
)


def step_ms(cell: Cell) -> float:
    """A CPU pays for the weights of each picture, a GPU for each step as well."""
    batch, units = cell.spec.batch_size, cell.values.get("units", 100)
    assert isinstance(units, int)
    work = batch * units / 1000
    return 0.5 + work if cell.device == "cpu" else 5 + work / 20


def add_sweep(
    history: History,
    *,
    name: str = "Dense",
    axes: Sequence[Axis] = AXES,
    devices: Sequence[DeviceFacts] = (CPU, GPU),
    status: SweepStatus = SweepStatus.FINISHED,
    done: int | None = None,
    spread: float = 0.01,
    time: Callable[[Cell], float] = step_ms,
) -> str:
    """Write a sweep of which the first `done` cells were measured, all by default; its id."""
    plan = SweepPlan(
        spec=PRESETS["dense"].spec,
        axes=tuple(axes),
        devices=tuple(device.requested for device in devices),
        budget_seconds=60,
    )
    sweep_id = history.sweeps.create(plan, name=name, session="today")
    facts = {device.requested: device for device in devices}
    for cell in cells(plan)[:done]:
        place = Place(sweep_id=sweep_id, sweep=name, cell=cell.number, values=cell.values)
        add_cell(history, cell, place, facts[cell.device], time(cell), spread)
    history.sweeps.mark(sweep_id, status)
    return sweep_id


def add_cell(
    history: History, cell: Cell, place: Place, device: DeviceFacts, ms: float, spread: float
) -> str:
    """Write the run of one cell; its id."""
    run_id = history.create(cell.spec, name=place.sweep, session="today", place=place)
    units = cell.values.get("units", 100)
    assert isinstance(units, int)
    started = RunStarted(
        model=ModelFacts(parameters=1000 * units, flops_per_image=2000 * units),
        dataset=DatasetFacts(
            name="noise",
            train_images=1000,
            validation_images=100,
            classes=10,
            image_shape=(28, 28, 1),
            synthetic=True,
        ),
        device=device,
        environment={},
        steps_per_epoch=10,
    )
    timing = Timing(
        step_ms_median=ms,
        step_ms_mean=ms,
        step_ms_spread=spread,
        images_per_second=cell.spec.batch_size * 1e3 / ms,
    )
    history.record(run_id, started)
    history.record(run_id, RunEnded(status=Status.FINISHED, timing=timing))
    return run_id
