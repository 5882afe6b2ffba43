"""Releases and jobs may be given to others, and opened to everybody; nothing is, to begin with."""

import sqlalchemy as sa
from alembic import op

from skerry.storage.columns import PlainText

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and make the tables and their indexes."""
    for thing, key in (("release", "id"), ("job", "name")):
        things, table = f"{thing}s", f"{thing}_shares"
        public = sa.Column("public", sa.Boolean, nullable=False, server_default=sa.false())
        op.add_column(things, public)
        op.create_table(
            table,
            sa.Column(thing, PlainText, nullable=False),
            sa.Column("holder", PlainText, nullable=False),
            sa.Column("verb", PlainText, nullable=False),
            sa.PrimaryKeyConstraint(thing, "holder", name=f"pk_{table}"),
            sa.ForeignKeyConstraint(
                [thing], [f"{things}.{key}"], name=f"fk_{table}_{thing}_{things}",
                ondelete="CASCADE",
            ),
            sa.CheckConstraint("verb IN ('see', 'change')", name=f"ck_{table}_verb"),
        )  # fmt: skip
        op.create_index(f"ix_{table}_holder", table, ["holder"])
