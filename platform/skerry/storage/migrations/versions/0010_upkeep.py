"""Jobs say how long files of their runs are kept; the last prune is recorded."""

import sqlalchemy as sa
from alembic import op

from skerry.storage.columns import PlainText

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and make the table."""
    op.add_column("jobs", sa.Column("keep_days", sa.Integer()))
    op.add_column("jobs", sa.Column("keep_count", sa.Integer()))
    op.create_table(
        "upkeep",
        sa.Column("task", PlainText, nullable=False),
        sa.Column("begun_at", sa.BigInteger(), nullable=False),
        sa.Column("ended_at", sa.BigInteger()),
        sa.Column("report", sa.JSON()),
        sa.PrimaryKeyConstraint("task", name="pk_upkeep"),
    )
