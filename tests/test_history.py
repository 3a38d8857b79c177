"""The history keeps every run, whatever happens to the process that made it."""

import json
import math
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.pool import Pool

from cnnlab.history import History, RunSummary, database, default_url
from cnnlab.history.processes import alive, this_process
from cnnlab.history.tables import metadata
from cnnlab.spec import (
    PRESETS,
    DatasetFacts,
    DeviceFacts,
    Energy,
    Epoch,
    EpochEnded,
    LabError,
    Memory,
    ModelFacts,
    PhaseChanged,
    RunCard,
    RunEnded,
    RunResumed,
    RunStarted,
    Status,
    Steps,
    Timing,
    Window,
    change,
)

SPEC = PRESETS["tiny"].spec
NAN, INFINITY = math.nan, math.inf
STARTED = RunStarted(
    model=ModelFacts(parameters=12, flops_per_image=34, weights_sha256="ab"),
    dataset=DatasetFacts(
        name="shapes", train_images=8, validation_images=2, classes=2, image_shape=(4, 4, 3)
    ),
    device=DeviceFacts(requested="auto", used="cpu", name="a processor"),
    environment={"torch": "2", "threads": [1, 2]},
    steps_per_epoch=3,
)


def epoch(number, loss=1.0, val_accuracy=0.5):
    row = Epoch(
        epoch=number,
        loss=loss,
        accuracy=0.25,
        val_loss=2.0,
        val_accuracy=val_accuracy,
        seconds=0.5,
        step_ms_mean=1.5,
    )
    return EpochEnded(row=row)


def window(first_step, *step_ms, number=1, loss=1.0, **readings):
    end = first_step + len(step_ms)
    return Window(
        epoch=number,
        first_step=first_step,
        step_ms=step_ms,
        seconds=end / 100,
        loss=loss,
        accuracy=0.5,
        **readings,
    )


def finished(**fields):
    values = {"run_id": "run-1", "name": "a run", "session": "one", "status": "finished"}
    return RunCard(**values | {"created_at": "2026-01-31T12:00:00Z", "spec": SPEC} | fields)


def written(card):
    """A card as text, in which NaN equals NaN."""
    return card.model_dump_json(by_alias=True)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "lab" / "history.db"


@pytest.fixture
def url(file):
    return database.sqlite_url(file)


@pytest.fixture
def history(url):
    with closing(History(url)) as opened:
        yield opened


@pytest.fixture
def run_id(history):
    return history.create(SPEC, name="a run", session="one")


# --- a run's life ---------------------------------------------------------------------------


def test_a_run_is_a_row_before_it_starts(history):
    before = datetime.now(UTC)
    run_id = history.create(SPEC, name="  Grüße 🚀 ", session="今日")
    (summary,) = history.summaries()
    assert isinstance(summary, RunSummary)
    assert (summary.run_id, summary.name, summary.session) == (run_id, "Grüße 🚀", "今日")
    assert (summary.status, summary.spec, summary.origin) == (Status.QUEUED, SPEC, None)
    assert before <= datetime.fromisoformat(summary.created_at) <= datetime.now(UTC)
    assert (summary.model, summary.environment, summary.epochs_done) == (None, None, 0)
    assert (summary.best_val_accuracy, summary.last_loss) == (None, None)


def test_ids_are_new_url_safe_and_sort_by_age(history, monkeypatch):
    ids = []
    for second in (1_800_000_000, 1_800_000_001, 2_500_000_000):
        monkeypatch.setattr("cnnlab.history.queries.time.time", lambda second=second: second + 0.5)
        ids += [history.create(SPEC, name="x", session="s") for _ in range(5)]
    assert len(set(ids)) == 15
    assert all(re.fullmatch("[0-9a-z]{12}", run_id) for run_id in ids)
    assert [run_id[:7] for run_id in ids] == sorted(run_id[:7] for run_id in ids)


def test_an_id_that_chance_repeats_is_drawn_again(history, monkeypatch):
    draws = iter(["same", "same", "other"])
    monkeypatch.setattr("cnnlab.history.queries._new_id", lambda: next(draws))
    assert [history.create(SPEC, name="x", session="s") for _ in range(2)] == ["same", "other"]


