"""Which runs at work are cancelled: a worker asks once a second for all of its attempts."""

import threading
import time

from sqlalchemy import Engine, select

from skerry.production.tables import runs
from skerry.storage.absence import persist
from skerry.storage.database import reading

_GOOD_FOR_S = 1.0


class Cancellations:
    """The cancelled runs whose attempts have not ended.

    Each attempt is watched by a thread of its own. Would each of them ask, a thousand attempts
    would be a thousand transactions a second.

    Parameters
    ----------
    engine
        Skerry's database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._turn = threading.Lock()
        self._until = 0.0
        self._cancelled: frozenset[str] = frozenset()

    def include(self, run_id: str) -> bool:
        """Return whether a run is cancelled, as it was at most a second ago."""
        with self._turn:
            now = time.monotonic()
            if now >= self._until:
                self._cancelled = persist(self._read)
                self._until = now + _GOOD_FOR_S
            return run_id in self._cancelled

    def _read(self) -> frozenset[str]:
        asked = select(runs.c.id).where(runs.c.status == "running", runs.c.cancel_requested)
        with reading(self._engine) as connection:
            return frozenset(connection.execute(asked).scalars())
