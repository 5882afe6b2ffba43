"""What a run says while its attempt waits for a place, and since when an attempt is at work."""

import time

from sqlalchemy import Connection, Engine, update

from skerry.core.time import utc_now
from skerry.production.executors.protocol import AttemptName, AttemptState, Phase
from skerry.production.tables import attempts, runs
from skerry.storage.absence import persist

_SHORT_S = 10.0
"""A shorter wait is not told: each attempt on a cluster waits some seconds."""
_EACH_S = 60.0
"""How often a run says what is new: the words change with each node that comes or goes."""


class Waiting:
    """Tells on a run what its attempt waits for, and that it waits no more.

    Parameters
    ----------
    engine
        Skerry's database.
    name
        The attempt.
    told
        What the run says already: an earlier worker may have told it.
    """

    def __init__(self, engine: Engine, name: AttemptName, told: str | None) -> None:
        self._engine = engine
        self._name = name
        self._told = told
        self._due = time.monotonic() + (_SHORT_S if told is None else 0.0)

    def hear(self, state: AttemptState) -> None:
        """Take in a state of the attempt, and record what is new about its waiting."""
        if state.phase is Phase.WAITING:
            self._tell(state.detail)
        elif self._told is not None and (state.is_over or not state.detail):
            # What ends while it waits was never at work. A detail of an attempt at work says
            # that it cannot be seen now: it may still wait.
            self._told = None
            self._change(None)

    def _tell(self, detail: str) -> None:
        if not detail or detail == self._told or time.monotonic() < self._due:
            return
        self._told = detail
        self._due = time.monotonic() + _EACH_S
        self._change(detail)

    def _change(self, detail: str | None) -> None:
        def transact() -> None:
            with self._engine.begin() as connection:
                _record_detail(connection, self._name, detail)
                if detail is None:
                    _record_beginning(connection, self._name)

        persist(transact)


def _record_detail(connection: Connection, name: AttemptName, detail: str | None) -> None:
    connection.execute(
        update(runs)
        .where(runs.c.id == name.run, runs.c.epoch == name.epoch, runs.c.status == "running")
        .values(detail=detail)
    )


def _record_beginning(connection: Connection, name: AttemptName) -> None:
    """Count an attempt from now on: its time of waiting is no use of a budget."""
    connection.execute(
        update(attempts)
        .where(
            attempts.c.run_id == name.run,
            attempts.c.epoch == name.epoch,
            attempts.c.ended_at.is_(None),
        )
        .values(started_at=utc_now())
    )
