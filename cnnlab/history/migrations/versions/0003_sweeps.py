"""Sweeps, and the place of a run in one."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table; of earlier runs none was a cell."""
    op.create_table(
        "sweeps",
        sa.Column("sweep_id", sa.String(64), primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("session", sa.String(60), nullable=False),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("plan", sa.Text, nullable=False),
        sa.Column("seconds", sa.Double, nullable=False),
        sa.Column("owner_host", sa.String(255)),
        sa.Column("owner_pid", sa.Integer),
        sa.Column("owner_started", sa.Double),
    )
    op.add_column("runs", sa.Column("sweep_id", sa.String(64)))
    op.add_column("runs", sa.Column("sweep", sa.Text))
    op.create_index("ix_runs_sweep_id", "runs", ["sweep_id"])
