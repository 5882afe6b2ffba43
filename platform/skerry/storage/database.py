"""The database engine: SQLite in WAL mode with explicit transactions, one `MetaData` for all rooms.

Each room with state declares its tables on `METADATA` in its own ``tables.py``; the Alembic
migrations beside this module create them.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    Dialect,
    Engine,
    MetaData,
    TypeDecorator,
    create_engine,
    event,
)

from skerry.core.time import count_microseconds, from_microseconds

METADATA = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables of Skerry's own database."""


class Moment(TypeDecorator[datetime]):
    """An instant: a `datetime` with a time zone in Python, whole microseconds UTC in the table.

    Integers sort, compare and are indexed the same on every database, whatever time zone its
    server or session has. ``platform/decisions/0017-times-as-integers.md`` says more.
    """

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Return the microseconds of an instant."""
        return None if value is None else count_microseconds(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the instant of stored microseconds."""
        return None if value is None else from_microseconds(value)


_BUSY_MS = 15_000
_READS = "skerry_reads"


def database_url(path: Path) -> str:
    """Return the SQLAlchemy URL of a SQLite file."""
    return f"sqlite:///{path}"


def open_database(url: str, *, read_only: bool = False) -> Engine:
    """Open Skerry's database.

    A writing transaction begins with ``BEGIN IMMEDIATE``: it waits for its turn at the start
    (up to 15 s) instead of failing in the middle.

    Parameters
    ----------
    url
        SQLAlchemy URL, as `database_url` gives it.
    read_only
        Refuse every write on these connections (maps).
    """
    engine = create_engine(url, connect_args={"timeout": _BUSY_MS / 1000, "autocommit": True})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        cursor.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        cursor.execute("PRAGMA journal_mode = WAL")
        cursor.execute("PRAGMA synchronous = FULL")
        cursor.execute("PRAGMA foreign_keys = ON")
        if read_only:
            cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        reads = read_only or connection.get_execution_options().get(_READS)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    @event.listens_for(engine, "commit")
    def _commit(connection: Connection) -> None:
        connection.exec_driver_sql("COMMIT")

    @event.listens_for(engine, "rollback")
    def _rollback(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")

    return engine


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads: it waits for no writer, and no writer waits for it.

    Parameters
    ----------
    engine
        An engine of `open_database` that may write as well.
    """
    with engine.connect().execution_options(**{_READS: True}) as connection:
        yield connection
