"""Tables of the storage room: grants, the platform's name for itself, the audit."""

from sqlalchemy import JSON, BigInteger, CheckConstraint, Column, Index, Integer, Table

from skerry.storage.audit_rules import leave_unrecorded, record_changes
from skerry.storage.columns import METADATA, Moment, PlainText, RowNumber

grants = Table(
    "grants",
    METADATA,
    Column("id", PlainText, primary_key=True),
    Column("mode", PlainText, nullable=False),
    Column("purpose", PlainText, nullable=False),
    Column("prefix", PlainText, nullable=False),
    Column("owner", PlainText, nullable=False),
    Column("run", PlainText),
    Column("epoch", Integer),
    Column("created", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("expires", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    CheckConstraint("mode IN ('read', 'write')", name="mode"),
    Index(None, "prefix"),
    Index(None, "expires"),
    info=record_changes("grant", "{id}"),
)

platform = Table(
    "platform",
    METADATA,
    Column("id", PlainText, primary_key=True, comment="random; the mark in the object store too"),
    Column("created", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("claimed_at", Moment, comment="when its object store got the mark"),
    info=leave_unrecorded("the database's own name, given once"),
)

audit = Table(
    "audit",
    METADATA,
    Column("number", RowNumber, primary_key=True, autoincrement=True),
    Column("at", Moment, nullable=False),
    Column("who", PlainText, nullable=False),
    Column("token", PlainText, comment="the beginning of its hash"),
    Column("request", PlainText),
    Column("what", PlainText, nullable=False, comment="kind and name, such as job/water"),
    Column("action", PlainText, nullable=False),
    Column("before", JSON(none_as_null=True)),
    Column("after", JSON(none_as_null=True)),
    Index(None, "at"),
    Index("ix_audit_by_who", "who", "number"),
    Index("ix_audit_by_what", "what", "number"),
    sqlite_autoincrement=True,
    info=leave_unrecorded("it is the record"),
)
"""Every change of a recorded table, see `skerry.storage.recording`.

Triggers of the database refuse to change a row, and to delete one unless a row of
`audit_archives` says that an export holds it. A migration that copies the table (SQLite) has to
make them again.
"""

audit_archives = Table(
    "audit_archives",
    METADATA,
    Column("last", BigInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False, comment="numbers of the audit's rows"),
    Column("entries", BigInteger, nullable=False),
    Column("digest", PlainText, nullable=False, comment="of the exported file"),
    Column("at", Moment, nullable=False),
    Column("who", PlainText, nullable=False),
    info=leave_unrecorded("each archival is recorded as an event"),
)
"""The audit's rows that stand in exported files and no more in the table; it only grows."""
