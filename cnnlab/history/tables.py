"""The tables of the history, as the newest migration leaves them.

Facts are JSON text as `cnnlab.spec` writes it; what a list of runs shows of its epochs is kept
on the run's row, so that a thousand runs are listed without reading an epoch.
"""

from __future__ import annotations

import math

from sqlalchemy import (
    Column,
    Dialect,
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
)

LONGEST_ID = 64
LONGEST_NAME = 120
LONGEST_NOTE = 10_000
LONGEST_ORIGIN = 1_000
LONGEST_SESSION = 60


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


metadata = MetaData()

runs = Table(
    "runs",
    metadata,
    Column("run_id", String(LONGEST_ID), primary_key=True),
    Column("name", String(LONGEST_NAME), nullable=False),
    Column("session", String(LONGEST_SESSION), nullable=False),
    Column("note", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("error", Text),
    Column("created_at", String(40), nullable=False),
    Column("deleted_at", String(40)),
    Column("origin", Text),
    Column("owner_host", String(255)),
    Column("owner_pid", Integer),
    Column("owner_started", Double),
    Column("spec", Text, nullable=False),
    Column("model", Text),
    Column("dataset", Text),
    Column("device", Text),
    Column("environment", Text),
    Column("steps_per_epoch", Integer),
    Column("timing", Text),
    Column("memory", Text),
    Column("energy", Text),
    Column("disturbances", Text),
    Column("test", Text),
    Column("profile", Text),
    Column("trials", Text),
    Column("sweep_id", String(LONGEST_ID), index=True),
    Column("sweep", Text),
    Column("group_id", String(LONGEST_ID), index=True),
    Column("part", Text),
    Column("epochs_done", Integer, nullable=False),
    Column("best_val_accuracy", Double),
    Column("last_loss", NanAsNull),
    Column("last_accuracy", NanAsNull),
    Column("last_val_loss", NanAsNull),
    Column("last_val_accuracy", NanAsNull),
)


sweeps = Table(
    "sweeps",
    metadata,
    Column("sweep_id", String(LONGEST_ID), primary_key=True),
    Column("name", String(LONGEST_NAME), nullable=False),
    Column("session", String(LONGEST_SESSION), nullable=False),
    Column("created_at", String(40), nullable=False),
    Column("status", String(16), nullable=False),
    Column("error", Text),
    Column("plan", Text, nullable=False),
    Column("seconds", Double, nullable=False),
    Column("owner_host", String(255)),
    Column("owner_pid", Integer),
    Column("owner_started", Double),
)


def _run_id() -> Column[str]:
    """The run that a row belongs to and goes with."""
    key = ForeignKey("runs.run_id", ondelete="CASCADE")
    return Column("run_id", String(LONGEST_ID), key, primary_key=True)


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
