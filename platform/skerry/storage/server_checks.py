"""Whether a database server can hold a platform: asked before anything is written."""

from sqlalchemy import Connection, create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.settings import DATABASE_VARIABLE
from skerry.storage.absence import describe_cause
from skerry.storage.database_urls import describe_database

OLDEST = 15
EXTENSION = "postgis"
VERSIONS = "alembic_version"
"""The table that says which schema a database has; Skerry's has one from its first day."""


def check_server(url: str, *, writing: bool, setting: str = DATABASE_VARIABLE) -> None:
    """Refuse a server that does not answer, is too old, has no PostGIS or cannot be written.

    Parameters
    ----------
    url
        As `skerry.storage.database_urls.parse_database_url` returns it.
    writing
        Whether Skerry is to write there: who only reads may have a copy of the database, or fewer
        rights.
    setting
        Where the address was given, for the message.

    Raises
    ------
    InvalidInputError
        If nobody answers there, or the login is refused. The password is never shown.
    ConflictError
        If the server is older than PostgreSQL 15, the database has no UTF-8 or no PostGIS, only
        reading is allowed, its user may make no tables there, or other programs have theirs there.
    """
    place = describe_database(url)
    engine = create_engine(url, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            _check_version(connection, place)
            _check_encoding(connection, place)
            _check_schema(connection, place)
            _check_extension(connection, place)
            if writing:
                _check_writing(connection, place)
                _check_rights(connection, place)
                _check_tables(connection, place)
    except SQLAlchemyError as error:
        raise InvalidInputError(
            f"The database {place} does not open: {_explain(error, url)}.",
            remedy=f"Check {setting}, and whether the server runs and lets its user in.",
        ) from None
    finally:
        engine.dispose()


def _check_version(connection: Connection, place: str) -> None:
    number = int(connection.execute(text("SHOW server_version_num")).scalar_one())
    if number // 10_000 < OLDEST:
        raise ConflictError(
            f"The server of {place} is PostgreSQL {number // 10_000}.",
            remedy=f"Use PostgreSQL {OLDEST} or newer.",
        )


def _check_encoding(connection: Connection, place: str) -> None:
    encoding = connection.execute(text("SHOW server_encoding")).scalar_one()
    if encoding != "UTF8":
        raise ConflictError(
            f"The database {place} stores text as {encoding}.",
            remedy="Make one that stores UTF-8: CREATE DATABASE ... ENCODING 'UTF8' "
            "TEMPLATE template0.",
        )


def _check_schema(connection: Connection, place: str) -> None:
    """Refuse a user whose search_path names no schema in which it may look."""
    if connection.execute(text("SELECT current_schema()")).scalar() is None:
        path = connection.execute(text("SHOW search_path")).scalar_one()
        raise ConflictError(
            f"The user of the database {place} has no schema there: its search_path is {path!r}.",
            remedy="Let an administrator make the schema, or run ALTER ROLE ... SET search_path.",
        )


def _check_extension(connection: Connection, place: str) -> None:
    """Refuse a database without PostGIS, unless its user may add it."""
    query = text("SELECT installed_version FROM pg_available_extensions WHERE name = :name")
    row = connection.execute(query, {"name": EXTENSION}).first()
    if row is None:
        raise ConflictError(
            f"The server of {place} has no PostGIS.",
            remedy="Install PostGIS 3 there: Debian's package is postgresql-VERSION-postgis-3.",
        )
    may = text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    if row.installed_version is None and not connection.execute(may).scalar():
        raise ConflictError(
            f"The database {place} has no PostGIS, and its user may not add it.",
            remedy="Let an administrator run this in it once: CREATE EXTENSION postgis.",
        )
    visible = text("SELECT to_regtype('geometry') IS NOT NULL")
    if row.installed_version is not None and not connection.execute(visible).scalar():
        raise ConflictError(
            f"The user of the database {place} does not see its PostGIS, which is in a schema that"
            " search_path does not name.",
            remedy="Name that schema too, mostly public: ALTER ROLE ... SET search_path = ..., "
            "public.",
        )


def _check_rights(connection: Connection, place: str) -> None:
    may = text(
        "SELECT coalesce(has_schema_privilege(current_schema(), 'CREATE'), false)"
        " AND has_database_privilege(current_database(), 'CREATE')"
    )
    if not connection.execute(may).scalar():
        raise ConflictError(
            f"The user of the database {place} may make no tables and schemas in it.",
            remedy="Let an administrator make it the owner: ALTER DATABASE ... OWNER TO ... .",
        )


def _check_writing(connection: Connection, place: str) -> None:
    if connection.execute(text("SHOW transaction_read_only")).scalar_one() == "on":
        raise ConflictError(
            f"The database {place} can only be read.",
            remedy="Name the server that accepts changes, not its copy; or let an administrator run"
            " ALTER DATABASE ... RESET default_transaction_read_only.",
        )


def _check_tables(connection: Connection, place: str) -> None:
    """Refuse a database in which another program keeps its tables."""
    query = text(
        "SELECT tablename FROM pg_tables WHERE schemaname = current_schema()"
        " AND tablename <> 'spatial_ref_sys' ORDER BY tablename"
    )
    names = list(connection.execute(query).scalars())
    if names and VERSIONS not in names:
        raise ConflictError(
            f"The database {place} holds tables of another program: {', '.join(names[:3])}.",
            remedy="Give Skerry a database of its own: CREATE DATABASE ... .",
        )


def _explain(error: SQLAlchemyError, url: str) -> str:
    """Return the driver's own words in one line, without the password."""
    last = describe_cause(error).rpartition("failed: ")[2].removesuffix(".")
    password = make_url(url).password
    return last.replace(str(password), "***") if password else last
