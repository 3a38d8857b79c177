"""What the commands share: options that make a spec, the history, output, signals."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

import click
from rich.console import Console

from cnnlab import datasets, words
from cnnlab.datasets import DatasetInfo
from cnnlab.history import History
from cnnlab.spec import (
    Status,
)

err = Console(stderr=True, highlight=False)
# A table in a pipe has no terminal to fit: wide enough that nothing is cut.
out = Console(width=None if sys.stdout and sys.stdout.isatty() else 200)
INTERRUPTED = 130


def emit_json(document: Any) -> None:
    """The one JSON document of a command, in ASCII: every terminal and every pipe can take it."""
    click.echo(json.dumps(document, indent=2))


def make_known(dataset: str) -> DatasetInfo:
    """Read a data set whose shape is not known before, with progress, and say what it was.

    Raises:
        LabError: it cannot be had, or cannot be learnt from.
    """
    if (found := datasets.info(dataset)).image_shape is not None:
        return found
    with err.status(f"Preparing {dataset}") as status:
        found = datasets.fetch(dataset, lambda _, what: status.update(f"{dataset}: {what}"))
    if found.understood:
        for line in datasets.sentences(found.understood, words.things(found.kind)):
            err.print(line, markup=False, soft_wrap=True)
    return found


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
        for busy in history.summaries(statuses=[Status.RUNNING], limit=1):
            err.print(
                f"Another process is training {busy.name} ({busy.run_id}): each makes the other "
                "slower, and both will be marked as disturbed. For fair times wait for its end.",
                markup=False,
                soft_wrap=True,
            )
        yield history


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
