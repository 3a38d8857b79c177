"""`train --repeats`: one spec over several seeds, each run in a process of its own."""

from __future__ import annotations

import threading
from typing import Any
from uuid import uuid4

from rich.progress import Progress

from cnnlab.analysis.seeds import over_seeds
from cnnlab.commands.driving import open_lab
from cnnlab.commands.shared import err
from cnnlab.history import History, RunSummary
from cnnlab.spec import ExperimentSpec, Status, repeats_of

POLL_SECONDS = 0.2


def repeat(
    history: History,
    spec: ExperimentSpec,
    name: str,
    session: str,
    repeats: int,
    stop: threading.Event,
) -> list[RunSummary]:
    """Train a spec with as many seeds, one after the other; what became of each run begun."""
    group_id = uuid4().hex[:12]
    with open_lab(history) as lab, Progress(console=err) as bar:
        for each, part in repeats_of(spec, repeats, group_id, name):
            if stop.is_set():
                break
            run_id = lab.submit(each, name=name, session=session, part=part)
            task = bar.add_task(f"Seed {each.seed}", total=each.epochs)
            while not lab.wait_idle(POLL_SECONDS):
                if live := lab.live(run_id):
                    bar.update(task, completed=len(live.epochs))
                if stop.is_set():
                    lab.stop(run_id)
            bar.update(task, completed=each.epochs)
    return history.summaries(group_id=group_id)[::-1]


def document(history: History, runs: list[RunSummary]) -> dict[str, Any]:
    """The runs' cards, and what they came to together."""
    cards = [history.card(run.run_id) for run in runs]
    return {
        "schema": "cnnlab.repeats/1",
        "group_id": runs[0].part.group_id if runs and runs[0].part else None,
        "runs": [card.model_dump(mode="json", by_alias=True) for card in cards],
        **over_seeds(runs).model_dump(mode="json"),
    }


def all_finished(runs: list[RunSummary]) -> bool:
    """Whether nothing went wrong."""
    for run in runs:
        if run.status is not Status.FINISHED:
            err.print(f"Error: {run.run_id} {run.status}: {run.error}", markup=False)
    return all(run.status is Status.FINISHED for run in runs)
