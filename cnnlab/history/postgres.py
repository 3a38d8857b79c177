"""What PostgreSQL needs beside SQL: patience, looks at one moment, one migration at a time."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DBAPIError, OperationalError

NAME = "postgresql"
LOCK_SECONDS = 10
"""How long a write waits for another's write to the same rows."""
MIGRATION_SECONDS = 600
"""How long a lab waits while another one brings the tables to a newer form."""
MIGRATION_LOCK = 0x636E6E6C6162
"""The key of the advisory lock that is held by whoever migrates: `cnnlab` in ASCII."""

# The words of libpq ("Database Connection Control Functions"). A server that is cut off is noticed
# after 20 s, not after the quarter of an hour that TCP would wait.
_REACH: dict[str, Any] = {
    "application_name": "cnnlab",
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 20_000,
}

# By SQLSTATE ("PostgreSQL Error Codes"), or its first two characters.
_CURES = {
    "55P03": "is locked by another program; close that one and try again",
    "25006": "may only be read; name a server that takes writes in CNNLAB_DATABASE_URL",
    "42501": "does not let this user in; let its owner GRANT what is missing",
    "53100": "could not grow, because the disk is full; make room on it",
    "53300": "has no connection left; raise max_connections, or close a lab",
    "57": "was shut down; try again when it is up",
}


def settings() -> dict[str, Any]:
    """What `create_engine` is told: a connection that the server dropped is made anew."""
    return {"connect_args": _REACH, "pool_pre_ping": True}


def prepare(engine: Engine) -> None:
    """Let connections of an engine be patient with others, but not for ever."""
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)


def _prepare(raw: Any, _record: Any) -> None:
    """Settings of one connection; not in its address, which a pooler between may refuse."""
    with raw.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{LOCK_SECONDS}s'")
    raw.commit()


def _begin(connection: Connection) -> None:
    """What is not `lasting` outlives the process only, and does not wait for the disk."""
    if not connection.get_execution_options().get("lasting", True):
        connection.exec_driver_sql("SET LOCAL synchronous_commit = off")


def reading(engine: Engine) -> Engine:
    """An engine whose transactions see one moment, however many questions they ask."""
    return engine.execution_options(isolation_level="REPEATABLE READ")


def migrate_alone(connection: Connection) -> None:
    """Wait until nobody else migrates, and keep others from it until the transaction ends."""
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{MIGRATION_SECONDS}s'")
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")


def is_away(cause: BaseException | None) -> bool:
    """Whether an error says that the server was lost, or is not there at the moment."""
    if not isinstance(cause, DBAPIError):
        return False
    state = getattr(cause.orig, "sqlstate", None) or ""
    refused = isinstance(cause, OperationalError) and not state and _is_mine(cause)
    return cause.connection_invalidated or refused or state[:2] in ("08", "57")


def _is_mine(cause: DBAPIError) -> bool:
    """Whether an error came from PostgreSQL's driver: SQLite's has no such states."""
    return hasattr(cause.orig, "sqlstate")


def cure(cause: BaseException) -> str | None:
    """What is wrong and what helps, as the rest of a sentence; None where only the server knows."""
    state = getattr(cause, "sqlstate", None) or ""
    return _CURES.get(state) or _CURES.get(state[:2])
