"""`compare --ladder`: the short runs between two, trained one after the other."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from rich.table import Table

from cnnlab import analysis, ladder, words
from cnnlab.commands.driving import POLL_SECONDS, open_lab, train_all
from cnnlab.commands.shared import open_to_time, stop_on_signal
from cnnlab.devices import Hardware
from cnnlab.runner import Lab
from cnnlab.spec import ExperimentSpec, LabError, RunCard

HELLO_SECONDS = 120.0
SESSION = "ladder"


def climb(cards: Sequence[RunCard]) -> list[RunCard]:
    """Train the rungs between two runs, or those of the built-in example where none are given.

    Raises:
        LabError: there is no ladder between them, or more or fewer than two were given.
    """
    if len(cards) not in (0, 2):
        raise LabError("A ladder leads from one run to another: name two, or none for the example.")
    with open_to_time() as history, stop_on_signal() as stop, open_lab(history) as lab:
        specs = ladder.between(*cards) if cards else _example(lab, stop)
        named = list(zip(ladder.names(specs), specs, strict=True))
        return train_all(lab, history, named, SESSION, stop)


def _example(lab: Lab, stop: threading.Event) -> list[ExperimentSpec]:
    """The built-in ladder, once the first worker has looked at the machine."""
    waited = 0.0
    while (found := lab.hardware()) is None:
        if stop.wait(POLL_SECONDS) or waited > HELLO_SECONDS:
            raise LabError("The training process did not start; the log above says why.")
        waited += POLL_SECONDS
    here = Hardware.model_validate(found)
    keys = [card.key for card in here.accelerators]
    return ladder.example(keys, here.cpu.instruction_sets)


def table(cards: Sequence[RunCard], found: ladder.Ladder) -> Table:
    """The waterfall as a table: the factors multiply to what the last line says."""
    shown = Table("change", "times as fast", "lowest to highest", "all so far", "val_accuracy")
    frame = ladder.frame(cards, found)
    steps = [None, *(step.verdict.speed for step in found.steps)]
    for row, speed in zip(frame.to_dict("records"), steps, strict=True):
        shown.add_row(
            str(row["change"]),
            words.number(speed.ratio) if speed else "",
            f"{words.number(speed.low)} to {words.number(speed.high)}" if speed else "",
            words.number(row["end"]),
            words.percent(row["accuracy"]),
        )
    return shown


def document(cards: Sequence[RunCard], found: ladder.Ladder | None) -> dict[str, Any]:
    """What `compare --ladder --json` prints of the ladder."""
    return {
        "runs": [card.run_id for card in cards],
        "steps": [_step(step) for step in found.steps] if found else [],
        "product": found.product if found else None,
        "whole": _factor(found.whole) if found else None,
        "lost": list(found.lost) if found else [card.error for card in cards],
        "sentence": ladder.sentence(found) if found else "No two rungs were measured.",
    }


def _step(step: ladder.Step) -> dict[str, Any]:
    return {"change": step.title, "runs": list(step.runs), **_factor(step.verdict)}


def _factor(found: analysis.Verdict) -> dict[str, Any]:
    speed, accuracy = found.speed, found.accuracy
    return {
        "factor": speed.ratio,
        "low": speed.low,
        "high": speed.high,
        "grade": speed.grade.value,
        "accuracy": {
            "difference": accuracy.difference,
            "low": accuracy.low,
            "high": accuracy.high,
        },
    }
