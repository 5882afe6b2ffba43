"""Tables of the storage room: grants."""

from sqlalchemy import BigInteger, CheckConstraint, Column, Index, Integer, String, Table

from skerry.storage.database import METADATA

grants = Table(
    "grants",
    METADATA,
    Column("id", String, primary_key=True),
    Column("mode", String, nullable=False),
    Column("purpose", String, nullable=False),
    Column("prefix", String, nullable=False),
    Column("owner", String, nullable=False),
    Column("run", String),
    Column("epoch", Integer),
    Column("created", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("expires", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    CheckConstraint("mode IN ('read', 'write')", name="mode"),
    Index(None, "prefix"),
    Index(None, "expires"),
)
