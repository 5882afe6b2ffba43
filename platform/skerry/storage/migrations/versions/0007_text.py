"""On PostgreSQL all text is of any length and is compared by its bytes, as SQLite does.

Otherwise the order of ids, and what lies between two prefixes, would depend on the language that
the server speaks, and texts that SQLite takes would be too long.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_TABLES = (
    "collections", "items", "deletions", "grants", "releases", "jobs", "runs", "attempts",
    "outputs",
)  # fmt: skip


def upgrade() -> None:
    """Give each text column of PostgreSQL the type ``text COLLATE "C"``."""
    connection = op.get_bind()
    if connection.dialect.name != "postgresql":
        return
    inspector = sa.inspect(connection)
    for table in _TABLES:
        names = [
            column["name"]
            for column in inspector.get_columns(table)
            if isinstance(column["type"], sa.String)
        ]
        changes = ", ".join(f'ALTER "{name}" TYPE text COLLATE "C"' for name in names)
        op.execute(f'ALTER TABLE "{table}" {changes}')
