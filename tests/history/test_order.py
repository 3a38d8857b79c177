"""Runs are named, noted, set aside and brought back."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import create_engine

from cnnlab.spec import (
    LabError,
    RunEnded,
    Status,
)
from tests.history.examples import epoch, finished, window


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


def test_purge_removes_only_what_was_deleted_before(history, url, run_id):
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
    engine = create_engine(url)
    with engine.connect() as connection:
        for table in ("epochs", "windows"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar() == 0
    engine.dispose()
