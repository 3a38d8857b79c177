"""The gate for what is made of a run that is over: its step apart, a change to it, a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnnlab import learned, takeaway
from cnnlab.analysis import cures, diagnosis
from cnnlab.runner import Errand
from cnnlab.spec import HERE, LabError, RunCard
from cnnlab.takeaway import Form
from cnnlab.ui import lab
from cnnlab.ui.rights import presenters_only


@presenters_only
def take_apart(run_id: str) -> None:
    """Queue the question where the time of a run's steps goes.

    Raises:
        LabError: as all of the gate; the run was measured elsewhere, or never began; too many wait.
    """
    card = lab.history().card(run_id, steps=False)
    if not can_take_apart(card):
        raise LabError("Only a run that was measured here can be taken apart; train it again.")
    lab.errands().ask(Errand(card.run_id, card.spec, "Taking a step apart", machine=_where(card)))


def can_take_apart(card: RunCard) -> bool:
    """Whether this is the machine whose time a profile of the run would show."""
    read = card.status.over and card.dataset is not None
    return read and lab.history().origin(card.run_id) is None


@presenters_only
def try_cure(run_id: str, fields: Mapping[str, Any]) -> None:
    """Queue a trial of one of the cures that the lab proposes for a run.

    Raises:
        LabError: as all of the gate; the run has no such cure; too many wait.
    """
    card = lab.history().card(run_id, steps=False)
    offered = cures.cures(cures.patient(card, diagnosis.step_bound(card)))
    cure = next((cure for cure in offered if cure.change == fields), None)
    if cure is None or not can_take_apart(card):
        raise LabError("The lab does not propose this for the run; reload the page.")
    what = f"Trying {cure.title}"
    about = (card.run_id, card.spec, what, cure.change, cure.expected)
    lab.errands().ask(Errand(*about, machine=_where(card)))


def _where(card: RunCard) -> str:
    """The machine whose time is asked for: the run's."""
    return card.machine.name if card.machine else HERE


@presenters_only
def call_off(run_id: str) -> None:
    """Forget what is to be found out about a run, and break off what is under way."""
    lab.errands().cancel(run_id)


@presenters_only
def make_file(run_id: str, form: Form, weights: learned.At) -> tuple[str, bytes]:
    """The network that a run learnt, as a file of a form: what it is called, and its content.

    Raises:
        LabError: as all of the gate; something is timed, which it would disturb; nothing is kept of
            what the run learnt, or it has no best epoch; the file cannot be made, or answers
            otherwise.
    """
    if lab.lab().busy():
        raise LabError("Something is being timed; make the file when it is over.")
    card = lab.history().card(run_id, steps=False)
    if card.dataset is None:
        raise LabError(f"Run {run_id} ended before its data were read; take another one along.")
    kept = learned.open_run(card.run_id)
    about = takeaway.about(card, card.dataset, kept, weights)
    return takeaway.file_name(about, form), takeaway.make(about, form)
