"""Workers show each other that they live."""

import sqlalchemy as sa
from alembic import op

from skerry.storage.columns import PlainText

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of workers."""
    op.create_table(
        "workers",
        sa.Column("name", PlainText, nullable=False),
        sa.Column("beats", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_workers"),
    )
