"""Asking again while a part of the platform is away: it may be restarting, or moving elsewhere."""

import time
from collections.abc import Callable

from skerry.core.errors import UnavailableError

RUN_S = 300.0
"""How long a run waits for a part that is away before it gives up."""

_PAUSE_S = 1.0


def ask_patiently[Result](ask: Callable[[], Result], patience_s: float) -> Result:
    """Ask until there is an answer or a refusal; give up after `patience_s` seconds.

    An answer may be lost after the work was done, so to ask twice must do no harm.

    Raises
    ------
    UnavailableError
        The last one, when the patience is over.
    """
    deadline = time.monotonic() + patience_s
    while True:
        try:
            return ask()
        except UnavailableError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_PAUSE_S)
