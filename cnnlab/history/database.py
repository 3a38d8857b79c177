"""The database under the history: opening, migrating, and faults as plain sentences."""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Lock
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    NoSuchModuleError,
    TimeoutError,
)

from cnnlab.history import postgres
from cnnlab.spec import LabError, home

BUSY_SECONDS = 10.0
"""How long a write waits for another program's write to the same SQLite file."""

OUTAGE_SECONDS = 25.0
"""How long a run under way waits for a server that is away; one that restarts is back by then."""

_MIGRATING = Lock()  # Alembic keeps what it works on in a global

# By SQLite's primary result code (sqlite.org/rescode.html).
_CURES = {
    sqlite3.SQLITE_BUSY: "is locked by another program; close that one and try again",
    sqlite3.SQLITE_LOCKED: "is locked by another program; close that one and try again",
    sqlite3.SQLITE_READONLY: "may only be read; make the file and its folder writable, or name "
    "another place in CNNLAB_DATABASE_URL",
    sqlite3.SQLITE_IOERR: "could not be read or written; check its disk",
    sqlite3.SQLITE_CORRUPT: "is damaged; move the file away to begin a new history, or put a "
    "copy of it back",
    sqlite3.SQLITE_FULL: "could not grow, because the disk is full; make room on it",
    sqlite3.SQLITE_CANTOPEN: "could not be opened; check that its folder exists and may be "
    "written, or name another place in CNNLAB_DATABASE_URL",
    sqlite3.SQLITE_NOTADB: "is no SQLite database; move the file away, or name another one in "
    "CNNLAB_DATABASE_URL",
}


def default_url() -> str:
    """SQLAlchemy URL of the history: `CNNLAB_DATABASE_URL`, or a file in the lab's home."""
    named = os.environ.get("CNNLAB_DATABASE_URL")
    return named or sqlite_url(home() / "history.db")


def sqlite_url(path: Path) -> str:
    """The URL of an SQLite file, whatever characters its path holds."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def place(url: URL) -> str:
    """The database in words: a file, or a URL without its password."""
    if url.get_backend_name() == "sqlite" and url.database:
        return url.database
    return url.render_as_string(hide_password=True)


def open_database(address: str) -> Engine:
    """Open the database at an SQLAlchemy URL, making it first where there is none.

    Raises:
        LabError: the database cannot be used, or belongs to a newer CNN Lab.
    """
    url = parsed(address)
    engine = _engine(url)
    try:
        _migrate(engine)
    except BaseException:
        engine.dispose()
        raise
    return engine


def _engine(url: URL) -> Engine:
    """An engine for any database; SQLite and PostgreSQL are told what they need."""
    kind = url.get_backend_name()
    settings: dict[str, Any] = {}
    if kind == "sqlite":
        _make_folder(url)
        settings = {"connect_args": {"timeout": BUSY_SECONDS}}
    elif kind == postgres.NAME:
        settings = postgres.settings()
    try:
        engine = create_engine(url, **settings)
    except (ImportError, NoSuchModuleError) as error:
        raise LabError(
            f"The history {place(url)} needs a database driver that is not installed ({error}); "
            "install it (PostgreSQL's is in requirements-cluster.txt), or change "
            "CNNLAB_DATABASE_URL."
        ) from error
    if kind == "sqlite":
        event.listen(engine, "connect", _prepare)
        event.listen(engine, "begin", _begin)
    elif kind == postgres.NAME:
        postgres.prepare(engine)
    return engine


def is_server(engine: Engine) -> bool:
    """Whether labs of other machines may use the same database; a file belongs to one machine."""
    return engine.dialect.name != "sqlite"


def reading(engine: Engine) -> Engine:
    """The engine for transactions that only read, all of it at one moment."""
    return postgres.reading(engine) if engine.dialect.name == postgres.NAME else engine


def writing(engine: Engine) -> Engine:
    """The engine for transactions that write."""
    return engine.execution_options(writing=True)


def parsed(address: str) -> URL:
    """An address as SQLAlchemy has it.

    Raises:
        LabError: it is none.
    """
    try:
        return make_url(address)
    except ArgumentError as error:
        # The address is not repeated: it may hold a password.
        raise LabError(
            "CNNLAB_DATABASE_URL is no database address; it should look like "
            "sqlite:////folder/history.db or postgresql://user@host/database."
        ) from error


def _make_folder(url: URL) -> None:
    if not url.database or url.database == ":memory:":
        raise LabError(
            "A history in memory would be gone with its process; "
            "name a file in CNNLAB_DATABASE_URL."
        )
    if url.database.startswith("file:"):  # SQLite's own URI, which names an existing file
        return
    folder = Path(url.database).parent
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            f"The folder {folder} of the history cannot be made ({error.strerror}); "
            "name another one in CNNLAB_HOME."
        ) from error


def _prepare(raw: sqlite3.Connection, _record: Any) -> None:
    """Settings of one SQLite connection."""
    raw.isolation_level = None  # `_begin` opens the transactions, not Python's driver
    raw.execute("PRAGMA foreign_keys = ON")
    # On macOS a plain fsync stops at the drive's cache; elsewhere this changes nothing.
    raw.execute("PRAGMA fullfsync = ON")
    if raw.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        _write_ahead(raw)


def _write_ahead(raw: sqlite3.Connection) -> None:
    """Turn the write-ahead log on; waits for others, which SQLite does not do at this one change.

    Raises:
        sqlite3.OperationalError: they took longer than `BUSY_SECONDS`.
    """
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            raw.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
        Event().wait(0.02)


def _begin(connection: Connection) -> None:
    """Open a transaction; a writing one takes the lock at once, so that it cannot fail midway.

    FULL makes a commit wait for the disk and thus survive a power failure. What is not `lasting`
    survives the end of the process only, and costs no wait.
    """
    options = connection.get_execution_options()
    safety = "FULL" if options.get("lasting", True) else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous = {safety}")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("writing") else "BEGIN")


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """One transaction: all of it happens, or nothing.

    Raises:
        LabError: the database failed; the sentence names it and the cure.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except (DBAPIError, TimeoutError) as error:
        raise LabError(_sentence(error, engine.url)) from error


