"""Record items: registered once by their owner, or published by a run as a new version."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, insert, select

from skerry.catalog.collections import (
    SANDBOX,
    check_sandbox,
    ensure_collection,
    find_collection,
)
from skerry.catalog.deletions import note_deletion, overlaps, release_grant
from skerry.catalog.documents import SOURCE_DIGEST, CheckedItem, check_item
from skerry.catalog.items import StoredItem, find_item, read_item, select_items
from skerry.catalog.settling import SAME_PLACES, Homes
from skerry.catalog.spacetime import HOUR_US
from skerry.catalog.tables import deletions, items, items_index
from skerry.catalog.versions import is_item, supersede
from skerry.core.errors import ConflictError, InvalidInputError, NotFoundError
from skerry.core.ownership import KEEPER
from skerry.core.time import count_microseconds, utc_now
from skerry.models.versions import VersionStatus
from skerry.storage.grants import Grant, check_write_grant, take_home
from skerry.storage.objects import Objects


@dataclass(frozen=True)
class Draft:
    """An item that its owner may register now, or that is there already.

    Attributes
    ----------
    checked
        The item as it was sent.
    basis
        The stored item, if it has these bytes already; else the grant under which they were
        written.
    """

    checked: CheckedItem
    basis: StoredItem | Grant

    @property
    def written(self) -> list[tuple[str, str]]:
        """Prefix and digest of the bytes that are registered."""
        if isinstance(self.basis, StoredItem):
            return []
        return [(self.checked.prefix, self.checked.digest)]


def check_registration(
    connection: Connection,
    document: Mapping[str, Any],
    collection: str,
    *,
    owner: str,
    replace: bool = False,
    again: bool = False,
) -> Draft:
    """Refuse an item that `register_item` would not record, whatever its bytes are.

    Parameters and errors are those of `register_item`.
    """
    checked = check_item(document, collection)
    check_sandbox(collection, owner)
    earlier = find_item(connection, collection, checked.id, viewer=KEEPER)
    if earlier is not None and earlier.status == VersionStatus.WITHDRAWN:
        if not again:
            _check_not_withdrawn(connection, checked, collection)
        earlier = None
    if earlier is not None and _is_same(earlier, checked):
        return Draft(checked, earlier)
    if earlier is not None and not replace:
        raise ConflictError(
            f"The item {checked.id!r} of {collection!r} is registered with another digest "
            f"({earlier.digest}).",
            remedy="Withdraw or delete it first, or register the product under another id.",
        )
    return Draft(checked, check_write_grant(connection, checked.prefix, owner))


def register_item(
    connection: Connection,
    document: Mapping[str, Any],
    collection: str,
    *,
    owner: str,
    objects: Objects,
    replace: bool = False,
    again: bool = False,
    homes: Homes = SAME_PLACES,
) -> tuple[StoredItem, bool]:
    """Record an item whose files its owner wrote under a grant; a repeat changes nothing.

    After a withdrawal another content becomes the next version, as a run's does.

    Parameters
    ----------
    connection
        Inside a writing transaction.
    document
        The STAC item, as `skerry.catalog.documents.check_item` accepts it.
    collection
        An existing collection, or the owner's own sandbox, which is created when missing.
    owner
        The user who registers it.
    objects
        Where the bytes are.
    replace
        Whether the item supersedes an item of that id with another digest. The earlier record
        stays; its files are listed for removal in the same transaction.
    again
        Whether a content that was withdrawn is registered again.
    homes
        Where the bytes stay, from `skerry.catalog.settling`.

    Returns
    -------
    tuple
        The stored item, and whether it is new.

    Raises
    ------
    InvalidInputError
        If the document is not acceptable, or an asset's bytes are not there.
    ConflictError
        If the id is taken by another digest and `replace` is false, this content was withdrawn
        and `again` is false, or the bytes belong to another item.
    ForbiddenError
        If no write grant of the owner covers the prefix, or it is another user's sandbox.
    NotFoundError
        If the collection is missing.
    """
    draft = check_registration(
        connection, document, collection, owner=owner, replace=replace, again=again
    )
    if isinstance(draft.basis, StoredItem):
        return draft.basis, False
    checked = _take_home(connection, draft.checked, homes, objects)
    if collection == f"{SANDBOX}{owner}":
        ensure_collection(connection, collection, f"Sandbox of {owner}")
    status = VersionStatus.PUBLISHED
    version = supersede(connection, collection, checked.id, status, keep_bytes=False) + 1
    item = _insert(connection, checked, collection, status, owner, version=version)
    release_grant(connection, draft.basis)  # from now on, nobody may write there
    return item, True


def insert_item(
    connection: Connection,
    document: Mapping[str, Any],
    *,
    collection: str,
    status: VersionStatus | str,
    owner: str,
    objects: Objects,
    run: str | None = None,
    output: str | None = None,
    homes: Homes = SAME_PLACES,
) -> StoredItem:
    """Record a run's output inside the caller's transaction, as a new version of its item.

    A published version supersedes the version published before; a preliminary version never does.

    Parameters
    ----------
    connection
        Inside a writing transaction, which the caller ends.
    document
        The STAC item; its assets lie below its ``skerry:prefix``.
    collection
        An existing collection.
    status
        `VersionStatus.PUBLISHED` or `VersionStatus.PRELIMINARY`.
    owner
        The account on whose behalf the run works.
    objects
        Where the bytes are.
    run, output
        Run and output; this pair can be published at most once.
    homes
        Where the bytes stay, from `skerry.catalog.settling`.

    Returns
    -------
    StoredItem
        The new version; or the stored one, if this very output of this run is there already.

    Raises
    ------
    ConflictError
        If the run published this output with another digest or id.
    InvalidInputError, NotFoundError
        If the document is not acceptable, an asset's bytes are not there, or the collection is
        missing.
    """
    checked = check_item(document, collection)
    if run is not None:
        earlier = _find_output(connection, run, output)
        if earlier is not None:
            if (earlier.collection, earlier.id, earlier.digest) != (
                collection, checked.id, checked.digest,
            ):  # fmt: skip
                raise ConflictError(
                    f"The run {run} has published its output {output!r} as {earlier.id!r} already.",
                    remedy="Start a new run to publish something else.",
                )
            return earlier
    written, checked = checked.prefix, _take_home(connection, checked, homes, objects)
    new_status = VersionStatus(status)
    version = supersede(connection, collection, checked.id, new_status) + 1
    item = _insert(
        connection, checked, collection, new_status, owner,
        version=version, run=run, output=output,
    )  # fmt: skip
    if checked.prefix != written:
        note_deletion(connection, written)
    return item


def _take_home(
    connection: Connection, checked: CheckedItem, homes: Homes, objects: Objects
) -> CheckedItem:
    """Return the item with its bytes where they stay; refuse it if they are not there.

    Other writers wait meanwhile, so a bucket is not asked: it is known what was copied.
    """
    home = homes.get(checked.prefix)
    if home is None:
        _check_bytes(checked, objects.exists)
        return checked
    take_home(connection, home.prefix)
    moved = checked.move_to(home.prefix)
    _check_bytes(moved, home.has)
    return moved


def _check_bytes(checked: CheckedItem, exists: Callable[[str], bool]) -> None:
    """Refuse an item of which an asset's bytes are not there: nobody could read it."""
    for name, asset in checked.document["assets"].items():
        href = asset["href"]
        if not exists(href):
            raise InvalidInputError(
                f"The bytes of asset {name!r} are not at {href!r}.",
                remedy="Write them before the item is registered or published.",
            )


