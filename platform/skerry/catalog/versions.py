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
    true,
    update,
)

from skerry.catalog.deletions import give_up_bytes, remove_from_index
from skerry.catalog.sight import select_belonging, select_hidden
from skerry.catalog.tables import collections, items
from skerry.core.ownership import Viewer
from skerry.core.time import count_microseconds, utc_now
from skerry.models.versions import VersionStatus

_SQL: dict[VersionStatus, ColumnElement[str]] = {
    status: literal_column(f"'{status.value}'") for status in VersionStatus
}
"""A constant in the statement: SQLite uses a partial index only then."""


def is_shown(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition under which a row of `items` is the version that an asker sees.

    Parameters
    ----------
    viewer
        In collections that belong or are given to them, they see the published version, else the
        preliminary version, else, if they see withdrawn versions, the last of these. In others'
        public collections they see the published version only, as anonymous visitors do.
    """
    published = is_published()
    if not (viewer.is_keeper or viewer.owners):
        public = select(collections.c.id).where(collections.c.public)
        return and_(published, items.c.collection.in_(public))
    waiting = _waits(viewer)
    if viewer.is_keeper:
        return or_(published, waiting)
    return and_(
        # written as an exclusion of few names: no database begins its search with that
        items.c.collection.not_in(select_hidden(viewer)),
        or_(published, and_(items.c.collection.in_(select_belonging(viewer)), waiting)),
    )


def is_published() -> ColumnElement[bool]:
    """Return the condition of the versions that are shown in other people's collections."""
    return items.c.status == _SQL[VersionStatus.PUBLISHED]


def is_shown_to_owner(viewer: Viewer) -> ColumnElement[bool]:
    """Return `is_shown` within a collection that belongs or is given to the viewer."""
    return or_(is_published(), _waits(viewer))


def is_readable(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition under which a viewer may read the bytes of a row of `items`.

    Those to whom its collection belongs read each version, also superseded versions, but not
    withdrawn versions unless they see them.
    """
    if viewer.is_keeper:
        return true()
    published = items.c.status == _SQL[VersionStatus.PUBLISHED]
    public = and_(published, collections.c.public)
    if not viewer.owners:
        return public
    withdrawn = items.c.status == _SQL[VersionStatus.WITHDRAWN]
    readable = true() if viewer.sees_withdrawn else not_(withdrawn)
    return or_(public, and_(items.c.collection.in_(select_belonging(viewer)), readable))


def could_see(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition for withdrawn rows of `items` that a viewer could see before.

    They may know the reason. Other people get the same answer as for an item that does not exist.
    """
    withdrawn = items.c.status == _SQL[VersionStatus.WITHDRAWN]
    if viewer.is_keeper:
        return withdrawn
    public = and_(items.c.published.is_not(None), collections.c.public)
    if not viewer.owners:
        return and_(withdrawn, public)
    return and_(withdrawn, or_(public, items.c.collection.in_(select_belonging(viewer))))


def supersede(
    connection: Connection,
    collection: str,
    identifier: str,
    status: VersionStatus,
    *,
    keep_bytes: bool = True,
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
    keep_bytes
        Whether the bytes of what it replaces stay.
    """
    same = is_item(collection, identifier)
    replaced = [VersionStatus.PRELIMINARY]
    if status is VersionStatus.PUBLISHED:
        replaced.append(VersionStatus.PUBLISHED)
    keys = select(items.c.key).where(same, items.c.status.in_(replaced))
    for key in connection.execute(keys).scalars().all():
        facts = {} if keep_bytes else {"bytes_deleted": give_up_bytes(connection, key)}
        set_status(connection, key, VersionStatus.SUPERSEDED, **facts)
        remove_from_index(connection, key)
    return connection.execute(select(func.max(items.c.version)).where(same)).scalar() or 0


def is_item(collection: str, identifier: str) -> ColumnElement[bool]:
    """Return the condition of all rows of `items` that are versions of one item."""
    return and_(items.c.collection == collection, items.c.id == identifier)


def _waits(viewer: Viewer) -> ColumnElement[bool]:
    """Return the condition of a version that is shown where no version is published."""
    if viewer.is_keeper or viewer.sees_withdrawn:
        hidden = items.c.status == _SQL[VersionStatus.SUPERSEDED]
        return and_(not_(hidden), not_(_has_better_version()))
    return and_(items.c.status == _SQL[VersionStatus.PRELIMINARY], not_(_has_better_version()))


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


def set_status(connection: Connection, key: int, status: VersionStatus, **facts: object) -> None:
    """Give the version in row `key` a status, and other columns their values."""
    now = count_microseconds(utc_now())
    values = {"status": status.value, "updated": now, **facts}
    if status is VersionStatus.PUBLISHED:
        values["published"] = now
    connection.execute(update(items).where(items.c.key == key).values(**values))
