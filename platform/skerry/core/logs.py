"""The form of log lines in every program; the program that stores the log adds the time."""

import logging
import os
import sys
from collections.abc import Callable

from skerry.core.errors import InvalidInputError
from skerry.core.request_ids import current_request, current_run

LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"
"""Without the time: the supervisor's log writer, or a container's runtime, puts it before."""

FORMAT_VARIABLE = "SKERRY_LOG_FORMAT"
"""``json`` writes a JSON object a line, for programs that collect logs; else lines are text."""

_OWN_HANDLERS = ("bokeh", "dbos", "panel", "param", "tornado", "uvicorn", "uvicorn.error")
"""Libraries that write their lines themselves, in a form of their own."""


def configure_logs(
    level: int = logging.INFO, *, read_request: Callable[[], str | None] | None = None
) -> None:
    """Write all log lines of this process to standard error in the one form.

    Call it after libraries that bring handlers of their own were imported.

    Parameters
    ----------
    level
        Lines below this level are left out.
    read_request
        Gives the identifier of the current request, which is written into its lines; without it
        lines name the run on which the program works, and the request that started that.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_make_formatter())
    handler.addFilter(_RequestNames(read_request))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in ("alembic", "httpx", "httpx2"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def check_format() -> None:
    """Refuse another form of log lines than the two that there are.

    Raises
    ------
    InvalidInputError
        It names the value.
    """
    text = os.environ.get(FORMAT_VARIABLE) or "text"
    if text not in ("json", "text"):
        raise InvalidInputError(
            f"{FORMAT_VARIABLE} is {text[:40]!r}.", remedy="Give 'json' or 'text'."
        )


def writes_json() -> bool:
    """Return whether logs are JSON lines."""
    return os.environ.get(FORMAT_VARIABLE) == "json"


def _make_formatter() -> logging.Formatter:
    if not writes_json():
        return _TextLines(LOG_FORMAT)
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(
        ["levelname", "name", "message", "request"],
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp="time",
    )


class _RequestNames(logging.Filter):
    """Adds to each line the identifier of the request that is being answered, or of the run."""

    def __init__(self, read_request: Callable[[], str | None] | None) -> None:
        super().__init__()
        self._read = read_request

    def filter(self, record: logging.LogRecord) -> bool:
        record.request = self._read() if self._read is not None else current_request()
        if run := current_run():
            record.run = run
        return True


class _TextLines(logging.Formatter):
    """Lines of text: level, program, message, and the run and the request where there are any."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        names = {name: getattr(record, name, None) for name in ("run", "request")}
        named = ", ".join(f"{name} {value}" for name, value in names.items() if value)
        text = super().formatMessage(record) + (f" ({named})" if named else "")
        # A line that begins with a space belongs to the line before: no name with a line feed
        # in it can write a line of its own.
        return text.replace("\r", "\\r").replace("\n", "\n ")
