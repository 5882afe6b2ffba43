"""Deletes items, or their bytes alone: first in the records, then the files.

After a crash in between it goes on later.
"""

import logging

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Table,
    and_,
    delete,
    exists,
    insert,
    or_,
    select,
)

from skerry.catalog.collections import check_sandbox
from skerry.catalog.tables import deletions, items, items_index
from skerry.core.errors import ConflictError, NotFoundError, SkerryError
from skerry.core.time import count_microseconds, utc_now
from skerry.models.grants import Purpose
from skerry.storage.grants import Grant, forget_grant, list_expired
from skerry.storage.objects import Objects, list_prefixes
from skerry.storage.recording import PLATFORM, writing

_LOG = logging.getLogger(__name__)


def delete_item(connection: Connection, collection: str, identifier: str, *, owner: str) -> None:
    """Remove an item's record in all versions and list its files for removal.

    `skerry.catalog.deletions.finish_deletions` removes the files, after the transaction.

    Raises
    ------
    NotFoundError
        If there is no such item.
    ForbiddenError
        If it is in another user's sandbox.
    """
    check_sandbox(collection, owner)
    condition = and_(items.c.collection == collection, items.c.id == identifier)
    rows = connection.execute(select(items.c.key, items.c.prefix).where(condition)).all()
    if not rows:
        raise refuse_missing_item(collection, identifier)
    for row in rows:
        note_deletion(connection, row.prefix)
        remove_from_index(connection, row.key)
    connection.execute(delete(items).where(condition))


def give_up_bytes(connection: Connection, key: int) -> int:
    """List the bytes of the version in row `key` for removal; return the time of deletion.

    The caller records that time as ``bytes_deleted``. Repeating it changes nothing.

    Raises
    ------
    ConflictError
        If another version or item has bytes in the same place: they would go too.
    """
    own = connection.execute(select(items).where(items.c.key == key)).one()
    if own.bytes_deleted is not None:
        return int(own.bytes_deleted)
    sharing = select(items.c.collection, items.c.id, items.c.version).where(
        overlaps(items, own.prefix), items.c.key != key, items.c.bytes_deleted.is_(None)
    )
    other = connection.execute(sharing).first()
    if other is not None:
        raise ConflictError(
            f"Version {other.version} of {other.id!r} in {other.collection!r} has its bytes in the"
            f" same place, {own.prefix!r}.",
            remedy="Withdraw without deleting bytes, or withdraw the other version first with its"
            " bytes kept.",
        )
    note_deletion(connection, own.prefix)
    return count_microseconds(utc_now())


def refuse_missing_item(collection: str, identifier: str) -> NotFoundError:
    """Return the error for an item that does not exist, or whose collection is hidden."""
    return NotFoundError(
        f"There is no item {identifier!r} in {collection!r}.",
        remedy="'skerry item list' lists them.",
    )


def finish_deletions(engine: Engine, objects: Objects) -> int:
    """Remove the files of everything that was deleted; return the number of prefixes.

    It is called after each deletion and at the api's start. Files that cannot be removed now
    (somebody still writes there, a symbolic link leads out of the store) are named in the log and
    tried again the next time; other files do not wait for them.
    """
    removed = 0
    with engine.connect() as connection:
        prefixes = list(connection.execute(select(deletions.c.prefix)).scalars())
    for prefix in prefixes:
        try:
            objects.remove(prefix)
        except (OSError, SkerryError) as error:
            _LOG.warning("The bytes at %s cannot be removed now: %s", prefix, error)
            continue
        removed += 1
        with writing(engine, PLATFORM) as connection:
            connection.execute(delete(deletions).where(deletions.c.prefix == prefix))
    return removed


def release_grant(connection: Connection, grant: Grant) -> None:
    """End a write grant; if no item uses its files, list them for removal.

    A run's folder belongs to production, so it stays.
    """
    forget_grant(connection, grant.id)
    in_use = connection.execute(select(exists().where(overlaps(items, grant.prefix)))).scalar()
    if not in_use and grant.purpose != Purpose.RUN:
        note_deletion(connection, grant.prefix)


def release_expired(engine: Engine) -> int:
    """End the expired grants; return how many."""
    with writing(engine, PLATFORM) as connection:
        expired = list_expired(connection)
        for grant in expired:
            release_grant(connection, grant)
    return len(expired)


def note_deletion(connection: Connection, prefix: str) -> None:
    """Add a prefix to the list of files to remove."""
    recorded = select(deletions.c.prefix).where(deletions.c.prefix == prefix)
    if connection.execute(recorded).first() is None:
        now = count_microseconds(utc_now())
        connection.execute(insert(deletions).values(prefix=prefix, created=now))


def note_deleted_bytes(connection: Connection) -> None:
    """Add to the list all bytes that were deleted while their items' records stayed."""
    deleted = select(items.c.prefix).where(items.c.bytes_deleted.is_not(None))
    for prefix in connection.execute(deleted).scalars().all():
        note_deletion(connection, prefix)


def remove_from_index(connection: Connection, key: int) -> None:
    """Take an item's boxes (ids 2 key and 2 key + 1) out of the R*Tree."""
    connection.execute(delete(items_index).where(items_index.c.id.in_((2 * key, 2 * key + 1))))


def overlaps(table: Table, prefix: str) -> ColumnElement[bool]:
    """Return the condition that a table's ``prefix`` covers, equals or lies below `prefix`."""
    column = table.c.prefix
    below = and_(column >= prefix, column < f"{prefix[:-1]}0")  # '0' follows '/'
    return or_(column.in_(list_prefixes(prefix)), below)
