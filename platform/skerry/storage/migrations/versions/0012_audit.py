"""The audit: every change leaves a row that stays; exports alone let older rows go."""

import sqlalchemy as sa
from alembic import op

from skerry.storage.columns import PlainText, RowNumber

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

_KEPT = "The audit is append-only; exported entries go by: skerry audit archive"

_FUNCTION = """
CREATE FUNCTION skerry_keep_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'audit' THEN
        IF OLD.number <= (SELECT coalesce(max(last), 0) FROM audit_archives) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION 'The audit is append-only; exported entries go by: skerry audit archive';
END $$
"""


def upgrade() -> None:
    """Make the tables, and what protects their rows."""
    op.create_table(
        "audit",
        sa.Column("number", RowNumber, nullable=False, autoincrement=True),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", PlainText, nullable=False),
        sa.Column("token", PlainText),
        sa.Column("request", PlainText),
        sa.Column("what", PlainText, nullable=False),
        sa.Column("action", PlainText, nullable=False),
        sa.Column("before", sa.JSON()),
        sa.Column("after", sa.JSON()),
        sa.PrimaryKeyConstraint("number", name="pk_audit"),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_audit_at", "audit", ["at"])
    op.create_index("ix_audit_by_who", "audit", ["who", "number"])
    op.create_index("ix_audit_by_what", "audit", ["what", "number"])
    op.create_table(
        "audit_archives",
        sa.Column("last", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("first", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("digest", PlainText, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", PlainText, nullable=False),
        sa.PrimaryKeyConstraint("last", name="pk_audit_archives"),
    )
    if op.get_bind().dialect.name == "sqlite":
        _protect_file()
    else:
        _protect_server()


def _protect_file() -> None:
    raising = f"BEGIN SELECT RAISE(ABORT, '{_KEPT}'); END"
    archived = "(SELECT coalesce(max(last), 0) FROM audit_archives)"
    for name, event, condition in (
        ("audit_update", "UPDATE ON audit", ""),
        ("audit_delete", "DELETE ON audit", f"WHEN OLD.number > {archived}"),
        # REPLACE deletes without a DELETE
        ("audit_insert", "INSERT ON audit",
         "WHEN EXISTS (SELECT 1 FROM audit WHERE number = NEW.number)"),
        ("audit_archives_update", "UPDATE ON audit_archives", ""),
        ("audit_archives_delete", "DELETE ON audit_archives", ""),
        ("audit_archives_insert", "INSERT ON audit_archives",
         "WHEN EXISTS (SELECT 1 FROM audit_archives WHERE last = NEW.last)"),
    ):  # fmt: skip
        op.execute(f"CREATE TRIGGER {name} BEFORE {event} {condition} {raising}")


def _protect_server() -> None:
    op.execute(_FUNCTION)
    for table in ("audit", "audit_archives"):
        op.execute(
            f"CREATE TRIGGER {table}_rows BEFORE UPDATE OR DELETE ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION skerry_keep_audit()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_all BEFORE TRUNCATE ON {table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION skerry_keep_audit()"
        )
