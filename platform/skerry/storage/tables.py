"""Tables of the storage room: grants, and the platform's name for itself."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, Table

from skerry.storage.database import METADATA, PlainText

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
)

platform = Table(
    "platform",
    METADATA,
    Column("id", PlainText, primary_key=True, comment="random; the mark in the object store too"),
    Column("created", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
)
