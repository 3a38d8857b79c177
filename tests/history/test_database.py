"""Threads, processes and files: what is written is there, in every form it ever had."""

import math
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from cnnlab.history import History, database, default_url
from cnnlab.history.tables import metadata
from cnnlab.spec import (
    LabError,
)
from tests.history.examples import INFINITY, NAN, SPEC, STARTED, epoch, window, written

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
from tests.history.examples import epoch, window
history = History(sys.argv[1])
run_id = history.create(PRESETS["tiny"].spec, name="killed", session="one")
print(run_id, flush=True)
for number in range(1, 100_000):
    history.record(run_id, window(number, 1.0))
    history.record(run_id, epoch(number))
    print(number, flush=True)
"""


def test_every_epoch_of_a_killed_process_is_there(url):
    child = subprocess.Popen(
        [sys.executable, "-c", RECORDING, url],
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
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
        assert history.card(run_id).status == "interrupted"


# --- the database ---------------------------------------------------------------------------


def say(url, statement):
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(statement)
    engine.dispose()


def test_the_address_is_a_file_at_home_unless_one_is_named(monkeypatch, tmp_path):
    odd = tmp_path / "a ?#%20 füß"
    monkeypatch.setenv("CNNLAB_HOME", str(odd))
    monkeypatch.delenv("CNNLAB_DATABASE_URL", raising=False)
    History().close()
    assert (odd / "history.db").is_file()
    monkeypatch.setenv("CNNLAB_DATABASE_URL", "postgresql://there/lab")
    assert default_url() == "postgresql://there/lab"


def test_a_server_of_an_earlier_form_is_brought_to_the_newest(postgres):
    address = postgres.empty()
    config = Config()
    folder = Path(database.__file__).with_name("migrations")
    config.set_main_option("script_location", str(folder))
    engine = create_engine(address)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0006")
        connection.exec_driver_sql(EARLIER_RUN.format(SPEC.model_dump_json()))
        connection.exec_driver_sql("INSERT INTO epochs (run_id, epoch) VALUES ('early', 1)")
    engine.dispose()
    with closing(History(address)) as history:
        (run,) = history.summaries()
        assert (run.run_id, run.name, run.epochs_done) == ("early", "measured", 1)
        assert [row.epoch for row in history.card("early").epochs] == [1]
        assert history.create(SPEC, name="new", session="first")
    postgres.drop(address)


EARLIER_RUN = """
INSERT INTO runs (run_id, name, session, note, status, created_at, spec, epochs_done)
VALUES ('early', 'measured', 'one', '', 'finished', '2026-01-31T12:00:00Z', '{}', 1)
"""


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


@pytest.mark.parametrize(
    "form", ["0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009", "0010"]
)
def test_a_history_of_an_earlier_form_is_still_read(file, form):
    file.parent.mkdir()
    shutil.copy(Path(__file__).parents[1] / "assets" / f"history_{form}.db", file)
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
        assert [run.name for run in history.summaries(words="article imported")] == ["imported"]
        assert history.own_data() == {measured.spec.dataset}
        assert history.create(SPEC, name="new", session="first")


def test_a_history_of_a_newer_form_is_left_alone(history, url):
    say(url, "UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(LabError, match="written by a newer CNN Lab; update this one"):
        History(url)


def test_a_run_this_program_cannot_read_is_named(history, run_id, url):
    say(url, """UPDATE runs SET spec = '{"from": "the future"}'""")
    with pytest.raises(LabError, match=f"The run {run_id} was written by another CNN Lab"):
        history.summaries()
