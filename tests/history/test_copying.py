"""A history is copied whole into another database, again and again, and loses nothing."""

from __future__ import annotations

from contextlib import closing

import pytest
from sqlalchemy import create_engine

from cnnlab import sweep
from cnnlab.history import History, copying, database
from cnnlab.history.tables import metadata
from cnnlab.spec import PRESETS, LabError, RunEnded, RunResumed, Status, SweepStatus
from tests.example_profiles import DENSE, TRIAL
from tests.history.conftest import new_history
from tests.history.examples import NAN, SPEC, STARTED, epoch, finished, window, written

PLAN = sweep.plan(PRESETS["dense"].spec, [sweep.parse_axis("units=8,16")], ["cpu"], 60.0)


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request, tmp_path):
    with new_history(request.param, tmp_path / "target" / "history.db", request) as address:
        yield address


def copy(source, target):
    found = copying.copy(source, target, lambda done, of_all: None)
    return {name: (one.new, one.renewed, one.there, one.open) for name, one in found.items()} | {
        "rows": found["runs"].rows
    }


def measured(history, status=Status.FINISHED, epochs=2):
    run_id = history.create(SPEC, name="a run", session="one")
    history.record(run_id, STARTED)
    for number in range(1, epochs + 1):
        history.record(run_id, window(number, 1.5, number=number, loss=NAN))
        history.record(run_id, epoch(number, loss=NAN))
    history.record(run_id, RunEnded(status=status))
    return run_id


def test_everything_comes_over_as_it_was(url, target):
    with closing(History(url)) as source, closing(History(target)) as copied:
        run_id = measured(source)
        source.keep_profile(run_id, DENSE)
        source.add_trial(run_id, TRIAL)
        source.add_card(finished(epochs=(epoch(1).row,)), origin="elsewhere")
        gone = measured(source)
        source.delete(gone)
        sweep_id = source.sweeps.create(PLAN, name="A sweep", session="s")
        source.sweeps.mark(sweep_id, SweepStatus.PAUSED)
        counts = copy(url, target)
        assert counts["runs"] == (3, 0, 0, 0)
        assert counts["sweeps"] == (1, 0, 0, 0)
        assert counts["rows"] == {"runs": 3, "epochs": 5, "windows": 4, "imported_steps": 1}
        for each in (run_id, "run-1"):
            assert written(copied.card(each)) == written(source.card(each))
            assert copied.memory(each).keys() == source.memory(each).keys()
        assert copied.deleted([gone]) == {gone}
        assert copied.origin("run-1") == "elsewhere"
        assert copied.sweeps.get(sweep_id) == source.sweeps.get(sweep_id)
        ids = [[run.run_id for run in each.summaries()] for each in (source, copied)]
        assert ids[0] == ids[1]


def test_a_second_copy_writes_only_what_is_new_or_has_gone_on(url, target):
    with closing(History(url)) as source, closing(History(target)) as copied:
        run_id = measured(source, Status.STOPPED)
        assert copy(url, target)["runs"] == (1, 0, 0, 0)
        copied.rename(run_id, "seen there")
        assert copy(url, target)["runs"] == (0, 0, 1, 0)
        assert copied.card(run_id).name == "seen there"
        source.reopen(run_id)
        source.record(run_id, STARTED)
        source.record(run_id, RunResumed(epochs=source.card(run_id).epochs))
        source.record(run_id, epoch(3))
        assert copy(url, target)["runs"] == (0, 0, 0, 1)
        source.record(run_id, RunEnded(status=Status.FINISHED))
        measured(source)
        assert copy(url, target)["runs"] == (1, 1, 0, 0)
        assert written(copied.card(run_id)) == written(source.card(run_id))
        assert copy(target, url)["runs"] == (0, 0, 2, 0)  # and back


def test_what_waits_or_runs_is_left_alone_on_both_sides(url, target):
    with closing(History(url)) as source, closing(History(target)) as copied:
        waiting = source.create(SPEC, name="x", session="s")
        run_id = measured(source, Status.STOPPED)
        copy(url, target)
        copied.reopen(run_id)
        assert copy(url, target)["runs"] == (0, 0, 0, 2)
        assert copied.card(run_id).status is Status.QUEUED
        with pytest.raises(LabError, match="no run"):
            copied.card(waiting)


def test_a_copy_that_breaks_off_is_gone_on_with(url, target, monkeypatch):
    with closing(History(url)) as source, closing(History(target)) as copied:
        ids = [measured(source) for _ in range(3)]
        monkeypatch.setattr(copying, "TOGETHER", 1)

        def break_off(done, of_all):
            if done == 2:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            copying.copy(url, target, break_off)
        assert len(copied.summaries()) == 2
        assert copy(url, target)["runs"] == (1, 0, 2, 0)
        assert {run.run_id for run in copied.summaries()} == set(ids)


def test_many_rows_come_over_in_parts(url, target, monkeypatch):
    monkeypatch.setattr(copying, "ROWS", 7)
    with closing(History(url)) as source, closing(History(target)) as copied:
        run_id = measured(source, epochs=20)
        copy(url, target)
        assert written(copied.card(run_id)) == written(source.card(run_id))


def test_a_newer_target_no_source_and_the_same_history_are_refused(url, target, tmp_path):
    History(url).close()
    engine = create_engine(target)
    History(target).close()
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()
    nowhere = database.sqlite_url(tmp_path / "nowhere.db")
    for pair, complaint in (
        ((url, target), "was written by a newer CNN Lab"),
        ((nowhere, url), "There is no history"),
        ((url, url), "into itself"),
        (("no address", url), "is no database address"),
    ):
        with pytest.raises(LabError, match=complaint):
            copy(*pair)
    assert not (tmp_path / "nowhere.db").exists()


def test_every_table_is_copied_or_named_as_one_that_is_not():
    copied = {table for kind in (copying.RUNS, copying.SWEEPS) for table in kind.parts}
    assert copied | set(copying.NOT_COPIED) == set(metadata.sorted_tables)
