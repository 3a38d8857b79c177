"""Labs of several machines on one database: who lives, who is gone, and whose run is whose."""

from __future__ import annotations

from contextlib import ExitStack, closing

import pytest
from sqlalchemy import create_engine, select

from cnnlab import processes, sweep
from cnnlab.history import History, owners
from cnnlab.history.tables import owners as table
from cnnlab.spec import PRESETS, LabError, RunEnded, Status
from tests.history.examples import SPEC, STARTED, epoch

PLAN = sweep.plan(PRESETS["dense"].spec, [sweep.parse_axis("units=8,16")], ["cpu"], 60.0)
HERE, THERE = "here#00000001", "there#00000002"


@pytest.fixture
def address(postgres):
    made = postgres.new()
    yield made
    postgres.drop(made)


@pytest.fixture
def at_once(monkeypatch):
    """Every look counts, and hearts beat when the test says so."""
    monkeypatch.setattr(owners, "BEAT_SECONDS", 0.0)
    monkeypatch.setattr(owners._Heart, "_go_on", lambda self: None)


@pytest.fixture
def labs(address, at_once, monkeypatch):
    """Opens histories as the labs of other machines do."""
    with ExitStack() as stack:

        def begin(host: str, pid: int) -> History:
            monkeypatch.setattr(owners, "this_host", lambda: host)
            return stack.enter_context(closing(History(address, owner=(pid, 1.5))))

        yield begin


def look(history, times=owners.SILENT_LOOKS + 1, alive=lambda pid, started: True):
    return [run_id for _ in range(times) for run_id in history.interrupt_orphans(alive)]


def running(history):
    run_id = history.create(SPEC, name="x", session="s")
    history.record(run_id, STARTED)
    history.record(run_id, epoch(1))
    return run_id


def test_a_process_of_another_machine_is_not_asked_for_by_its_id(labs):
    there, here = labs(THERE, 11), labs(HERE, 22)
    run_id = running(there)
    asked = []
    assert look(here, 1, lambda pid, started: asked.append(pid)) == []
    assert asked == []
    assert here.card(run_id).status is Status.RUNNING


def test_a_lab_without_a_sign_of_life_is_gone_after_so_many_looks(labs):
    there, here = labs(THERE, 11), labs(HERE, 22)
    run_id, mine = running(there), running(here)
    sweep_id = there.sweeps.create(PLAN, name="A sweep", session="s")
    assert look(here, owners.SILENT_LOOKS) == []
    assert look(here, 1) == [run_id]
    assert here.card(run_id).error == (
        "The lab on there gave no sign of life while this run was running; "
        "resume it or train it again."
    )
    assert here.card(run_id).epochs == (epoch(1).row,)
    assert here.card(mine).status is Status.RUNNING
    assert here.sweeps.get(sweep_id).status == "interrupted"


def test_a_lab_whose_heart_beats_lives(labs):
    there, here = labs(THERE, 11), labs(HERE, 22)
    run_id = running(there)
    for _ in range(3):
        assert look(here, owners.SILENT_LOOKS) == []
        there._owners._heart._beat()
    assert here.card(run_id).status is Status.RUNNING


def test_looks_in_quick_succession_say_nothing_new(labs, monkeypatch):
    there, here = labs(THERE, 11), labs(HERE, 22)
    running(there)
    monkeypatch.setattr(owners, "BEAT_SECONDS", 60.0)
    assert look(here, 50) == []


def test_a_lab_that_was_held_to_be_gone_goes_on_with_its_next_run(labs):
    there, here = labs(THERE, 11), labs(HERE, 22)
    lost = running(there)
    assert look(here) == [lost]
    there._owners._heart._beat()  # it wakes up
    with pytest.raises(LabError, match=r"is over \(interrupted\)"):
        there.record(lost, epoch(2))
    run_id = running(there)
    there._owners._heart._beat()
    assert look(here, 2) == []
    there.record(run_id, RunEnded(status=Status.FINISHED))
    assert here.card(run_id).status is Status.FINISHED


def test_what_a_lab_left_open_when_it_closed_is_interrupted(labs):
    there, here = labs(THERE, 11), labs(HERE, 22)
    run_id = running(there)
    there.close()
    assert look(here) == [run_id]


def test_signs_of_life_go_with_their_lab(labs, address):
    there, here = labs(THERE, 11), labs(HERE, 22)
    running(there), running(here)
    assert beats(address) == {THERE: 1, HERE: 1}
    here.close()
    assert beats(address) == {THERE: 1}
    third = labs(HERE, 33)
    look(third)
    assert beats(address) == {}


def beats(address):
    engine = create_engine(address)
    with engine.connect() as connection:
        found = {row.owner_host: row.beats for row in connection.execute(select(table))}
    engine.dispose()
    return found


def test_an_owner_that_died_here_is_found_at_once(labs):
    dead, here = labs(HERE, 11), labs(HERE, 22)
    run_id = running(dead)
    assert look(here, 1, lambda pid, started: pid == 22) == [run_id]
    assert here.card(run_id).error.startswith("The lab ended while this run was running")


def test_only_runs_of_this_machine_are_trained_beside_this_lab(labs):
    running(labs(THERE, 11))
    beside = running(labs(HERE, 33))
    here = labs(HERE, 22)
    running(here)
    found = here.trained_elsewhere(lambda pid, started: True)
    assert [run_id for run_id, _ in found] == [beside]


def test_a_heart_beats_by_itself_until_the_history_is_closed(address, monkeypatch):
    monkeypatch.setattr(owners, "BEAT_SECONDS", 0.01)
    with closing(History(address)) as history:
        running(history)
        while not any(count > 3 for count in beats(address).values()):
            pass
        thread = history._owners._heart._thread
    assert not thread.is_alive()
    assert beats(address) == {}


def test_who_only_looks_gives_no_sign_of_life(address):
    with closing(History(address)) as history:
        assert history.summaries() == []
        assert beats(address) == {}


def test_machines_of_one_name_are_told_apart(monkeypatch, tmp_path):
    monkeypatch.setattr("socket.gethostname", lambda: "localhost")
    names = set()
    for number in range(3):
        file = tmp_path / str(number)
        file.write_text(str(number // 2))
        monkeypatch.setattr(processes, "MACHINE_ID", file)
        processes.this_host.cache_clear()
        names.add(processes.this_host())
    processes.this_host.cache_clear()
    assert len(names) == 2
    assert all(name.startswith("localhost#") for name in names)
