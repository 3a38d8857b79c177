"""What lists of runs are counted, searched and ordered by: columns and indices of its own."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from cnnlab.history.derived import derived

revision = "0009"
down_revision = "0008"

TOGETHER = 500
READ = (
    *("run_id", "name", "session", "note", "status", "spec", "model", "dataset", "device"),
    *("timing", "energy", "sweep_id", "part", "epochs_done"),
)
COLUMNS: dict[str, Any] = {
    "trained_on": sa.String(600).with_variant(sa.String(600, collation="C"), "postgresql"),
    "used": sa.String(16),
    "parameters": sa.BigInteger(),
    "fit_seconds": sa.Double(),
    "step_ms_median": sa.Double(),
    "images_per_second": sa.Double(),
    "joules_each": sa.Double(),
    "part_kind": sa.String(16),
    "whole": sa.Integer(),
    "words": sa.Text(),
}
NEWEST = ["created_at", "run_id"]
KINDS = ["status", "used", "sweep_id", "deleted_at"]
FIGURES = ["best_val_accuracy", "step_ms_median", "fit_seconds", "parameters"]
SCORES = ["best_val_accuracy", "images_per_second", "joules_each"]
KEPT, WHOLE = "deleted_at IS NULL", "whole = 1"
INDICES = {
    "ix_runs_open": (["status"], "status IN ('queued', 'running')"),
    "ix_runs_listed": (["session", *NEWEST, *KINDS, *FIGURES], KEPT),
    "ix_runs_newest": ([*NEWEST, *KINDS], KEPT),
    "ix_runs_sweep_id": (["sweep_id"], "sweep_id IS NOT NULL"),
    "ix_runs_own_data": (["trained_on", *NEWEST], f"origin IS NULL AND {KEPT}"),
    "ix_runs_brought_in": (
        ["sweep_id"],
        f"origin IS NOT NULL AND sweep_id IS NOT NULL AND {KEPT}",
    ),
    "ix_runs_profiled": (NEWEST, f"profile IS NOT NULL AND {KEPT}"),
    "ix_runs_parts": (["part_kind", *NEWEST], f"part_kind IS NOT NULL AND {KEPT}"),
    "ix_runs_whole": (
        ["trained_on", "deleted_at", "whole", *SCORES, *NEWEST],
        f"whole = 1 AND {KEPT}",
    ),
}


def upgrade() -> None:
    """Add the columns, fill them from what the rows say, and index them."""
    for name, kind in COLUMNS.items():
        op.add_column("runs", sa.Column(name, kind))
    _fill()
    op.drop_index("ix_runs_sweep_id", "runs")
    for name, (columns, where) in INDICES.items():
        only = sa.text(where)
        op.create_index(name, "runs", columns, sqlite_where=only, postgresql_where=only)


def _fill() -> None:
    """What the columns hold follows from the others, as the program of the day derives it."""
    names = (*READ, *COLUMNS)
    runs = sa.table("runs", *(sa.column(name, COLUMNS.get(name, sa.Text())) for name in names))
    connection = op.get_bind()
    ids = connection.execute(sa.select(runs.c.run_id)).scalars().all()
    change = sa.update(runs).where(runs.c.run_id == sa.bindparam("which"))
    change = change.values({name: sa.bindparam(name) for name in COLUMNS})
    for begin in range(0, len(ids), TOGETHER):
        some = runs.c.run_id.in_(ids[begin : begin + TOGETHER])
        found = connection.execute(sa.select(*(runs.c[name] for name in READ)).where(some))
        values = [derived(dict(row)) | {"which": row["run_id"]} for row in found.mappings()]
        connection.execute(change, values)
