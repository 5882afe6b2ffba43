"""What a collection is to a viewer."""

from sqlalchemy import Connection

from skerry.catalog.collections import StoredCollection
from skerry.catalog.tables import SHARES
from skerry.core.ownership import Relation, Viewer


def relate_collection(
    connection: Connection, collection: StoredCollection, viewer: Viewer
) -> Relation:
    """Return what a collection is to a viewer."""
    return SHARES.relate(
        connection, viewer, collection.id, collection.owner, public=collection.public
    )
