"""Which object store belongs to which database: both carry the same name of their platform.

The name stands in the table `platform`, and in a small file of the object store. A pair that does
not belong together is refused before anything is written. Otherwise bytes that the records name
would be missing, and bytes of the other platform would be removed, because no record names them.
While `skerry move` fills a store, the file says how far it is, and no part works there.
"""

import json
from dataclasses import dataclass

from pydantic import BaseModel, ValidationError
from sqlalchemy import Connection, inspect, select, update
from sqlalchemy.exc import SQLAlchemyError

from skerry.core.errors import ConflictError, InvalidInputError, UnavailableError
from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE, read_objects_place
from skerry.core.time import utc_now
from skerry.storage.database import find_database, is_server, using_database
from skerry.storage.database_failures import explain_unreadable
from skerry.storage.database_urls import describe_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_folder import ObjectFolder
from skerry.storage.object_places import open_objects
from skerry.storage.objects import Objects
from skerry.storage.tables import platform

MARK = "skerry-platform.json"
_TRIAL = "skerry-trial"


class Filling(BaseModel):
    """A move that fills the store and has not ended.

    Attributes
    ----------
    move
        Which move it is.
    state
        The number of the source's last audit entry: whether it has changed since.
    done
        The last prefix whose bytes are here and compared; the prefixes are taken in their order.
    prefixes
        How many that are.
    missing
        Below how many other prefixes, which records name, the source has nothing.
    """

    move: str
    state: int
    done: str = ""
    prefixes: int = 0
    missing: int = 0


class Mark(BaseModel):
    """The file in the store.

    Attributes
    ----------
    platform
        The platform's name, as in its database; empty if the file cannot be read.
    filling
        The move that fills the store, if it has not ended.
    """

    platform: str = ""
    filling: Filling | None = None
    remark: str = "The objects of one Skerry platform. Keep this."

    def write(self, objects: Objects) -> None:
        """Write the file over an older one."""
        objects.write(MARK, self.encode())

    def encode(self) -> bytes:
        """Return the content of the file."""
        return self.model_dump_json(indent=1, exclude_none=True).encode()


def read_mark(objects: Objects) -> Mark | None:
    """Return a store's mark, None if it has none."""
    content = objects.read(MARK, most=10_000)
    if content is None:
        return None
    try:
        return Mark.model_validate_json(content)
    except ValidationError:
        return Mark()


@dataclass(frozen=True)
class Owner:
    """The name of a database's platform, and whether its object store has had the mark."""

    id: str
    claimed: bool


def check_store(data: DataFolder, *, writing: bool = True) -> None:
    """Refuse an object store on which a part cannot work; nothing stays written.

    Parameters
    ----------
    data
        The data folder.
    writing
        Whether the part writes; maps only reads.

    Raises
    ------
    InvalidInputError
        If `SKERRY_OBJECTS` cannot be read, its folder is missing or closed, or its bucket is
        missing, does not answer, or refuses to list, read, write or delete.
    ConflictError
        If store and database belong to different platforms.
    """
    objects = open_objects(data)
    has_setting = read_objects_place() is not None
    try:
        if has_setting:
            objects.check()
        refuse_foreign(data, objects, _read_owner(data))
        if has_setting and writing:
            _try_writing(objects)
    except UnavailableError as error:  # at a start it is the setting that is wrong
        raise InvalidInputError(error.what, remedy=error.remedy) from None


def claim_store(data: DataFolder) -> None:
    """Write the platform's name into its object store, where it is missing.

    Raises
    ------
    ConflictError
        If store and database belong to different platforms.
    """
    objects = open_objects(data)
    with using_database(find_database(data)) as engine, engine.begin() as connection:
        owner = select_owner(connection)
        present = (read_mark(objects) or Mark()).platform
        if not owner.claimed and present and read_objects_place() is None:
            # The folder's own objects, below a new database: the platform is still the same.
            owner = Owner(present, claimed=False)
        if not objects.write_once(MARK, Mark(platform=owner.id).encode()):
            refuse_foreign(data, objects, owner)
        if not owner.claimed:
            connection.execute(update(platform).values(id=owner.id, claimed_at=utc_now()))


def refuse_foreign(data: DataFolder, objects: Objects, owner: Owner | None) -> None:
    """Refuse a store with the mark of another platform, or none where there should be one."""
    url, beside = find_database(data), read_objects_place() is None
    claimed = owner is not None and owner.claimed
    mark = read_mark(objects)
    if mark is not None and mark.filling is not None:
        raise ConflictError(
            f"'skerry move' has not ended filling the object store {objects.address}.",
            remedy="Give the same command again, and it goes on; or empty the store.",
        )
    if mark is None:
        # The objects and the database are both in the data folder: nobody can confuse them.
        if owner is not None and owner.claimed and not (beside and not is_server(url)):
            raise ConflictError(
                f"The object store {objects.address} has no mark of a platform, and is not that "
                f"of the database {describe_database(url)}.",
                remedy=f"Name the store of this platform in {OBJECTS_VARIABLE}. If its bytes are "
                f"here now, write {json.dumps({'platform': owner.id})} into the file {MARK} there.",
            )
    elif (claimed or not beside) and (owner is None or mark.platform != owner.id):
        named = mark.platform or "its mark cannot be read"
        raise ConflictError(
            f"The object store {objects.address} belongs to another platform ({named}) than the "
            f"database {describe_database(url)}.",
            remedy=f"Name two that belong together in {DATABASE_VARIABLE} and {OBJECTS_VARIABLE}. "
            f"If the other platform is gone for good, remove {MARK} there.",
        )


def check_new_store(objects: Objects) -> None:
    """Refuse a store that `skerry move` cannot fill; a folder need not exist yet.

    Raises
    ------
    InvalidInputError
        If it is missing, does not answer, or refuses to list, read, write or delete.
    """
    if isinstance(objects, ObjectFolder) and not objects.root.exists():
        return
    try:
        objects.check()
        _try_writing(objects)
    except UnavailableError as error:
        raise InvalidInputError(error.what, remedy=error.remedy) from None


def _try_writing(objects: Objects) -> None:
    objects.write(_TRIAL, b"")
    objects.remove(_TRIAL)


def select_owner(connection: Connection) -> Owner:
    """Return the platform that a database of this Skerry names."""
    row = connection.execute(select(platform.c.id, platform.c.claimed_at)).one()
    return Owner(row.id, row.claimed_at is not None)


def _read_owner(data: DataFolder) -> Owner | None:
    """Return the platform that the database names; None if it has no tables or no name yet."""
    url = find_database(data)
    if not is_server(url) and not data.database.is_file():
        return None
    try:
        with using_database(url, read_only=True) as engine, engine.connect() as connection:
            looking = inspect(connection)
            if not looking.has_table(platform.name):
                return None
            columns = {column["name"] for column in looking.get_columns(platform.name)}
            if platform.c.claimed_at.name in columns:
                return select_owner(connection)
            # An older Skerry named only platforms whose store had the mark.
            own = connection.execute(select(platform.c.id)).scalar()
            return None if own is None else Owner(own, claimed=True)
    except SQLAlchemyError as error:
        raise explain_unreadable(url, error) from None
