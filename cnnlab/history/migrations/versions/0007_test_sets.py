"""How finished runs did on the test sets of their data."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column; earlier runs were not held against one."""
    op.add_column("runs", sa.Column("test", sa.Text))