def test_events_fill_the_card(history, run_id):
    history.record(run_id, STARTED)
    assert history.card(run_id).status is Status.RUNNING
    history.record(run_id, PhaseChanged(phase="training"))
    history.record(run_id, epoch(1))
    ended = RunEnded(
        status=Status.FAILED,
        error="no memory",
        timing=Timing(fit_seconds=NAN, total_seconds=3.0),
        memory=Memory(peak_rss_mb=99.5),
        energy=Energy(joules=INFINITY, source="a meter"),
    )
    history.record(run_id, ended)
    card = history.card(run_id)
    assert (card.status, card.error) == (Status.FAILED, "no memory")
    assert (card.model, card.dataset, card.device) == (
        STARTED.model,
        STARTED.dataset,
        STARTED.device,
    )
    assert card.environment == STARTED.environment
    assert card.timing.model_dump_json() == ended.timing.model_dump_json()
    assert (card.memory, card.energy) == (ended.memory, ended.energy)
    assert card.epochs == (epoch(1).row,)
    assert history.summaries()[0].steps_per_epoch == 3


def test_steps_come_back_expanded_with_nulls_between_window_ends(history, run_id):
    history.record(run_id, window(1, 0.1, 0.2, 0.3))
    history.record(run_id, window(4))  # nothing to keep
    history.record(run_id, window(4, 0.4, NAN, number=2, loss=NAN))
    steps = history.steps(run_id)
    assert steps.step == (1, 2, 3, 4, 5)
    assert steps.epoch == (1, 1, 1, 2, 2)
    assert steps.ms[:4] == (0.1, 0.2, 0.3, 0.4)
    assert math.isnan(steps.ms[4])
    assert steps.seconds == (None, None, 0.04, None, 0.06)
    assert steps.loss[:4] == (None, None, 1.0, None)
    assert math.isnan(steps.loss[4])
    assert steps.accuracy == (None, None, 0.5, None, 0.5)
    assert history.card(run_id, steps=False).steps == Steps()
    assert written(history.card(run_id)) == written(
        RunCard.model_validate_json(written(history.card(run_id)))
    )


def test_the_memory_of_each_window_is_kept(history, run_id, file):
    history.record(run_id, window(1, 1.0, rss_mb=10.5, device_mb=None))
    with closing(sqlite3.connect(file)) as raw:
        assert raw.execute("SELECT rss_mb, device_mb FROM windows").fetchall() == [(10.5, None)]


def test_memory_stands_beside_the_last_step_of_each_window(history, run_id):
    history.record(run_id, window(1, 1.0, rss_mb=10.5, device_mb=None))
    memory, steps = history.memory(run_id), history.steps(run_id)
    assert [column[-1] for column in memory.values()] == [10.5, None]
    assert {len(column) for column in memory.values()} == {len(steps.step)}


def test_an_imported_run_has_no_memory_beside_its_steps(history, run_id):
    history.record(run_id, window(1, 1.0))
    history.mark(run_id, Status.STOPPED)
    brought = history.card(run_id).model_copy(update={"run_id": "elsewhere"})
    history.add_card(brought, origin="a file")
    assert history.memory("elsewhere") == {"rss_mb": (), "device_mb": ()}


def test_summaries_follow_the_epochs(history, run_id):
    for number, accuracy in enumerate((NAN, 0.6, NAN, 0.4), start=1):
        history.record(run_id, epoch(number, loss=INFINITY, val_accuracy=accuracy))
    (summary,) = history.summaries()
    assert (summary.epochs_done, summary.last_loss) == (4, INFINITY)
    assert (summary.best_val_accuracy, summary.last_val_accuracy) == (0.6, 0.4)
    assert (summary.last_accuracy, summary.last_val_loss) == (0.25, 2.0)


def test_a_diverged_run_has_nan_as_its_last_and_no_best(history, run_id):
    history.record(run_id, epoch(1, loss=NAN, val_accuracy=NAN))
    (summary,) = history.summaries()
    assert summary.best_val_accuracy is None
    assert math.isnan(summary.last_val_accuracy)
    assert math.isnan(summary.last_loss)
    (row,) = history.epochs([run_id])[run_id]
    assert math.isnan(row.loss)
    assert math.isnan(row.val_accuracy)


@pytest.mark.parametrize("event_", [STARTED, epoch(2), window(1, 1.0), RunEnded(status="failed")])
def test_a_run_that_is_over_takes_no_events(history, run_id, event_):
    history.record(run_id, epoch(1))
    history.record(run_id, RunEnded(status=Status.FINISHED))
    before = history.card(run_id)
    with pytest.raises(LabError, match="is over"):
        history.record(run_id, event_)
    with pytest.raises(LabError, match="is over"):
        history.mark(run_id, Status.STOPPED)
    assert history.card(run_id) == before


def test_a_run_ends_only_with_a_status_that_is_an_end(history, run_id):
    with pytest.raises(LabError, match="cannot end as running"):
        history.record(run_id, RunEnded(status=Status.RUNNING))
    assert history.card(run_id).status is Status.QUEUED


