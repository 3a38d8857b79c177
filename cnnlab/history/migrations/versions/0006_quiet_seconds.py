"""What an epoch takes when nothing else wants its cores."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; of earlier epochs it is not known."""
    op.add_column("epochs", sa.Column("quiet_seconds", sa.Double))
