"""The bell of a platform's workers: who records a run rings, so that no worker has to look for it.

On a database server the server itself passes the ring on to every worker (``NOTIFY``), else a named
pipe in the data folder to the one worker. A ring that nobody hears loses nothing: workers look for
runs in their rounds anyway, only later.
"""

import os
import select
import threading
from contextlib import suppress
from typing import Any

from psycopg import Error as ServerError
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from skerry.storage.database import open_listener
from skerry.storage.layout import DataFolder

_CHANNEL = "skerry_runs"
_PAUSE_S = 2.0
_TRY_S = 30.0
"""So often a session that hears nothing is tried: a network ends it in silence."""


def ring(engine: Engine, data: DataFolder) -> None:
    """Let the workers look for runs at once; call it after the runs' transaction.

    Parameters
    ----------
    engine
        Any engine of the platform's database.
    data
        The data folder.
    """
    if engine.dialect.name == "postgresql":
        with suppress(DBAPIError):  # it is away: the workers have their rounds
            _announce(engine)
        return
    with suppress(OSError):  # no worker is there, or it has not yet heard the ring before
        pipe = os.open(data.worker_bell, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(pipe, b"\n")
        finally:
            os.close(pipe)


def _announce(engine: Engine) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql(f"NOTIFY {_CHANNEL}")
        connection.commit()


class Bell:
    """What one worker hears.

    Parameters
    ----------
    url
        The database, as `skerry.storage.database.find_database` gives it.
    data
        The worker's own data folder.
    """

    def __init__(self, url: str, data: DataFolder) -> None:
        self._heard, self._pull = _open_pipe(data)
        self._closed = threading.Event()
        self._server = open_listener(url)
        self._listener: threading.Thread | None = None
        if self._server is not None:
            self._listener = threading.Thread(
                target=self._listen, args=(self._server,), name="bell", daemon=True
            )
            self._listener.start()

    def ring(self) -> None:
        """End the present `wait`, or else the next; for signals and other threads."""
        with suppress(BlockingIOError):  # it holds more rings than anybody counts
            os.write(self._pull, b"\n")

    def wait(self, time_s: float) -> bool:
        """Wait for a ring, at most `time_s` seconds; return whether there was one."""
        ready, _, _ = select.select([self._heard], [], [], max(0.0, time_s))
        if ready:
            with suppress(BlockingIOError):
                os.read(self._heard, 1 << 16)
        return bool(ready)

    def close(self) -> None:
        """Hear nothing any more."""
        self._closed.set()
        if self._server is not None and self._listener is not None:
            with suppress(DBAPIError):
                _announce(self._server)  # its own listener stands in a wait
            self._listener.join()
        for end in {self._heard, self._pull}:
            os.close(end)

    def _listen(self, server: Engine) -> None:
        """Pass on what the server tells; while it is away, workers have their rounds."""
        while not self._closed.is_set():
            with suppress(DBAPIError, ServerError):
                self._pass_on(server)
            self._closed.wait(_PAUSE_S)

    def _pass_on(self, server: Engine) -> None:
        with server.connect() as connection:
            connection.exec_driver_sql(f"LISTEN {_CHANNEL}")
            session: Any = connection.connection.driver_connection
            self.ring()  # for what nobody heard before
            while not self._closed.is_set():
                if list(session.notifies(timeout=_TRY_S, stop_after=1)):
                    self.ring()
                else:
                    connection.exec_driver_sql("SELECT 1")


def _open_pipe(data: DataFolder) -> tuple[int, int]:
    """Open a pipe that others find by its name; where the disk has none, one without a name."""
    try:
        data.worker_bell.unlink(missing_ok=True)
        os.mkfifo(data.worker_bell, 0o600)
        # for writing, too: it never ends, whoever else has it open
        pipe = os.open(data.worker_bell, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        heard, pull = os.pipe()
        os.set_blocking(heard, False)
        os.set_blocking(pull, False)
        return heard, pull
    return pipe, pipe
