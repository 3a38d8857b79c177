"""The command line, and the place where the rooms of the lab are put together.

Exit codes: 0 done, 1 the run failed, 2 bad input, 130 interrupted. With `--json` exactly one JSON
document goes to stdout; progress and complaints go to stderr.
"""

from __future__ import annotations

import os
import sys
from typing import Any, get_args

import click
from rich.markup import escape
from rich.table import Table

from cnnlab import datasets, devices, learned, words
from cnnlab.commands import output
from cnnlab.commands.cards import export_runs, import_runs
from cnnlab.commands.compare import compare
from cnnlab.commands.history import history_group
from cnnlab.commands.machines import machines
from cnnlab.commands.race import race
from cnnlab.commands.share import share
from cnnlab.commands.shared import INTERRUPTED, emit_json, err, open_history, out
from cnnlab.commands.sweep import calibrate, sweep
from cnnlab.commands.train import sentence, train
from cnnlab.commands.why import why
from cnnlab.spec import GpuOff, LabError
from cnnlab.version import VERSION

NAME_COLUMNS = 24


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="cnnlab")
def cli() -> None:
    """CNN Lab: train small Keras models, and see what a GPU buys."""


cli.add_command(train)
cli.add_command(race)
cli.add_command(compare)
cli.add_command(sweep)
cli.add_command(share)
cli.add_command(why)
cli.add_command(history_group)
cli.add_command(machines)


# --- runs -----------------------------------------------------------------------------------


@cli.group()
def runs() -> None:
    """What the history keeps."""