def test_an_epoch_is_not_kept_twice(history, run_id):
    history.record(run_id, epoch(1))
    with pytest.raises(LabError, match="holds this record already"):
        history.record(run_id, epoch(1, loss=9.0))
    assert history.card(run_id).epochs == (epoch(1).row,)
    assert history.summaries()[0].epochs_done == 1


def test_an_event_of_no_run_is_refused(history, run_id):
    for unknown in ("nobody", run_id[:-1]):
        with pytest.raises(LabError, match="There is no run"):
            history.record(unknown, epoch(1))


def test_a_withdrawn_run_is_marked(history, run_id):
    history.mark(run_id, Status.STOPPED, "withdrawn")
    card = history.card(run_id)
    assert (card.status, card.error) == (Status.STOPPED, "withdrawn")


def test_an_epoch_waits_for_the_disk_and_a_window_does_not(history, run_id):
    said = []

    def listen(_connection, _cursor, statement, *_rest):
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        history.record(run_id, window(1, 1.0))
        assert "PRAGMA synchronous = NORMAL" in said
        said.clear()
        history.record(run_id, epoch(1))
        assert "PRAGMA synchronous = FULL" in said
    finally:
        event.remove(Engine, "before_cursor_execute", listen)


# --- orphans --------------------------------------------------------------------------------


def test_runs_whose_process_is_gone_are_interrupted(url):
    with (
        closing(History(url, owner=(11, 1.5))) as gone,
        closing(History(url, owner=(22, 2.5))) as h,
    ):
        queued, running, done = (gone.create(SPEC, name="x", session="s") for _ in range(3))
        gone.record(running, STARTED)
        gone.record(running, epoch(1))
        gone.record(done, RunEnded(status=Status.FINISHED))
        mine = h.create(SPEC, name="x", session="s")
        asked = []

        def alive(pid, started):
            asked.append((pid, started))
            return pid == 22

        assert sorted(h.interrupt_orphans(alive)) == sorted([queued, running])
        assert sorted(asked) == [(11, 1.5), (22, 2.5)]
        assert h.card(running).error == (
            "The lab ended while this run was running; resume it or train it again."
        )
        assert h.card(queued).error == "The lab ended while this run was queued; start it again."
        assert h.card(running).epochs == (epoch(1).row,)
        statuses = [h.card(run_id).status for run_id in (queued, running, done, mine)]
        assert statuses == ["interrupted", "interrupted", "finished", "queued"]
        assert h.interrupt_orphans(lambda pid, started: True) == []


def test_a_run_of_this_process_is_no_orphan_and_that_of_a_zombie_is_one(url):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    theirs = child.pid, psutil.Process(child.pid).create_time()
    with closing(History(url)) as h, closing(History(url, owner=(child.pid, 0.0))) as other:
        mine, run_id = (each.create(SPEC, name="x", session="s") for each in (h, other))
        assert h.interrupt_orphans() == []
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, but still in the table
        assert psutil.pid_exists(child.pid)
        assert h.interrupt_orphans() == [run_id]
        assert h.card(mine).status == "queued"
    child.communicate()
    assert not alive(*theirs)


def test_another_process_with_the_same_id_is_not_the_one_that_was_meant():
    pid, started = this_process()
    assert alive(pid, started)
    assert alive(pid, 0.0)
    assert not alive(pid, started - 1)
    assert not alive(2**22 + 1, 0.0)


# --- resuming -------------------------------------------------------------------------------


def broke_off(history, *, epochs, status=Status.INTERRUPTED):
    """A run that broke off one step into the epoch after `epochs`."""
    run_id = history.create(SPEC, name="x", session="s")
    history.record(run_id, STARTED)
    for number in range(1, epochs + 1):
        history.record(run_id, window(number * 3 - 2, 1.0, 2.0, 3.0, number=number))
        history.record(run_id, epoch(number, val_accuracy=number / 10))
    history.record(run_id, window(epochs * 3 + 1, 9.0, number=epochs + 1))
    figures = {"fit_seconds": 8.0, "total_seconds": 9.0, "step_ms_median": 2.0}
    history.record(
        run_id,
        RunEnded(status=status, timing=Timing(**figures), energy=Energy(joules=5, source="a")),
    )
    return run_id


