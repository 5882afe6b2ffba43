"""The database: SQLite in a file, or PostgreSQL with PostGIS; what differs in using them.

Each room with state declares its tables in its own ``tables.py``, with what stands in
`skerry.storage.columns`; the Alembic migrations beside this module create them. Stores do not ask
which database they have: writers take turns and readers see one moment on both, text is compared
byte by byte, times are integers. Two other places have two forms: the types of columns, and the
condition of the spatial index in `skerry.catalog.spacetime`.
"""

import select
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import (
    Connection,
    Engine,
    ExceptionContext,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from skerry.core.errors import InvalidInputError
from skerry.core.settings import read_database_url
from skerry.storage.absence import say_absence
from skerry.storage.database_urls import parse_database_url
from skerry.storage.layout import DataFolder
from skerry.storage.recording import ACTOR, Actor, listen_for_changes, name_user

_WAIT_MS = 15_000
_IDLE_MS = 60_000
_READS = "skerry_reads"
_LENT = "skerry_lent"
_TRUSTED_S = 10.0
"""A session that was unused for so long is tested before use: a network may have dropped it."""
_TURN = 0x536B6572
"""The advisory lock of PostgreSQL that a writing transaction holds: "Sker" in ASCII."""

_TAKE_TURN = (
    f"SET LOCAL lock_timeout = {_WAIT_MS};"
    # a writer that is stopped in the middle loses its turn
    f" SET LOCAL idle_in_transaction_session_timeout = {_IDLE_MS};"
    f" SELECT pg_advisory_xact_lock({_TURN})"
)


def database_url(path: Path) -> str:
    """Return the SQLAlchemy URL of a SQLite file."""
    return f"sqlite:///{path}"


def find_database(data: DataFolder) -> str:
    """Return the URL of a platform's database: `SKERRY_DATABASE_URL`, else the folder's file.

    Raises
    ------
    InvalidInputError
        If the variable is set to something that is not an address of a PostgreSQL database.
    """
    url = read_database_url()
    return parse_database_url(url) if url else database_url(data.database)


def is_server(url: str) -> bool:
    """Tell whether a URL of `find_database` names a server, not a file of the data folder."""
    return make_url(url).get_backend_name() == "postgresql"


def open_database(url: str, *, read_only: bool = False, by: Actor | None = None) -> Engine:
    """Open Skerry's database.

    A writing transaction waits for its turn at the start (up to 15 s) instead of failing in the
    middle: SQLite's ``BEGIN IMMEDIATE``, on PostgreSQL a lock that the transaction holds. What a
    store has looked up is therefore still true when it writes, on both. A transaction that only
    reads sees the database as it was at its start, and waits for nobody.

    Parameters
    ----------
    url
        SQLAlchemy URL, as `find_database` gives it.
    read_only
        Refuse every write on these connections (maps).
    by
        Whose changes they are that no transaction names (see `skerry.storage.recording.writing`):
        by default those of this machine's user. `skerry.storage.recording.NOBODY` if each has to
        name its own.
    """
    engine = _open_server(url, read_only) if is_server(url) else _open_file(url, read_only)
    engine.update_execution_options(**{ACTOR: by or name_user()})
    if not read_only:
        listen_for_changes(engine)
    event.listen(engine, "handle_error", _refuse_text)
    return engine


@contextmanager
def using_database(
    url: str, *, read_only: bool = False, by: Actor | None = None
) -> Iterator[Engine]:
    """Open Skerry's database for a block, as `open_database` does, and close it after that."""
    engine = open_database(url, read_only=read_only, by=by)
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def reading_stopped(url: str, program: str) -> Iterator[Engine]:
    """Open the database of a stopped platform for reading, so that nothing of it changes.

    Other ways of opening a SQLite file write into it what its journal still holds.

    Parameters
    ----------
    url
        As `find_database` gives it.
    program
        The name by which a server knows the sessions.
    """
    if is_server(url):
        address = make_url(url).update_query_dict({"application_name": program})
        engine = _open_server(address.render_as_string(hide_password=False), read_only=True)
    else:
        engine = _open_unchanged(Path(str(make_url(url).database)))
    try:
        yield engine
    finally:
        engine.dispose()


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads: it waits for no writer, and no writer waits for it.

    Parameters
    ----------
    engine
        An engine of `open_database` that may write as well.
    """
    options: dict[str, Any] = {_READS: True}
    if engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection:
        yield connection


def open_workflows(url: str, file: Path) -> Engine:
    """Open the workflow engine's tables: a schema of their own on a server, else a file.

    Parameters
    ----------
    url
        As `find_database` gives it.
    file
        The file, for a platform without a server.
    """
    if is_server(url):
        return _connect_to_server(url)
    engine = create_engine(database_url(file))

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA busy_timeout = 30000")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA foreign_keys = ON")
        if sqlite3.sqlite_version_info < (3, 42, 0):
            # DBOS asks for unixepoch('subsec'), which older SQLite answers with NULL.
            connection.create_function("unixepoch", 1, lambda _modifier: round(time.time(), 3))

    return engine


def open_listener(url: str) -> Engine | None:
    """Open sessions in which a server tells what others announce; None where there is no server.

    Parameters
    ----------
    url
        As `find_database` gives it.
    """
    if not is_server(url):
        return None
    return _connect_to_server(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)


def _open_file(url: str, read_only: bool) -> Engine:
    engine = create_engine(url, connect_args={"timeout": _WAIT_MS / 1000, "autocommit": True})

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        settings = [f"busy_timeout = {_WAIT_MS}", "journal_mode = WAL", "synchronous = FULL",
                    "foreign_keys = ON", *(["query_only = ON"] if read_only else [])]  # fmt: skip
        try:
            for setting in settings:
                connection.execute(f"PRAGMA {setting}")
        except sqlite3.Error:  # a damaged file
            connection.close()
            raise

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

    event.listen(engine, "before_cursor_execute", _refuse_nul)
    return engine


def _open_unchanged(path: Path) -> Engine:
    """Open a file that no program writes; it and its journal stay as they are."""
    # Without a journal beside it, the file is complete, and is opened without making a journal.
    how = "mode=ro" if path.with_name(f"{path.name}-wal").exists() else "immutable=1"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?{how}", uri=True, autocommit=True, check_same_thread=False
        )
        connection.setconfig(sqlite3.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, True)
        return connection

    engine = create_engine("sqlite://", creator=connect, poolclass=NullPool)

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    @event.listens_for(engine, "rollback")
    def _rollback(connection: Connection) -> None:
        connection.exec_driver_sql("ROLLBACK")

    return engine


def _open_server(url: str, read_only: bool) -> Engine:
    # A writer has to see what was committed while it waited, so each statement reads the newest
    # rows.
    engine = _connect_to_server(
        url, isolation_level="REPEATABLE READ" if read_only else "READ COMMITTED"
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: object) -> None:
        connection.read_only = read_only

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        if not read_only and not connection.get_execution_options().get(_READS):
            connection.exec_driver_sql(_TAKE_TURN)

    return engine


def _connect_to_server(url: str, **options: Any) -> Engine:
    """Return an engine whose transactions leave nothing behind in the server's sessions.

    A pooler such as PgBouncer may use another session for the next transaction. A setting would
    then hold for another program, and a prepared statement would be missing, or be another
    statement of the same name, with other rows.
    """
    engine = create_engine(url, connect_args={"prepare_threshold": None}, **options)

    @event.listens_for(engine, "checkout")
    def _try(connection: Any, record: ConnectionPoolEntry, _lent: object) -> None:
        """Try a session before it is used: a server may be restarted at any moment."""
        now = time.monotonic()
        lent, record.info[_LENT] = record.info.get(_LENT), now
        if lent is not None and now - lent < _TRUSTED_S and _is_silent(connection):
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error:
            raise InvalidatePoolError from None

    say_absence(engine)
    return engine


def _is_silent(connection: Any) -> bool:
    """Tell whether a server has sent nothing over an unused connection.

    It sends a message when it ends a session. To ask it instead would double the time of a short
    query.
    """
    if connection.closed:
        return False
    incoming = select.poll()
    incoming.register(connection.fileno(), select.POLLIN)
    return not incoming.poll(0)


def _refuse_text(context: ExceptionContext) -> None:
    """Name what is wrong with a text that a database does not store."""
    error = context.original_exception
    if isinstance(error, UnicodeEncodeError) or "NUL (0x00)" in str(error):
        raise _unstored() from None


def _refuse_nul(
    _connection: Connection, _cursor: Any, _statement: str, values: Any, _context: Any, many: bool
) -> None:
    """Refuse on SQLite what PostgreSQL refuses: U+0000, also in a name that is only looked up."""
    for row in values if many else (values,):
        if any(isinstance(value, str) and "\0" in value for value in row):
            raise _unstored()


def _unstored() -> InvalidInputError:
    return InvalidInputError(
        "A text holds U+0000 or half of a surrogate pair, which no table stores.",
        remedy="Send text without such characters.",
    )