def _check_not_withdrawn(connection: Connection, checked: CheckedItem, collection: str) -> None:
    """Refuse content that was withdrawn: a repeated import must not bring it back unasked."""
    query = select_items().where(
        is_item(collection, checked.id), items.c.status == VersionStatus.WITHDRAWN
    )
    for stored in map(read_item, connection.execute(query)):
        if _is_same(stored, checked):
            raise ConflictError(
                f"{stored.tell_withdrawal()} This is the same content.",
                remedy="If it is right after all: 'skerry import --again', or again=true.",
            )


def _is_same(stored: StoredItem, checked: CheckedItem) -> bool:
    """Return whether the bytes are the same, or both come from the same source."""
    source = checked.document["properties"].get(SOURCE_DIGEST)
    same_source = source is not None and source == stored.document["properties"].get(SOURCE_DIGEST)
    return same_source or stored.digest == checked.digest


def _find_output(connection: Connection, run: str, output: str | None) -> StoredItem | None:
    query = select_items().where(items.c.run == run, items.c.output == output)
    row = connection.execute(query).first()
    return read_item(row) if row else None


def _insert(
    connection: Connection,
    checked: CheckedItem,
    collection: str,
    status: VersionStatus,
    owner: str,
    *,
    version: int,
    run: str | None = None,
    output: str | None = None,
) -> StoredItem:
    home = find_collection(connection, collection, viewer=KEEPER)
    if home is None:
        raise NotFoundError(
            f"There is no collection {collection!r}.",
            remedy=f"Create it first: PUT /services/api/stac/collections/{collection}.",
        )
    _check_unclaimed(connection, checked.prefix)
    now = count_microseconds(utc_now())
    values: dict[str, Any] = {
        "collection": collection, "id": checked.id, "version": version, "status": status.value,
        "digest": checked.digest, "prefix": checked.prefix, "begins": checked.span[0],
        "run": run, "output": output, "owner": owner, "created": now, "updated": now,
        "document": checked.document,
    }  # fmt: skip
    published = now if status is VersionStatus.PUBLISHED else None
    inserted = (
        insert(items)
        .values(**values, ends=checked.span[1], published=published)
        .returning(items.c.key)
    )
    key = connection.execute(inserted).scalar_one()
    _index(connection, key, checked)
    return StoredItem(key=key, public=home.public, **values)


def _check_unclaimed(connection: Connection, prefix: str) -> None:
    """Refuse files that belong to another item: deleting one item would empty the other."""
    overlapping = select(items.c.collection, items.c.id).where(overlaps(items, prefix))
    other = connection.execute(overlapping).first()
    if connection.execute(select(deletions.c.prefix).where(overlaps(deletions, prefix))).first():
        raise ConflictError(
            f"The bytes at {prefix!r} are being removed.",
            remedy="Write them again under a new grant.",
        )
    if other is not None:
        raise ConflictError(
            f"The bytes at {prefix!r} belong to the item {other.id!r} of {other.collection!r}.",
            remedy="Write them again under a grant of their own.",
        )


def _index(connection: Connection, key: int, checked: CheckedItem) -> None:
    begins, ends = checked.span
    for side, (west, south, east, north) in enumerate(checked.boxes):
        connection.execute(
            insert(items_index).values(
                id=2 * key + side, west=west, east=east, south=south, north=north,
                first_hour=begins / HOUR_US, last_hour=ends / HOUR_US, item=key,
            )
        )  # fmt: skip
