"""Where a platform has its state, and where it is to have it."""

import socket
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from skerry.core.digests import digest_json, short_digest
from skerry.core.errors import InvalidInputError
from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE
from skerry.storage.database import database_url, find_database, is_server
from skerry.storage.database_urls import describe_database, parse_database_url, write_setting
from skerry.storage.layout import DataFolder
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.object_places import open_objects, parse_place
from skerry.storage.objects import Objects


@dataclass(frozen=True)
class Place:
    """A database and an object store of one platform.

    Attributes
    ----------
    data
        The data folder with which the platform is started there.
    database
        The database's URL.
    objects
        The object store.
    """

    data: DataFolder
    database: str
    objects: Objects

    @property
    def database_name(self) -> str:
        """The database for people, without a password."""
        return describe_database(self.database)

    @property
    def has_own_objects(self) -> bool:
        """Whether the object store is the data folder's, which needs no setting."""
        return self.objects.address == ObjectFolder(self.data.objects).address

    def list_settings(self) -> dict[str, str | None]:
        """Return the variables with which the platform is started there; None for unset."""
        place = self.objects.address.rstrip("/")
        if place.startswith("file:"):
            place = unquote(urlsplit(place).path)
        database = write_setting(self.database) if is_server(self.database) else None
        return {
            DATABASE_VARIABLE: database,
            OBJECTS_VARIABLE: None if self.has_own_objects else place,
        }


def find_place(data: DataFolder) -> Place:
    """Return where a platform has its state, as the settings say."""
    return Place(data, find_database(data), open_objects(data))


def choose_place(source: Place, database: str | None, objects: str | None) -> Place:
    """Return where the platform is to have its state.

    Parameters
    ----------
    source
        Where it has it.
    database
        The address of a PostgreSQL database, or a data folder whose file it is to be.
    objects
        An absolute path or an ``s3://`` address. Both may be left out: then it stays.

    Raises
    ------
    InvalidInputError
        If an address cannot be read, or a place is the one that it has.
    """
    data, url = source.data, source.database
    if database is not None and "://" in database:
        url = parse_database_url(database, "--database")
    elif database is not None:
        data = DataFolder(Path(database).absolute())
        url = database_url(data.database)
    store = source.objects if objects is None else parse_place(objects, "--objects")
    target = Place(data, url, store)
    if database is None and objects is None:
        raise InvalidInputError(
            "Nothing is to be moved.", remedy="Say where to with --database, --objects, or both."
        )
    if database is not None and target.database_name == source.database_name:
        raise _refuse_same("--database", source.database_name)
    if objects is not None and _overlap(source.objects.address, store.address):
        raise _refuse_same("--objects", source.objects.address)
    return target


def name_move(source: Place, target: Place) -> str:
    """Return the name of a move, the same each time that the same command is given here."""
    places = [
        [place.database_name, place.objects.address, str(place.data.root)]
        for place in (source, target)
    ]
    return short_digest(digest_json({"host": socket.gethostname(), "places": places}))


def _overlap(first: str, second: str) -> bool:
    return first.startswith(second) or second.startswith(first)


def _refuse_same(option: str, place: str) -> InvalidInputError:
    return InvalidInputError(
        f"{option} names {place}, where the platform has its state now, or a place in it.",
        remedy=f"Name another place, or leave {option} out: then this part stays where it is.",
    )
