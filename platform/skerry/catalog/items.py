"""Items as the catalogue stores them, and which of their versions an asker sees."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from skerry.catalog.tables import collections, items
from skerry.catalog.versions import is_readable, is_shown
from skerry.core.ownership import Viewer
from skerry.core.time import format_time, from_microseconds
from skerry.storage.objects import list_prefixes


@dataclass(frozen=True)
class StoredItem:
    """One version of an item as the catalogue stores it.

    Attributes
    ----------
    key
        Number of the row, never used twice.
    collection, id, version, status, digest, prefix, run, output, owner
        See `skerry.catalog.tables.items`.
    begins, created, updated
        Microseconds since 1970.
    public
        Whether its collection is public.
    document
        The STAC item without links of the api's own; asset hrefs are store keys.
    """

    key: int
    collection: str
    id: str
    version: int
    status: str
    digest: str
    prefix: str
    begins: int
    run: str | None
    output: str | None
    owner: str
    created: int
    updated: int
    public: bool
    document: dict[str, Any]

    @property
    def content_version(self) -> str:
        """A short text that changes whenever the item's drawing changes."""
        return name_content(self.key, self.digest)

    def to_stac(self) -> dict[str, Any]:
        """Return the STAC item with status, version and times; hrefs are still store keys."""
        properties = {
            **self.document["properties"],
            "created": format_time(from_microseconds(self.created)),
            "updated": format_time(from_microseconds(self.updated)),
            "skerry:status": self.status,
            "skerry:version": self.version,
        }
        return {**self.document, "properties": properties}


def find_item(
    connection: Connection, collection: str, identifier: str, *, viewer: Viewer
) -> StoredItem | None:
    """Return the version of an item that the asker sees, or None.

    `skerry.catalog.versions.is_shown` says which version that is; `item_version` answers the
    question that maps ask for every tile.
    """
    names = {"collection": collection, "id": identifier}
    row = connection.execute(_ask_item(viewer), names).first()
    return read_item(row) if row else None


def item_version(
    connection: Connection, collection: str, identifier: str, *, viewer: Viewer
) -> str | None:
    """Return an item's `content_version`, None if it is missing or the asker may not see it.

    This is the cheapest query, for every tile: one indexed row without its document.
    """
    names = {"collection": collection, "id": identifier}
    row = connection.execute(_ask_version(viewer), names).first()
    return name_content(row.key, row.digest) if row else None


def find_owner_of_key(connection: Connection, key: str, *, viewer: Viewer) -> StoredItem | None:
    """Return the item whose prefix covers a store key, or None if a viewer may not read it."""
    query = select_items().where(items.c.prefix.in_(list_prefixes(key)), is_readable(viewer))
    row = connection.execute(query).first()
    return read_item(row) if row else None


def name_content(key: int, digest: str) -> str:
    """Return the content version of the item in row `key` with `digest`."""
    return f"{key}-{digest[4:20]}"


def select_items() -> Select[Any]:
    """Return the query for whole items; callers add conditions."""
    joined = items.join(collections, items.c.collection == collections.c.id)
    return select(items, collections.c.public).select_from(joined)


def read_item(row: Row[Any]) -> StoredItem:
    """Return a row of `select_items` as an item."""
    return StoredItem(
        key=row.key, collection=row.collection, id=row.id, version=row.version,
        status=row.status, digest=row.digest, prefix=row.prefix, begins=row.begins, run=row.run,
        output=row.output, owner=row.owner, created=row.created, updated=row.updated,
        public=row.public, document=row.document,
    )  # fmt: skip


def _show(query: Select[Any], viewer: Viewer) -> Select[Any]:
    """Return the query for the version of the item ``collection``, ``id`` that a viewer sees."""
    return query.where(
        items.c.collection == bindparam("collection"),
        items.c.id == bindparam("id"),
        is_shown(viewer),
    )


# each tile asks for a version, each new layer for an item: the statements are made once a viewer
@lru_cache(1024)
def _ask_item(viewer: Viewer) -> Select[Any]:
    return _show(select_items(), viewer)


@lru_cache(1024)
def _ask_version(viewer: Viewer) -> Select[Any]:
    return _show(select(items.c.key, items.c.digest), viewer)
