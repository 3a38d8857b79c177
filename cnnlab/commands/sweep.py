"""`sweep`: many short measurements over a grid, in this process, within a budget of seconds."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any

import click
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from cnnlab import datasets, devices, models, words
from cnnlab import sweep as sweeps
from cnnlab.analysis import cost
from cnnlab.commands import trained_sweep
from cnnlab.commands.cells import document, show
from cnnlab.commands.driving import POLL_SECONDS, open_lab
from cnnlab.commands.machines import devices_on
from cnnlab.commands.options import FIELDS_HELP, make_spec, spec_options
from cnnlab.commands.shared import (
    INTERRUPTED,
    emit_json,
    err,
    make_known,
    open_history,
    open_to_time,
    out,
    stop_on_signal,
)
from cnnlab.history import History, SweepRecord
from cnnlab.spec import (
    HERE,
    Event,
    ExperimentSpec,
    LabError,
    RunEnded,
    Status,
    SweepPlan,
    SweepStatus,
)
from cnnlab.sweep import KeptTurn, Measured, Schedule, Turn

log = logging.getLogger(__name__)

BUDGET_SECONDS = 60.0


@click.command(epilog=FIELDS_HELP, short_help="Time many variants of a spec.")
@spec_options
@click.option("--axis", "axes", multiple=True, help=f"name=v1,v2 of {', '.join(sweeps.OFFERED)}.")
@click.option("--devices", "named", help="Such as cpu,cuda:0.  [default: all kinds that are here]")
@click.option(
    "--budget",
    type=float,
    help="Seconds it takes; time that steady cells leave over repeats the others.  [default: 60]",
)
@click.option(
    "--train",
    "epochs_kept",
    type=click.IntRange(min=1),
    metavar="EPOCHS",
    help="Train each variant so long and keep its accuracy; an axis may then be any field.",
)
@click.option(
    "--machines",
    "spread_over",
    metavar="A,B",
    help="With --train: equal machines of the cluster, that the variants are spread over.",
)
@click.option("--resume", "resumed", help="Go on with this sweep; its finished cells stay.")
@click.option("--list", "listed", is_flag=True, help="Show the sweeps that the history keeps.")
@click.option("--name", help="What to call the sweep.")
@click.option("--session", default="sweep", show_default=True, help="Session its cells go to.")
@click.option("--json", "as_json", is_flag=True, help="Print the result on stdout.")
def sweep(
    axes: Sequence[str],
    named: str | None,
    budget: float | None,
    epochs_kept: int | None,
    spread_over: str | None,
    resumed: str | None,
    listed: bool,
    name: str | None,
    session: str,
    as_json: bool,
    **options: Any,
) -> int:
    """Time many variants of a spec: one or two axes, on every device named."""
    if listed:
        return _list(as_json)
    if resumed:
        fixed = {**options, "axis": axes, "devices": named, "name": name}
        fixed |= {"train": epochs_kept, "machines": spread_over}
        given = [key for key, value in fixed.items() if value]
        if given:
            raise LabError(
                f"A resumed sweep keeps its plan and name; leave out {', '.join(given)}."
            )
        with open_to_time() as history:
            if trained := trained_sweep.of_sweep(history, resumed):
                if budget:
                    raise LabError("A sweep that trains has no budget; leave out --budget.")
                return trained_sweep.resume(history, trained, as_json)
            return _run(history, _resume(history, resumed, budget), as_json)
    if epochs_kept:
        if named or budget or name:
            raise LabError("--train takes no --devices, --budget or --name; use --axis device=….")
        machines = [name.strip() for name in (spread_over or "").split(",") if name.strip()]
        spec = make_spec(**options)
        return trained_sweep.run(spec, axes, epochs_kept, session, as_json, machines)
    if spread_over:
        raise LabError("--machines spreads what --train trains; a timed sweep takes one --machine.")
    plan = _plan(axes, named, BUDGET_SECONDS if budget is None else budget, options)
    sweeps.check_budget(plan, len(sweeps.cells(plan, _check)))
    with open_to_time() as history:
        title = name or datasets.run_name(plan.spec, "Sweep")
        sweep_id = history.sweeps.create(plan, name=title, session=session)
        return _run(history, history.sweeps.get(sweep_id), as_json)


def calibrate(as_json: bool) -> int:
    """Measure the built-in cells on the CPU and every accelerator; the exit code."""
    here = ("cpu", *(card.key for card in devices.describe().accelerators))
    plan = sweeps.calibration(here, compiles=devices.compiler() is not None)
    with open_to_time() as history:
        sweep_id = history.sweeps.create(plan, name=sweeps.CALIBRATION, session="sweep")
        return _run(history, history.sweeps.get(sweep_id), as_json)


def _plan(
    axes: Sequence[str], named: str | None, budget: float, options: dict[str, Any]
) -> SweepPlan:
    if options["device"] or options["gpu_off"]:
        raise LabError("A sweep takes --devices; leave out --device and --gpu-off.")
    parsed = tuple(sweeps.parse_axis(axis) for axis in axes)
    spec = make_spec(**options)
    make_known(spec.dataset)
    wanted = [name.strip() for name in named.split(",")] if named else ["cpu"]
    draft = sweeps.plan(spec, parsed, tuple(wanted), budget)
    sweeps.cells(draft)  # what is wrong with the grid is said before torch is loaded
    if spec.machine != HERE:
        here = devices_on(spec.machine, wanted if named else None)
    elif named:
        here = tuple(devices.resolve(device, "none") for device in wanted)
    else:
        here = ("cpu", *(card.key for card in devices.describe().accelerators[:1]))
    return sweeps.plan(spec, parsed, here, budget)


def _check(spec: ExperimentSpec) -> None:
    """Hold a cell against the shape of its data, where that is known."""
    info = datasets.info(spec.dataset)
    if info.image_shape and info.classes and info.train_images:
        models.check(spec, info.image_shape, info.classes, info.train_images)


def _resume(history: History, sweep_id: str, budget: float | None) -> SweepRecord:
    """Queue it again as this process's own."""
    found = history.sweeps.get(sweep_id)
    runs = history.summaries(sweep_id=found.sweep_id)
    return history.sweeps.resume(found.sweep_id, sweeps.budget_to_go_on(found, runs, budget))


