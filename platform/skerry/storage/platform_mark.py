"""Which object store belongs to which database: both carry the same name of their platform.

The name stands in the table `platform`, and in a small file of the object store. A pair that does
not belong together is refused before anything is written: bytes that the records of one name
would otherwise be missing in the other, or be removed as nobody's.
"""

import json
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection, inspect, select, update
from sqlalchemy.exc import SQLAlchemyError

from skerry.core.errors import ConflictError, InvalidInputError, UnavailableError
from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE, read_objects_place
from skerry.core.time import utc_now
from skerry.storage.database import explain_unreadable, find_database, is_server, using_database
from skerry.storage.database_urls import describe_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects
from skerry.storage.objects import Objects
from skerry.storage.tables import platform

MARK = "skerry-platform.json"
_TRIAL = "skerry-trial"


@dataclass(frozen=True)
class _Owner:
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
    named = read_objects_place() is not None
    try:
        if named:
            objects.check()
        _refuse_foreign(data, objects, _read_owner(data))
        if named and writing:
            objects.write(_TRIAL, b"")
            objects.remove(_TRIAL)
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
        owner = _select_owner(connection)
        named = _read_mark(objects)
        if not owner.claimed and named and read_objects_place() is None:
            # The folder's own objects, below a new database: the platform is still the same.
            owner = _Owner(named, claimed=False)
        mark = {"platform": owner.id, "remark": "The objects of one Skerry platform. Keep this."}
        if not objects.write_once(MARK, json.dumps(mark, indent=1).encode()):
            _refuse_foreign(data, objects, owner)
        if not owner.claimed:
            connection.execute(update(platform).values(id=owner.id, claimed_at=utc_now()))


def _refuse_foreign(data: DataFolder, objects: Objects, owner: _Owner | None) -> None:
    """Refuse a store with the mark of another platform, or none where there should be one."""
    url, beside = find_database(data), read_objects_place() is None
    claimed = owner is not None and owner.claimed
    named = _read_mark(objects)
    if named is None:
        # A folder's own objects beside its own file: nobody could have mistaken them.
        if owner is not None and owner.claimed and not (beside and not is_server(url)):
            raise ConflictError(
                f"The object store {objects.address} has no mark of a platform, and is not that "
                f"of the database {describe_database(url)}.",
                remedy=f"Name the store of this platform in {OBJECTS_VARIABLE}. If its bytes are "
                f"here now, write {json.dumps({'platform': owner.id})} into the file {MARK} there.",
            )
    elif (claimed or not beside) and (owner is None or named != owner.id):
        raise ConflictError(
            f"The object store {objects.address} belongs to another platform "
            f"({named or 'its mark cannot be read'}) than the database {describe_database(url)}.",
            remedy=f"Name two that belong together in {DATABASE_VARIABLE} and {OBJECTS_VARIABLE}. "
            f"If the other platform is gone for good, remove {MARK} there.",
        )


def _read_mark(objects: Objects) -> str | None:
    """Return the platform that a store names; empty for a mark that cannot be read."""
    content = objects.read(MARK, most=10_000)
    if content is None:
        return None
    with suppress(ValueError, AttributeError):
        return str(json.loads(content).get("platform") or "")
    return ""


def _select_owner(connection: Connection) -> _Owner:
    row = connection.execute(select(platform.c.id, platform.c.claimed_at)).one()
    return _Owner(row.id, row.claimed_at is not None)


def _read_owner(data: DataFolder) -> _Owner | None:
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
                return _select_owner(connection)
            # An older Skerry named only platforms whose store had the mark.
            own = connection.execute(select(platform.c.id)).scalar()
            return None if own is None else _Owner(own, claimed=True)
    except SQLAlchemyError as error:
        raise explain_unreadable(url, error) from None
