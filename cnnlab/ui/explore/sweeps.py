"""Sweeps behind the pages: how they stand; and the gate for beginning, pausing and ending them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from uuid import uuid4

from cnnlab import datasets, sweep
from cnnlab.devices import compiler
from cnnlab.history import SweepRecord
from cnnlab.spec import HERE, Axis, ExperimentSpec, LabError, SweepStatus, change
from cnnlab.sweep import CellResult
from cnnlab.sweep.variants import broken_off, parts, variants
from cnnlab.ui.lab import check, devices_here, history, lab, session_name
from cnnlab.ui.rights import presenters_only


@presenters_only
def begin(
    spec: ExperimentSpec,
    axes: Sequence[Axis],
    devices: Sequence[str],
    budget_seconds: float,
    name: str | None = None,
) -> str:
    """Check a sweep and queue it; its id.

    Raises:
        LabError: as all of the gate; the grid, a cell or a device cannot work here, the budget is
            too small, or the history cannot be written.
    """
    plan = sweep.plan(spec, axes, devices, budget_seconds)
    there = devices_here(spec.machine)[1:]
    if missing := [device for device in devices if device not in there]:
        where = "here" if spec.machine == HERE else f"on {spec.machine}"
        raise LabError(f"There is no {missing[0]} {where}; choose {', '.join(there)}.")
    sweep.check_budget(plan, len(sweep.cells(plan, check)))
    title = name or datasets.run_name(spec, "Sweep")
    sweep_id = history().sweeps.create(plan, name=title, session=session_name())
    lab().submit_sweep(history().sweeps.get(sweep_id), ())
    return sweep_id


@presenters_only
def begin_training(spec: ExperimentSpec, axes: Sequence[str], epochs: int) -> str:
    """Check every variant of a spec and queue them all, or none, each for so many epochs; the id
    of the sweep.

    Args:
        axes: as `sweep.variants.variants` reads them.

    Raises:
        LabError: as all of the gate; the axes make no variants, one of them cannot work here, or
            the queue has no room for them.
    """
    found = variants(change(spec, epochs=epochs), axes)
    for variant in found:
        check(variant.spec)
    group_id, begun = uuid4().hex[:12], list[str]()
    at = session_name()  # once: what a browser sends next may break off whatever asks for it
    try:
        for variant, part in zip(
            found, parts(found, group_id, datasets.run_name(spec, "Sweep")), strict=True
        ):
            name = datasets.run_name(variant.spec)
            run = lab().submit(variant.spec, name=name, session=at, part=part, keep=False)
            begun.append(run)
    except LabError:
        for run_id in reversed(begun):  # the waiting ones first: none is to begin meanwhile
            lab().stop(run_id)
        raise
    return group_id


@presenters_only
def stop_training(run_ids: Sequence[str]) -> None:
    """Stop the variant that trains, and withdraw those that wait, the last first."""
    for run_id in reversed(run_ids):
        lab().stop(run_id)


@presenters_only
def go_on_training(sweep_id: str) -> None:
    """Queue the variants of a sweep that broke off: each goes on after its last epoch, or, where
    none is kept, from its beginning.

    Raises:
        LabError: as all of the gate; or the queue is full.
    """
    runs = history().summaries(group_id=sweep_id, part_kind="sweep")
    for run_id in broken_off(runs[::-1]):
        lab().resume_or_begin(run_id)


@presenters_only
def begin_on(
    machines: Sequence[str],
    spec: ExperimentSpec,
    axes: Sequence[Axis],
    devices: Sequence[str],
    budget_seconds: float,
) -> list[str]:
    """Check a sweep and queue it on each of several machines, which measure at the same time; each
    on those of the devices that it has. The ids.

    Raises:
        LabError: as `begin`; a machine has none of the devices.
    """
    begun = []
    for machine in machines:
        there = [device for device in devices if device in devices_here(machine)[1:]]
        if not there:
            raise LabError(f"{machine} has none of {', '.join(devices)}; choose another device.")
        begun.append(begin(change(spec, machine=machine), axes, there, budget_seconds))
    return begun


@presenters_only
def pause(sweep_id: str) -> None:
    """Break off the cell under way and leave the rest for later; finished cells stay."""
    lab().end_sweep(sweep_id, SweepStatus.PAUSED)


@presenters_only
def stop_sweep(sweep_id: str) -> None:
    """End a sweep; finished cells stay."""
    lab().end_sweep(sweep_id, SweepStatus.STOPPED)


@presenters_only
def go_on(sweep_id: str) -> None:
    """Let a sweep go on that was paused, stopped or interrupted, also before the lab was restarted.

    It has what is left of its budget, and at least what its open cells need.

    Raises:
        LabError: as all of the gate; it is under way, or finished.
    """
    record = history().sweeps.get(sweep_id)
    runs = history().summaries(sweep_id=record.sweep_id)
    record = history().sweeps.resume(record.sweep_id, sweep.budget_to_go_on(record, runs))
    lab().submit_sweep(record, runs)


@presenters_only
def calibrate() -> str:
    """Queue the calibration of what is here; the sweep's id.

    Raises:
        LabError: as all of the gate; the history cannot be written.
    """
    plan = sweep.calibration(devices_here()[1:], compiles=compiler() is not None)
    sweep_id = history().sweeps.create(plan, name=sweep.CALIBRATION, session="sweep")
    lab().submit_sweep(history().sweeps.get(sweep_id), ())
    return sweep_id


def gains() -> dict[str, dict[str, float]]:
    """By device and choice, how many times as fast the newest calibration found a step with it;
    empty before there was one."""
    return sweep.gains(calibrated())


def compiling() -> dict[str, sweep.Compiling]:
    """By device, what the newest calibration found that torch.compile costs and brings."""
    return sweep.compiling(calibrated())


def calibrated() -> list[CellResult]:
    """What the cells of the newest calibration that is over came to; empty before there was one."""
    found = (_calibration(one.sweep_id, one.seconds) for one in calibrations())
    return next((list(cells) for cells in found if any(cell.run_ids for cell in cells)), [])


def calibrations() -> list[SweepRecord]:
    """Those that are over, newest first."""
    return [one for one in kept() if one.name == sweep.CALIBRATION and one.status.over]


@lru_cache(maxsize=8)
def _calibration(sweep_id: str, seconds: float) -> tuple[CellResult, ...]:
    """Read once for every time that it came to an end, since each change of the form asks."""
    return tuple(results(history().sweeps.get(sweep_id)))


def device_of(named: str, gpu_off: str) -> str:
    """The device that a recipe means; `auto` is the first accelerator, or the CPU."""
    here = devices_here()[1:]
    if gpu_off != "none":
        return "cpu"
    if named == "auto":
        return here[min(1, len(here) - 1)]
    return named if named in here or f"{named}:0" not in here else f"{named}:0"


def kept() -> list[SweepRecord]:
    """All sweeps of the history, newest first."""
    return history().sweeps.all()


def results(record: SweepRecord) -> list[CellResult]:
    """What the cells of a sweep came to so far."""
    runs = history().summaries(sweep_id=record.sweep_id)
    return sweep.results(sweep.cells(record.plan), runs)
