"""Collections: families of items, each public or not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Row, delete, exists, insert, select, update

from skerry.catalog.documents import check_collection, draft_collection
from skerry.catalog.sight import is_visible
from skerry.catalog.tables import SHARES, collections, items
from skerry.core.errors import ConflictError, ForbiddenError, NotFoundError
from skerry.core.ids import check_name
from skerry.core.ownership import KEEPER, PLATFORM_OWNER, Viewer
from skerry.core.time import count_microseconds, utc_now

SANDBOX = "sandbox-"
"""A collection with this beginning belongs to the user whose name follows."""


@dataclass(frozen=True)
class StoredCollection:
    """A collection as the catalogue stores it.

    Attributes
    ----------
    id
        Its name.
    public
        Whether anonymous visitors see it, and its published items.
    owner
        ``person:<name>`` or ``project:<name>``.
    document
        The STAC collection without links of its own and without ``skerry:public``.
    """

    id: str
    public: bool
    owner: str
    document: dict[str, Any]

    def to_stac(self) -> dict[str, Any]:
        """Return the STAC collection, ``skerry:public`` included."""
        return {**self.document, "skerry:public": self.public}


def put_collection(
    connection: Connection,
    collection: Mapping[str, Any],
    identifier: str,
    *,
    owner: str,
    belongs_to: str | None = None,
) -> StoredCollection:
    """Create a collection, or replace its description and whether it is public.

    Parameters
    ----------
    connection
        Inside a writing transaction.
    collection
        A STAC collection, with ``skerry:public`` when everybody may see it.
    identifier
        Its id.
    owner
        The user who sends it.
    belongs_to
        The owner: of a new collection, or from now on of one that exists. If left out, a new
        collection belongs to the platform's own project.

    Raises
    ------
    InvalidInputError
        If the document is not a STAC collection.
    ForbiddenError
        If it is another user's sandbox.
    """
    document, public = check_collection(collection, identifier)
    check_sandbox(identifier, owner)
    holder = belongs_to or find_home(identifier)
    now = count_microseconds(utc_now())
    record = find_collection(connection, identifier, viewer=KEEPER)
    if record is None:
        connection.execute(
            insert(collections).values(
                id=identifier,
                document=document,
                public=public,
                owner=holder,
                created=now,
                updated=now,
            )
        )
        return StoredCollection(identifier, public, holder, document)
    if belongs_to is None:
        holder = record.owner
    if (record.document, record.public, record.owner) != (document, public, holder):
        connection.execute(
            update(collections)
            .where(collections.c.id == identifier)
            .values(document=document, public=public, owner=holder, updated=now)
        )
    return StoredCollection(identifier, public, holder, document)


def ensure_collection(
    connection: Connection, identifier: str, title: str, *, belongs_to: str = PLATFORM_OWNER
) -> None:
    """Create the collection if it is missing: not public, and with only a title.

    It belongs to `belongs_to`, but a sandbox to its person.
    """
    check_name(identifier, what="collection id")
    if find_collection(connection, identifier, viewer=KEEPER) is None:
        now = count_microseconds(utc_now())
        document = draft_collection(identifier, title)
        connection.execute(
            insert(collections).values(
                id=identifier,
                document=document,
                public=False,
                owner=find_home(identifier, belongs_to),
                created=now,
                updated=now,
            )
        )


def find_collection(
    connection: Connection, identifier: str, *, viewer: Viewer
) -> StoredCollection | None:
    """Return a collection, or None if it is missing or the asker may not see it.

    Parameters
    ----------
    connection
        Any.
    identifier
        Its id.
    viewer
        Who asks.
    """
    query = select(collections).where(collections.c.id == identifier, is_visible(viewer))
    row = connection.execute(query).first()
    return _read(row) if row else None


def list_collections(connection: Connection, *, viewer: Viewer) -> list[StoredCollection]:
    """Return the collections that the asker may see, by id."""
    query = select(collections).where(is_visible(viewer)).order_by(collections.c.id)
    return [_read(row) for row in connection.execute(query)]


def delete_collection(connection: Connection, identifier: str, *, owner: str) -> None:
    """Remove an empty collection.

    Raises
    ------
    NotFoundError
        If there is no collection of that name.
    ConflictError
        If it still has items.
    ForbiddenError
        If it is another user's sandbox.
    """
    check_sandbox(identifier, owner)
    if find_collection(connection, identifier, viewer=KEEPER) is None:
        raise refuse_missing(identifier)
    if connection.execute(select(exists().where(items.c.collection == identifier))).scalar():
        raise ConflictError(
            f"The collection {identifier!r} still has items.",
            remedy="Delete its items first, for example with 'skerry item delete'.",
        )
    SHARES.forget(connection, identifier)
    connection.execute(delete(collections).where(collections.c.id == identifier))


def find_home(identifier: str, belongs_to: str = PLATFORM_OWNER) -> str:
    """Return the owner of a new collection: the person of a sandbox, else `belongs_to`."""
    if identifier.startswith(SANDBOX):
        return f"person:{identifier.removeprefix(SANDBOX)}"
    return belongs_to


def refuse_missing(identifier: str) -> NotFoundError:
    """Return the error for a collection that does not exist, or that the asker may not see."""
    return NotFoundError(
        f"There is no collection {identifier!r}.",
        remedy="'skerry collection list' lists them; 'skerry import' makes the one that it needs.",
    )


def check_sandbox(identifier: str, owner: str) -> None:
    """Refuse to let one user write in another's sandbox collection."""
    if identifier.startswith(SANDBOX) and identifier != f"{SANDBOX}{owner}":
        raise ForbiddenError(
            f"The collection {identifier!r} is not the sandbox of {owner!r}.",
            remedy=f"Use '{SANDBOX}{owner}', or a collection without that beginning.",
        )


def _read(row: Row[tuple[object, ...]]) -> StoredCollection:
    return StoredCollection(row.id, row.public, row.owner, row.document)
