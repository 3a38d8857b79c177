"""What the runs of a sweep came to, cell by cell."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cnnlab.spec import Disturbances, ModelFacts, Place, Status, SweepPlan, Timing
from cnnlab.sweep.grid import Cell, cells, least_seconds
from cnnlab.sweep.schedule import Figure, Schedule, measured


class CellRun(Protocol):
    """What is asked of a run: a summary of the history has it, and so has a run card."""

    @property
    def run_id(self) -> str: ...
    @property
    def status(self) -> Status: ...
    @property
    def error(self) -> str | None: ...
    @property
    def model(self) -> ModelFacts | None: ...
    @property
    def timing(self) -> Timing: ...
    @property
    def disturbances(self) -> Disturbances | None: ...
    @property
    def sweep(self) -> Place | None: ...


@dataclass(frozen=True)
class CellResult:
    """A cell and what is known of it so far."""

    cell: Cell
    figure: Figure
    run_id: str | None
    """The run whose median is nearest to the figure; null before there is one."""
    run_ids: tuple[str, ...]
    """Every run of the cell that came to its end, in the order of measuring."""
    model: ModelFacts | None
    error: str | None
    """Why there is no figure, in a sentence; null where there is one, or nothing was tried."""

    @property
    def images_per_second(self) -> float | None:
        step_ms = self.figure.step_ms
        return None if step_ms is None else self.cell.spec.batch_size * 1e3 / step_ms

    @property
    def us_per_image(self) -> float | None:
        """Microseconds."""
        step_ms = self.figure.step_ms
        return None if step_ms is None else step_ms * 1e3 / self.cell.spec.batch_size


def results(grid: Sequence[Cell], runs: Sequence[CellRun]) -> list[CellResult]:
    """What every cell of a sweep came to, in the order of the grid.

    Args:
        runs: the sweep's, in any order; those that were broken off say nothing.
    """
    by_cell: dict[int, list[CellRun]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.sweep.repeat if run.sweep else 0):
        if run.sweep and run.status in (Status.FINISHED, Status.FAILED):
            by_cell[run.sweep.cell].append(run)
    return [_result(cell, by_cell[cell.number]) for cell in grid]


def _result(cell: Cell, runs: Sequence[CellRun]) -> CellResult:
    figure = Figure([measured(run.timing, run.disturbances) for run in runs])
    timed = [run for run in runs if run.timing.step_ms_median is not None]
    middle = figure.step_ms or 0.0
    best = min(timed, key=lambda run: abs((run.timing.step_ms_median or 0) - middle), default=None)
    return CellResult(
        cell=cell,
        figure=figure,
        run_id=best.run_id if best else None,
        run_ids=tuple(run.run_id for run in runs),
        model=next((run.model for run in runs if run.model), None),
        error=None if best else next((run.error for run in runs), None),
    )


def schedule_after(grid: Sequence[Cell], runs: Sequence[CellRun]) -> Schedule:
    """What is left to do of a sweep of which some cells were measured in earlier sittings."""
    schedule = Schedule(grid)
    for result in results(grid, runs):
        for one in result.figure.measured:
            schedule.add(result.cell.number, one)
    return schedule


class Standing(Protocol):
    """What is asked of a sweep that is to go on; a record of the history has it."""

    @property
    def plan(self) -> SweepPlan: ...
    @property
    def seconds(self) -> float: ...


def budget_to_go_on(
    sweep: Standing, runs: Sequence[CellRun], seconds: float | None = None
) -> float:
    """The budget of a sweep that is resumed, what it has used already included.

    Args:
        seconds: from now on; null: what is left. At least what the open cells need.
    """
    grid = cells(sweep.plan)
    least = least_seconds(len(grid) - schedule_after(grid, runs).done)
    return sweep.seconds + max(
        sweep.plan.budget_seconds - sweep.seconds if seconds is None else seconds, least
    )


def verdict(found: Sequence[CellResult]) -> str | None:
    """Which of two devices was faster, and where, in a sentence; None where there are not two."""
    devices = list(dict.fromkeys(result.cell.device for result in found))
    if len(devices) != 2:
        return None
    first, second = (
        [result.figure.step_ms for result in found if result.cell.device == device]
        for device in devices
    )
    ratios = [a / b for a, b in zip(first, second, strict=True) if a and b]
    if not ratios:
        return f"No cell was measured on both {devices[0]} and {devices[1]}."
    wins = sum(ratio > 1 for ratio in ratios)
    low, high = min(ratios), max(ratios)
    return (
        f"{devices[1]} was faster than {devices[0]} in {wins} of {len(ratios)} cells: "
        f"{low:.3g} to {high:.3g} times as fast."
    )
