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
    Table,
    UniqueConstraint,
    column,
    table,
)

from skerry.core.ownership import PLATFORM_OWNER
from skerry.storage.audit_rules import record_changes
from skerry.storage.columns import METADATA, FreeText, PlainText, RowNumber, partial_index
from skerry.storage.sharing import make_shares

collections = Table(
    "collections",
    METADATA,
    Column("id", PlainText, primary_key=True),
    Column("document", JSON, nullable=False),
    Column("public", Boolean, nullable=False),
    Column(
        "owner", PlainText, nullable=False, default=PLATFORM_OWNER, server_default=PLATFORM_OWNER
    ),
    Column("created", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("updated", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    info=record_changes("collection", "{id}", verbs={"public": ("opened", "closed")}),
)

SHARES = make_shares(
    "shares", "collection", "collections.id", record_changes("share", "{collection}/{holder}")
)
"""Collections given to a person or a project that does not own them."""

items = Table(
    "items",
    METADATA,
    # never reused: paging tokens and the spatial index name rows by it
    Column("key", RowNumber, primary_key=True, autoincrement=True),
    Column("collection", PlainText, ForeignKey("collections.id"), nullable=False),
    Column("id", PlainText, nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", PlainText, nullable=False),
    Column("published", BigInteger, comment="when it was published, microseconds since 1970, UTC"),
    Column("reason", FreeText, comment="why it was withdrawn"),
    Column(
        "bytes_deleted",
        BigInteger,
        comment="since when its bytes are not kept, microseconds since 1970, UTC",
    ),
    Column("digest", PlainText, nullable=False),
    Column("prefix", PlainText, nullable=False, comment="store key prefix of its bytes, ends in /"),
    Column("begins", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("ends", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("run", PlainText),
    Column("output", PlainText),
    Column("owner", PlainText, nullable=False),
    Column("document", JSON, nullable=False),
    Column("created", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    Column("updated", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    UniqueConstraint("collection", "id", "version"),
    UniqueConstraint("run", "output"),
    CheckConstraint(
        "status IN ('preliminary', 'published', 'superseded', 'withdrawn')", name="status"
    ),
    *(
        partial_index(
            f"ix_items_{status}", "id", "collection", where=f"status = '{status}'", unique=True
        )
        for status in ("published", "preliminary")
    ),
    Index("ix_items_by_id", "id", "collection"),
    Index("ix_items_by_time", "begins", "key"),
    Index("ix_items_by_creation", "created", "key"),
    Index("ix_items_by_collection_and_time", "collection", "begins", "key"),
    Index(None, "prefix"),
    sqlite_autoincrement=True,
    info=record_changes(
        "item",
        "{collection}/{id}/{version}",
        without=("document", "begins", "ends", "published"),
        verbs={"bytes_deleted": ("bytes deleted", "bytes restored")},
    ),
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
"""Boxes in degrees and hours since 1970 for the index, which `catalog.spacetime` searches.

One row a box: an item across the antimeridian has two. `item` is `items.key`. Superseded items
have none. On SQLite it is a virtual table, an R*Tree, hence not part of the metadata; on
PostgreSQL a table with a GiST index. The first migration makes it.
"""

deletions = Table(
    "deletions",
    METADATA,
    Column("prefix", PlainText, primary_key=True),
    Column("created", BigInteger, nullable=False, comment="microseconds since 1970, UTC"),
    info=record_changes("removal", "{prefix}"),
)
"""Files that still have to be removed, because their item was deleted or withdrawn with its bytes:
the deletions' outbox."""