def test_a_resumed_run_forgets_half_an_epoch_and_knows_no_whole_times(history):
    run_id = broke_off(history, epochs=2)
    assert history.reopen(run_id[:11]).status == "queued"
    assert len(history.card(run_id).steps.step) == 7
    history.record(run_id, STARTED)
    history.record(run_id, RunResumed(epochs=(epoch(1).row, epoch(2).row)))
    card = history.card(run_id)
    assert (card.status, card.steps.step) == ("running", tuple(range(1, 7)))
    assert card.timing == Timing(resumed_after=(2,))
    history.record(run_id, window(7, 1.0, number=3))
    history.record(run_id, epoch(3))
    timing = Timing(fit_seconds=1, warmup_seconds=1, step_ms_median=4)
    energy = Energy(joules=1, source="a")
    history.record(run_id, RunEnded(status=Status.FINISHED, timing=timing, energy=energy))
    card = history.card(run_id)
    assert [row.epoch for row in card.epochs] == [1, 2, 3]
    assert card.timing == Timing(resumed_after=(2,), step_ms_median=4)
    assert card.energy.joules is None
    assert card.marks == ("It was resumed after epoch 2.",)


def test_an_epoch_that_only_the_checkpoint_knows_is_entered_and_one_too_many_is_dropped(history):
    ahead, behind = broke_off(history, epochs=1), broke_off(history, epochs=3)
    for run_id, done in ((ahead, 3), (behind, 2)):
        history.reopen(run_id)
        rows = tuple(epoch(number, val_accuracy=number / 10).row for number in range(1, done + 1))
        history.record(run_id, RunResumed(epochs=rows))
        assert history.card(run_id).epochs == rows
        (summary,) = (run for run in history.summaries() if run.run_id == run_id)
        assert (summary.epochs_done, summary.best_val_accuracy) == (done, done / 10)


def test_how_often_a_run_was_resumed_survives_its_end_without_figures(history):
    run_id = broke_off(history, epochs=2)
    for done in (1, 2):
        history.reopen(run_id)
        rows = tuple(epoch(number).row for number in range(1, done + 1))
        history.record(run_id, RunResumed(epochs=rows))
        history.record(run_id, RunEnded(status=Status.FAILED, error="killed"))
    assert history.card(run_id).timing.resumed_after == (1, 2)


def test_a_run_that_cannot_be_resumed_says_why(history):
    waiting = history.create(SPEC, name="x", session="s")
    done, gone = (broke_off(history, epochs=1, status=s) for s in ("finished", "stopped"))
    history.delete(gone)
    imported = history.add_card(finished(), origin="elsewhere")
    for run_id, why in (
        (waiting, "is queued already"),
        (done, "is finished"),
        (gone, "is deleted"),
        (imported, "was measured elsewhere"),
        ("nowhere", "no run"),
    ):
        with pytest.raises(LabError, match=why):
            history.reopen(run_id)


def test_which_runs_are_open_and_which_are_settled(history):
    waiting = history.create(SPEC, name="x", session="s")
    done, gone, stopped = (
        broke_off(history, epochs=1, status=s) for s in ("finished", "stopped", "stopped")
    )
    history.delete(gone)
    assert history.open_runs() == {waiting}
    assert history.settled([done, gone, stopped, waiting, "other"]) == {done, gone}
    assert history.settled([]) == set()


# --- reading --------------------------------------------------------------------------------


def test_epochs_of_many_runs_come_by_id(history):
    ids = [history.create(SPEC, name="x", session="s") for _ in range(3)]
    for number in (1, 2):
        history.record(ids[0], epoch(number))
    history.record(ids[1], epoch(1, loss=3.0))
    found = history.epochs([ids[1], ids[0], ids[2], "nobody"])
    assert found == {
        ids[1]: (epoch(1, loss=3.0).row,),
        ids[0]: (epoch(1).row, epoch(2).row),
        ids[2]: (),
        "nobody": (),
    }
    assert history.epochs([]) == {}


def test_summaries_are_newest_first_and_by_session(history):
    for day, session in ((2, "b"), (1, "a"), (3, "a")):
        card = finished(run_id=f"day{day}", session=session, created_at=f"2026-01-0{day}T00:00:00Z")
        history.add_card(card, origin="elsewhere")
    assert [run.run_id for run in history.summaries()] == ["day3", "day2", "day1"]
    assert [run.run_id for run in history.summaries(session="a")] == ["day3", "day1"]
    assert history.summaries(session="c") == []
    assert history.sessions() == ["a", "b"]


def test_an_id_may_be_shortened_while_it_is_clear(history):
    for run_id in ("abc1", "abc2", "abd", "ab"):
        history.add_card(finished(run_id=run_id), origin="elsewhere")
    assert history.card("abd").run_id == "abd"
    assert history.card("abc2").run_id == "abc2"
    assert history.card("ab").run_id == "ab"  # whole, though others begin so
    with pytest.raises(LabError, match="abc could mean abc1, abc2; write more of the id"):
        history.card("abc")
    with pytest.raises(LabError, match="a could mean ab, abc1 and others"):
        history.card("a")
    history.delete("abc1")
    assert history.steps("abc") == Steps()
    assert history.card("abc").run_id == "abc2"


