"""Collections have an owner and may be given to others.

What is there already belongs to the platform's own project, as all accounts could see it; a
sandbox belongs to its person.
"""

import sqlalchemy as sa
from alembic import op

from skerry.storage.columns import PlainText

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, give the sandboxes to their people, and make the table and the index."""
    op.add_column(
        "collections",
        sa.Column("owner", PlainText, nullable=False, server_default="project:project-main"),
    )
    op.execute(
        "UPDATE collections SET owner = 'person:' || substr(id, 9) WHERE id LIKE 'sandbox-_%'"
    )
    op.create_table(
        "shares",
        sa.Column("collection", PlainText, nullable=False),
        sa.Column("holder", PlainText, nullable=False),
        sa.Column("verb", PlainText, nullable=False),
        sa.PrimaryKeyConstraint("collection", "holder", name="pk_shares"),
        sa.ForeignKeyConstraint(
            ["collection"], ["collections.id"], name="fk_shares_collection_collections",
            ondelete="CASCADE",
        ),
        sa.CheckConstraint("verb IN ('see', 'change')", name="ck_shares_verb"),
    )  # fmt: skip
    op.create_index("ix_shares_holder", "shares", ["holder"])
    op.create_index("ix_attempts_token_hash", "attempts", ["token_hash"])
