"""Items are sorted by the time of their registration too, which an index makes quick."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index("ix_items_by_creation", "items", ["created", "key"])
