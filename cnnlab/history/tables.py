"""The tables of the history, as the newest migration leaves them.

Facts are JSON text as `cnnlab.spec` writes it. What a list of runs shows of its epochs is kept
on the run's row, so that a thousand runs are listed without reading an epoch; and what lists are
ordered and searched by has columns of its own (`derived` fills them), so that a thousand of a
hundred thousand runs are found by an index, without reading the others.
"""

from __future__ import annotations

import math

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TextClause,
    TypeDecorator,
    text,
)

from cnnlab.history import postgres

LONGEST_ID = 64
LONGEST_NAME = 120
LONGEST_NOTE = 10_000
LONGEST_ORIGIN = 1_000
LONGEST_SESSION = 60
LONGEST_DATA = 600
"""Of a data set's name, in letters, that lists know: an index of PostgreSQL takes no more."""

# As the indices spell them: SQLite uses one only for a question in the same words.
OPEN = text("runs.status IN ('queued', 'running')")
KEPT = text("runs.deleted_at IS NULL")
HERE = text("runs.origin IS NULL")
BROUGHT_IN = text("runs.origin IS NOT NULL")
CELL = text("runs.sweep_id IS NOT NULL")
PROFILED = text("runs.profile IS NOT NULL")
PART = text("runs.part_kind IS NOT NULL")
WHOLE = text("runs.whole = 1")


def plain(length: int) -> String:
    """Text that is ordered sign by sign, as SQLite does it, whatever language a server speaks."""
    return String(length).with_variant(String(length, collation="C"), postgres.NAME)


class NanAsNull(TypeDecorator[float]):
    """A float that is always known, but may be NaN.

    SQLite has no NaN and turns it into NULL, so NULL is how NaN is written here, in every database.
    """

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: Dialect) -> float | None:
        return None if value is None or math.isnan(value) else value

    def process_result_value(self, value: float | None, dialect: Dialect) -> float:
        return math.nan if value is None else value


class Said(TypeDecorator[str]):
    """What a program said, without the sign NUL, which PostgreSQL does not take for text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return value and value.replace("\0", "")


metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("run_id", plain(LONGEST_ID), primary_key=True),
    Column("name", String(LONGEST_NAME), nullable=False),
    Column("session", plain(LONGEST_SESSION), nullable=False),
    Column("note", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("error", Said),
    Column("created_at", plain(40), nullable=False),
    Column("deleted_at", plain(40)),
    Column("origin", Text),
    Column("owner_host", String(255)),
    Column("owner_pid", Integer),
    Column("owner_started", Double),
    Column("spec", Text, nullable=False),
    Column("model", Text),
    Column("dataset", Text),
    Column("device", Text),
    Column("machine", Text),
    Column("environment", Text),
    Column("steps_per_epoch", Integer),
    Column("timing", Text),
    Column("memory", Text),
    Column("energy", Text),
    Column("disturbances", Text),
    Column("test", Text),
    Column("profile", Text),
    Column("trials", Text),
    Column("sweep_id", plain(LONGEST_ID)),
    Column("sweep", Text),
    Column("group_id", plain(LONGEST_ID), index=True),
    Column("part", Text),
    Column("epochs_done", Integer, nullable=False),
    Column("best_val_accuracy", Double),
    Column("last_loss", NanAsNull),
    Column("last_accuracy", NanAsNull),
    Column("last_val_loss", NanAsNull),
    Column("last_val_accuracy", NanAsNull),
    Column("trained_on", plain(LONGEST_DATA)),
    Column("used", String(16)),
    Column("parameters", BigInteger),
    Column("fit_seconds", Double),
    Column("step_ms_median", Double),
    Column("images_per_second", Double),
    Column("joules_each", Double),
    Column("part_kind", String(16)),
    Column("whole", Integer),
    Column("words", Said),
)


def _index(name: str, columns: tuple[str, ...], *where: TextClause) -> Index:
    """An index of runs, of those that a condition holds for."""
    only = text(" AND ".join(each.text.replace("runs.", "") for each in where))
    return Index(
        name, *(runs.c[column] for column in columns), sqlite_where=only, postgresql_where=only
    )


_FIGURES = ("best_val_accuracy", "step_ms_median", "fit_seconds", "parameters")
_SCORES = ("best_val_accuracy", "images_per_second", "joules_each")
_NEWEST = ("created_at", "run_id")
_KINDS = ("status", "used", "sweep_id", "deleted_at")
_index("ix_runs_open", ("status",), OPEN)
# All that lists are counted, narrowed and ordered by: no row is read for it.
_index("ix_runs_listed", ("session", *_NEWEST, *_KINDS, *_FIGURES), KEPT)
_index("ix_runs_newest", (*_NEWEST, *_KINDS), KEPT)
_index("ix_runs_sweep_id", ("sweep_id",), CELL)
_index("ix_runs_own_data", ("trained_on", *_NEWEST), HERE, KEPT)
_index("ix_runs_brought_in", ("sweep_id",), BROUGHT_IN, CELL, KEPT)
_index("ix_runs_profiled", _NEWEST, PROFILED, KEPT)
_index("ix_runs_parts", ("part_kind", *_NEWEST), PART, KEPT)
_index("ix_runs_whole", ("trained_on", "deleted_at", "whole", *_SCORES, *_NEWEST), WHOLE, KEPT)


sweeps = Table(
    "sweeps",
    metadata,
    Column("sweep_id", plain(LONGEST_ID), primary_key=True),
    Column("name", String(LONGEST_NAME), nullable=False),
    Column("session", plain(LONGEST_SESSION), nullable=False),
    Column("created_at", plain(40), nullable=False),
    Column("status", String(16), nullable=False),
    Column("error", Said),
    Column("plan", Text, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("owner_host", String(255)),
    Column("owner_pid", Integer),
    Column("owner_started", Double),
)


# Labs and commands on a server that several machines share: a count that its owner raises again and
# again, see `owners`.
owners = Table(
    "owners",
    metadata,
    Column("owner_host", String(255), primary_key=True),
    Column("owner_pid", Integer, primary_key=True, autoincrement=False),
    Column("owner_started", Double, primary_key=True),
    Column("beats", Integer, nullable=False),
)


def _run_id() -> Column[str]:
    """The run that a row belongs to and goes with."""
    key = ForeignKey("runs.run_id", ondelete="CASCADE")
    return Column("run_id", plain(LONGEST_ID), key, primary_key=True)


epochs = Table(
    "epochs",
    metadata,
    _run_id(),
    Column("epoch", Integer, primary_key=True, autoincrement=False),
    Column("loss", NanAsNull),
    Column("accuracy", NanAsNull),
    Column("val_loss", NanAsNull),
    Column("val_accuracy", NanAsNull),
    Column("seconds", NanAsNull),
    Column("quiet_seconds", Double),
    Column("step_ms_mean", NanAsNull),
)

# The steps of a run that was measured here, as its windows came in.
windows = Table(
    "windows",
    metadata,
    _run_id(),
    Column("first_step", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("step_ms", LargeBinary, nullable=False),  # little-endian float64, one per step
    Column("seconds", NanAsNull),
    Column("loss", NanAsNull),
    Column("accuracy", NanAsNull),
    Column("rss_mb", Double),
    Column("device_mb", Double),
)

# The steps of a run that came as a card: its columns as they were, JSON packed by zlib.
imported_steps = Table(
    "imported_steps",
    metadata,
    _run_id(),
    Column("columns", LargeBinary, nullable=False),
)
