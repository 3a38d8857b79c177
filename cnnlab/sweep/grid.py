"""The grid of cells that a plan means, and why one is refused."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from pydantic import ValidationError

from cnnlab.spec import (
    Axis,
    ExperimentSpec,
    LabError,
    SpecError,
    SweepPlan,
    Value,
    parse_spec,
    problems_of,
)
from cnnlab.sweep.axes import AXES, OFFERED

MOST_AXES = 2
MOST_CELLS = 400
LEAST_SECONDS_PER_CELL = 0.75
"""A model is built, warmed up and stepped a few times: less gives no median worth the name."""
STARTUP_SECONDS = 5.0
"""What importing torch and Keras may take of a budget."""


@dataclass(frozen=True)
class Cell:
    """One place of the grid: what is measured there."""

    number: int
    """Counts from 0: along the first axis, then the second, then the devices."""
    values: dict[str, Value]
    device: str
    spec: ExperimentSpec


def plan(
    spec: ExperimentSpec, axes: Sequence[Axis], devices: Sequence[str], budget_seconds: float
) -> SweepPlan:
    """A sweep as it was asked for; `cells` and `check_budget` look at it more closely.

    Raises:
        LabError: a device that none can be, or a budget that is no time.
    """
    try:
        return SweepPlan(
            spec=spec, axes=tuple(axes), devices=tuple(devices), budget_seconds=budget_seconds
        )
    except ValidationError as error:
        raise SpecError(problems_of(error)) from error


def cells(
    plan: SweepPlan, check: Callable[[ExperimentSpec], object] = lambda spec: None
) -> list[Cell]:
    """The cells of a plan in their order: devices take turns, so that a busy minute meets both.

    Args:
        check: raises a `LabError` on a spec that cannot run on its data.

    Raises:
        LabError: the plan makes no grid, or too large a one, or a cell of it cannot work.
    """
    size = _check_size(plan)
    for axis in plan.axes:
        _check_fits(plan, axis)
    made: list[Cell] = []
    for values in product(*(axis.values for axis in plan.axes)):
        chosen = dict(zip((axis.name for axis in plan.axes), values, strict=True))
        for device in plan.devices:
            spec = _cell_spec(plan.spec, chosen, device, size, check)
            made.append(Cell(len(made), chosen, device, spec))
    return made


def _check_size(plan: SweepPlan) -> str:
    """The size asked for, in words."""
    names = [axis.name for axis in plan.axes]
    if not names:
        raise LabError(f"A sweep needs an axis; choose one or two of {', '.join(OFFERED)}.")
    if len(names) > MOST_AXES:
        raise LabError(f"A sweep has one or two axes, but {len(names)} were given; leave some out.")
    if len(set(names)) < len(names):
        raise LabError(f"The axis {names[0]} was given twice; put all its values into one.")
    if len(set(plan.devices)) < len(plan.devices):
        raise LabError("A device was named twice; once will do.")
    sides = [*(len(axis.values) for axis in plan.axes), len(plan.devices)]
    total = math.prod(sides)
    devices = "1 device" if len(plan.devices) == 1 else f"{len(plan.devices)} devices"
    size = f"{total:,} cells ({' x '.join(f'{side:,}' for side in sides[:-1])} on {devices})"
    if total > MOST_CELLS:
        raise LabError(f"This sweep has {size}, but at most {MOST_CELLS} are measured; take fewer.")
    return size


def _check_fits(plan: SweepPlan, axis: Axis) -> None:
    kind, model = AXES[axis.name], plan.spec.model
    if any(other.name == "preset" for other in plan.axes):
        return  # the presets have networks of their own, whose cells are looked at one by one
    if model.family not in kind.families:
        fitting = " or ".join(kind.families)
        raise LabError(
            f"The axis {axis.name} is for a {fitting}, but the base is a {model.family}."
        )
    if not kind.fits(plan.spec):
        raise LabError(f"The axis {axis.name} needs {kind.needs}, which the base does not have.")


def _cell_spec(
    base: ExperimentSpec,
    values: dict[str, Value],
    device: str,
    size: str,
    check: Callable[[ExperimentSpec], object],
) -> ExperimentSpec:
    raw = base.model_dump(mode="json") | {"device": device, "gpu_off": "none"}
    # A preset replaces the network that other axes then change.
    for name in sorted(values, key=list(AXES).index):
        family, kind = raw["model"]["family"], AXES[name]
        if family not in kind.families or not kind.fits(parse_spec(raw)):
            raise LabError(f"The axis {name} does not fit {_said(values)}, one of {size}.")
        kind.put(raw, values[name])
    try:
        spec = parse_spec(raw)
        check(spec)
    except SpecError as error:
        more = len(error.problems) - 1
        why = f"{error.problems[0]}" + (f"; and {more} more like it" if more else "")
        raise LabError(f"The cell {_said(values)}, one of {size}, cannot work: {why}.") from error
    return spec


def _said(values: dict[str, Value]) -> str:
    return ", ".join(f"{AXES[name].title.lower()} {value}" for name, value in values.items())


def said(cell: Cell) -> str:
    """A cell in words: "batch size 32, units 64 on cpu"."""
    pairs = (f"{AXES[name].title.lower()} {value}" for name, value in cell.values.items())
    return f"{', '.join(pairs)} on {cell.device}"


def run_name(sweep: str, cell: Cell) -> str:
    """What a cell's run is called."""
    return f"{sweep}: {said(cell)}"[:120]


def least_seconds(cell_count: int) -> float:
    """The smallest budget for so many cells."""
    return STARTUP_SECONDS + LEAST_SECONDS_PER_CELL * cell_count


def check_budget(plan: SweepPlan, cell_count: int) -> None:
    """See that the budget is enough for the cells.

    Raises:
        LabError: it is not; says the least that would do.
    """
    least = least_seconds(cell_count)
    if plan.budget_seconds < least:
        counted = "one cell" if cell_count == 1 else f"{cell_count:,} cells"
        raise LabError(
            f"A budget of {plan.budget_seconds:g} s is too small for {counted}; "
            f"give at least {math.ceil(least)} s, or fewer cells."
        )
