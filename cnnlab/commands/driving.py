"""Runs that a command trains one after the other in a lab of its own, with a bar for each."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from rich.progress import Progress

from cnnlab.commands.shared import err
from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.spec import ExperimentSpec, Part, RunCard

POLL_SECONDS = 0.2


def train_all(
    lab: Lab,
    history: History,
    named: Sequence[tuple[str, ExperimentSpec]],
    session: str,
    stop: threading.Event,
    parts: Sequence[Part | None] = (),
) -> list[RunCard]:
    """Queue them all and wait for their end; their cards without steps, in the same order. What
    they learn is not kept.

    Args:
        named: what each run is called, and its spec.
        parts: the part of each in something larger; by default none has one.
        stop: once it is set, what trains is stopped and what waits withdrawn.
    """
    runs = [
        lab.submit(spec, name=name, session=session, part=part, keep=False)
        for (name, spec), part in zip(named, parts or [None] * len(named), strict=True)
    ]
    with Progress(console=err) as bar:
        tasks = {
            run_id: bar.add_task(f"{run_id} {name}", total=spec.epochs)
            for run_id, (name, spec) in zip(runs, named, strict=True)
        }
        idle = False
        while not idle:
            idle = lab.wait_idle(POLL_SECONDS)
            for run_id in runs:
                if live := lab.live(run_id):
                    bar.update(tasks[run_id], completed=len(live.epochs))
                if stop.is_set():
                    lab.stop(run_id)
    return [history.card(run_id, steps=False) for run_id in runs]
