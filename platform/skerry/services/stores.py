"""The stores that the api opens: the database for writing and for reading, and the objects."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

from asgi_correlation_id import correlation_id
from sqlalchemy import Connection, Engine

from skerry.services.identity import Identity
from skerry.storage.bell import ring
from skerry.storage.database import find_database, open_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects
from skerry.storage.objects import Objects
from skerry.storage.recording import NOBODY, Actor, shorten_token, writing


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

    def change(self, who: Identity) -> AbstractContextManager[Connection]:
        """Open a transaction whose changes are recorded as those of a request's sender."""
        return writing(self.writer, name_actor(who))

    def ring(self) -> None:
        """Let the workers look for runs at once, after the change that made them."""
        ring(self.reader, self.data)

    def close(self) -> None:
        """Close the database connections."""
        self.writer.dispose()
        self.reader.dispose()


def open_stores(data: DataFolder) -> Stores:
    """Open the stores of a data folder whose database has been migrated."""
    url = find_database(data)
    return Stores(
        data, open_database(url, by=NOBODY), open_database(url, read_only=True),
        open_objects(data),
    )  # fmt: skip


def name_actor(who: Identity) -> Actor:
    """Return who changes something by the present request."""
    token = None if who.token is None else shorten_token(who.token)
    return Actor(who.account, token, correlation_id.get())
