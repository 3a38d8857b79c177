"""Sweeps as grids: of this lab, of cells that were brought in as run cards, and recorded ones that
came with the lab."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import mean

from cnnlab import datasets, recorded, sweep
from cnnlab.analysis import Grid, Point, Side, device_kind
from cnnlab.history import RunSummary, SweepRecord
from cnnlab.recorded import RecordedSweep
from cnnlab.spec import HERE, ExperimentSpec, RunCard, Status, SweepPlan, Value
from cnnlab.sweep import AXES, Cell, CellResult
from cnnlab.ui import lab

MOST_RUNS = 1000
"""The newest so many finished runs are looked through for ones that trained a cell's recipe."""

Measured = RunSummary | RunCard


@dataclass(frozen=True)
class Sweep:
    """A sweep on a page."""

    sweep_id: str
    name: str
    kept: SweepRecord | None
    """Null where its cells were brought in: then nothing can be measured any more."""
    origin: str | None
    """Where its cells were brought in from, or when they were recorded; null: measured here."""
    recorded: RecordedSweep | None = None
    """What came with the lab of it."""

    @property
    def plan(self) -> SweepPlan | None:
        """What was to be measured; null where only the cells that were are known."""
        whole = self.kept or self.recorded
        return whole.plan if whole else None

    @property
    def machine(self) -> str | None:
        """The machine of the cluster that measures it; null: another one."""
        machine = self.kept.plan.spec.machine if self.kept else HERE
        return None if machine == HERE else machine

    @property
    def title(self) -> str:
        return ", ".join(filter(None, (self.name, self.origin, self.machine)))


def known() -> dict[str, Sweep]:
    """All sweeps by id: those of this lab, newest first, those brought in, those recorded."""
    records = lab.history().sweeps.all()
    found = {item.sweep_id: Sweep(item.sweep_id, item.name, item, None) for item in records}
    for sweep_id in lab.history().sweeps_brought_in():
        if sweep_id not in found:
            (cell,) = lab.history().summaries(sweep_id=sweep_id, here=False, limit=1)
            assert cell.sweep
            found[sweep_id] = Sweep(sweep_id, cell.sweep.sweep, None, cell.origin)
    for sweep_id, one in recorded.sweeps().items():
        if sweep_id not in found:
            found[sweep_id] = Sweep(sweep_id, one.name, None, one.day, one)
    return found


@dataclass(frozen=True)
class Cells:
    """A grid, and what each of its cells is the measurement of."""

    grid: Grid
    recipes: dict[tuple[tuple[Value, ...], str], ExperimentSpec]
    """By place and name of the device; a cell of another sweep beside it has none here."""


def cells_of(shown: Sweep) -> Cells:
    """What the cells of a sweep came to so far.

    Raises:
        LabError: the plan was made by a lab that knew other axes.
    """
    runs: Sequence[Measured] = (
        shown.recorded.cards if shown.recorded else lab.history().summaries(sweep_id=shown.sweep_id)
    )
    if plan := shown.plan:
        cells = sweep.cells(plan)
        axes = {axis.name: axis.values for axis in plan.axes}
    else:
        cells = _cells_of(runs)
        axes = _axes_of(cells)
    found = _gathered(cells, axes, runs)
    return _as_recorded(found) if shown.recorded else found


def _as_recorded(found: Cells) -> Cells:
    """Cells of which no more will be measured, and whose runs are in no history to be opened."""
    points = tuple(
        replace(point, run_ids=(), missing=not (point.us_per_image or point.error))
        for point in found.grid.points
    )
    return replace(found, grid=replace(found.grid, points=points))


def planned(plan: SweepPlan) -> Grid:
    """The cells that a sweep is going to measure."""
    axes = {axis.name: axis.values for axis in plan.axes}
    return _gathered(sweep.cells(plan), axes, []).grid


def _gathered(
    cells: Sequence[Cell], axes: Mapping[str, tuple[Value, ...]], runs: Sequence[Measured]
) -> Cells:
    """What some cells came to by the runs that measured them."""
    sides = tuple(Side(_title(name), values) for name, values in axes.items())
    names = _device_names(cells, runs)
    found = sweep.results(cells, runs)
    # The CPU comes first, whatever was measured first: it is what others are held against.
    found.sort(key=lambda result: device_kind(result.cell.device) != "cpu")
    points = tuple(_point(result, tuple(axes), names) for result in found)
    recipes = {
        (point.place, point.device): result.cell.spec
        for point, result in zip(points, found, strict=True)
    }
    thing = "sequence" if all(map(_of_series, cells)) else "image"
    return Cells(Grid(sides, points, thing), recipes)


