"""The form of log lines in every program; the program that stores the log adds the time."""

import logging
import sys

LOG_FORMAT = "%(levelname)s %(name)s: %(message)s"
"""Without the time: the supervisor's log writer, or a container's runtime, puts it before."""

_OWN_HANDLERS = ("bokeh", "dbos", "panel", "param", "tornado", "uvicorn", "uvicorn.error")
"""Libraries that write their lines themselves, in a form of their own."""


def configure_logs(level: int = logging.INFO) -> None:
    """Write all log lines of this process to standard error in the one form.

    Call it after libraries that bring handlers of their own were imported.
    """
    logging.basicConfig(level=level, format=LOG_FORMAT, stream=sys.stderr, force=True)
    logging.captureWarnings(capture=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    for name in _OWN_HANDLERS:
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