# --- measuring ------------------------------------------------------------------------------


def _run(history: History, record: SweepRecord, as_json: bool) -> int:
    """Do what is left of a sweep; the exit code."""
    if record.plan.spec.machine != HERE:
        return _run_elsewhere(history, record, as_json)
    grid = sweeps.cells(record.plan)
    before = history.summaries(sweep_id=record.sweep_id)
    schedule = sweeps.schedule_after(grid, before)
    history.sweeps.mark(record.sweep_id, SweepStatus.RUNNING)
    with stop_on_signal() as stop, SweepProgress(record, schedule) as progress:
        came_to_end = _measure_all(history, record, schedule, progress, stop)
    status, error = sweeps.outcome(schedule) if came_to_end else (SweepStatus.STOPPED, None)
    history.sweeps.mark(record.sweep_id, status, error)
    code = _tell(history, record.sweep_id, as_json)
    return code if came_to_end else INTERRUPTED


def _run_elsewhere(history: History, record: SweepRecord, as_json: bool) -> int:
    """Let a machine of the cluster do what is left of a sweep; the exit code."""
    before = history.summaries(sweep_id=record.sweep_id)
    with stop_on_signal() as stop:
        with open_lab(history) as lab, err.status("") as said:
            lab.submit_sweep(record, before)
            while not lab.wait_idle(POLL_SECONDS):
                for now in lab.sweeps():
                    said.update(f"{now.done} of {now.total} cells on {record.plan.spec.machine}")
                if stop.is_set():
                    lab.end_sweep(record.sweep_id, SweepStatus.STOPPED)
        code = _tell(history, record.sweep_id, as_json)
        return INTERRUPTED if stop.is_set() else code


def _tell(history: History, sweep_id: str, as_json: bool) -> int:
    """Say what a sweep came to; the exit code."""
    record = history.sweeps.get(sweep_id)
    runs = history.summaries(sweep_id=sweep_id)
    found = sweeps.results(sweeps.cells(record.plan), runs)
    if as_json:
        emit_json(document(record, found, cost.fit_all(cost.samples(runs))))
    else:
        show(record, found)
    if record.error:
        err.print(f"Error: {record.error}", markup=False, soft_wrap=True)
    return 0 if record.status is SweepStatus.FINISHED else 1


