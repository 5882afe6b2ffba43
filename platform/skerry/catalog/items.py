"""Items as the catalogue stores them, and which of their versions an asker sees."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from itertools import batched
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select, tuple_

from skerry.catalog.tables import collections, items
from skerry.catalog.versions import could_see, is_readable, is_shown
from skerry.core.ownership import Viewer
from skerry.core.time import format_time, from_microseconds
from skerry.models.versions import VersionStatus
from skerry.storage.objects import list_prefixes

_VERSIONS = "https://stac-extensions.github.io/version/v1.2.0/schema.json"
"""STAC's extension that defines ``deprecated`` and ``version``."""

_NAMES_AT_ONCE = 500
"""How many names one statement asks for: databases limit its values."""


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
    reason
        Why it was withdrawn.
    bytes_deleted
        Since when its bytes are not kept, in microseconds since 1970; None if they are.
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
    reason: str | None = None
    bytes_deleted: int | None = None

    @property
    def content_version(self) -> str:
        """A short text that changes whenever the item's drawing changes."""
        return name_content(self.key, self.digest, kept=self.bytes_deleted is None)

    def tell_withdrawal(self) -> str:
        """Say that it was withdrawn, and why. Old records have no reason."""
        reason = (self.reason or "no reason was recorded").rstrip(".")
        return (
            f"Version {self.version} of {self.id!r} in {self.collection!r} was withdrawn: {reason}."
        )

    def to_stac(self) -> dict[str, Any]:
        """Return the STAC item with status, version and times; hrefs are still store keys."""
        properties = {
            **self.document["properties"],
            "created": format_time(from_microseconds(self.created)),
            "updated": format_time(from_microseconds(self.updated)),
            "skerry:status": self.status,
            "skerry:version": self.version,
        }
        if self.status != VersionStatus.WITHDRAWN:
            return {**self.document, "properties": properties}
        properties |= {"deprecated": True, "version": str(self.version)}
        if self.reason is not None:
            properties["skerry:reason"] = self.reason
        if self.bytes_deleted is not None:
            moment = format_time(from_microseconds(self.bytes_deleted))
            properties["skerry:bytes_deleted"] = moment
        extensions = dict.fromkeys((*self.document.get("stac_extensions", ()), _VERSIONS))
        return {**self.document, "properties": properties, "stac_extensions": list(extensions)}


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
    return name_content(row.key, row.digest, kept=row.bytes_deleted is None) if row else None


def find_shown(
    connection: Connection, names: Collection[tuple[str, str]], *, viewer: Viewer
) -> set[tuple[str, str]]:
    """Return those of the items (collection, id) of which a viewer sees a version."""
    shown: set[tuple[str, str]] = set()
    for some in batched(sorted(names), _NAMES_AT_ONCE):
        is_named = tuple_(items.c.collection, items.c.id).in_(some)
        query = select(items.c.collection, items.c.id).where(is_named, is_shown(viewer))
        shown |= {(row.collection, row.id) for row in connection.execute(query)}
    return shown


def find_owner_of_key(connection: Connection, key: str, *, viewer: Viewer) -> StoredItem | None:
    """Return the item whose prefix covers a store key, or None if a viewer may not read it."""
    query = select_items().where(items.c.prefix.in_(list_prefixes(key)), is_readable(viewer))
    row = connection.execute(query).first()
    return read_item(row) if row else None


def find_withdrawn(
    connection: Connection, collection: str, identifier: str, *, viewer: Viewer
) -> StoredItem | None:
    """Return the last withdrawn version of an item that a viewer could see before, or None."""
    query = select_items().where(
        items.c.collection == collection, items.c.id == identifier, could_see(viewer)
    )
    row = connection.execute(query.order_by(items.c.version.desc()).limit(1)).first()
    return read_item(row) if row else None


def find_withdrawn_owner(connection: Connection, key: str, *, viewer: Viewer) -> StoredItem | None:
    """Return the withdrawn item whose prefix covers a store key, if a viewer could see it."""
    query = select_items().where(items.c.prefix.in_(list_prefixes(key)), could_see(viewer))
    row = connection.execute(query).first()
    return read_item(row) if row else None


def name_content(key: int, digest: str, *, kept: bool) -> str:
    """Return the content version of the item in row `key` with `digest`, whose bytes are kept."""
    return f"{key}-{digest[4:20]}" if kept else f"{key}-deleted"


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
        public=row.public, document=row.document, reason=row.reason,
        bytes_deleted=row.bytes_deleted,
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
    return _show(select(items.c.key, items.c.digest, items.c.bytes_deleted), viewer)
