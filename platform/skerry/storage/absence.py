"""A database that is away: programs say so once, wait for it, and say once that it is back."""

import logging
import time
from collections.abc import Callable
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.engine import ExceptionContext
from sqlalchemy.exc import DBAPIError, OperationalError

from skerry.storage.database_urls import describe_database

_LOG = logging.getLogger(__name__)
_PAUSE_S = 1.0
_SAY_AGAIN_S = 60.0
_ABSENT = ("08", "57P")
"""Beginnings of the SQLSTATE of a connection that broke, and of a server that starts or ends."""

_away: set[str] = set()
"""Databases of which this process has said that they are away, whichever engine noticed."""


def tells_absence(error: BaseException | None) -> bool:
    """Tell whether an error says that a database server cannot be reached."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    if type(cause).__module__.partition(".")[0] != "psycopg":
        return False
    state: str | None = getattr(cause, "sqlstate", None)
    if state is None:  # the driver itself says that it reaches nobody
        return "OperationalError" in {kind.__name__ for kind in type(cause).__mro__}
    return state.startswith(_ABSENT)


def say_absence(engine: Engine) -> None:
    """Let the log of this process say when an engine's server is away, and when it is back."""
    name = describe_database(engine.url.render_as_string(hide_password=False))

    @event.listens_for(engine, "handle_error")
    def _note_away(context: ExceptionContext) -> None:
        error = context.original_exception
        # a broken session may be an old one: only a failed connection shows that it is away
        if context.connection is None and name not in _away and tells_absence(error):
            _away.add(name)
            _LOG.error("The database is away: %s", describe_cause(error))

    @event.listens_for(engine, "connect")
    def _note_back(*_: Any) -> None:
        if name in _away:
            _away.discard(name)
            _LOG.warning("The database is back.")


def persist[Result](transact: Callable[[], Result]) -> Result:
    """Carry out a transaction; while the database is away or busy, wait and try again.

    For programs that have to go on when it is back. It may have been committed just before the
    connection broke, so to do it twice must do no harm.
    """
    last_line = -_SAY_AGAIN_S  # when the log got the last line
    while True:
        try:
            return transact()
        except OperationalError as error:
            if time.monotonic() - last_line > _SAY_AGAIN_S and not tells_absence(error):
                last_line = time.monotonic()
                _LOG.warning("Waiting for the database: %s", describe_cause(error))
            time.sleep(_PAUSE_S)


def describe_cause(error: BaseException) -> str:
    """Return in one line what a database's driver said."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    return str(cause).strip().partition("\n")[0]
