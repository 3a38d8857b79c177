"""A sweep: one base spec, one or two axes, some devices; and a run's place in it."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from cnnlab.spec.base import Frozen
from cnnlab.spec.experiment import Device, ExperimentSpec

Value = int | str
"""What stands on an axis: a whole number, or a word such as `mixed_bfloat16`."""


class Axis(Frozen):
    """What varies along one side of the grid; `cnnlab.sweep.AXES` has the names."""

    name: str
    values: Annotated[tuple[Value, ...], Field(min_length=1)]


class SweepPlan(Frozen):
    """Everything that decides a sweep: its only description."""

    spec: ExperimentSpec
    axes: tuple[Axis, ...]
    devices: Annotated[tuple[Device, ...], Field(min_length=1)]
    budget_seconds: Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
    """Seconds that the sweep takes, the start of its process included."""


class SweepStatus(StrEnum):
    """Where a sweep stands. All but a finished one can go on."""

    QUEUED = "queued"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def over(self) -> bool:
        """Nothing more will happen to this sweep unless somebody lets it go on."""
        return self not in (SweepStatus.QUEUED, SweepStatus.RUNNING)


class Place(Frozen):
    """Where a run belongs: it is a measured cell of a sweep."""

    sweep_id: Annotated[str, Field(min_length=1, max_length=64)]
    sweep: Annotated[str, Field(max_length=120)]
    """The sweep's name."""
    cell: Annotated[int, Field(ge=0)]
    """Counts from 0, in the order of `cnnlab.sweep.cells`."""
    repeat: Annotated[int, Field(ge=0)] = 0
    """How many earlier measurements the cell had."""
    values: dict[str, Value]
    """By axis; the device is in the spec."""
