"""A run knows the request that started it, so that its lines in all logs can be found."""

import sqlalchemy as sa
from alembic import op

from skerry.storage.columns import PlainText

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; runs of before have none."""
    op.add_column("runs", sa.Column("request", PlainText, nullable=True))
