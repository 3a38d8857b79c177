"""Runs, their epochs and their steps.

A migration is frozen: it spells its tables out, because `cnnlab.history.tables` moves on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the first tables."""
    _make_runs()
    _make_epochs()
    _make_steps()


def _make_runs() -> None:
    op.create_table(
        "runs",
        sa.Column("run_id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("session", sa.String(60), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.Column("deleted_at", sa.String(40)),
        sa.Column("origin", sa.Text),
        sa.Column("owner_host", sa.String(255)),
        sa.Column("owner_pid", sa.Integer),
        sa.Column("owner_started", sa.Double),
        sa.Column("spec", sa.Text, nullable=False),
        sa.Column("model", sa.Text),
        sa.Column("dataset", sa.Text),
        sa.Column("device", sa.Text),
        sa.Column("environment", sa.Text),
        sa.Column("steps_per_epoch", sa.Integer),
        sa.Column("timing", sa.Text),
        sa.Column("memory", sa.Text),
        sa.Column("energy", sa.Text),
        sa.Column("epochs_done", sa.Integer, nullable=False),
        sa.Column("best_val_accuracy", sa.Double),
        sa.Column("last_loss", sa.Double),
        sa.Column("last_accuracy", sa.Double),
        sa.Column("last_val_loss", sa.Double),
        sa.Column("last_val_accuracy", sa.Double),
    )


def _run_id() -> sa.Column[str]:
    key = sa.ForeignKey("runs.run_id", ondelete="CASCADE")
    return sa.Column("run_id", sa.String(64), key, primary_key=True)


def _make_epochs() -> None:
    op.create_table(
        "epochs",
        _run_id(),
        sa.Column("epoch", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("loss", sa.Double),
        sa.Column("accuracy", sa.Double),
        sa.Column("val_loss", sa.Double),
        sa.Column("val_accuracy", sa.Double),
        sa.Column("seconds", sa.Double),
        sa.Column("step_ms_mean", sa.Double),
    )


def _make_steps() -> None:
    op.create_table(
        "windows",
        _run_id(),
        sa.Column("first_step", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("step_ms", sa.LargeBinary, nullable=False),
        sa.Column("seconds", sa.Double),
        sa.Column("loss", sa.Double),
        sa.Column("accuracy", sa.Double),
        sa.Column("rss_mb", sa.Double),
        sa.Column("device_mb", sa.Double),
    )
    op.create_table(
        "imported_steps",
        _run_id(),
        sa.Column("columns", sa.LargeBinary, nullable=False),
    )
