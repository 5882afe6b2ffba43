"""What has to hold before a move begins: nothing is written until all of it does."""

from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum

from sqlalchemy import Connection, inspect, select, text
from sqlalchemy.exc import SQLAlchemyError

from skerry.core.errors import ConflictError, NotFoundError
from skerry.production.moving.places import Place
from skerry.production.moving.signs import PROGRAM, check_stopped
from skerry.production.records import FAMILIES, platform_tables
from skerry.production.tables import workers
from skerry.storage.copying import count_rows
from skerry.storage.database import is_server, reading, reading_stopped
from skerry.storage.database_failures import explain_unreadable
from skerry.storage.migrate import UNFINISHED, check_known, newest_revision, read_revision
from skerry.storage.objects import Objects
from skerry.storage.platform_mark import (
    check_new_store,
    read_mark,
    refuse_foreign,
    select_owner,
)
from skerry.storage.server_checks import check_server
from skerry.storage.tables import audit


class Stage(Enum):
    """How far a move has come at a place: not begun, begun, or the records are there."""

    EMPTY = "empty"
    BEGUN = "begun"
    DONE = "done"


def check_source(place: Place) -> None:
    """Refuse to move what is not a platform, still works, or is another Skerry's.

    Raises
    ------
    NotFoundError, ConflictError, InvalidInputError
        If it is so.
    """
    if is_server(place.database):
        check_server(place.database, writing=False)
    elif not place.data.database.is_file():
        raise NotFoundError(
            f"{place.data.root} has no database of Skerry.",
            remedy="Name the platform's folder with --data or SKERRY_DATA, and its database with "
            "SKERRY_DATABASE_URL if it is on a server.",
        )
    check_stopped(place)
    with _explaining(place), reading_stopped(place.database, PROGRAM) as engine:
        revision = read_revision(engine)
        check_known(revision, place.database_name)
        if revision != newest_revision():
            raise ConflictError(
                f"The database {place.database_name} has the older schema {revision}.",
                remedy="Start this Skerry once with 'skerry up', which brings it up to date.",
            )
        with reading(engine) as connection:
            owner = select_owner(connection)
    place.objects.check()
    refuse_foreign(place.data, place.objects, owner)


def check_database(place: Place, move: str) -> Stage:
    """Refuse a database that is not empty, unless this move has filled it; return its stage.

    Raises
    ------
    ConflictError, InvalidInputError
        If it cannot be used, or is another's.
    """
    if is_server(place.database):
        check_server(place.database, writing=True, setting="--database")
    elif not place.data.database.exists():
        if place.data.workflows.exists():
            raise _refuse_filled(f"{place.data.workflows} is there")
        return Stage.EMPTY
    with _explaining(place), reading_stopped(place.database, PROGRAM) as engine:
        revision = read_revision(engine)
        if revision == name_unfinished(move):
            return Stage.BEGUN
        check_known(revision, place.database_name)
        with reading(engine) as connection:
            if revision == newest_revision() and is_moved(connection, move):
                return Stage.DONE
            _check_empty(connection, place, revision)
    return Stage.EMPTY


def check_objects(objects: Objects, move: str, owner: str | None) -> Stage:
    """Refuse a store that is not empty, unless this move has filled it; return its stage.

    Parameters
    ----------
    objects
        The store.
    move
        The move's name.
    owner
        The platform's name, if the move has ended in the database.

    Raises
    ------
    ConflictError, InvalidInputError
        If it cannot be used, or is another's.
    """
    check_new_store(objects)
    mark = read_mark(objects)
    if mark is not None and mark.filling is not None:
        if mark.filling.move == move:
            return Stage.BEGUN
        raise _refuse_filled(f"Another move fills the object store {objects.address}")
    if mark is not None:
        if owner is not None and mark.platform == owner:
            return Stage.DONE
        name = mark.platform or "its mark cannot be read"
        raise _refuse_filled(f"The object store {objects.address} is a platform's ({name})")
    for family in FAMILIES:
        if objects.exists(family):
            raise _refuse_filled(f"The object store {objects.address} has {family}")
    return Stage.EMPTY


def name_unfinished(move: str) -> str:
    """Return what stands in the place of the revision while a move fills a database."""
    return f"{UNFINISHED}{move}-{newest_revision()}"


def name_event(move: str) -> str:
    """Return the name under which the audit tells of a move."""
    return f"platform/move/{move}"


def is_moved(connection: Connection, move: str) -> bool:
    """Return whether the newest that the audit tells is that this move has ended."""
    newest = select(audit.c.what).order_by(audit.c.number.desc()).limit(1)
    return connection.execute(newest).scalar() == name_event(move)


def find_owner(place: Place) -> str:
    """Return the platform's name in a database."""
    with reading_stopped(place.database, PROGRAM) as engine, reading(engine) as connection:
        return select_owner(connection).id


def _check_empty(connection: Connection, place: Place, revision: str | None) -> None:
    """Refuse a database with rows, or with tables that this Skerry cannot count."""
    name = place.database_name
    if revision is None:
        tables = sorted(set(inspect(connection).get_table_names()) - {"spatial_ref_sys"})
        if tables:
            raise _refuse_filled(f"The database {name} holds the table {tables[0]}")
        return
    if revision != newest_revision():
        raise _refuse_filled(f"The database {name} is an older Skerry's ({revision})")
    for table, count in count_rows(connection, [*platform_tables(), workers]).items():
        if count:
            raise _refuse_filled(f"The table {table} of the database {name} has {count} rows")
    if is_server(place.database) and inspect(connection).get_table_names(schema="dbos"):
        query = text("SELECT count(*) FROM dbos.workflow_status")
        if number := connection.execute(query).scalar():
            raise _refuse_filled(f"The schema dbos of the database {name} knows {number} workflows")


@contextmanager
def _explaining(place: Place) -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError as error:
        raise explain_unreadable(place.database, error) from None


def _refuse_filled(what: str) -> ConflictError:
    return ConflictError(
        f"{what}: the place is not empty.",
        remedy="Name an empty place, or move what is there away.",
    )
