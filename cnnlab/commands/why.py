"""`why`: where a run's step goes, what bounds it, and what makes it faster, proven if asked."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from typing import Any

import click
from rich.markup import escape
from rich.table import Table

from cnnlab import devices, words
from cnnlab.analysis import bounds, cures, diagnosis
from cnnlab.commands.shared import (
    INTERRUPTED,
    emit_json,
    err,
    open_to_time,
    out,
    stop_on_signal,
)
from cnnlab.history import History
from cnnlab.spec import ExperimentSpec, LabError, RunCard, Trial

log = logging.getLogger(__name__)


@click.command(short_help="Say what bounds a run, and what would help.")
@click.argument("run_id")
@click.option("--try", "trying", is_flag=True, help="Measure each cure against the run as it is.")
@click.option("--again", is_flag=True, help="Take the step apart anew, though that was done.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON on stdout.")
def why(run_id: str, trying: bool, again: bool, as_json: bool) -> int:
    """Say where the time of a run's steps goes, what bounds it, and what would make it faster."""
    with open_to_time() as history, stop_on_signal() as stop:
        card = history.card(run_id, steps=False)
        if card.profile is None or again:
            _check_ours(history, card)
            if not take_profile(history, card.run_id, card.spec, stop):
                return INTERRUPTED
            card = history.card(card.run_id, steps=False)
        one = cures.patient(card, diagnosis.step_bound(card))
        offered = cures.cures(one)
        if trying:
            _try_all(history, card, offered, stop)
            card = history.card(card.run_id, steps=False)
    if as_json:
        emit_json(document(card, one, offered))
    else:
        _print(card, one, offered)
    return INTERRUPTED if stop.is_set() else 0


def _check_ours(history: History, card: RunCard) -> None:
    """Make sure that what would be measured now is this run's step, on this run's machine."""
    if card.dataset is None:
        raise LabError(f"The run {card.run_id} ended before its first step; train it again.")
    if card.machine is not None:
        raise LabError(
            f"The run {card.run_id} was trained on {card.machine.name}, whose time cannot be "
            "measured from this command: its page in the app asks that machine."
        )
    if history.origin(card.run_id) is not None:
        raise LabError(
            f"The run {card.run_id} was measured elsewhere and brought no profile; "
            "train it here to ask why it is as fast as it is."
        )


def take_profile(
    history: History, run_id: str, spec: ExperimentSpec, stop: threading.Event
) -> bool:
    """Take the step of a run apart and keep what was found; whether it was not stopped before."""
    with _in_this_process(spec), err.status("Taking a step apart"):
        from cnnlab import training

        try:
            found = training.profile(spec, stop.is_set)
        except training.Stopped:
            return False
    history.keep_profile(run_id, found)
    return True


def _try_all(
    history: History, card: RunCard, offered: Sequence[cures.Cure], stop: threading.Event
) -> None:
    """Measure each cure against the run as it is, and keep what each came to."""
    with _in_this_process(card.spec):
        from cnnlab import training

        for cure in offered:
            with err.status(f"Trying {escape(cure.title)}"):
                try:
                    tried = training.try_change(
                        card.spec, cure.change, stop.is_set, expected=cure.expected
                    )
                except training.Stopped:
                    return
                except Exception as error:  # the next cure may work
                    log.warning("a trial failed", exc_info=True)
                    said = f"{cure.title} cannot be tried: {training.explain(error)}"
                    err.print(said, markup=False, soft_wrap=True)
                    continue
            history.add_trial(card.run_id, tried)


@contextlib.contextmanager
def _in_this_process(spec: ExperimentSpec) -> Iterator[None]:
    """Where Keras and torch may be loaded, with a run's GPU switched off as it was."""
    os.environ["KERAS_BACKEND"] = "torch"
    os.environ.update(devices.worker_environment(spec.gpu_off))
    devices.switch_off(spec.gpu_off)
    with contextlib.redirect_stdout(sys.stderr):
        yield


# --- what it says ---------------------------------------------------------------------------


def document(card: RunCard, one: cures.Patient, offered: Sequence[cures.Cure]) -> dict[str, Any]:
    """What `why --json` prints."""
    assert card.profile
    found = one.found
    return {
        "schema": "cnnlab.why/1",
        "run_id": card.run_id,
        "bound": found.bound,
        "sentence": diagnosis.sentence(one),
        "step_ms": found.step_ms,
        "shares": {bound: found.share(bound) for bound in bounds.BOUNDS},
        "host": dataclasses.asdict(found.host),
        "layers": [_layer(row) for row in found.layers],
        "profile": card.profile.model_dump(mode="json"),
        "cures": [_cure(cure, card.trials) for cure in offered],
        "trials": [trial.model_dump(mode="json") for trial in card.trials],
        "caveats": diagnosis.caveats(card.profile),
    }


def _layer(row: bounds.LayerBound) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "detail": row.detail,
        "ms": row.ms,
        "share": row.share,
        "flops": row.flops,
        "bytes": row.bytes,
        "gflops": row.gflops,
        "compute_ms": row.compute_ms,
        "memory_ms": row.memory_ms,
        "overhead_ms": row.overhead_ms,
        "bound": row.bound,
        "of_ceiling": row.of_ceiling,
    }


def _cure(cure: cures.Cure, trials: Sequence[Trial]) -> dict[str, Any]:
    tried = cures.newest(trials, cure.change)
    return {
        "change": cure.change,
        "expected": cure.expected,
        "at_most": cure.at_most,
        "why": cure.why,
        "price": cure.price,
        "trial": tried and tried.model_dump(mode="json"),
    }


def _print(card: RunCard, one: cures.Patient, offered: Sequence[cures.Cure]) -> None:
    assert card.profile
    click.echo(diagnosis.sentence(one))
    out.print(_table(card, one.found))
    click.echo(diagnosis.host_words(one.found))
    for said in diagnosis.caveats(card.profile):
        click.echo(said)
    if not offered:
        click.echo("Nothing that the lab can change promises to make this step faster.")
    for cure in offered:
        click.echo(f"{cure.title}: {cure.promise}. {cure.why} {cure.price}")
    for trial in card.trials:
        click.echo(f"Tried: {cures.told(trial)}")
    if offered and not card.trials:
        click.echo(f"`python -m cnnlab why {card.run_id} --try` measures them.")


def _table(card: RunCard, found: bounds.StepBound) -> Table:
    assert card.profile
    table = Table("part", "forward ms", "backward ms", "share", "held up by")
    for time, row in zip(card.profile.layers, found.layers, strict=True):
        name = escape(f"{row.kind} {row.detail}".strip())
        figures = (words.number(time.forward_ms), words.number(time.backward_ms))
        table.add_row(name, *figures, words.percent(row.share), diagnosis.layer_words(row))
    for label, ms in diagnosis.rest(card.profile):
        table.add_row(label, words.number(ms), "", words.percent(ms / found.step_ms), "")
    table.add_row("the whole step", words.number(found.step_ms), "", "100 %", found.bound)
    return table
