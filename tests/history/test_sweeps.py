"""Sweeps in the history: kept, resumed, interrupted with their process."""

import pytest

from cnnlab import sweep
from cnnlab.history import History
from cnnlab.spec import PRESETS, LabError, Place, RunCard, SweepStatus

PLAN = sweep.plan(PRESETS["dense"].spec, [sweep.parse_axis("units=8,16")], ["cpu"], 60.0)


def create(history, name="A sweep"):
    return history.sweeps.create(PLAN, name=name, session="sweep")


def test_a_sweep_is_kept_as_it_was_asked_for(history):
    sweep_id = create(history)
    record = history.sweeps.get(sweep_id[:9])
    assert (record.sweep_id, record.plan, record.seconds) == (sweep_id, PLAN, 0.0)
    assert record.status is SweepStatus.QUEUED
    history.sweeps.spend(sweep_id, 12.5)
    history.sweeps.mark(sweep_id, SweepStatus.FAILED, "No room.")
    record = history.sweeps.get(sweep_id)
    assert (record.seconds, record.status, record.error) == (12.5, SweepStatus.FAILED, "No room.")
    second = create(history)
    assert [record.sweep_id for record in history.sweeps.all()] == [second, sweep_id]


def test_the_runs_of_a_sweep_know_their_place(history):
    sweep_id = create(history)
    place = Place(sweep_id=sweep_id, sweep="A sweep", cell=1, repeat=2, values={"units": 16})
    run_id = history.create(PLAN.spec, name="cell", session="sweep", place=place)
    other = history.create(PLAN.spec, name="other", session="sweep")
    assert history.card(run_id).sweep == place
    assert history.card(other).sweep is None
    (found,) = history.summaries(sweep_id=sweep_id)
    assert (found.run_id, found.sweep) == (run_id, place)


def test_a_card_takes_its_place_along(history):
    place = Place(sweep_id="elsewhere", sweep="A sweep", cell=0, values={"engine": "stock"})
    card = RunCard(
        run_id="cell", name="cell", session="sweep", status="finished", sweep=place,
        created_at="2026-01-01T00:00:00Z", spec=PLAN.spec,
    )  # fmt: skip
    run_id = history.add_card(card, origin="another machine")
    assert history.card(run_id) == card
    (found,) = history.summaries(sweep_id="elsewhere")
    assert found.origin == "another machine"


@pytest.mark.parametrize("status", ["paused", "stopped", "failed", "interrupted"])
def test_what_was_broken_off_can_go_on_with_another_budget(history, status):
    sweep_id = create(history)
    history.sweeps.mark(sweep_id, SweepStatus(status), "Why.")
    record = history.sweeps.resume(sweep_id, 90.0)
    assert (record.status, record.error) == (SweepStatus.QUEUED, None)
    assert record.plan == PLAN.model_copy(update={"budget_seconds": 90.0})


@pytest.mark.parametrize("status", ["queued", "running", "finished"])
def test_what_is_under_way_or_done_cannot_be_resumed(history, status):
    sweep_id = create(history)
    history.sweeps.mark(sweep_id, SweepStatus(status))
    with pytest.raises(LabError, match=f"The sweep {sweep_id} is {status}; only one that was"):
        history.sweeps.resume(sweep_id)


def test_a_sweep_whose_process_is_gone_is_interrupted(history):
    sweep_id, paused = create(history), create(history)
    history.sweeps.mark(paused, SweepStatus.PAUSED)
    history.interrupt_orphans(lambda pid, started: True)
    assert history.sweeps.get(sweep_id).status is SweepStatus.QUEUED
    history.interrupt_orphans(lambda pid, started: False)
    assert history.sweeps.get(sweep_id).status is SweepStatus.INTERRUPTED
    assert "resume it" in history.sweeps.get(sweep_id).error
    assert history.sweeps.get(paused).status is SweepStatus.PAUSED


def test_a_sweep_that_another_process_let_go_on_meanwhile_is_not_interrupted(history, url):
    sweep_id = create(history)
    other = History(url, owner=(4, 2.0))

    def alive(pid: int, started: float) -> bool:
        other.interrupt_orphans(lambda *_: False)
        other.sweeps.resume(sweep_id)
        return False

    history.interrupt_orphans(alive)
    other.close()
    assert history.sweeps.get(sweep_id).status is SweepStatus.QUEUED


@pytest.mark.parametrize("sweep_id", ["", "nothing", "%", "1"])
def test_a_sweep_that_is_not_there_or_not_clear_is_said_so(history, sweep_id):
    create(history)
    create(history)
    with pytest.raises(LabError, match=r"There is no sweep|several sweeps"):
        history.sweeps.get(sweep_id)
