"""What went on beside a run."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column; of earlier runs nobody watched the machine."""
    op.add_column("runs", sa.Column("disturbances", sa.Text))