def with_accuracy(own: Cells) -> Cells:
    """Cells with the accuracy that runs of the history came to which trained their recipes."""
    trained: dict[ExperimentSpec, list[RunSummary]] = defaultdict(list)
    for run in lab.history().summaries(statuses=[Status.FINISHED], cells=False, limit=MOST_RUNS):
        if _known(run.last_val_accuracy):
            trained[_learnt(run.spec)].append(run)
    points = []
    for point in own.grid.points:
        spec = own.recipes.get((point.place, point.device))
        runs = trained.get(_learnt(spec), []) if spec else []
        points.append(_with_runs(point, runs) if runs else point)
    return replace(own, grid=replace(own.grid, points=tuple(points)))


def _known(accuracy: float | None) -> bool:
    return accuracy is not None and math.isfinite(accuracy)


def _with_runs(point: Point, runs: Sequence[RunSummary]) -> Point:
    """A cell with those that trained its recipe."""
    ids = (*point.run_ids, *(run.run_id for run in runs))
    return replace(point, accuracy=mean(run.last_val_accuracy or 0.0 for run in runs), run_ids=ids)


def _learnt(spec: ExperimentSpec) -> ExperimentSpec:
    """A recipe without what decides its speed alone, and without its seed."""
    usual = {"seed": 0, "device": "cpu", "gpu_off": "none", "threads": None}
    return spec.model_copy(update=usual | {"engine": "fast", "compile": False})


def _of_series(cell: Cell) -> bool:
    """Whether a cell learns from sequences; of a data set that is gone the name alone is left."""
    name = datasets.source(cell.spec.dataset)[0]
    entry = datasets.REGISTRY.get(name)
    return entry.kind == "series" if entry else name.lower().endswith(".csv")


def beside(own: Cells, other: Cells, name: str) -> Cells:
    """A grid with the cells of another sweep in the same places, as devices of their own."""
    places = {point.place for point in own.grid.points}
    guests = [
        replace(point, device=f"{point.device} ({name})")
        for point in other.grid.points
        if point.place in places
    ]
    return replace(own, grid=replace(own.grid, points=(*own.grid.points, *guests)))


def alike(own: Grid, other: Grid) -> bool:
    """Whether two grids have the same axes and a place in common."""
    titles = [side.title for side in own.sides]
    places = {point.place for point in own.points}
    return titles == [side.title for side in other.sides] and any(
        point.place in places for point in other.points
    )


def _cells_of(runs: Sequence[Measured]) -> list[Cell]:
    """The cells that some runs were measured in; there is no plan to ask."""
    cells = {
        run.sweep.cell: Cell(run.sweep.cell, run.sweep.values, run.spec.device, run.spec)
        for run in runs
        if run.sweep
    }
    return [cells[number] for number in sorted(cells)]


def _axes_of(cells: Sequence[Cell]) -> dict[str, tuple[Value, ...]]:
    axes: dict[str, dict[Value, None]] = defaultdict(dict)
    for cell in cells:
        for name, value in cell.values.items():
            axes[name][value] = None
    return {name: tuple(values) for name, values in axes.items()}


def _title(axis: str) -> str:
    return AXES[axis].title if axis in AXES else axis.replace("_", " ").capitalize()


def _device_names(cells: Sequence[Cell], runs: Sequence[Measured]) -> dict[str, str]:
    """What each device is called; two of one name are told apart by what was asked for."""
    asked = dict.fromkeys(cell.device for cell in cells)
    found = {run.spec.device: run.device.name for run in runs if run.device}
    machine = cells[0].spec.machine if cells else HERE
    here = {key: label.partition(": ")[2] for key, label in lab.device_labels(machine).items()}
    names = {device: found.get(device) or here.get(device) or device for device in asked}
    often = Counter(names.values())
    return {
        device: name if often[name] == 1 else f"{name} ({device})" for device, name in names.items()
    }


def _point(result: CellResult, axes: tuple[str, ...], names: dict[str, str]) -> Point:
    best = (result.run_id,) if result.run_id else ()
    return Point(
        place=tuple(result.cell.values[name] for name in axes),
        device=names[result.cell.device],
        us_per_image=result.us_per_image,
        noisy=result.figure.noisy,
        apart=result.figure.apart,
        parameters=result.model.parameters if result.model else None,
        batch_size=result.cell.spec.batch_size,
        run_ids=tuple(dict.fromkeys((*best, *result.run_ids))),
        error=result.error,
    )
