"""Withdrawn versions say why, and whether their bytes are kept; versions know when they were shown.

Of a version that was withdrawn before, nobody knows whether it was published, unless it is an
import or its job needed no review: such versions were published at once.
"""

import sqlalchemy as sa
from alembic import op

from skerry.storage.columns import FreeText

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and fill in when each version was published, as far as that is known."""
    op.add_column("items", sa.Column("published", sa.BigInteger()))
    op.add_column("items", sa.Column("reason", FreeText()))
    op.add_column("items", sa.Column("bytes_deleted", sa.BigInteger()))
    op.execute("UPDATE items SET published = updated WHERE status = 'published'")
    op.execute(
        "UPDATE items SET published = created WHERE run IS NULL"
        " OR run IN (SELECT id FROM runs WHERE review = 'none')"
    )
