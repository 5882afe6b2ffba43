"""Bring the data folder's database to the schema of this Skerry."""

import sqlite3
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine

from skerry.core.errors import ConflictError
from skerry.core.time import utc_now
from skerry.storage.database import database_url, open_database
from skerry.storage.layout import DataFolder

_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(data: DataFolder) -> Path | None:
    """Create the database, or bring an older one up to date after copying it aside.

    The copy stands beside it as ``skerry.sqlite.<revision>.<time>.bak``. All steps run in one
    transaction: a failure leaves the database as it was.

    Returns
    -------
    Path or None
        The copy of the older database; None if there was nothing to bring up to date.

    Raises
    ------
    ConflictError
        If the database was written by a newer Skerry.
    """
    config = _configure()
    scripts = ScriptDirectory.from_config(config)
    engine = open_database(database_url(data.database))
    try:
        revision = read_revision(engine)
        newest = scripts.get_current_head()
        if revision == newest:
            return None
        copy = None
        if revision is not None:
            _check_known(revision, newest, scripts, data)
            copy = _copy_aside(data.database, revision)
        with engine.connect() as connection:
            _allow_copies(connection)
            with connection.begin():
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
    finally:
        engine.dispose()
    data.database.chmod(0o600)
    return copy


def read_revision(engine: Engine) -> str | None:
    """Return a database's schema revision, None for an empty database."""
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def _allow_copies(connection: Connection) -> None:
    """Let SQLite copy a table into a changed one without taking its rows' dependents along."""
    if connection.dialect.name == "sqlite":
        cursor = connection.connection.cursor()  # before the transaction, where it has no effect
        cursor.execute("PRAGMA foreign_keys = OFF")
        cursor.close()


def _configure() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config


def _check_known(
    revision: str, newest: str | None, scripts: ScriptDirectory, data: DataFolder
) -> None:
    revisions = {script.revision for script in scripts.walk_revisions()}
    if revision not in revisions:
        raise ConflictError(
            f"The database {data.database} has schema {revision}, "
            f"newer than this Skerry's {newest}.",
            remedy="Start it with the newer Skerry, or name another folder with --data.",
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
