"""A platform has a name for itself, which stands in its object store too."""

import sqlalchemy as sa
from alembic import op

from skerry.storage.columns import PlainText

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "platform",
        sa.Column(
            "id", PlainText, nullable=False, comment="random; the mark in the object store too"
        ),
        sa.Column(
            "created", sa.BigInteger(), nullable=False, comment="microseconds since 1970, UTC"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_platform"),
    )
