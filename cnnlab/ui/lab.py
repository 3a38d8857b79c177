"""The lab behind the pages, one for all browsers; and its gate.

Whatever a browser asks for passes the gate, which checks it here, where it takes effect: a form or
a link may say anything, and who only watches may send anything. No other file of the pages changes
what the lab holds (`tests/test_house.py`).
"""

from __future__ import annotations

import atexit
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, get_args
from uuid import uuid4

import streamlit as st

from cnnlab import checkpoints, cluster, datasets, ladder, learned
from cnnlab.devices import Hardware, worker_environment
from cnnlab.history import History
from cnnlab.history.rows import checked_session
from cnnlab.models import Layer
from cnnlab.models import check as check_layers
from cnnlab.report.cards import imported_from, read
from cnnlab.runner import Elsewhere, Errands, Lab, probe
from cnnlab.runner.sweep_job import SweepSnapshot
from cnnlab.spec import (
    HERE,
    ExperimentSpec,
    GpuOff,
    LabError,
    Problem,
    RacePlan,
    RunCard,
    SpecError,
    Status,
    quoted,
    repeats_of,
)
from cnnlab.ui import machines
from cnnlab.ui.held import Held
from cnnlab.ui.rights import presenters_only

SESSION = "today"
"""The session that runs go to until another is named."""


# --- what all pages share -------------------------------------------------------------------


def _open_history() -> History:
    opened = History()
    opened.interrupt_orphans()
    return opened


history = Held(_open_history, lambda opened: opened.close())
"""The history; the runs begun here live and die with this process. A `LabError` where it fails."""


def _elsewhere() -> Elsewhere | None:
    """How a worker is started on a machine of the cluster; None without one."""
    return cluster.start if machines.address() else None


def _open_lab() -> Lab:
    ways: tuple[GpuOff, ...] = get_args(GpuOff)
    environments = {way: worker_environment(way) for way in ways}
    opened = Lab(history(), environments, _elsewhere())
    atexit.register(opened.close)
    return opened


lab = Held(_open_lab, lambda opened: opened.close())
"""The queue and its background thread. A `LabError` where the history cannot be opened."""


def _open_errands() -> Errands:
    ways: tuple[GpuOff, ...] = get_args(GpuOff)
    environments = {way: worker_environment(way) for way in ways}
    opened = Errands(history(), environments, _elsewhere())
    atexit.register(opened.close)
    return opened


errands = Held(_open_errands, lambda opened: opened.close())
"""What is to be found out about runs that are over."""


def hardware(machine: str = HERE) -> Hardware | None:
    """What there is to train on; None until the first worker has looked, or the cluster told."""
    if machine != HERE:
        return machines.hardware_of(machine)
    found = lab().hardware()
    return None if found is None else Hardware.model_validate(found)


def session_name() -> str:
    """The named session that new runs of this browser go to."""
    return st.session_state.get("session_name", SESSION)


def set_session_name(name: str) -> None:
    """Send new runs to another session.

    Raises:
        LabError: the name is empty or too long.
    """
    st.session_state["session_name"] = checked_session(name)


# --- the gate -------------------------------------------------------------------------------


@presenters_only
def start(spec: ExperimentSpec, name: str | None = None) -> str:
    """Check a spec and queue it; the id of the run.

    Raises:
        LabError: as all of the gate, this browser may only watch, or the history cannot be
            written; as `check`; or the queue is full.
    """
    check(spec)
    return lab().submit(spec, name=name or datasets.run_name(spec), session=session_name())


@presenters_only
def start_all(named: Sequence[tuple[ExperimentSpec, str]]) -> list[str]:
    """Check specs and queue all of them or none, under their names; the ids. Raises as `start`."""
    for spec, _ in named:
        check(spec)
    submit = partial(lab().submit, session=session_name())
    return _all_or_none([partial(submit, spec, name=name) for spec, name in named])


@presenters_only
def start_repeats(spec: ExperimentSpec, repeats: int) -> list[str]:
    """Queue a spec with as many seeds, all of the runs or none; their ids. Raises as `start`."""
    check(spec)
    name = datasets.run_name(spec)
    submit = partial(lab().submit, name=name, session=session_name())
    parts = repeats_of(spec, repeats, uuid4().hex[:12], name)
    return _all_or_none([partial(submit, each, part=part) for each, part in parts])


@presenters_only
def _all_or_none(submits: Sequence[Callable[[], str]]) -> list[str]:
    # Nothing here touches the session of the browser: where that is touched, what the browser sends
    # next may break off what is done, and some of the runs would be begun.
    begun: list[str] = []
    try:
        for submit in submits:
            begun.append(submit())
    except LabError:
        for run_id in reversed(begun):  # the waiting ones first: none is to begin meanwhile
            lab().stop(run_id)
        raise
    return begun


@presenters_only
def start_race(plan: RacePlan, name: str) -> str:
    """Check the lanes of a race and queue it; its id.

    Raises:
        LabError: as all of the gate; as `check`; or the lab is closing.
    """
    for lane in plan.lanes:
        check(lane.spec)
    return lab().submit_race(plan, name=name, session=session_name())


@presenters_only
def stop_race(race_id: str) -> None:
    """Let no further run of a race begin, and stop the one under way."""
    lab().stop_race(race_id)


@presenters_only
def climb(specs: Sequence[ExperimentSpec]) -> list[str]:
    """Check the rungs of a ladder and queue them all; the ids of their runs.

    Raises:
        LabError: as `start`; nothing is queued where one of them cannot work.
    """
    for spec in specs:
        check(spec)
    named = zip(specs, ladder.names(specs), strict=True)
    at = session_name()
    return [lab().submit(spec, name=name, session=at, keep=False) for spec, name in named]


