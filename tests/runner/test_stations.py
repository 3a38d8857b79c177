"""Every machine has a queue of its own: one thing at a time on each, all machines at once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.runner import Lab, Worker
from cnnlab.spec import GpuOff, LabError, Lane, RacePlan, Status, change
from tests.faults.labs import LONG, SHORT
from tests.patience import PATIENCE_SECONDS, until

OFF = {"none": worker_environment("none")}


def elsewhere(machine: str, gpu_off: GpuOff) -> Worker:
    """In these tests every machine is this one."""
    if machine == "gone":
        raise LabError("The machine gone is gone; start it.")
    return Worker(gpu_off, OFF[gpu_off])


@pytest.fixture
def lab(history: History) -> Iterator[Lab]:
    lab = Lab(history, OFF, elsewhere)
    yield lab
    lab.close()


def submit(lab: Lab, machine: str, spec=LONG) -> str:
    return lab.submit(change(spec, machine=machine), name="run", session="test")


def test_machines_work_at_once_and_each_on_one_thing(lab: Lab) -> None:
    here, there, waiting = submit(lab, "here"), submit(lab, "box"), submit(lab, "box")
    until(lambda: lab.training() == {"here": here, "box": there})
    assert lab.running() == here
    assert lab.queued() == lab.queued("box") == (waiting,)
    assert lab.queued("here") == ()
    until(lambda: len(lab.live(here).epochs) and len(lab.live(there).epochs))
    for run_id in (waiting, there, here):
        lab.stop(run_id)
    assert lab.wait_idle(PATIENCE_SECONDS)


def test_a_race_across_machines_runs_its_lanes_at_once(lab: Lab, history: History) -> None:
    specs = [change(SHORT, epochs=200, machine=machine) for machine in ("here", "box")]
    lanes = tuple(Lane(title=spec.machine, spec=spec) for spec in specs)
    race_id = lab.submit_race(RacePlan(lanes=lanes, rounds=2), name="Race", session="test")
    until(lambda: len(lab.training()) == 2)
    waiting = submit(lab, "box", SHORT)  # nothing comes between the runs of a race
    assert lab.wait_idle(PATIENCE_SECONDS)
    runs = history.summaries(group_id=race_id)
    assert sorted((run.part.lane, run.part.turn) for run in runs) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    assert {run.status for run in runs} == {Status.FINISHED}
    assert history.card(waiting).status is Status.FINISHED
    assert lab.races() == ()


def test_a_race_whose_machine_is_lost_comes_to_its_end(lab: Lab, history: History) -> None:
    specs = [change(SHORT, machine=machine) for machine in ("here", "gone")]
    lanes = tuple(Lane(title=spec.machine, spec=spec) for spec in specs)
    race_id = lab.submit_race(RacePlan(lanes=lanes, rounds=3), name="Race", session="test")
    until(lambda: not lab.races())
    assert lab.wait_idle(PATIENCE_SECONDS)
    status = {run.part.lane: run.status for run in history.summaries(group_id=race_id)}
    assert status == {0: Status.FINISHED, 1: Status.FAILED}


def test_a_race_that_is_stopped_ends_on_all_machines(lab: Lab) -> None:
    lanes = tuple(Lane(title=m, spec=change(LONG, machine=m)) for m in ("here", "box"))
    race_id = lab.submit_race(RacePlan(lanes=lanes, rounds=2), name="Race", session="test")
    until(lambda: len(lab.training()) == 2)
    lab.stop_race(race_id)
    assert lab.wait_idle(PATIENCE_SECONDS)


def test_a_machine_that_is_gone_fails_its_run_with_the_reason(lab: Lab, history: History) -> None:
    run_id = submit(lab, "gone")
    assert lab.wait_idle(PATIENCE_SECONDS)
    card = history.card(run_id)
    assert (card.status, card.error) == (Status.FAILED, "The machine gone is gone; start it.")


def test_a_lab_without_a_cluster_knows_no_machine(history: History) -> None:
    lab = Lab(history, OFF)
    try:
        with pytest.raises(LabError, match="knows no machine box"):
            submit(lab, "box")
        assert history.summaries() == []
    finally:
        lab.close()
