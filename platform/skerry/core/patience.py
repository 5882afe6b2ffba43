"""Asking again while a part of the platform is away: it may be restarting, or moving elsewhere."""

import logging
import os
import time
from collections.abc import Callable

from skerry.core.errors import UnavailableError

RUN_S = 600.0
"""How long a run waits for a part that is away: as long as an upgrade may take."""

_LOG = logging.getLogger(__name__)
_PAUSE_S = 1.0


def find_patience() -> float:
    """Return for how many seconds this process waits for a part that is away.

    Nobody watches a run, and a part that restarts must not fail it. Everybody else hears at once.
    """
    return RUN_S if os.environ.get("SKERRY_RUN") else 0.0


def ask_patiently[Result](ask: Callable[[], Result], patience_s: float) -> Result:
    """Ask until there is an answer or a refusal; give up after `patience_s` seconds.

    The log says what is waited for.

    An answer may be lost after the work was done, so to ask twice must do no harm.

    Raises
    ------
    UnavailableError
        The last one, when the patience is over.
    """
    deadline = time.monotonic() + patience_s
    said = ""
    while True:
        try:
            return ask()
        except UnavailableError as error:
            if time.monotonic() >= deadline:
                raise
            if error.what != said:
                said = error.what
                _LOG.warning("Waiting: %s", said)
            time.sleep(_PAUSE_S)
