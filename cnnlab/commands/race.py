"""`race`: the same spec on the CPU and on the accelerator, interleaved, each in a fresh process."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any, get_args

import click
from rich.progress import Progress, TaskID

from cnnlab import datasets
from cnnlab.commands.options import FIELDS_HELP, make_spec, spec_options
from cnnlab.commands.shared import (
    INTERRUPTED,
    emit_json,
    err,
    open_to_time,
    stop_on_signal,
)
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.published import REFERENCES, Reference
from cnnlab.race import (
    MOST_REPEATS,
    Opponent,
    Result,
    driven,
    entries,
    judge,
    kind,
    opponent_for,
    opponent_named,
)
from cnnlab.runner import Lab
from cnnlab.spec import ExperimentSpec, GpuOff, LabError, RunCard, Status

POLL_SECONDS = 0.2
HELLO_SECONDS = 120.0


@click.command(epilog=FIELDS_HELP, short_help="Race devices, or recorded runs.")
@spec_options
@click.option(
    "--repeats", type=click.IntRange(1, MOST_REPEATS), default=1, help="Runs on each device."
)
@click.option(
    "--against",
    help=f"Recorded opponent instead of a device here: a run's id, or {', '.join(REFERENCES)}.",
)
@click.option("--session", default="race", show_default=True, help="Session the runs go to.")
@click.option("--json", "as_json", is_flag=True, help="Print the result on stdout.")
def race(repeats: int, against: str | None, session: str, as_json: bool, **options: Any) -> int:
    """Race the CPU against the accelerator; where one is missing, against a recorded run."""
    spec = make_spec(**options)
    if options["device"] or options["gpu_off"]:
        raise LabError("A race chooses the devices itself; leave out --device and --gpu-off.")
    name = datasets.run_name(spec, "Race")
    with open_to_time() as history, stop_on_signal() as stop:
        given = opponent_named(against, history.card) if against else None
        ways: tuple[GpuOff, ...] = get_args(GpuOff)
        lab = Lab(history, {way: worker_environment(way) for way in ways})
        try:
            devices = driven(_accelerators(lab, stop), given)
            cards = _drive(lab, history, entries(spec, devices, repeats), name, session, stop)
        finally:
            lab.close()
    opponent = given or opponent_for(devices)
    result = judge(cards, opponent)
    if as_json:
        emit_json(_document(cards, result, opponent))
    else:
        click.echo(f"{result.verdict} {result.where}".strip())
        click.echo(f"Runs: {', '.join(card.run_id for card in cards)}")
    return _exit_code(cards, stop.is_set())


def _exit_code(cards: Sequence[RunCard], interrupted: bool) -> int:
    if interrupted:
        return INTERRUPTED
    lost = [card for card in cards if card.status is not Status.FINISHED]
    for card in lost:
        err.print(f"Error: {card.run_id} {card.status}: {card.error}", markup=False)
    return 1 if lost else 0


def _accelerators(lab: Lab, stop: threading.Event) -> list[str]:
    """The accelerators here, once the first worker has looked."""
    waited = 0.0
    while (hardware := lab.hardware()) is None:
        if stop.wait(POLL_SECONDS):
            return []
        waited += POLL_SECONDS
        if waited > HELLO_SECONDS:
            raise LabError("The training process did not start; the log above says why.")
    return [card["key"] for card in hardware["accelerators"]]


def _drive(
    lab: Lab,
    history: History,
    specs: Sequence[ExperimentSpec],
    name: str,
    session: str,
    stop: threading.Event,
) -> list[RunCard]:
    """Run them one after the other; their cards, without steps."""
    with Progress(console=err) as bar:
        runs: dict[str, TaskID] = {}
        for spec in specs:
            if stop.is_set():
                break
            run_id = lab.submit(spec, name=name, session=session)
            runs[run_id] = bar.add_task(f"{run_id} {spec.device}", total=spec.epochs)
            while not lab.wait_idle(POLL_SECONDS):
                _show(bar, runs[run_id], lab, run_id)
                if stop.is_set():
                    lab.stop(run_id)
            _show(bar, runs[run_id], lab, run_id)
    return [history.card(run_id, steps=False) for run_id in runs]


def _show(bar: Progress, task: TaskID, lab: Lab, run_id: str) -> None:
    if live := lab.live(run_id):
        bar.update(task, completed=len(live.epochs))


def _document(
    cards: Sequence[RunCard], result: Result, opponent: Opponent | None
) -> dict[str, Any]:
    used = dict.fromkeys(card.device.used for card in cards if card.device)
    return {
        "schema": "cnnlab.race/1",
        "runs": [card.run_id for card in cards],
        "lanes": [
            {"device": device, "runs": [card.run_id for card in cards if _on(card, device)]}
            for device in used
        ],
        "opponent": opponent and _opponent(opponent),
        **result.model_dump(mode="json"),
    }


def _opponent(opponent: Opponent) -> dict[str, Any]:
    if isinstance(opponent, Reference):
        return {"origin": "published, not measured here", **opponent.model_dump(mode="json")}
    facts = opponent.model_dump(mode="json", include={"run_id", "name", "created_at", "device"})
    seconds = {"fit_seconds": opponent.timing.fit_seconds, "epochs": len(opponent.epochs)}
    return {"origin": "recorded, not in this race", "kind": kind(opponent), **facts, **seconds}


def _on(card: RunCard, device: str) -> bool:
    return card.device is not None and card.device.used == device
