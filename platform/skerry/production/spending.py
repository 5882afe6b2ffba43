"""What runs reserve and use of budgets, and the upkeep of everything that is reserved.

A run reserves when it is recorded, so that whoever starts it hears at once that a budget is spent.
It is settled by what is recorded of its attempts: whichever worker was killed, and whenever, the
next round of any worker counts the same.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection, Engine, RowMapping, select

from skerry.budgets.amounts import Size
from skerry.budgets.ledger import Reservation, Span, Start, list_open, reserve, settle
from skerry.budgets.limits import are_kept
from skerry.budgets.upkeep import note_living
from skerry.core.errors import UnavailableError
from skerry.core.run_size import RunSize
from skerry.core.time import utc_now
from skerry.production.clusters import Gateway
from skerry.production.hub_servers import HubServers
from skerry.production.tables import attempts, runs
from skerry.storage.database import reading

_RUNS_S = 2.0
_THINGS_S = 15.0
_ACTIVE = ("queued", "running")
_LOG = logging.getLogger("skerry.worker")


def reserve_run(connection: Connection, run: RowMapping | dict[str, object]) -> None:
    """Reserve what all attempts of a run may use together.

    Raises
    ------
    BudgetSpentError
        If the budget of its owner has not enough left.
    """
    if not are_kept(connection):
        return
    settle_runs(connection)  # what has ended must not stand in the way
    size, owner = RunSize.from_environment(), str(run["owner"])
    seconds = int(str(run["timeout_s"])) * (1 + int(str(run["retries"])))
    is_person = owner.startswith("person:")
    name = f"run/{run['id']}"
    start = Start(
        id=f"{name}/{run['epoch']}", thing=name, kind="run",
        size=Size.of(size.cores, size.memory), wanted_s=seconds, least_s=seconds,
        person=owner if is_person else "", projects=() if is_person else (owner,),
    )  # fmt: skip
    reserve(connection, start, utc_now())


def settle_runs(connection: Connection) -> int:
    """Settle the runs that have ended, or are gone; return how many."""
    count = 0
    for reservation in list_open(connection, kind="run"):
        run = reservation.thing.removeprefix("run/")
        status = connection.execute(select(runs.c.status).where(runs.c.id == run)).scalar()
        if status not in _ACTIVE:
            count += settle(connection, reservation.id, _list_spans(connection, run, reservation))
    return count


def _list_spans(connection: Connection, run: str, reservation: Reservation) -> list[Span]:
    """Return when attempts of a run were at work since it reserved: those after its epoch then."""
    epoch = int(reservation.id.rpartition("/")[2])
    query = select(attempts.c.started_at, attempts.c.ended_at).where(
        attempts.c.run_id == run, attempts.c.epoch > epoch
    )
    rows = connection.execute(query.order_by(attempts.c.epoch))
    return [(row.started_at, row.ended_at or row.started_at) for row in rows]


def find_cluster_owner(connection: Connection, token_hash: str) -> str | None:
    """Return the owner of the run in whose attempt a cluster is started."""
    query = (
        select(runs.c.owner)
        .join(attempts, attempts.c.run_id == runs.c.id)
        .where(attempts.c.token_hash == token_hash)
    )
    return connection.execute(query).scalar()


class SpendingUpkeep:
    """Settles what has ended without notice. It asks nobody while nothing is reserved.

    Parameters
    ----------
    engine
        Skerry's database.
    gateway
        The gateway of Dask clusters; None where there is none.
    servers
        The hub's list of user servers.
    """

    def __init__(self, engine: Engine, gateway: Gateway | None, servers: HubServers) -> None:
        self._engine = engine
        self._lists: dict[str, Callable[[], set[str]]] = {"server": servers.list_servers}
        if gateway is not None:
            self._lists["cluster"] = lambda: {
                f"cluster/{cluster.name}" for cluster in gateway.list_clusters()
            }
        self._looked_at_runs = self._looked_at_things = -_THINGS_S

    def look(self) -> None:
        """Do what is due: runs every two seconds, servers and clusters every 15."""
        now = time.monotonic()
        if now - self._looked_at_runs < _RUNS_S:
            return
        self._looked_at_runs = now
        with reading(self._engine) as connection:
            kinds = {reservation.kind for reservation in list_open(connection)}
        if "run" in kinds:
            self._settle_runs()
        if now - self._looked_at_things >= _THINGS_S:
            self._looked_at_things = now
            for kind in kinds & self._lists.keys():
                self._note_living(kind)

    def _settle_runs(self) -> None:
        with self._engine.begin() as connection:
            settle_runs(connection)

    def _note_living(self, kind: str) -> None:
        with suppress(UnavailableError):  # nobody says what lives: the next look asks again
            asked = utc_now()
            living = self._lists[kind]()
            self._note(kind, living, asked)

    def _note(self, kind: str, living: set[str], asked: datetime) -> None:
        with self._engine.begin() as connection:
            for reservation in note_living(connection, kind, living, asked):
                _LOG.info("The reservation of %s is released: it does not live.", reservation.thing)
