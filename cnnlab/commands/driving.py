"""Runs that a command trains in a lab of its own, here or on the machines of a cluster."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import get_args

from rich.progress import Progress

from cnnlab import cluster
from cnnlab.commands.shared import err
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.spec import ExperimentSpec, GpuOff, Part, RunCard

POLL_SECONDS = 0.2


@contextmanager
def open_lab(history: History) -> Iterator[Lab]:
    """A lab that knows the cluster, if one is named; what it trains ends with it.

    Raises:
        LabError: CNNLAB_CLUSTER is no address.
    """
    ways: tuple[GpuOff, ...] = get_args(GpuOff)
    elsewhere = cluster.start if cluster.named() else None
    lab = Lab(history, {way: worker_environment(way) for way in ways}, elsewhere)
    try:
        yield lab
    finally:
        lab.close()


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
    epochs = {run_id: spec.epochs for run_id, (_, spec) in zip(runs, named, strict=True)}
    names = {run_id: name for run_id, (name, _) in zip(runs, named, strict=True)}
    follow(lab, names, epochs, stop)
    return [history.card(run_id, steps=False) for run_id in runs]


def follow(
    lab: Lab, names: Mapping[str, str], epochs: Mapping[str, int], stop: threading.Event
) -> None:
    """Wait until nothing is left to do, with a bar for each run.

    Args:
        names: by run id.
        epochs: how many each run has.
        stop: as of `train_all`.
    """
    with Progress(console=err) as bar:
        tasks = {
            run_id: bar.add_task(f"{run_id} {names[run_id]}", total=epochs[run_id])
            for run_id in names
        }
        idle = False
        while not idle:
            idle = lab.wait_idle(POLL_SECONDS)
            for run_id in names:
                if live := lab.live(run_id):
                    bar.update(tasks[run_id], completed=len(live.epochs))
                if stop.is_set():
                    lab.stop(run_id)
