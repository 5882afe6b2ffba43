"""Tables of the catalogue."""

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    UniqueConstraint,
    column,
    table,
    text,
)

from skerry.storage.database import METADATA

collections = Table(
    "collections",
    METADATA,
    Column("id", String, primary_key=True),
    Column("document", JSON, nullable=False),
    Column("public", Boolean, nullable=False),
    Column("created", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("updated", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
)

items = Table(
    "items",
    METADATA,
    # never reused: paging tokens and the spatial index name rows by it
    Column("key", Integer, primary_key=True, autoincrement=True),
    Column("collection", String, ForeignKey("collections.id"), nullable=False),
    Column("id", String, nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", String, nullable=False),
    Column("digest", String, nullable=False),
    Column("prefix", String, nullable=False, comment="store key prefix of its bytes, ends in /"),
    Column("begins", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("ends", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("run", String),
    Column("output", String),
    Column("owner", String, nullable=False),
    Column("document", JSON, nullable=False),
    Column("created", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("updated", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    UniqueConstraint("collection", "id", "version"),
    UniqueConstraint("run", "output"),
    CheckConstraint(
        "status IN ('preliminary', 'published', 'superseded', 'withdrawn')", name="status"
    ),
    *(
        Index(
            f"ix_items_{status}",
            "id",
            "collection",
            unique=True,
            sqlite_where=text(f"status = '{status}'"),
        )
        for status in ("published", "preliminary")
    ),
    Index("ix_items_by_id", "id", "collection"),
    Index("ix_items_by_time", "begins", "key"),
    Index("ix_items_by_collection_and_time", "collection", "begins", "key"),
    Index(None, "prefix"),
    sqlite_autoincrement=True,
)

items_index = table(
    "items_index",
    column("id"),
    column("west"),
    column("east"),
    column("south"),
    column("north"),
    column("first_hour"),
    column("last_hour"),
    column("item"),
)
"""SQLite R*Tree over degrees and hours since 1970 (32-bit floats, rounded outwards: candidates).

One row a box: an item across the antimeridian has two. `item` is `items.key`. Superseded items
have none. A virtual table, hence not part of the metadata; the migration makes it.
"""

deletions = Table(
    "deletions",
    METADATA,
    Column("prefix", String, primary_key=True),
    Column("created", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
)
"""Files that still have to be removed, because their record was deleted: the deletions' outbox."""
