"""Where the time of a run's steps goes, and what was tried to make them faster."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Of earlier runs nobody asked."""
    op.add_column("runs", sa.Column("profile", sa.Text))
    op.add_column("runs", sa.Column("trials", sa.Text))
