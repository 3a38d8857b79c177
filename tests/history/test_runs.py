"""A run's life in the history: a row before it starts, then events, then an end."""

import math
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, event

from cnnlab.history import RunSummary
from cnnlab.spec import (
    Energy,
    LabError,
    Memory,
    PhaseChanged,
    RunCard,
    RunEnded,
    Status,
    Steps,
    Timing,
)
from tests.history.examples import INFINITY, NAN, SPEC, STARTED, epoch, finished, window, written

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


HASTY_SERVER = "SET LOCAL synchronous_commit = off"


def test_an_epoch_waits_for_the_disk_and_a_window_does_not(history, run_id, on):
    hasty = {"sqlite": "PRAGMA synchronous = NORMAL", "postgresql": HASTY_SERVER}[on]
    said = []

    def listen(_connection, _cursor, statement, *_rest):
        said.append(statement)

    event.listen(Engine, "before_cursor_execute", listen)
    try:
        history.record(run_id, window(1, 1.0))
        assert hasty in said
        said.clear()
        history.record(run_id, epoch(1))
        assert hasty not in said
        assert on != "sqlite" or "PRAGMA synchronous = FULL" in said
    finally:
        event.remove(Engine, "before_cursor_execute", listen)


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
