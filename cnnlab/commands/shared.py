"""What the commands share: options that make a spec, the history, output, signals."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console

from cnnlab import datasets
from cnnlab.history import History
from cnnlab.spec import (
    PRESETS,
    Engine,
    ExperimentSpec,
    GpuOff,
    LabError,
    Precision,
    Status,
    Tf32,
    change,
    parse_spec,
)

err = Console(stderr=True, highlight=False)
# A table in a pipe has no terminal to fit: wide enough that nothing is cut.
out = Console(width=None if sys.stdout.isatty() else 200)
INTERRUPTED = 130


def emit_json(document: Any) -> None:
    """The one JSON document of a command."""
    click.echo(json.dumps(document, ensure_ascii=False, indent=2))


@contextlib.contextmanager
def open_history() -> Iterator[History]:
    """The history, with this process as the owner of the runs it makes."""
    history = History()
    try:
        history.interrupt_orphans()
        yield history
    finally:
        history.close()


@contextlib.contextmanager
def open_to_time() -> Iterator[History]:
    """`open_history` for what is timed; says so where another process is at that already."""
    with open_history() as history:
        busy = next((run for run in history.summaries() if run.status is Status.RUNNING), None)
        if busy:
            err.print(
                f"Another process is training {busy.name} ({busy.run_id}): each makes the other "
                "slower, and both will be marked as disturbed. For fair times wait for its end.",
                markup=False,
                soft_wrap=True,
            )
        yield history


def spec_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that make a spec: a preset or a file, and what to change of it."""
    options = [
        click.option("--preset", type=click.Choice(list(PRESETS)), help="Spec to start from."),
        click.option("--spec", "file", type=click.Path(path_type=Path), help="Spec as JSON file."),
        click.option(
            "--dataset", help="Registry name, or path of an archive, folder, .npz or .csv."
        ),
        click.option(
            "--limit", "train_limit", type=int, help="Use the first N pictures or sequences."
        ),
        click.option("--epochs", type=int, help="How often to go over them."),
        click.option("--batch-size", type=int, help="Pictures or sequences per step."),
        click.option("--device", help="auto, cpu, cuda, cuda:1, mps …"),
        click.option("--gpu-off", type=click.Choice(get_args(GpuOff)), help="How to leave it."),
        click.option("--engine", type=click.Choice(get_args(Engine)), help="stock: as published."),
        click.option("--precision", type=click.Choice(get_args(Precision)), help="Keras policy."),
        click.option("--tf32", type=click.Choice(get_args(Tf32)), help="On NVIDIA cards."),
        click.option("--threads", type=int, help="CPU threads of a step."),
        click.option("--seed", type=int, help="Of initial weights, batch order and dropout."),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def make_spec(preset: str | None, file: Path | None, **changes: Any) -> ExperimentSpec:
    """The spec that the options describe.

    Raises:
        LabError: both a preset and a file, an unreadable file, or a spec that cannot work.
    """
    if preset and file:
        raise LabError("--preset and --spec both name a spec to start from; give one of them.")
    spec = _read_spec(file) if file else PRESETS[preset or "tiny"].spec
    given = {name: value for name, value in changes.items() if value is not None}
    path = Path(given.get("dataset", ""))
    if given.get("dataset") and given["dataset"] not in datasets.REGISTRY and path.exists():
        given["dataset"] = str(path.resolve())
    return change(spec, **given) if given else spec


def _read_spec(file: Path) -> ExperimentSpec:
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise LabError(f"The spec file {file} cannot be read: {error.strerror}.") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise LabError(f"The spec file {file} is not JSON: {error}.") from error
    return parse_spec(data)


@contextlib.contextmanager
def stop_on_signal() -> Iterator[threading.Event]:
    """An event that Ctrl-C or SIGTERM sets: the run ends in order, its epochs are kept."""
    stop = threading.Event()
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in signals}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
