"""A person's decisions about the versions of an item: publish one, withdraw one."""

from typing import Any

from sqlalchemy import Connection, and_, select, update

from skerry.catalog.collections import check_sandbox
from skerry.catalog.deletions import give_up_bytes, remove_from_index
from skerry.catalog.documents import SOURCE_DIGEST
from skerry.catalog.tables import items
from skerry.catalog.versions import is_item, set_status
from skerry.core.errors import ConflictError, NotFoundError
from skerry.core.time import from_microseconds
from skerry.models.versions import ItemVersion, VersionStatus


def list_versions(connection: Connection, collection: str, identifier: str) -> list[ItemVersion]:
    """Return the versions of an item, newest first.

    Raises
    ------
    NotFoundError
        If there is no such item.
    """
    rows = connection.execute(
        select(items).where(is_item(collection, identifier)).order_by(items.c.version.desc())
    ).all()
    if not rows:
        raise NotFoundError(
            f"There is no item {identifier!r} in {collection!r}.",
            remedy="'skerry item list' lists the items.",
        )
    return [
        ItemVersion(
            version=row.version, status=row.status, digest=row.digest,
            source_digest=row.document["properties"].get(SOURCE_DIGEST), run=row.run,
            owner=row.owner, created=from_microseconds(row.created),
            updated=from_microseconds(row.updated), reason=row.reason,
            bytes_deleted=None if row.bytes_deleted is None
            else from_microseconds(row.bytes_deleted),
        )
        for row in rows
    ]  # fmt: skip


def publish_version(
    connection: Connection, collection: str, identifier: str, version: int, *, by: str
) -> None:
    """Publish a preliminary version; only now the version published before it is superseded.

    Publishing what is published changes nothing.

    Parameters
    ----------
    connection
        Inside a writing transaction.
    collection, identifier, version
        The version of the item.
    by
        The user who decides.

    Raises
    ------
    NotFoundError
        If there is no such version.
    ConflictError
        If it is superseded or withdrawn.
    ForbiddenError
        If it is in another user's sandbox.
    """
    check_sandbox(collection, by)
    key, status = _find_version(connection, collection, identifier, version)
    if status is VersionStatus.PUBLISHED:
        return
    if status is not VersionStatus.PRELIMINARY:
        raise ConflictError(
            f"Version {version} of {identifier!r} in {collection!r} is {status.value}.",
            remedy="Only a preliminary version can be published. Run the job again to make one.",
        )
    published = and_(is_item(collection, identifier), items.c.status == VersionStatus.PUBLISHED)
    before = connection.execute(select(items.c.key).where(published)).scalar()
    if before is not None:
        set_status(connection, before, VersionStatus.SUPERSEDED)
        remove_from_index(connection, before)
    set_status(connection, key, VersionStatus.PUBLISHED)


def withdraw_version(
    connection: Connection,
    collection: str,
    identifier: str,
    version: int,
    *,
    by: str,
    reason: str,
    delete_bytes: bool = False,
) -> None:
    """Withdraw a version; its record stays, with the reason.

    No earlier version takes its place: that would publish again what was replaced for a reason.
    A version that is withdrawn already gets the new reason.

    Parameters
    ----------
    connection
        Inside a writing transaction.
    collection, identifier, version
        The version of the item.
    by
        The user who decides.
    reason
        Why, for all who could see the version.
    delete_bytes
        Whether its bytes go. They are listed for removal, which
        `skerry.catalog.deletions.finish_deletions` does after the transaction.

    Raises
    ------
    NotFoundError
        If there is no such version.
    ConflictError
        If its bytes are to go, and another item has bytes in the same place.
    ForbiddenError
        If it is in another user's sandbox.
    """
    check_sandbox(collection, by)
    key, status = _find_version(connection, collection, identifier, version)
    facts: dict[str, Any] = {"reason": reason}
    if delete_bytes:
        facts["bytes_deleted"] = give_up_bytes(connection, key)
    if status is VersionStatus.WITHDRAWN:
        connection.execute(update(items).where(items.c.key == key).values(**facts))
    else:
        set_status(connection, key, VersionStatus.WITHDRAWN, **facts)


def _find_version(
    connection: Connection, collection: str, identifier: str, version: int
) -> tuple[int, VersionStatus]:
    row = connection.execute(
        select(items.c.key, items.c.status).where(
            is_item(collection, identifier), items.c.version == version
        )
    ).first()
    if row is None:
        raise NotFoundError(
            f"There is no version {version} of {identifier!r} in {collection!r}.",
            remedy=f"'skerry item versions {collection}/{identifier}' lists them.",
        )
    return row.key, VersionStatus(row.status)
