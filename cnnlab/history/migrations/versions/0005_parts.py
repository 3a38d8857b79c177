"""The part of a run in a race, or in repeats over seeds."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns; earlier races are told by their links alone."""
    op.add_column("runs", sa.Column("group_id", sa.String(64)))
    op.add_column("runs", sa.Column("part", sa.Text))
    op.create_index("ix_runs_group_id", "runs", ["group_id"])
