"""Where a run was trained, if not on the lab's own computer."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Add the column; all earlier runs were trained on the lab's own computer."""
    op.add_column("runs", sa.Column("machine", sa.Text))
