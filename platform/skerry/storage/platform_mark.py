"""Whose object store it is: a small file in it names the platform, as the database does.

Only an object store that a setting names has it; a folder in the data folder belongs to that.
"""

import json
from contextlib import suppress

from sqlalchemy import Engine, insert, inspect, select

from skerry.core.errors import ConflictError, InvalidInputError, UnavailableError
from skerry.core.ids import new_id
from skerry.core.settings import OBJECTS_VARIABLE, read_objects_place
from skerry.core.time import count_microseconds, utc_now
from skerry.storage.database import find_database, is_server, using_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects
from skerry.storage.objects import Objects
from skerry.storage.tables import platform

MARK = "skerry-platform.json"
_TRIAL = "skerry-trial"


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
        If the store is another platform's.
    """
    if read_objects_place() is None:
        return
    objects = open_objects(data)
    try:
        objects.check()
        _refuse_foreign(objects, _read_id(data))
        if writing:
            objects.write(_TRIAL, b"")
            objects.remove(_TRIAL)
    except UnavailableError as error:  # at a start it is the setting that is wrong
        raise InvalidInputError(error.what, remedy=error.remedy) from None


def claim_store(data: DataFolder) -> None:
    """Write the platform's name into its object store and its database, where it is missing.

    Raises
    ------
    ConflictError
        If the store is another platform's.
    """
    if read_objects_place() is None:
        return
    objects = open_objects(data)
    with using_database(find_database(data)) as engine:
        own = _name_platform(engine)
    mark = {"platform": own, "remark": "The object store of one Skerry platform. Keep this file."}
    if not objects.write_once(MARK, json.dumps(mark, indent=1).encode()):
        _refuse_foreign(objects, own)


def _refuse_foreign(objects: Objects, own: str | None) -> None:
    """Refuse a store whose mark names another platform than `own`."""
    content = objects.read(MARK, most=10_000)
    if content is None:
        return
    named = None
    with suppress(ValueError, AttributeError):
        named = json.loads(content).get("platform")
    if named is None or named != own:
        raise ConflictError(
            f"The object store {objects.address} belongs to another platform ({named}).",
            remedy=f"Name another place in {OBJECTS_VARIABLE}. If that platform is gone for good, "
            f"remove {MARK} there.",
        )


def _name_platform(engine: Engine) -> str:
    with engine.begin() as connection:
        own = connection.execute(select(platform.c.id)).scalar()
        if own is None:
            own = new_id()
            now = count_microseconds(utc_now())
            connection.execute(insert(platform).values(id=own, created=now))
        return str(own)


def _read_id(data: DataFolder) -> str | None:
    """Return the platform's name in its database, None if it has none yet."""
    if not is_server(find_database(data)) and not data.database.is_file():
        return None
    with using_database(find_database(data), read_only=True) as engine:
        if not inspect(engine).has_table(platform.name):
            return None
        with engine.connect() as connection:
            return connection.execute(select(platform.c.id)).scalar()
