"""Races in the lab: their runs take turns, are cut short, and make up one race."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from cnnlab import learned
from cnnlab.devices import worker_environment
from cnnlab.history import History
from cnnlab.race import judge
from cnnlab.runner import Lab
from cnnlab.runner.race_job import RaceJob
from cnnlab.spec import HERE, PRESETS, Lane, RacePlan, Status, change
from tests.example_runs import CPU, events
from tests.patience import PATIENCE_SECONDS, until
from tests.processes import Started

LONG = change(PRESETS["tiny"].spec, train_limit=400, epochs=5000)
WAYS = ("none", "device", "environment", "override")


@pytest.fixture
def lab(history: History, started: Started) -> Iterator[Lab]:
    lab = Lab(history, {way: worker_environment(way) for way in WAYS})
    yield lab
    lab.close()


def plan(**facts: object) -> RacePlan:
    lanes = [Lane(title=name, spec=change(LONG, engine=name)) for name in ("stock", "fast")]
    return RacePlan(lanes=tuple(lanes), **facts)  # type: ignore[arg-type]


def start(lab: Lab, asked: RacePlan) -> str:
    return lab.submit_race(asked, name="Race", session="test")


def test_the_runs_of_a_race_take_turns_are_cut_short_and_belong_together(
    lab: Lab, history: History
) -> None:
    race_id = start(lab, plan(leg_seconds=0.5, rounds=2))
    until(lambda: lab.running() is not None)
    between = lab.submit(change(LONG, epochs=1), name="between", session="test")
    assert lab.races()[0].race_id == race_id
    assert lab.busy()
    assert lab.wait_idle(PATIENCE_SECONDS)
    assert lab.races() == ()
    runs = history.summaries(group_id=race_id)[::-1]
    assert [run.part.lane for run in runs] == [0, 1, 1, 0]
    assert [run.part.turn for run in runs] == [0, 0, 1, 1]
    assert {run.status for run in runs} == {Status.FINISHED}
    for run in runs:
        assert 0.4 < run.timing.fit_seconds < 30  # of hours
        assert run.timing.step_ms_median > 0
        assert run.epochs_done < LONG.epochs
    after = history.card(between)
    assert after.status is Status.FINISHED
    assert after.part is None
    assert after.created_at < runs[-1].created_at  # it came while the race ran, and waited
    cards = [history.card(run.run_id) for run in runs]
    assert judge(cards).speed_up.pairs == 2
    assert judge(cards).same_start


def test_short_runs_train_side_by_side_and_whole_trainings_one_by_one(
    lab: Lab, history: History
) -> None:
    start(lab, plan(leg_seconds=2.0, rounds=1))
    until(lambda: bool(lab.races()) and len(lab.races()[0].run_ids) == 2)
    ids = lab.races()[0].run_ids

    def steps(run_id: str) -> int:
        live = lab.live(run_id)
        return len(live.columns["step"]) if live and not live.ended else 0

    until(lambda: all(steps(run_id) > 3 for run_id in ids))
    assert lab.running() in ids
    assert lab.wait_idle(PATIENCE_SECONDS)
    start(lab, plan(rounds=1))
    until(lambda: bool(lab.races()) and bool(lab.running()) and steps(lab.running()) > 3)
    (run_id,) = lab.races()[0].run_ids
    lab.stop(run_id)
    assert lab.wait_idle(PATIENCE_SECONDS)
    assert [history.card(run_id).status for run_id in ids] == [Status.FINISHED] * 2


def test_whoever_stops_a_race_stops_the_run_that_holds_too(lab: Lab, history: History) -> None:
    race_id = start(lab, plan(leg_seconds=600.0))
    until(lambda: bool(lab.races()) and len(lab.races()[0].run_ids) == 2)
    until(lambda: all(lab.live(run_id).epochs for run_id in lab.races()[0].run_ids))
    lab.stop_race(race_id)
    assert lab.wait_idle(PATIENCE_SECONDS)
    runs = history.summaries(group_id=race_id)
    assert [run.status for run in runs] == [Status.STOPPED] * 2


def test_a_killed_lane_does_not_hold_the_other_up(
    lab: Lab, history: History, started: Started
) -> None:
    race_id = start(lab, plan(leg_seconds=1.0, rounds=1))
    until(lambda: len(started()) == 2)
    until(lambda: bool(lab.races()[0].run_ids) and lab.live(lab.races()[0].run_ids[0]).started)
    started()[-1].kill()
    assert lab.wait_idle(PATIENCE_SECONDS)
    runs = history.summaries(group_id=race_id)
    assert {run.status for run in runs} == {Status.FINISHED, Status.FAILED}


@pytest.mark.parametrize(
    ("devices", "machine", "accelerators", "together"),
    [
        (("auto", "auto"), "here", 0, 2),
        (("cpu", "auto"), "here", 1, 2),
        (("auto", "cuda:0"), "here", 1, 1),
        (("cpu", "cpu"), "box", 0, 1),
    ],
)
def test_runs_that_would_share_a_card_or_a_clusters_machine_follow_each_other(
    history: History, devices: tuple[str, ...], machine: str, accelerators: int, together: int
) -> None:
    lanes = tuple(
        Lane(title=f"Lane {number}", spec=change(LONG, device=device, machine=machine))
        for number, device in enumerate(devices)
    )
    race = RaceJob("Race", "test", RacePlan(lanes=lanes, leg_seconds=1.0), history)
    jobs = race.legs(machine, accelerators)
    assert len(jobs) == together
    assert {job.turn_seconds is not None for job in jobs} == {together > 1}


def test_a_race_that_is_stopped_ends_with_the_run_under_way(lab: Lab, history: History) -> None:
    race_id = start(lab, plan(rounds=3))
    waiting = start(lab, plan(rounds=3))
    until(lambda: bool(lab.running() and lab.live(lab.running()).started))
    snapshot = lab.races()[0]
    assert snapshot.run_ids == (lab.running(),)
    lab.stop_race(waiting)
    lab.stop_race(race_id)
    assert lab.wait_idle(PATIENCE_SECONDS)
    (run,) = history.summaries(group_id=race_id)
    assert run.status is Status.STOPPED
    assert history.summaries(group_id=waiting) == []


def test_a_lane_that_cannot_work_ends_the_race_with_its_sentence(
    lab: Lab, history: History
) -> None:
    lanes = (
        Lane(title="A", spec=LONG),
        Lane(title="B", spec=change(LONG, device="cuda:7")),
    )
    race_id = start(lab, RacePlan(lanes=lanes, leg_seconds=0.3))
    assert lab.wait_idle(PATIENCE_SECONDS)
    runs = history.summaries(group_id=race_id)[::-1]
    assert [run.status for run in runs] == [Status.FINISHED, Status.FAILED]
    assert not any(learned.kept(run.run_id) for run in runs)  # what is only timed keeps nothing
    cards = [history.card(run.run_id) for run in runs]
    assert judge(cards).heading.startswith("Only A came through: B failed: ")


def kept_turns(asked: RacePlan, history: History) -> list[int]:
    """The rounds of whose runs it is kept what they learn, run by run."""
    race, found = RaceJob("Race", "test", asked, history), []
    race.begin()
    while legs := race.legs(HERE, accelerators=0):
        for leg in legs:
            part = history.card(leg.run_id).part
            assert part
            found += [part.turn] if leg.keep else []
            for event in events(leg.spec, CPU, 1, 10.0, Status.FINISHED):
                leg.live.apply(event)
        race.add(legs)
    return found


def test_the_first_round_of_whole_trainings_keeps_what_each_lane_learns(history: History) -> None:
    assert kept_turns(plan(rounds=2), history) == [0, 0]
    assert kept_turns(plan(rounds=2, leg_seconds=3.0), history) == []
