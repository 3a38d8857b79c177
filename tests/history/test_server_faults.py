"""A server that is locked, read-only, gone or not there says so, and a lab outlives it."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
from sqlalchemy import create_engine, text

from cnnlab.history import History, database, recording
from cnnlab.history import postgres as postgres_room
from cnnlab.spec import LabError, RunEnded, Status
from tests.history.examples import SPEC, epoch, window

KINDS = ("postgresql",)


def server_of(url, database):
    return url.replace(url.partition("@/")[2].partition("?")[0], database)


def test_a_locked_row_is_said_so(url, monkeypatch):
    monkeypatch.setattr(postgres_room, "LOCK_SECONDS", 1)
    engine = create_engine(url)
    with closing(History(url)) as history, engine.connect() as other:
        run_id = history.create(SPEC, name="x", session="s")
        other.execute(text("SELECT * FROM runs FOR UPDATE"))
        with pytest.raises(LabError, match="is locked by another program"):
            history.record(run_id, epoch(1))
        assert history.card(run_id).epochs == ()
        other.rollback()
        history.record(run_id, epoch(1))
        assert history.card(run_id).epochs == (epoch(1).row,)
    engine.dispose()


def test_a_server_that_may_only_be_read_is_said_so(history, run_id, url):
    engine = create_engine(url)
    with engine.begin() as connection:
        name = connection.exec_driver_sql("SELECT current_database()").scalar()
        connection.exec_driver_sql(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    engine.dispose()
    with closing(History(url)) as second:
        assert second.card(run_id).run_id == run_id
        with pytest.raises(LabError, match="may only be read; name a server"):
            second.rename(run_id, "other")


def test_a_lab_goes_on_when_the_server_has_dropped_its_connections(history, run_id, url):
    engine = create_engine(url)
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    engine.dispose()
    history.record(run_id, epoch(1))
    assert history.card(run_id).epochs == (epoch(1).row,)


def test_a_run_under_way_outlasts_a_server_that_is_started_anew(history, run_id, postgres):
    history.record(run_id, epoch(1))
    postgres.halt()
    events = [epoch(2), window(1, 1.0), RunEnded(status=Status.FINISHED)]
    run = threading.Thread(target=lambda: [history.record(run_id, event) for event in events])
    run.start()
    run.join(timeout=0.2)
    postgres.begin()
    run.join()
    card = history.card(run_id)
    assert (card.status, len(card.epochs), card.steps.ms) == (Status.FINISHED, 2, (1.0,))


def test_what_was_kept_before_its_answer_was_lost_is_not_kept_twice(history, run_id, monkeypatch):
    keep, kept = recording.keep, []

    def keep_and_lose_the_answer(connection, run_id, event):
        keep(connection, run_id, event)
        kept.append(event)
        connection.exec_driver_sql("COMMIT")
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(recording, "keep", keep_and_lose_the_answer)
    events = [epoch(1), epoch(2), window(1, 1.0), window(2, 1.0), RunEnded(status=Status.STOPPED)]
    for event in events:
        history.record(run_id, event)
    assert kept == events
    card = history.card(run_id)
    assert (card.status, len(card.epochs), card.steps.ms) == (Status.STOPPED, 2, (1.0, 1.0))


def test_a_server_that_stays_away_ends_the_run_with_a_sentence(
    history, run_id, monkeypatch, postgres
):
    monkeypatch.setattr(database, "OUTAGE_SECONDS", 0.1)
    postgres.halt()
    with pytest.raises(LabError, match="CNNLAB_DATABASE_URL"):
        history.record(run_id, epoch(1))
    postgres.begin()


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda url: server_of(url, "nowhere"), 'database "nowhere" does not exist'),
        (lambda url: "postgresql://me:secret@127.0.0.1:1/lab", "did not answer"),
    ],
)
def test_a_server_that_cannot_be_had_is_said_so(url, change, complaint):
    with pytest.raises(LabError, match=complaint) as caught:
        History(change(url))
    assert "CNNLAB_DATABASE_URL" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_whoever_opens_an_empty_server_waits_for_who_migrates(postgres):
    address = postgres.empty()
    engine, ids = create_engine(address), []

    def open_and_write():
        with closing(History(address)) as history:
            ids.append(history.create(SPEC, name="x", session="s"))

    with engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({postgres_room.MIGRATION_LOCK})")
        threads = [threading.Thread(target=open_and_write) for _ in range(4)]
        for thread in threads:
            thread.start()
        threads[0].join(timeout=0.3)
        assert ids == []
    for thread in threads:
        thread.join()
    engine.dispose()
    assert len(set(ids)) == 4
    postgres.drop(address)
