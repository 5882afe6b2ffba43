"""The log of a run: lines with its id, and at the end the reason of a failure."""

import logging
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from skerry.core.errors import SkerryError

LOG_FORMAT = "%(asctime)s {run_id} %(levelname)s %(message)s"
LOG_TIME = "%Y-%m-%dT%H:%M:%S"


@contextmanager
def send_log(handler: logging.Handler, run_id: str, *, verbose: bool = True) -> Iterator[None]:
    """Send what Skerry logs while the block runs to a handler, each line with the run's id.

    Parameters
    ----------
    handler
        Where it goes.
    run_id
        The run.
    verbose
        Whether all that is done is logged, or warnings and errors alone.
    """
    handler.setFormatter(logging.Formatter(LOG_FORMAT.format(run_id=run_id), LOG_TIME))
    handler.setLevel(logging.INFO if verbose else logging.WARNING)
    logger = logging.getLogger("skerry")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


def record_failure(handler: logging.Handler, error: BaseException) -> None:
    """Write why a run ended to one handler: message, remedy and cause, or the stack trace.

    It is not logged for everybody; the code that catches the error informs the user.
    """
    if isinstance(error, SkerryError):
        message = str(error)
        if error.__cause__ is not None and not isinstance(error.__cause__, SkerryError):
            message += f" Cause: {type(error.__cause__).__name__}: {error.__cause__}"
    elif isinstance(error, Exception):
        message = "".join(traceback.format_exception(error)).rstrip()
    else:
        message = f"Interrupted ({type(error).__name__})."
    handler.handle(
        logging.LogRecord("skerry", logging.ERROR, __file__, 0, message, args=None, exc_info=None)
    )
