"""Give a collection to a person or a project that does not own it, and take it back."""

from sqlalchemy import Connection, delete, insert, select

from skerry.catalog.collections import StoredCollection
from skerry.catalog.tables import shares
from skerry.core.ownership import Relation, Verb, Viewer, check_owner, relate
from skerry.models.shares import Share


def list_shares(connection: Connection, collection: str) -> list[Share]:
    """Return to whom a collection is given, by name."""
    query = select(shares).where(shares.c.collection == collection).order_by(shares.c.holder)
    return [Share(holder=row.holder, verb=row.verb) for row in connection.execute(query)]


def give(connection: Connection, collection: str, holder: str, verb: Verb) -> None:
    """Give a collection to an owner, with another verb than before if it was given already.

    Raises
    ------
    InvalidInputError
        If `holder` is not the name of a person or a project.
    """
    take_back(connection, collection, check_owner(holder))
    connection.execute(insert(shares).values(collection=collection, holder=holder, verb=verb.value))


def take_back(connection: Connection, collection: str, holder: str) -> None:
    """Take a collection back; what was never given stays so."""
    condition = (shares.c.collection == collection, shares.c.holder == holder)
    connection.execute(delete(shares).where(*condition))


def relate_collection(
    connection: Connection, collection: StoredCollection, viewer: Viewer
) -> Relation:
    """Return what a collection is to a viewer."""
    given = {share.holder: Verb(share.verb) for share in list_shares(connection, collection.id)}
    return relate(viewer, collection.owner, public=collection.public, shares=given)
