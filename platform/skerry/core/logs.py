"""The form of log lines in every program; the program that stores the log adds the time."""

import logging
import os
import sys
from collections.abc import Callable

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
        Gives the identifier of the current request, which is written into its lines.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_make_formatter())
    handler.addFilter(_RequestNames(read_request))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for name in ("alembic", "httpx"):
        logging.getLogger(name).setLevel(logging.WARNING)
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True


def _make_formatter() -> logging.Formatter:
    if os.environ.get(FORMAT_VARIABLE) != "json":
        return _TextLines(LOG_FORMAT)
    from pythonjsonlogger.json import JsonFormatter

    return JsonFormatter(
        ["levelname", "name", "message", "request"],
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp="time",
    )


class _RequestNames(logging.Filter):
    """Adds to each line the identifier of the request that is being answered."""

    def __init__(self, read_request: Callable[[], str | None] | None) -> None:
        super().__init__()
        self._read = read_request

    def filter(self, record: logging.LogRecord) -> bool:
        record.request = self._read() if self._read is not None else None
        return True


class _TextLines(logging.Formatter):
    """Lines of text: level, program, message, and the request's identifier where there is one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        request = getattr(record, "request", None)
        text = super().formatMessage(record) + (f" (request {request})" if request else "")
        # A line that begins with a space belongs to the line before: no name with a line feed
        # in it can write a line of its own.
        return text.replace("\r", "\\r").replace("\n", "\n ")
