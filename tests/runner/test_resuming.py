"""A run that goes on keeps what it learns where it did so before, and nowhere else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cnnlab import checkpoints, learned
from cnnlab.history import History
from cnnlab.runner import Lab
from cnnlab.runner.job import Job
from cnnlab.runner.station import Station
from cnnlab.spec import Part, Status
from tests.example_runs import add_run
from tests.learned import drawn


class Idle(Lab):
    """Trains nothing: what it was to train is in `jobs`."""

    jobs: list[Job]

    def _enqueue(self, machine: str, job: Job) -> None:
        self.jobs.append(job)


@pytest.fixture
def lab(history: History, monkeypatch: pytest.MonkeyPatch) -> Iterator[Idle]:
    monkeypatch.setattr(Station, "_warm", lambda _: None)
    lab = Idle(history, {})
    lab.jobs = []
    yield lab
    lab.close()


def broken_off(history: History, part: Part | None = None) -> str:
    """A run that was stopped after its second epoch, and can go on; its id."""
    run_id = add_run(history, epochs=2, status=Status.STOPPED, part=part)
    place = checkpoints.folder() / run_id
    place.mkdir(parents=True)
    (place / "00002.npz").touch()
    return run_id


def part(kind: str, turn: int = 0) -> Part:
    return Part.model_validate({"kind": kind, "group_id": "g", "group": "G", "turn": turn})


@pytest.mark.parametrize(
    "of",
    [None, part("race", turn=1), part("sweep")],
    ids=["a rung of a ladder", "a later round of a race", "a variant of a sweep"],
)
def test_what_was_not_kept_before_is_not_kept_from_the_middle_on(
    lab: Idle, history: History, of: Part | None
) -> None:
    run_id = broken_off(history, of)
    lab.resume(run_id)
    (job,) = lab.jobs
    assert job.resume
    assert not job.keep
    assert not learned.kept(run_id)


@pytest.mark.parametrize(
    "of",
    [None, part("race"), part("repeats", turn=2)],
    ids=["alone", "the first round of a race", "one of several seeds"],
)
def test_what_was_kept_goes_on_being_kept(lab: Idle, history: History, of: Part | None) -> None:
    run_id = broken_off(history, of)
    drawn.write(run_id, 2)
    lab.resume(run_id)
    assert lab.jobs[0].keep


def test_what_was_kept_of_a_run_that_was_killed_in_its_second_epoch_is_enough(
    lab: Idle, history: History
) -> None:
    run_id = broken_off(history)
    learned.Writer(run_id).begin(drawn.about(3), done=0)
    lab.resume(run_id)
    assert lab.jobs[0].keep


@pytest.mark.parametrize(("of", "keeps"), [(None, True), (part("sweep"), False)])
def test_a_run_that_was_stopped_before_its_first_epoch_begins_as_it_did(
    lab: Idle, history: History, of: Part | None, keeps: bool
) -> None:
    run_id = add_run(history, epochs=0, status=Status.STOPPED, part=of)
    lab.resume_or_begin(run_id)
    (job,) = lab.jobs
    assert (job.resume, job.keep) == (False, keeps)
