"""A platform has its name from the start, and workers say when they last showed that they live.

A database that had a name had written it into its object store, too.
"""

import sqlalchemy as sa
from alembic import op

from skerry.core.ids import new_id
from skerry.core.time import count_microseconds, utc_now

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and name the platform where it has no name."""
    op.add_column("workers", sa.Column("seen_at", sa.BigInteger(), nullable=True))
    op.add_column("platform", sa.Column("claimed_at", sa.BigInteger(), nullable=True))
    op.execute("UPDATE platform SET claimed_at = created")
    named = op.get_bind().execute(sa.text("SELECT count(*) FROM platform")).scalar_one()
    if not named:
        op.get_bind().execute(
            sa.text("INSERT INTO platform (id, created) VALUES (:id, :created)"),
            {"id": new_id(), "created": count_microseconds(utc_now())},
        )