def _measure_all(
    history: History,
    record: SweepRecord,
    schedule: Schedule,
    progress: SweepProgress,
    stop: threading.Event,
) -> bool:
    """Measure until the budget is used; whether it was not stopped before."""
    os.environ["KERAS_BACKEND"] = "torch"
    with contextlib.redirect_stdout(sys.stderr):
        from cnnlab import training

        # The imports are a part of the budget: they took place since this process began.
        began = training.process_started_at()
        progress.count_from(began)

        def spent() -> float:
            return record.seconds + time.monotonic() - began

        training.first_steps()

        def measure(turn: Turn) -> Measured | None:
            progress.turn(turn)
            found = _measure(history, record, turn, progress, stop.is_set)
            history.sweeps.spend(record.sweep_id, spent())
            return found

        return sweeps.drive(schedule, lambda: record.plan.budget_seconds - spent(), measure)


def _measure(
    history: History,
    record: SweepRecord,
    turn: Turn,
    progress: SweepProgress,
    stop: Callable[[], bool],
) -> Measured | None:
    """One turn, kept as a run; None where it was stopped."""
    from cnnlab import training

    if stop():
        return None
    kept = KeptTurn(history, record, turn)

    def emit(event: Event) -> None:
        progress(event)
        kept.take(event)

    try:
        share, steady = turn.seconds, turn.until_steady
        ended = training.measure(turn.cell.spec, emit, stop, seconds=share, until_steady=steady)
    except Exception as error:  # the next cell may work, and this one's error is kept
        log.warning("cell %d failed", turn.cell.number, exc_info=True)
        ended = RunEnded(status=Status.FAILED, error=training.explain(error))
    return kept.end(ended)


class SweepProgress:
    """A bar of the budget, with the cell that is measured and the time that is left."""

    def __init__(self, record: SweepRecord, schedule: Schedule) -> None:
        self._record, self._schedule = record, schedule
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[cells]}"),
            TextColumn("{task.fields[left]}"),
            console=err,
        )
        self.count_from(time.monotonic())
        total = record.plan.budget_seconds
        self._task = self._bar.add_task("starting", total=total, cells="", left="")

    def __enter__(self) -> SweepProgress:
        self._bar.start()
        self._update()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._update()
        self._bar.stop()

    def count_from(self, began: float) -> None:
        """Count the time from a moment of the monotonic clock, as the budget does."""
        self._began = began - self._record.seconds

    def turn(self, turn: Turn) -> None:
        """Say what is measured now."""
        again = " again" if turn.repeat else ""
        self._bar.update(self._task, description=f"{sweeps.said(turn.cell)}{again}")

    def __call__(self, event: Event) -> None:
        """Move on as time goes by."""
        self._update()

    def _update(self) -> None:
        spent = time.monotonic() - self._began
        left = max(self._record.plan.budget_seconds - spent, 0.0)
        self._bar.update(
            self._task,
            completed=spent,
            cells=f"{self._schedule.done} of {len(self._schedule.cells)} cells",
            left=f"{words.duration(round(left))} left",
        )


# --- what there is ---------------------------------------------------------------------------


def _list(as_json: bool) -> int:
    with open_history() as history:
        found, trained = history.sweeps.all(), trained_sweep.known(history)
    if as_json:
        emit_json([*map(_listed, found), *map(trained_sweep.listed, trained.values())])
        return 0
    table = Table("id", "name", "status", "begun", "axes", "devices", "seconds")
    for record in found:
        axes = ", ".join(axis.name for axis in record.plan.axes)
        devices_ = ", ".join(record.plan.devices)
        used = f"{words.number(record.seconds)} of {words.number(record.plan.budget_seconds)}"
        begun = record.created_at[:16].replace("T", " ")
        table.add_row(record.sweep_id, record.name, record.status, begun, axes, devices_, used)
    out.print(table)
    if trained:
        out.print(trained_sweep.list_table(trained.values()))
    return 0


def _listed(record: SweepRecord) -> dict[str, Any]:
    plain = ("sweep_id", "name", "session", "status", "error", "created_at", "seconds")
    values = {name: getattr(record, name) for name in plain}
    return {"kind": "timed", **values, "plan": record.plan.model_dump(mode="json")}
