"""Asking again while a part of the platform is away: it may be restarting, or moving elsewhere."""

import logging
import os
import time
from collections.abc import Callable

from skerry.core.errors import UnavailableError

RUN_S = 600.0
"""How long a run waits for a part that is away: as long as an upgrade may take."""

COPYING_S = 900.0
"""How long who registers a product waits for the answer: in a bucket it is copied before."""

_LOG = logging.getLogger(__name__)
_PAUSE_S = 1.0
_PATIENCE = "SKERRY_PATIENCE_S"


def find_patience() -> float:
    """Return for how many seconds this process waits for a part that is away.

    Nobody watches a run, and a part that restarts must not fail it. Everybody else hears at once.
    """
    if os.environ.get("SKERRY_RUN"):
        return RUN_S
    return float(os.environ.get(_PATIENCE, "0"))


def set_patience(patience_s: float) -> None:
    """Let this process, and those it starts, wait so long for a part that is away."""
    os.environ[_PATIENCE] = str(patience_s)


def ask_patiently[Result](
    ask: Callable[[], Result],
    patience_s: float,
    waits_for: type[UnavailableError] = UnavailableError,
) -> Result:
    """Ask until there is an answer or a refusal; give up after `patience_s` seconds.

    The log says what is waited for.

    An answer may be lost after the work was done, so to ask twice must do no harm.

    Parameters
    ----------
    ask
        Asks once.
    patience_s
        For how many seconds to ask again.
    waits_for
        The kind of error after which to ask again.

    Raises
    ------
    UnavailableError
        The last one, when the patience is over.
    """
    deadline = time.monotonic() + patience_s
    reason = ""
    while True:
        try:
            return ask()
        except waits_for as error:
            if time.monotonic() >= deadline:
                raise
            if error.what != reason:
                reason = error.what
                _LOG.warning("Waiting: %s", reason)
            time.sleep(_PAUSE_S)
