"""The stores that the api opens: the database for writing and for reading, and the objects."""

from dataclasses import dataclass

from sqlalchemy import Engine

from skerry.core.scopes import Scope
from skerry.services.identity import Identity
from skerry.storage.database import find_database, open_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects
from skerry.storage.objects import Objects


@dataclass(frozen=True)
class Stores:
    """The state that routes use.

    Attributes
    ----------
    data
        The data folder.
    writer
        Engine whose transactions wait for their turn and then write.
    reader
        Engine that cannot write, and never waits for a writer.
    objects
        The object store.
    """

    data: DataFolder
    writer: Engine
    reader: Engine
    objects: Objects

    def close(self) -> None:
        """Close the database connections."""
        self.writer.dispose()
        self.reader.dispose()


def open_stores(data: DataFolder) -> Stores:
    """Open the stores of a data folder whose database has been migrated."""
    url = find_database(data)
    return Stores(data, open_database(url), open_database(url, read_only=True), open_objects(data))


def sees_private(identity: Identity | None) -> bool:
    """Return whether the asker sees collections and items that are not public."""
    return identity is not None and identity.may(Scope.CATALOG_READ)
