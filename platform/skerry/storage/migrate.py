"""Bring a platform's database to the schema of this Skerry."""

import os
import re
import sqlite3
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.settings import DATABASE_VARIABLE
from skerry.core.time import utc_now
from skerry.storage.database import find_database, is_server, using_database
from skerry.storage.database_failures import explain_unreadable
from skerry.storage.database_urls import describe_database
from skerry.storage.layout import DataFolder
from skerry.storage.server_checks import check_server

_START_ONCE = "Bring it up to date with 'skerry up' or 'skerry database upgrade' of this Skerry."
_OURS = re.compile(r"\d{4}")
UNFINISHED = "move-"
"""The beginning of the text that replaces the revision while `skerry move` fills a database."""

_SCRIPTS = Path(__file__).parent / "migrations"


def check_database(data: DataFolder) -> None:
    """Refuse a database that cannot hold this Skerry's state; nothing is written.

    Raises
    ------
    InvalidInputError, ConflictError
        See `skerry.storage.server_checks.check_server`; also if a newer Skerry wrote it.
    """
    url = find_database(data)
    if is_server(url):  # a file need not be checked here: `upgrade` copies it before it changes it
        check_server(url, writing=True)
        check_known(_look_at_revision(url), describe_database(url))


def check_usable(data: DataFolder, *, writing: bool) -> None:
    """Refuse a database on which a part cannot work; nothing is written.

    Parameters
    ----------
    data
        The data folder.
    writing
        Whether the part writes; maps only reads.

    Raises
    ------
    InvalidInputError, ConflictError
        See `check_database`; also if it has no tables yet, or those of an older Skerry.
    """
    url = find_database(data)
    place = describe_database(url)
    if is_server(url):
        check_server(url, writing=writing)
    elif not data.database.is_file():
        raise ConflictError(f"There is no database {place} yet.", remedy=_START_ONCE)
    elif writing and not os.access(data.database, os.W_OK):
        raise InvalidInputError(
            f"The database {place} can only be read.", remedy="Let its owner start the platform."
        )
    revision = _look_at_revision(url)
    check_known(revision, place)
    if revision != newest_revision():
        state = "has no tables yet" if revision is None else f"has the older schema {revision}"
        raise ConflictError(f"The database {place} {state}.", remedy=_START_ONCE)


def _look_at_revision(url: str) -> str | None:
    try:
        with using_database(url, read_only=True) as engine:
            return read_revision(engine)
    except SQLAlchemyError as error:
        raise explain_unreadable(url, error) from None


def upgrade(data: DataFolder) -> Path | None:
    """Create the database, or bring an older one up to date.

    A file is copied first, and the copy stands beside it as
    ``skerry.sqlite.<revision>.<time>.bak``. All steps run in one transaction: a failure leaves
    the database as it was.

    Returns
    -------
    Path or None
        The copy of the older file; None if there was nothing to bring up to date, or the database
        is on a server.

    Raises
    ------
    InvalidInputError, ConflictError
        If the database was written by a newer Skerry, or its server cannot be used.
    """
    check_database(data)
    url = find_database(data)
    with using_database(url) as engine:
        revision = read_revision(engine)
        if revision == newest_revision():
            return None
        check_known(revision, describe_database(url))
        copy = None
        if revision is not None and not is_server(url):
            copy = _copy_aside(data.database, revision)
        create_schema(engine)
    if not is_server(url):
        data.database.chmod(0o600)
    return copy


def create_schema(engine: Engine) -> None:
    """Give a database this Skerry's schema, in one transaction, whatever schema it had."""
    config = _configure()
    with engine.connect() as connection:
        _prepare(connection)
        with connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def read_revision(engine: Engine) -> str | None:
    """Return a database's schema revision, None for an empty database."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@cache
def newest_revision() -> str | None:
    """Return the schema revision of this Skerry."""
    return ScriptDirectory.from_config(_configure()).get_current_head()


def _prepare(connection: Connection) -> None:
    """Change what cannot be changed in the transaction itself.

    SQLite changes a table by copying it into a new one: with foreign keys off, the rows that refer
    to the old table are not deleted with it. On a server, the lock is waited for as long as another
    upgrade takes.
    """
    is_file = connection.dialect.name == "sqlite"
    cursor = connection.connection.cursor()
    cursor.execute("PRAGMA foreign_keys = OFF" if is_file else "SET lock_timeout = 0")
    cursor.close()
    if not is_file:
        connection.connection.commit()


def _configure() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def check_known(revision: str | None, place: str) -> None:
    """Refuse a schema that this Skerry does not know.

    Parameters
    ----------
    revision
        The schema's revision; None for an empty database.
    place
        The database, for the message.

    Raises
    ------
    ConflictError
        If a newer Skerry, or another program, wrote it.
    """
    scripts = ScriptDirectory.from_config(_configure())
    revisions = {script.revision for script in scripts.walk_revisions()}
    if revision is None or revision in revisions:
        return
    if revision.startswith(UNFINISHED):
        raise ConflictError(
            f"'skerry move' has not ended filling the database {place}.",
            remedy="Give the same command again, and it goes on; or empty the database.",
        )
    if _OURS.fullmatch(revision) is None:
        raise ConflictError(
            f"The database {place} belongs to another program: its schema is {revision[:40]!r}.",
            remedy="Give Skerry a database of its own.",
        )
    raise ConflictError(
        f"The database {place} has schema {revision}, "
        f"newer than this Skerry's {scripts.get_current_head()}.",
        remedy="Start it with the newer Skerry, or name another folder with --data or another "
        f"database with {DATABASE_VARIABLE}.",
    )


def _copy_aside(database: Path, revision: str) -> Path:
    stamp = utc_now().strftime("%Y%m%dT%H%M%S%f")
    copy = database.with_name(f"{database.name}.{revision}.{stamp}.bak")
    source, target = sqlite3.connect(database), sqlite3.connect(copy)
    try:
        source.backup(target)
    finally:
        target.close()
        source.close()
    copy.chmod(0o600)
    return copy
