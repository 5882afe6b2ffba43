"""Versions of an item: which of them is shown, and how a newer version takes its place.

The catalogue keeps every version. At most one version of an item is published and at most one is
preliminary. A preliminary version waits beside the published version and changes nothing for
those who read: the earlier version is superseded when the newer version is published.
"""

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    exists,
    func,
    literal_column,
    not_,
    or_,
    select,
    update,
)

from skerry.catalog.deletions import remove_from_index
from skerry.catalog.tables import collections, items
from skerry.core.time import count_microseconds, utc_now
from skerry.models.versions import VersionStatus

_SQL: dict[VersionStatus, ColumnElement[str]] = {
    status: literal_column(f"'{status.value}'") for status in VersionStatus
}
"""Spelled out in the statement: SQLite uses a partial index only for a constant."""


def is_shown(*, private: bool) -> ColumnElement[bool]:
    """Return the condition under which a row of `items` is the version that an asker sees.

    Parameters
    ----------
    private
        Whether the asker sees what is not public: then the published version, else the
        preliminary version, else the last withdrawn version. Anonymous visitors see the
        published version, in public collections only.
    """
    published = items.c.status == _SQL[VersionStatus.PUBLISHED]
    if not private:
        public = select(collections.c.id).where(collections.c.public)
        return and_(published, items.c.collection.in_(public))
    return or_(
        published,
        and_(items.c.status != _SQL[VersionStatus.SUPERSEDED], not_(_has_better_version())),
    )


def supersede(
    connection: Connection, collection: str, identifier: str, status: VersionStatus
) -> int:
    """Make room for a version that is about to get `status`; return the highest version there is.

    A preliminary version takes the place of an earlier preliminary version alone. A published
    version takes the place of every earlier version, but withdrawn versions stay withdrawn.

    Parameters
    ----------
    connection
        Inside a writing transaction.
    collection, identifier
        The item.
    status
        `VersionStatus.PRELIMINARY` or `VersionStatus.PUBLISHED`.
    """
    same = is_item(collection, identifier)
    replaced = [VersionStatus.PRELIMINARY]
    if status is VersionStatus.PUBLISHED:
        replaced.append(VersionStatus.PUBLISHED)
    keys = select(items.c.key).where(same, items.c.status.in_(replaced))
    for key in connection.execute(keys).scalars().all():
        set_status(connection, key, VersionStatus.SUPERSEDED)
        remove_from_index(connection, key)
    return connection.execute(select(func.max(items.c.version)).where(same)).scalar() or 0


def is_item(collection: str, identifier: str) -> ColumnElement[bool]:
    """Return the condition of all rows of `items` that are versions of one item."""
    return and_(items.c.collection == collection, items.c.id == identifier)


def _has_better_version() -> ColumnElement[bool]:
    """Return whether another version of the row's item is shown in its place."""
    other = items.alias("other")
    withdrawn = items.c.status == _SQL[VersionStatus.WITHDRAWN]
    better = or_(
        other.c.status == _SQL[VersionStatus.PUBLISHED],
        and_(withdrawn, other.c.status == _SQL[VersionStatus.PRELIMINARY]),
        and_(
            withdrawn,
            other.c.status == _SQL[VersionStatus.WITHDRAWN],
            other.c.version > items.c.version,
        ),
    )
    same = and_(other.c.collection == items.c.collection, other.c.id == items.c.id)
    return exists().where(same, better).correlate(items)


def set_status(connection: Connection, key: int, status: VersionStatus) -> None:
    """Give the version in row `key` a status."""
    now = count_microseconds(utc_now())
    connection.execute(
        update(items).where(items.c.key == key).values(status=status.value, updated=now)
    )