@pytest.mark.parametrize("wrong", ["", "nobody", "%", "_", "A", "a b", "\ud800", "x" * 99, "';--"])
def test_an_id_that_fits_no_run_is_said_so(history, wrong):
    history.add_card(finished(run_id="abc"), origin="elsewhere")
    with pytest.raises(LabError, match="no run"):
        history.card(wrong)


# --- putting in order -----------------------------------------------------------------------


def test_name_note_and_session_of_a_finished_run_may_change(history, run_id):
    history.record(run_id, RunEnded(status=Status.FINISHED))
    history.rename(run_id, " better ")
    history.annotate(run_id[:11], "seen\ntwice")
    history.move(run_id, "two")
    card = history.card(run_id)
    assert (card.name, card.note, card.session) == ("better", "seen\ntwice", "two")
    assert history.sessions() == ["two"]


@pytest.mark.parametrize(
    ("act", "text"),
    [
        ("rename", ""),
        ("rename", "   "),
        ("rename", "x" * 121),
        ("rename", "half \ud83d"),
        ("annotate", "x" * 10_001),
        ("move", ""),
        ("move", "x" * 61),
    ],
)
def test_texts_that_do_not_fit_are_refused(history, run_id, act, text):
    before = history.card(run_id)
    with pytest.raises(LabError, match=r"characters|half a character"):
        getattr(history, act)(run_id, text)
    assert history.card(run_id) == before


def test_texts_at_their_limits_fit(history, run_id):
    history.rename(run_id, "é" * 120)
    history.annotate(run_id, "x" * 10_000)
    history.move(run_id, "x" * 60)
    card = history.card(run_id)
    assert (len(card.name), len(card.note), len(card.session)) == (120, 10_000, 60)


def test_a_deleted_run_is_set_aside_and_can_return(history):
    history.add_card(finished(), origin="elsewhere")
    history.delete("run-1")
    assert history.summaries() == []
    assert history.sessions() == []
    (summary,) = history.summaries(include_deleted=True)
    assert summary.deleted_at is not None
    history.restore("run-1")
    assert [run.deleted_at for run in history.summaries()] == [None]


def test_a_deleted_run_is_not_shown_and_only_restore_brings_it_back(history):
    history.add_card(finished(), origin="elsewhere")
    history.delete("run-1")
    assert history.deleted(["run-1", "other"]) == {"run-1"}
    for ask in (
        history.card,
        history.steps,
        history.origin,
        history.memory,
        history.delete,
        lambda run_id: history.rename(run_id, "x"),
    ):
        with pytest.raises(LabError, match="run-1 is deleted; its link on the History page"):
            ask("run-1")
    with pytest.raises(LabError, match="no run 'other'"):
        history.restore("other")
    history.restore("run-1")
    assert history.card("run-1").run_id == "run-1"
    assert history.deleted(["run-1"]) == set()


def test_a_run_that_is_not_over_is_not_deleted(history, run_id):
    with pytest.raises(LabError, match="is queued; stop it before"):
        history.delete(run_id)
    assert len(history.summaries()) == 1


def test_purge_removes_only_what_was_deleted_before(history, file, run_id):
    history.record(run_id, epoch(1))
    history.record(run_id, window(1, 1.0))
    history.record(run_id, RunEnded(status=Status.STOPPED))
    history.add_card(finished(), origin="elsewhere")
    history.delete(run_id)
    now = datetime.now(UTC)
    assert history.purge(now - timedelta(days=1)) == 0
    # Without a time zone it is local time.
    assert history.purge(datetime.now() + timedelta(minutes=1)) == 1
    assert [run.run_id for run in history.summaries(include_deleted=True)] == ["run-1"]
    with closing(sqlite3.connect(file)) as raw:
        assert raw.execute("SELECT count(*) FROM epochs").fetchone() == (0,)
        assert raw.execute("SELECT count(*) FROM windows").fetchone() == (0,)


# --- cards from elsewhere -------------------------------------------------------------------

# 0.0 - and not -0.0, which SQLite does not tell from it: adding 0.0 makes them one.
number = st.floats().map(lambda value: value + 0.0)
known = st.none() | st.floats()
text = st.text(max_size=20)
json_value = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=6,
)


def label(most):
    return st.text(min_size=1, max_size=most).filter(lambda value: value.strip())


