"""Workers that share a database: each shows that it lives, and notices others that do not.

A worker raises its number of beats every few seconds. Others compare the number with the one they
saw before, by clocks of their own: clocks of different machines are never compared. One whose
number stands still is lost, and exactly one of the others takes its runs over. If it was only slow,
it finds that its attempts are superseded: their epochs are older.
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection, Engine, delete, insert, select, update

from skerry.core.beats import BEAT_S, measure_silence
from skerry.models.platform import WorkerSign
from skerry.production.tables import workers
from skerry.storage.columns import Now
from skerry.storage.database import find_database, is_server, reading
from skerry.storage.layout import DataFolder

PERIOD_S = 2.0
"""How often a worker shows that it lives."""

ONLY_WORKER = "worker"
"""The name of the only worker of a database in a file."""

LOST_S = 20.0
"""A silent worker is lost after this time; its runs go on within a minute of the first silence."""


@dataclass
class _Sight:
    """The last sign of another worker, and the time since this sign changed."""

    beats: int
    still_s: float = 0.0


class WorkerBook:
    """One worker's view of itself and of the others.

    Parameters
    ----------
    engine
        Skerry's database.
    name
        This worker's own name; no two workers that live have the same.
    clock
        Seconds of a clock that never goes back.
    """

    def __init__(
        self, engine: Engine, name: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._engine = engine
        self._name = name
        self._clock = clock
        self._looked = clock() - PERIOD_S
        self._sights: dict[str, _Sight] = {}

    def look(self) -> list[str]:
        """Show that this worker lives; return the lost workers that this one is to take over.

        Who is told of a lost worker takes over all its runs and calls `forget`. Until then nobody
        else is told, unless this one is lost as well. More often than `PERIOD_S` it does nothing.
        """
        now = self._clock()
        passed = now - self._looked
        if passed < PERIOD_S:
            return []
        with self._engine.begin() as connection:
            _beat(connection, self._name)
        # While this worker, or the database, stood still, the others may have been unable too.
        lost = self._find_still(min(passed, 2 * PERIOD_S))
        self._looked = now
        return [name for name in lost if self._claim(name)]

    def forget(self, name: str) -> None:
        """Remove a lost worker whose runs have been taken over."""
        self._sights.pop(name, None)
        with self._engine.begin() as connection:
            connection.execute(delete(workers).where(workers.c.name == name))

    def _find_still(self, passed_s: float) -> list[str]:
        with reading(self._engine) as connection:
            query = select(workers.c.name, workers.c.beats).where(workers.c.name != self._name)
            beats = {row.name: row.beats for row in connection.execute(query)}
        for name in self._sights.keys() - beats.keys():
            del self._sights[name]
        for name, number in beats.items():
            sight = self._sights.get(name)
            if sight is None or sight.beats != number:
                self._sights[name] = _Sight(number)
            else:
                sight.still_s += passed_s
        return [name for name, sight in self._sights.items() if sight.still_s >= LOST_S]

    def _claim(self, name: str) -> bool:
        """Take over a lost worker, unless it lives after all or another worker was faster."""
        sight = self._sights.pop(name)
        with self._engine.begin() as connection:
            claimed = connection.execute(
                update(workers)
                .where(workers.c.name == name, workers.c.beats == sight.beats)
                .values(beats=sight.beats + 1)
            )
        return claimed.rowcount == 1


def list_workers(engine: Engine, data: DataFolder) -> list[WorkerSign]:
    """Return the workers, and for how long each has shown no sign of life.

    On a server these are all workers that share it, whatever machine they are on; both times are
    of its clock. The only worker of a file is seen by what it writes into the data folder.
    """
    if not is_server(find_database(data)):
        return [_describe(ONLY_WORKER, measure_silence(data.worker_beat))]
    with reading(engine) as connection:
        query = select(workers.c.name, workers.c.seen_at, Now().label("now"))
        rows = connection.execute(query.order_by(workers.c.name)).all()
    return [
        _describe(row.name, (row.now - row.seen_at).total_seconds() if row.seen_at else math.inf)
        for row in rows
    ]


def _describe(name: str, silence: float) -> WorkerSign:
    silent_s = max(0.0, silence) if math.isfinite(silence) else None
    return WorkerSign(name=name, works=silence < BEAT_S, silent_s=silent_s)


def _beat(connection: Connection, name: str) -> None:
    own = workers.c.name == name
    sign = {"beats": workers.c.beats + 1, "seen_at": Now()}
    if connection.execute(update(workers).where(own).values(sign)).rowcount == 0:
        connection.execute(insert(workers).values(name=name, beats=1, seen_at=Now()))
