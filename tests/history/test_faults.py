"""A history that is locked, full, broken or not to be reached says so in a sentence."""

import math
import sqlite3
from contextlib import closing, contextmanager

import pytest
from sqlalchemy import event
from sqlalchemy.pool import Pool

from cnnlab.history import History, database
from cnnlab.spec import (
    LabError,
    Steps,
)
from tests.history.examples import SPEC, epoch, finished


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


def test_a_lab_whose_connections_are_all_in_use_says_what_helps(history, run_id, monkeypatch):
    pool = history._writing.pool
    monkeypatch.setattr(pool, "_timeout", 0.05)
    monkeypatch.setattr(pool, "_max_overflow", 0)
    held = [pool.connect() for _ in range(pool.size())]
    with pytest.raises(LabError, match="more at once than this lab's connections carry; train on"):
        history.record(run_id, epoch(1))
    for connection in held:
        connection.close()
    history.record(run_id, epoch(1))
    assert history.card(run_id).epochs == (epoch(1).row,)


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


def test_a_history_that_may_only_be_read_is_said_so(history, run_id, url, file):
    with every_connection("PRAGMA query_only = ON"), closing(History(url)) as second:
        assert second.card(run_id).run_id == run_id
        with pytest.raises(LabError, match="may only be read; make the file"):
            second.rename(run_id, "other")
    assert history.card(run_id).name == "a run"


def test_a_full_disk_is_said_so_and_nothing_is_half_written(history, url, file):
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
