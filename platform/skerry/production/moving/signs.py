"""Signs that a platform still works, whatever process of whatever machine shows them."""

import os
import time
from collections.abc import Iterable, Iterator

import psutil
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from skerry.core.errors import ConflictError
from skerry.production.moving.places import Place
from skerry.storage.database import is_server
from skerry.storage.pid_files import PidFile

PROGRAM = "skerry move"
"""The name by which a server knows the sessions of a move: these are no sign."""

_SHOWN = 5
_PATIENCE_S, _PAUSE_S = 2.0, 0.1
"""The sessions of a program that has just ended take a moment to go."""


def check_stopped(place: Place) -> None:
    """Refuse a platform of which a process still lives, here or elsewhere.

    Raises
    ------
    ConflictError
        If there is one; it names some.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while (signs := _find_signs(place)) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)
    if signs:
        more = f" and {len(signs) - _SHOWN} more" if signs[_SHOWN:] else ""
        raise ConflictError(
            f"The platform is still at work: {', '.join(signs[:_SHOWN])}{more}.",
            remedy="End it on every machine ('skerry down', and what was started besides), "
            "then give the command again.",
        )


def _find_signs(place: Place) -> list[str]:
    others = _find_sessions(place.database) if is_server(place.database) else _find_openers(place)
    return [*_find_recorded(place), *others]


def _find_recorded(place: Place) -> Iterator[str]:
    """Name the parts and attempts of the data folder that live."""
    for path in sorted(place.data.pids.glob("*.json")):
        note = PidFile.read(path)
        if note is not None and note.find() is not None:
            yield f"{path.stem} (process {note.pid})"


def _find_openers(place: Place) -> Iterator[str]:
    """Name the processes of this machine that have the database's file open."""
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and any(
                file.path == str(place.data.database) for file in process.open_files()
            ):
                yield f"{process.name()} (process {process.pid})"
        except (psutil.Error, OSError):  # it has ended, or is another user's
            continue


def _find_sessions(url: str) -> Iterable[str]:
    """Name the sessions of the platform's programs at the server, from wherever they come."""
    address = make_url(url)
    program = address.query["application_name"]
    engine = create_engine(
        address.update_query_dict({"application_name": PROGRAM}), poolclass=NullPool
    )
    query = text(
        "SELECT pid, coalesce(host(client_addr), 'the server itself') AS host"
        " FROM pg_stat_activity"
        " WHERE datname = current_database() AND application_name = :program ORDER BY pid"
    )
    with engine.connect() as connection:
        rows = connection.execute(query, {"program": program}).all()
    return [f"a program on {row.host} (session {row.pid})" for row in rows]