@st.composite
def cards(draw):
    """Cards of finished runs, whose facts may all be missing, NaN or infinite."""
    readings = dict.fromkeys(Timing.model_fields, known)
    readings["matmul_peak_arithmetic"] = st.none() | text
    readings["resumed_after"] = st.lists(st.integers(), max_size=2).map(tuple)
    numbers = {name: number for name in Epoch.model_fields if name != "epoch"}
    count = draw(st.integers(0, 4))
    columns = {
        name: st.lists(known, max_size=4).map(tuple) for name in ("seconds", "loss", "accuracy")
    }
    return RunCard(
        run_id=draw(st.from_regex(r"\A[a-z0-9][a-zA-Z0-9_.-]{0,20}\Z")),
        name=draw(label(120)),
        session=draw(label(60)),
        note=draw(text),
        status=draw(st.sampled_from([status for status in Status if status.over])),
        error=draw(st.none() | text),
        created_at=draw(st.datetimes(timezones=st.just(UTC))).isoformat(),
        spec=change(
            draw(st.sampled_from(list(PRESETS.values()))).spec, seed=draw(st.integers(0, 9))
        ),
        model=draw(st.none() | st.just(STARTED.model)),
        dataset=draw(st.none() | st.just(STARTED.dataset)),
        device=draw(st.none() | st.just(STARTED.device)),
        environment=draw(st.dictionaries(text, json_value, max_size=3)),
        timing=draw(st.builds(Timing, **readings)),
        memory=draw(st.builds(Memory, peak_rss_mb=known, peak_device_mb=known)),
        energy=draw(st.builds(Energy, joules=known, source=text)),
        epochs=[
            draw(st.builds(Epoch, epoch=st.just(index), **numbers)) for index in range(1, count + 1)
        ],
        steps=Steps(
            step=draw(st.lists(st.integers(), max_size=4)),
            epoch=draw(st.lists(st.integers(), max_size=4)),
            ms=draw(st.lists(st.floats(), max_size=4)),
            **{name: draw(column) for name, column in columns.items()},
        ),
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A history that is emptied between the cards of one test."""
    with closing(History(f"sqlite:///{tmp_path_factory.mktemp('archive')}/history.db")) as opened:
        yield opened


@settings(deadline=None, max_examples=150)
@given(card=cards())
def test_a_card_comes_back_as_it_was(archive, card):
    run_id = archive.add_card(card, origin="elsewhere")
    try:
        assert run_id == card.run_id
        assert written(archive.card(run_id)) == written(card)
        assert archive.add_card(card, origin="again") == run_id
        (summary,) = archive.summaries()
        assert summary.origin == "elsewhere"
        assert summary.epochs_done == len(card.epochs)
    finally:
        archive.delete(run_id)
        archive.purge(datetime.now(UTC) + timedelta(minutes=1))


def test_minus_zero_is_the_same_card(history):
    card = finished(epochs=(epoch(1, loss=-0.0).row,))
    assert history.add_card(card, origin="elsewhere") == "run-1"
    assert history.add_card(card, origin="elsewhere") == "run-1"
    assert history.card("run-1") == card


def test_a_run_measured_here_exports_and_imports_as_itself(history, run_id):
    history.record(run_id, STARTED)
    history.record(run_id, window(1, 0.1, 0.2))
    history.record(run_id, epoch(1, loss=NAN))
    history.record(run_id, RunEnded(status=Status.FINISHED))
    exported = RunCard.model_validate_json(written(history.card(run_id)))
    assert history.add_card(exported, origin="a file") == run_id
    (summary,) = history.summaries()
    assert summary.origin is None


def test_a_card_whose_id_is_taken_gets_another_and_comes_once(history):
    history.add_card(finished(), origin="one place")
    other = finished(epochs=(epoch(1).row,))
    copy = history.add_card(other, origin="another place")
    assert copy.startswith("run-1-")
    assert history.add_card(other, origin="another place") == copy
    assert history.card("run-1") == finished()
    assert history.card(copy) == finished(run_id=copy, epochs=(epoch(1).row,))
    assert len(history.summaries()) == 2
    # Were even that one taken, there would be yet another.
    history.rename(copy, "changed")
    third = history.add_card(other, origin="another place")
    assert third not in ("run-1", copy)
    assert history.card(third).epochs == other.epochs


def test_importing_a_deleted_run_brings_it_back(history):
    history.add_card(finished(), origin="elsewhere")
    history.delete("run-1")
    assert history.add_card(finished(), origin="elsewhere") == "run-1"
    assert len(history.summaries()) == 1


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"status": "running"}, "still running"),
        ({"run_id": ""}, "run_id"),
        ({"run_id": "../up"}, "run_id"),
        ({"run_id": "x" * 65}, "run_id"),
        ({"name": " "}, "name"),
        ({"session": "x" * 61}, "session"),
        ({"note": "x" * 10_001}, "note"),
        ({"created_at": "yesterday"}, "created_at"),
        ({"created_at": "2026-01-31T12:00:00+02:00"}, "UTC"),
        ({"epochs": (epoch(1).row, epoch(1).row)}, "upwards from 1"),
        ({"epochs": (epoch(0).row,)}, "upwards from 1"),
        ({"epochs": (epoch(10**30).row,)}, "upwards from 1"),
    ],
)
def test_a_card_that_cannot_be_kept_as_it_is_is_refused(history, fields, complaint):
    with pytest.raises(LabError, match=complaint):
        history.add_card(finished(**fields), origin="elsewhere")
    assert history.summaries() == []


def test_an_import_says_where_it_is_from(history):
    with pytest.raises(LabError, match="origin"):
        history.add_card(finished(), origin=" ")


# --- threads and processes ------------------------------------------------------------------


def test_one_thread_records_while_another_reads(history, run_id):
    faults, over, seen = [], threading.Event(), []

    def write():
        try:
            for number in range(1, 31):
                history.record(run_id, window(number * 2 - 1, 0.5, 1.5, number=number))
                history.record(run_id, epoch(number))
        except LabError as error:
            faults.append(error)
        finally:
            over.set()

    writer = threading.Thread(target=write)
    writer.start()
    while not over.is_set():
        card, (summary,) = history.card(run_id), history.summaries()
        seen.append((len(card.epochs), summary.epochs_done))
        assert len(card.steps.step) in (2 * len(card.epochs), 2 * len(card.epochs) + 2)
    writer.join()
    assert faults == []
    assert seen == sorted(seen)
    assert all(earlier <= later for earlier, later in seen)
    assert len(history.card(run_id).epochs) == 30


def test_many_may_open_a_new_history_at_once(url):
    barrier, ids, faults = threading.Barrier(6), [], []

    def use():
        barrier.wait()
        try:
            with closing(History(url)) as opened:
                ids.extend(opened.create(SPEC, name="x", session="s") for _ in range(5))
        except LabError as error:
            faults.append(error)

    threads = [threading.Thread(target=use) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with closing(History(url)) as opened:
        assert {run.run_id for run in opened.summaries()} == set(ids)
    assert len(ids) == 30


def test_everything_is_there_after_closing_and_opening(url):
    with closing(History(url)) as first:
        run_id = first.create(SPEC, name="a run", session="one")
        first.record(run_id, STARTED)
        first.record(run_id, window(1, 1.0))
        first.record(run_id, epoch(1, loss=NAN))
        before = written(first.card(run_id))
    with closing(History(url)) as second:
        assert written(second.card(run_id)) == before


RECORDING = """
import sys
from cnnlab.history import History
from cnnlab.spec import PRESETS
from tests.test_history import epoch, window
history = History(sys.argv[1])
run_id = history.create(PRESETS["tiny"].spec, name="killed", session="one")
print(run_id, flush=True)
for number in range(1, 100_000):
    history.record(run_id, window(number, 1.0))
    history.record(run_id, epoch(number))
    print(number, flush=True)
"""


def test_every_epoch_of_a_killed_process_is_there(url, file):
    child = subprocess.Popen(
        [sys.executable, "-c", RECORDING, url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    run_id = child.stdout.readline().strip()
    while int(child.stdout.readline()) < 25:
        pass
    child.kill()
    rest = child.communicate()[0].split()
    recorded = int(rest[-1]) if rest else 25
    with closing(History(url)) as history:
        card = history.card(run_id)
        assert [row.epoch for row in card.epochs] == list(range(1, len(card.epochs) + 1))
        assert recorded <= len(card.epochs) <= recorded + 1
        assert len(card.epochs) <= len(card.steps.step)
        assert history.interrupt_orphans(lambda pid, started: pid != child.pid) == [run_id]
    with closing(sqlite3.connect(file)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchone() == ("ok",)


# --- the database ---------------------------------------------------------------------------


def test_the_address_is_a_file_at_home_unless_one_is_named(monkeypatch, tmp_path):
    odd = tmp_path / "a ?#%20 füß"
    monkeypatch.setenv("CNNLAB_HOME", str(odd))
    monkeypatch.delenv("CNNLAB_DATABASE_URL", raising=False)
    History().close()
    assert (odd / "history.db").is_file()
    monkeypatch.setenv("CNNLAB_DATABASE_URL", "postgresql://there/lab")
    assert default_url() == "postgresql://there/lab"


def test_sqlite_guards_references_and_keeps_a_log_ahead(history, file):
    with closing(sqlite3.connect(file)) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    engine = database.open_database(database.sqlite_url(file))
    with (
        pytest.raises(LabError, match="history"),
        database.transaction(engine.execution_options(writing=True)) as connection,
    ):
        connection.exec_driver_sql(
            "INSERT INTO imported_steps (run_id, columns) VALUES ('nobody', x'00')"
        )
    engine.dispose()


def test_the_migrations_make_the_tables_the_program_uses(history, url):
    engine = create_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


@pytest.mark.parametrize("form", ["0001", "0002", "0003"])
def test_a_history_of_an_earlier_form_is_still_read(file, form):
    file.parent.mkdir()
    shutil.copy(Path(__file__).with_name("assets") / f"history_{form}.db", file)
    with closing(History(database.sqlite_url(file))) as history:
        measured, imported = history.summaries()
        assert (measured.name, measured.status, measured.origin) == ("measured", "finished", None)
        assert measured.model.parameters == 975_692
        card = history.card(measured.run_id)
        assert math.isnan(card.epochs[0].loss)
        assert card.epochs[0].val_loss == INFINITY
        assert card.steps.ms == (1.5, 2.5)
        assert card.steps.loss == (None, 4.5)
        assert (imported.run_id, imported.origin) == ("imported", "elsewhere")
        assert history.steps("imported").ms == (3.5,)
        assert history.create(SPEC, name="new", session="first")


def test_a_history_of_a_newer_form_is_left_alone(history, url, file):
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LabError, match="written by a newer CNN Lab; update this one"):
        History(url)


def test_a_run_this_program_cannot_read_is_named(history, run_id, file):
    with closing(sqlite3.connect(file)) as raw, raw:
        raw.execute("UPDATE runs SET spec = ?", (json.dumps({"from": "the future"}),))
    with pytest.raises(LabError, match=f"The run {run_id} was written by another CNN Lab"):
        history.summaries()


# --- faults ---------------------------------------------------------------------------------


@contextmanager
def every_connection(pragma):
    """Connections opened meanwhile begin with a pragma."""

    def say(raw, _record):
        raw.execute(pragma)

    event.listen(Pool, "connect", say)
    try:
        yield
    finally:
        event.remove(Pool, "connect", say)


def test_a_locked_history_is_said_so(url, file, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with closing(History(url)) as history, closing(sqlite3.connect(file)) as other:
        run_id = history.create(SPEC, name="x", session="s")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LabError, match="is locked by another program") as caught:
            history.record(run_id, epoch(1))
        assert str(file) in str(caught.value)
        assert history.card(run_id).epochs == ()
        other.rollback()
        history.record(run_id, epoch(1))
        assert history.card(run_id).epochs == (epoch(1).row,)


def test_a_history_opens_for_reading_while_another_writes(history, run_id, url, file, monkeypatch):
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with closing(sqlite3.connect(file)) as other:
        other.execute("BEGIN IMMEDIATE")
        with closing(History(url)) as second:
            assert second.card(run_id).run_id == run_id


def test_a_history_that_may_only_be_read_is_said_so(history, run_id, url):
    with every_connection("PRAGMA query_only = ON"), closing(History(url)) as second:
        assert second.card(run_id).run_id == run_id
        with pytest.raises(LabError, match="may only be read; make the file"):
            second.rename(run_id, "other")
    assert history.card(run_id).name == "a run"


def test_a_full_disk_is_said_so_and_nothing_is_half_written(history, url):
    steps = Steps(ms=tuple(math.sin(step) for step in range(20_000)))
    with every_connection("PRAGMA max_page_count = 20"), closing(History(url)) as second:
        with pytest.raises(LabError, match="the disk is full; make room"):
            second.add_card(finished(steps=steps, epochs=(epoch(1).row,)), origin="elsewhere")
        assert second.summaries() == []
        assert second.epochs(["run-1"]) == {"run-1": ()}
        assert second.add_card(finished(), origin="elsewhere") == "run-1"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [(b"no database " * 500, "is no SQLite database"), (None, "is damaged")],
)
def test_a_broken_file_is_said_so_and_left_as_it_is(url, file, content, complaint):
    History(url).close()
    if content is None:  # a right header, then noise
        content = file.read_bytes()[:100] + b"\x55" * 8000
    file.write_bytes(content)
    with pytest.raises(LabError, match=complaint):
        History(url)
    assert file.read_bytes() == content


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path):
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(LabError, match="cannot be made"):
        History(database.sqlite_url(tmp_path / "taken" / "below" / "history.db"))
    with pytest.raises(LabError, match="could not be opened"):
        History(database.sqlite_url(tmp_path))


@pytest.mark.parametrize(
    ("address", "complaint"),
    [
        ("no address", "is no database address"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("nosuch://me:secret@there/lab", "driver that is not installed"),
    ],
)
def test_an_address_that_cannot_work_is_refused(address, complaint):
    with pytest.raises(LabError, match=complaint) as caught:
        History(address)
    assert "secret" not in str(caught.value)
