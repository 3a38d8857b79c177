"""Signs of life of labs on other machines; and one order of texts, whatever a server's language."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

PLAIN = {
    "runs": {
        "run_id": 64,
        "session": 60,
        "created_at": 40,
        "deleted_at": 40,
        "sweep_id": 64,
        "group_id": 64,
    },
    "sweeps": {"sweep_id": 64, "session": 60, "created_at": 40},
    "epochs": {"run_id": 64},
    "windows": {"run_id": 64},
    "imported_steps": {"run_id": 64},
}


def upgrade() -> None:
    """Make the table; SQLite orders texts sign by sign already."""
    op.create_table(
        "owners",
        sa.Column("owner_host", sa.String(255), primary_key=True),
        sa.Column("owner_pid", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("owner_started", sa.Double, primary_key=True),
        sa.Column("beats", sa.Integer, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        for table, columns in PLAIN.items():
            for name, length in columns.items():
                op.alter_column(table, name, type_=sa.String(length, collation="C"))