def outlasting(write: Callable[[bool], None]) -> None:
    """Write, and again while the server is away, for as long as `OUTAGE_SECONDS`.

    Args:
        write: is told whether it was tried before, and may have come to pass.

    Raises:
        LabError: the server stayed away, or something else failed.
    """
    deadline, again = time.monotonic() + OUTAGE_SECONDS, False
    while True:
        try:
            write(again)
            return
        except LabError as error:
            if not postgres.is_away(error.__cause__) or time.monotonic() > deadline:
                raise
        again = True
        Event().wait(0.5)


def _sentence(error: DBAPIError | TimeoutError, url: URL) -> str:
    if isinstance(error, IntegrityError):
        return f"The history {place(url)} holds this record already; it was not written again."
    if isinstance(error, TimeoutError):
        return (
            f"The history {place(url)} is asked for more at once than this lab's connections "
            "carry; train on fewer machines at once, or on some of them with another lab."
        )
    cause = error.orig or error
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF
    cure = _CURES.get(code) or postgres.cure(cause)
    if cure is None:
        cure = f"did not answer ({' '.join(str(cause).split())}); check CNNLAB_DATABASE_URL"
    return f"The history {place(url)} {cure}."


def _migrate(engine: Engine) -> None:
    """Bring the tables to the newest form, in one transaction.

    A history that is there already is only read, so that it opens while another program writes.
    """
    config = Config()
    folder = str(Path(__file__).with_name("migrations"))
    config.set_main_option("script_location", folder.replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    with transaction(engine) as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    if current == scripts.get_current_head():
        return
    if current not in {None, *(script.revision for script in scripts.walk_revisions())}:
        raise LabError(
            f"The history {place(engine.url)} was written by a newer CNN Lab; update this one, "
            "or name another history in CNNLAB_DATABASE_URL."
        )
    with _MIGRATING, transaction(writing(engine)) as connection:
        if engine.dialect.name == postgres.NAME:
            postgres.migrate_alone(connection)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
