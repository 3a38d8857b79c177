"""`train`: one run in this process, kept in the history."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import click

from cnnlab import checkpoints, datasets, devices, learned, words
from cnnlab.analysis.seeds import over_seeds
from cnnlab.checkpoints import Checkpoint
from cnnlab.commands.driving import follow, open_lab
from cnnlab.commands.options import FIELDS_HELP, make_spec, spec_options
from cnnlab.commands.repeats import all_finished, document, repeat
from cnnlab.commands.shared import (
    INTERRUPTED,
    emit_json,
    err,
    open_to_time,
    stop_on_signal,
)
from cnnlab.commands.why import take_profile
from cnnlab.history import History
from cnnlab.progress import TrainingProgress
from cnnlab.runner import Lab
from cnnlab.spec import (
    HERE,
    MOST_ROUNDS,
    Event,
    ExperimentSpec,
    LabError,
    RunCard,
    RunEnded,
    RunStarted,
    Status,
)

log = logging.getLogger(__name__)


class Keeper:
    """Carries a run's events into the history, from the moment the model stands.

    Before that, a mistake in the spec or the data can still come to light, which is to leave
    nothing behind. A run that is resumed is there already.
    """

    def __init__(
        self,
        history: History,
        spec: ExperimentSpec,
        name: str,
        session: str,
        run_id: str | None = None,
    ) -> None:
        self.history, self.spec, self.name, self.session = history, spec, name, session
        self.run_id = run_id

    def save(self, checkpoint: Checkpoint) -> None:
        """Keep where the run stands after an epoch."""
        assert self.run_id  # the model stands, so the run has its row
        checkpoints.write(self.run_id, checkpoint)

    def writer(self) -> learned.Writer:
        """Keeps what it learns."""
        assert self.run_id
        return learned.Writer(self.run_id)

    def __call__(self, event: Event) -> None:
        if isinstance(event, RunStarted) and self.run_id is None:
            self.run_id = self.history.create(self.spec, name=self.name, session=self.session)
        if self.run_id:
            self.history.record(self.run_id, event)


@click.command(epilog=FIELDS_HELP, short_help="Train one model.")
@spec_options
@click.option("--name", help="What to call the run.")
@click.option("--session", default="command line", show_default=True, help="Session it goes to.")
@click.option("--resume", metavar="ID", help="Let a run that broke off go on; no other options.")
@click.option("--profile", is_flag=True, help="Afterwards, take a step apart, layer by layer.")
@click.option(
    "--repeats",
    type=click.IntRange(1, MOST_ROUNDS),
    default=1,
    show_default=True,
    help="Train with so many seeds, and tell mean and spread.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the run card on stdout.")
def train(
    name: str | None,
    session: str,
    resume: str | None,
    profile: bool,
    repeats: int,
    as_json: bool,
    **options: Any,
) -> int:
    """Train one model and keep the run in the history."""
    elsewhere = options["machine"]
    others = [value for key, value in options.items() if key != "machine"]
    if resume and (name or any(value not in (None, ()) for value in others)):
        raise LabError(
            "--resume goes on with a run as it is; leave the other options out, but for --machine."
        )
    if repeats > 1 and (resume or profile):
        raise LabError("--repeats trains anew with each seed; leave --resume and --profile out.")
    with open_to_time() as history, stop_on_signal() as stop:
        checkpoint = None
        if resume and elsewhere not in (None, HERE):
            return _elsewhere(history, partial(_resumed, resume, elsewhere), as_json, stop)
        if resume:
            keeper, checkpoint = _reopen(history, resume)
        else:
            spec = make_spec(**options)
            datasets.info(spec.dataset)  # one that is not there is refused before a bar is drawn
            if repeats > 1:
                return _repeated(history, spec, name, session, repeats, as_json, stop)
            if spec.machine != HERE:
                if profile:
                    raise LabError("--profile is for a run here; ask afterwards on its page.")
                begin = partial(_submitted, spec, name or datasets.run_name(spec), session)
                return _elsewhere(history, begin, as_json, stop)
            keeper = Keeper(history, spec, name or datasets.run_name(spec), session)
        code = _train(keeper, stop, checkpoint)
        checkpoints.tidy(history)
        if keeper.run_id and profile and code == 0 and not stop.is_set():
            take_profile(history, keeper.run_id, keeper.spec, stop)
        if keeper.run_id:
            card = history.card(keeper.run_id)
            if as_json:
                emit_json(card.model_dump(mode="json", by_alias=True))
            else:
                click.echo(sentence(card))
        learned.tidy(history)  # last: a limit that cannot be read takes nobody's card
    return code


def _submitted(spec: ExperimentSpec, name: str, session: str, lab: Lab) -> str:
    return lab.submit(spec, name=name, session=session)


def _resumed(run_id: str, machine: str, lab: Lab) -> str:
    lab.resume(run_id, machine)
    return run_id


def _elsewhere(
    history: History, begin: Callable[[Lab], str], as_json: bool, stop: threading.Event
) -> int:
    """Let a machine of the cluster do it; the exit code.

    Args:
        begin: queues the run in a lab, and gives its id.
    """
    with open_lab(history) as lab:
        run_id = begin(lab)
        card = history.card(run_id, steps=False)
        follow(lab, {card.run_id: card.name}, {card.run_id: card.spec.epochs}, stop)
    card = history.card(card.run_id)
    if as_json:
        emit_json(card.model_dump(mode="json", by_alias=True))
    else:
        click.echo(sentence(card))
    if card.error:
        err.print(f"Error: {card.error}", markup=False, soft_wrap=True)
    if stop.is_set():
        return INTERRUPTED
    return 0 if card.status is Status.FINISHED else 1


def _repeated(
    history: History,
    spec: ExperimentSpec,
    name: str | None,
    session: str,
    repeats: int,
    as_json: bool,
    stop: threading.Event,
) -> int:
    """Train with several seeds, and tell what they came to together."""
    runs = repeat(history, spec, name or datasets.run_name(spec), session, repeats, stop)
    if as_json:
        emit_json(document(history, runs))
    else:
        click.echo(over_seeds(runs).sentence or "No run was finished.")
    if stop.is_set():
        return INTERRUPTED
    return 0 if all_finished(runs) else 1


def _reopen(history: History, run_id: str) -> tuple[Keeper, Checkpoint]:
    """A run that broke off, and where it can go on."""
    card = history.card(run_id, steps=False)
    checkpoint = checkpoints.newest(card.run_id)
    history.reopen(card.run_id)
    return Keeper(history, card.spec, card.name, card.session, card.run_id), checkpoint


def _train(keeper: Keeper, stop: threading.Event, resume: Checkpoint | None) -> int:
    """Run it in this process; the exit code."""
    spec = keeper.spec
    os.environ["KERAS_BACKEND"] = "torch"
    os.environ.update(devices.worker_environment(spec.gpu_off))
    devices.switch_off(spec.gpu_off)
    from cnnlab import training

    launched_at = training.process_started_at()
    with TrainingProgress(err, spec) as progress, contextlib.redirect_stdout(sys.stderr):

        def emit(event: Event) -> None:
            keeper(event)
            progress(event)

        try:
            ended = training.train(
                spec,
                emit,
                stop.is_set,
                launched_at=launched_at,
                save=keeper.save,
                keep=keeper.writer,
                resume=resume,
            )
        except Exception as error:
            if keeper.run_id is None and isinstance(error, LabError):
                raise
            log.exception("the run failed")
            said = training.explain(error)
            if keeper.run_id:
                if isinstance(error, training.Diverged):
                    checkpoints.discard(keeper.run_id)
                # Where the history itself has failed, whoever opens it next ends the run.
                with contextlib.suppress(LabError):
                    keeper(RunEnded(status=Status.FAILED, error=said))
            err.print(f"Error: {said}", markup=False)
            return 1
    return 0 if ended.status == Status.FINISHED else INTERRUPTED


def sentence(card: RunCard) -> str:
    """How a run went, in a sentence."""
    where = card.device.name if card.device else card.spec.device
    where += f" ({card.machine.name})" if card.machine else ""
    if not card.epochs:
        return f"{card.run_id} {card.status} on {where} before its first epoch ended."
    last = card.epochs[-1]
    return (
        f"{card.run_id} {card.status} on {where}: validation accuracy "
        f"{words.percent(last.val_accuracy)} after {len(card.epochs)} epochs in "
        f"{words.duration(card.timing.fit_seconds)}, "
        f"median step {words.number(card.timing.step_ms_median)} ms{_tested(card)}."
    )


def _tested(card: RunCard) -> str:
    if card.test is None:
        return ""
    things = words.things(card.dataset.kind if card.dataset else None)
    return (
        f", test accuracy {words.percent(card.test.accuracy)} on "
        f"{words.count(card.test.images)} {things}"
    )