@presenters_only
def look_again() -> None:
    """Ask the cluster what it has."""
    machines.outlook().look()


@presenters_only
def resume(run_id: str, machine: str | None = None) -> None:
    """Let a run that broke off go on after its last epoch, where it was or on another machine.

    Raises:
        LabError: as all of the gate; it cannot be resumed, or the queue is full.
    """
    lab().resume(run_id, machine)


def can_resume(card: RunCard) -> bool:
    """Whether a run broke off and has a checkpoint to go on from."""
    broke_off = card.status in (Status.STOPPED, Status.FAILED, Status.INTERRUPTED)
    return broke_off and bool(checkpoints.kept(card.run_id))


@presenters_only
def stop(run_id: str) -> None:
    """Withdraw a waiting run, or ask the one that trains to stop."""
    lab().stop(run_id)


@presenters_only
def describe(run_id: str, name: str, note: str) -> None:
    """Give a run another name and note."""
    history().rename(run_id, name)
    history().annotate(run_id, note)


@presenters_only
def move(run_id: str, session: str) -> None:
    """Put a run into another session."""
    history().move(run_id, session)


@presenters_only
def bring_in(data: bytes, file_name: str) -> dict[str, str]:
    """Enter the run cards in an uploaded file, all or none; the ids of the runs, in the file and
    here.

    Raises:
        LabError: as all of the gate; the file is refused, or a card cannot be kept.
    """
    cards = read(data)
    run_ids = history().add_cards(cards, origin=imported_from(file_name))
    for run_id in run_ids:
        learned.bring_back(run_id)  # of one that was here already, and deleted
    return dict(zip((card.run_id for card in cards), run_ids, strict=True))


@presenters_only
def try_switch(way: GpuOff) -> dict[str, Any]:
    """What torch and Keras see in a fresh process with an off-switch thrown.

    Raises:
        LabError: as all of the gate; something is timed, which it would disturb; the process
            failed.
    """
    if lab().busy():
        raise LabError("Something is being timed; try the switch when it is over.")
    return probe(way, worker_environment(way))


@presenters_only
def prepare(name: str, progress: datasets.Progress) -> datasets.DatasetInfo:
    """Read or download a data set, so that it can be trained on.

    Raises:
        LabError: as all of the gate; it is none of those listed, something is timed, which it would
            disturb; it cannot be had, or cannot be learnt from.
    """
    if not _is_listed(name):
        raise LabError("Only the data sets listed can be prepared here.")
    if lab().busy():
        raise LabError("Something is being timed; prepare the data set when it is over.")
    return datasets.fetch(name, progress)


def _is_listed(name: str) -> bool:
    """Whether a browser may name it; options behind a file choose among its columns."""
    listed = dataset_names()
    return name in listed or datasets.source(name)[0] in {datasets.source(n)[0] for n in listed}


def check(spec: ExperimentSpec) -> list[Layer]:
    """Hold a spec against the data and the devices that are here; its layers, if all is well.

    Raises:
        LabError: it cannot work here; a `SpecError` names every bad field.
    """
    problems = machines.problems(spec, hardware(spec.machine))
    if not _is_listed(spec.dataset):
        allowed = "a page offers only the data sets listed; use others from the command line first"
        problems.append(Problem(field="dataset", value=quoted(spec.dataset), allowed=allowed))
        raise SpecError(problems)
    try:
        layers = _layers(spec)
    except SpecError as error:
        raise SpecError(problems + error.problems) from error
    if problems:
        raise SpecError(problems)
    return layers


def _layers(spec: ExperimentSpec) -> list[Layer]:
    info = datasets.info(spec.dataset)
    if info.image_shape is None or info.classes is None or info.train_images is None:
        raise LabError(
            f"{info.title} was not read yet, so its size is unknown; "
            "prepare it on the Data page first."
        )
    return check_layers(spec, info.image_shape, info.classes, info.train_images)


def dataset_names() -> list[str]:
    """The data sets that a browser may train on: the known ones, and the owner's own.

    The owner's are files and folders, named on the command line in a run that was made here. A run
    card that was brought in cannot open a path.
    """
    known = [info.name for info in datasets.known()]
    return known + sorted(history().own_data().difference(known))


def dataset_labels() -> dict[str, str]:
    """`dataset_names`, each with its title, or its name where two have the same."""
    titles = {info.name: info.title for info in datasets.known()}
    labels = {name: titles.get(name, datasets.title(name)) for name in dataset_names()}
    often = Counter(labels.values())
    return {name: label if often[label] == 1 else name for name, label in labels.items()}


def devices_here(machine: str = HERE) -> list[str]:
    """What `device` may be on a machine: auto, cpu, and each accelerator once it is known."""
    return machines.devices_of(hardware(machine))


def device_labels(machine: str = HERE) -> dict[str, str]:
    """`devices_here`, each under its real name.

    A label never changes: a browser names its choice by it.
    """
    found = hardware(machine)
    if machine == HERE:
        return machines.device_labels_of(found, machines.cpu_here())
    return machines.device_labels_of(found, found.cpu.name if found else machine)


def sweeps_under_way() -> tuple[SweepSnapshot, ...]:
    """The sweep that is being measured, then those that wait; for a page to poll."""
    return lab().sweeps()


def sweep_snapshot(sweep_id: str) -> SweepSnapshot | None:
    """How a sweep of this lab's queue stands; None where it is not in it."""
    return next((one for one in sweeps_under_way() if one.sweep_id == sweep_id), None)
