"""What the workflow engine writes into the log when its database fails."""

import logging
import time
from collections.abc import Callable

from sqlalchemy.exc import DBAPIError

from skerry.storage.absence import describe_cause, tells_absence

_AGAIN_S = 60.0
_ABSENT = "psycopg.OperationalError"
"""How the workflow engine's sentences show a server that is away."""

_FAILED = ("psycopg.", "sqlite3.")
_TRACE = "Traceback (most recent call last)"


class ShortLines(logging.Filter):
    """Shortens what the workflow engine says about its database.

    If a server is away, `skerry.storage.absence` says so once. Any other failure becomes one line,
    without the statement and without a stack trace, and the same line is written once a minute.

    Parameters
    ----------
    clock
        Seconds of a clock that never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._written: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether a line is written; shorten it."""
        error = record.exc_info[1] if record.exc_info else None
        line = _shorten(record.getMessage())
        if isinstance(error, DBAPIError):
            line = f"{line} {describe_cause(error)}"
        elif not any(f"({word}" in line for word in _FAILED):
            return True
        if tells_absence(error) or f"({_ABSENT})" in line:
            return False
        record.msg, record.args, record.exc_info = line, None, None
        now = self._clock()
        if now - self._written.get(line, -_AGAIN_S) < _AGAIN_S:
            return False
        self._written = {text: at for text, at in self._written.items() if now - at < _AGAIN_S}
        self._written[line] = now
        return True


def _shorten(message: str) -> str:
    """Return a message's first line; a stack trace in it becomes the error that it ends with."""
    line, _, rest = message.partition("\n")
    start, trace, _ = line.partition(_TRACE)
    if not trace:
        return line
    errors = [line for line in rest.splitlines() if any(f"({word}" in line for word in _FAILED)]
    return start + errors[-1].partition(": ")[2] if errors else line