@runs.command("list")
@click.option("--session", help="Only this session's.")
@click.option("--cells", is_flag=True, help="The measured cells of sweeps as well.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def list_runs(session: str | None, cells: bool, as_json: bool) -> int:
    """List the runs, newest first."""
    with open_history() as history:
        found = history.summaries(session=session)
    shown = [run for run in found if cells or not run.sweep]
    if as_json:
        emit_json([_summary(run) for run in shown])
        return 0
    if shown:
        out.print(_runs_table(shown))
    else:
        click.echo("No runs yet; `python -m cnnlab train` makes one.")
    if left_out := len(found) - len(shown):
        click.echo(f"Cells of sweeps: {words.count(left_out)}; `runs list --cells` shows them.")
    return 0


def _summary(run: Any) -> dict[str, Any]:
    facts = {"model": run.model, "dataset": run.dataset, "device": run.device}
    return {
        **{name: getattr(run, name) for name in ("run_id", "name", "session", "status", "error")},
        "created_at": run.created_at,
        "spec": run.spec.model_dump(mode="json"),
        **{name: fact and fact.model_dump(mode="json") for name, fact in facts.items()},
        "timing": run.timing.model_dump(mode="json"),
        "epochs_done": run.epochs_done,
        "best_val_accuracy": run.best_val_accuracy,
        "last_val_accuracy": run.last_val_accuracy,
        "test": run.test and run.test.model_dump(mode="json"),
    }


def _runs_table(found: list[Any]) -> Table:
    """At most 100 columns wide: what tells runs apart, and what they came to."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("id", no_wrap=True)
    table.add_column("name", no_wrap=True, overflow="ellipsis", max_width=NAME_COLUMNS)
    for heading in ("status", "device"):
        table.add_column(heading, no_wrap=True)
    for heading in ("epochs", "took", "ms/step", "accuracy"):
        table.add_column(heading, no_wrap=True, justify="right")
    for run in found:
        table.add_row(
            run.run_id,
            escape(run.name),
            run.status,
            run.device.used if run.device else run.spec.device,
            "" if run.sweep else f"{run.epochs_done}/{run.spec.epochs}",
            words.duration(run.timing.fit_seconds),
            words.number(run.timing.step_ms_median),
            words.percent(run.best_val_accuracy),
        )
    return table


@runs.command("show")
@click.argument("run_id")
@click.option("--json", "as_json", is_flag=True, help="Print the run card on stdout.")
def show_run(run_id: str, as_json: bool) -> int:
    """Show one run; the first characters of its id will do."""
    with open_history() as history:
        card = history.card(run_id, steps=as_json)
    if as_json:
        emit_json(card.model_dump(mode="json", by_alias=True))
        return 0
    click.echo(card.error or sentence(card))
    table = Table("epoch", "loss", "accuracy", "val. loss", "val. accuracy", "seconds", "ms/step")
    for row in card.epochs:
        figures = (row.loss, row.accuracy, row.val_loss, row.val_accuracy, row.seconds)
        table.add_row(str(row.epoch), *map(words.number, (*figures, row.step_ms_mean)))
    out.print(table)
    return 0


@runs.command("delete")
@click.argument("run_id")
def delete_run(run_id: str) -> int:
    """Put a run out of sight, from where it can be brought back.

    Its link on the History page, ?run=ID, does that.
    """
    with open_history() as history:
        card = history.card(run_id, steps=False)
        history.delete(card.run_id)
    learned.set_aside(card.run_id)
    click.echo(f"Deleted {card.run_id} ({card.name}).")
    return 0


runs.add_command(export_runs)
runs.add_command(import_runs)


# --- what is here ---------------------------------------------------------------------------


@cli.command("devices")
@click.option("--calibrate", "calibrating", is_flag=True, help="Time some steps on each of them.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def list_devices(calibrating: bool, as_json: bool) -> int:
    """Say what this machine has to train on."""
    if calibrating:
        return calibrate(as_json)
    hardware = devices.describe()
    if as_json:
        emit_json(hardware.model_dump(mode="json"))
        return 0
    cpu = hardware.cpu
    cores, sets = words.number(cpu.usable_cores), ", ".join(cpu.instruction_sets)
    click.echo(f"cpu     {cpu.name}, {cores} cores, {sets}")
    for card in hardware.accelerators:
        memory = words.size(card.memory_mb and card.memory_mb * 1e6)
        click.echo(f"{card.key:7} {card.name}, {memory}, driver {card.driver or 'unknown'}")
    if not hardware.accelerators:
        click.echo("No accelerator that torch can use was found.")
    return 0


@cli.group("datasets")
def datasets_group() -> None:
    """What there is to train on."""


@datasets_group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def list_datasets(as_json: bool) -> int:
    """List the data sets known here."""
    found = datasets.known()
    if as_json:
        emit_json([info.model_dump(mode="json") for info in found])
        return 0
    table = Table("name", "size", "shape", "classes", "ready", "origin")
    for info in found:
        shape = " x ".join(map(str, info.image_shape or ())) or words.UNKNOWN
        ready = "yes" if info.ready else "no"
        size, classes = words.count(info.train_images), words.count(info.classes)
        size += f" {words.things(info.kind)}" if info.train_images else ""
        table.add_row(info.name, size, shape, classes, ready, info.origin)
    out.print(table)
    return 0


@datasets_group.command("fetch")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def fetch_dataset(name: str, as_json: bool) -> int:
    """Download and prepare a data set, so that the first run need not."""
    with err.status(f"Preparing {name}") as status:
        info = datasets.fetch(name, lambda _, what: status.update(f"{name}: {what}"))
    if as_json:
        emit_json(info.model_dump(mode="json"))
        return 0
    size = f"{words.count(info.train_images)} {words.things(info.kind)}"
    click.echo(f"{info.title} is ready: {size}.")
    if info.understood:
        click.echo("\n".join(datasets.sentences(info.understood, words.things(info.kind))))
    return 0


@cli.command(hidden=True)
@click.option("--gpu-off", type=click.Choice(get_args(GpuOff)), default="none")
def probe(gpu_off: GpuOff) -> int:
    """Throw an off-switch in this fresh process, and say what torch and Keras then see."""
    os.environ["KERAS_BACKEND"] = "torch"
    os.environ.update(devices.worker_environment(gpu_off))
    devices.switch_off(gpu_off)
    emit_json(devices.what_frameworks_see())
    return 0


def main() -> None:
    """Run a command; say what is wrong in one sentence, and exit as the module's docstring says."""
    os.environ.update(devices.worker_environment("none"))  # several load torch in this process
    output.open_to_all()
    try:
        code = cli.main(prog_name="cnnlab", standalone_mode=False)
        output.flush()
    except LabError as error:
        err.print(f"Error: {error}", markup=False, soft_wrap=True)
        code = 2
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except OSError as error:
        if not output.is_lost(error):
            raise
        code = output.give_up(error)
    sys.exit(code)


if __name__ == "__main__":
    main()
