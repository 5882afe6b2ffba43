"""The worker's repeated round: ticks become runs, runs become workflows, tokens are revoked.

The run row is the outbox. Every run that is queued or running there and that the workflow engine
does not know is handed to it, so a kill between inserting a run and enqueuing it loses nothing.
"""

import logging
import time
from contextlib import suppress
from datetime import datetime, timedelta

from dbos import WorkflowStatus
from sqlalchemy import Connection, Engine, RowMapping, select, update

from skerry.core.errors import SkerryError, UnavailableError
from skerry.core.time import format_time, utc_now
from skerry.production.clock import list_latest
from skerry.production.clusters import Gateway, end_clusters
from skerry.production.epochs import (
    forget_token,
    give_up_run,
    list_spent_tokens,
    name_token,
    take_token,
)
from skerry.production.occurrences import key_for_tick
from skerry.production.runs import ACTIVE, record_unstarted, start_run
from skerry.production.tables import jobs, runs
from skerry.production.tokens import TokenMinter
from skerry.production.workers import WorkerBook
from skerry.production.workflow import STEPS_VERSION, workflow_id
from skerry.production.workflows import Workflows
from skerry.storage.database import reading

_LOG = logging.getLogger("skerry.worker")
_AHEAD = timedelta(minutes=1)
"""A clock settled farther ahead than this was settled while the machine's time was wrong."""

_RECORDED = 50
"""How many of a clock's passed ticks get an entry of their own in the history."""

_CLUSTERS_S = 2.0
_UNDER_WAY = frozenset({"ENQUEUED", "PENDING", "DELAYED"})


class Reconciler:
    """Keeps runs, workflows, clocks and tokens in step.

    Parameters
    ----------
    engine
        Skerry's database.
    workflows
        The workflows of runs.
    minter
        Where tokens are revoked.
    gateway
        The gateway of Dask clusters; None where there is none.
    book
        What is known of other workers; None for the only worker of a data folder.
    """

    def __init__(
        self,
        engine: Engine,
        workflows: Workflows,
        minter: TokenMinter,
        gateway: Gateway | None = None,
        book: WorkerBook | None = None,
    ) -> None:
        self._engine = engine
        self._workflows = workflows
        self._minter = minter
        self._gateway = gateway
        self._book = book
        self._looked_at_clusters = -_CLUSTERS_S
        self._broken_clocks: set[str] = set()

    def reconcile(self) -> None:
        """Do one round."""
        self.start_ticks(utc_now())
        self.hand_over()
        self._take_over()
        self._take_back()
        self._end_clusters()
        self._revoke_tokens()

    def start_ticks(self, now: datetime) -> None:
        """Start a run for each clock's latest tick that is due.

        Earlier missed ticks are passed over: a platform that was down for a week does the newest
        work once, and the history says so. The run and the clock's new position are one
        transaction, and the tick is the run's key: a tick is never lost and never done twice.
        """
        with reading(self._engine) as connection:
            clocks = connection.execute(
                select(jobs).where(jobs.c.trigger == "clock", jobs.c.paused.is_(False))
            )
            clock_jobs = list(clocks.mappings())
        for job in clock_jobs:
            if job["settled_until"] > now + _AHEAD:
                self._rewind(job, now)
            elif ticks_due := self._list_due(job, now):
                self._start_tick(job, ticks_due)

    def _rewind(self, job: RowMapping, now: datetime) -> None:
        """Set a clock back that was settled while this machine's time was wrong."""
        _LOG.warning(
            "The clock of the job %s is settled until %s, but it is %s: this machine's time was "
            "ahead. Its ticks go on from now.",
            job["name"], format_time(job["settled_until"]), format_time(now),
        )  # fmt: skip
        with self._engine.begin() as connection:
            self._settle_until(connection, job, now)

    def _settle_until(self, connection: Connection, job: RowMapping, until: datetime) -> bool:
        """Move a clock on; return False if it was moved or paused since it was read."""
        settled = connection.execute(
            update(jobs)
            .where(
                jobs.c.id == job["id"],
                jobs.c.settled_until == job["settled_until"],
                jobs.c.paused.is_(False),
            )
            .values(settled_until=until)
        )
        return settled.rowcount == 1

    def _list_due(self, job: RowMapping, now: datetime) -> list[datetime]:
        """Return the due ticks, the latest first, and at most as many as the history records."""
        try:
            most = 1 + _RECORDED + 1
            return list_latest(job["cron"], job["timezone"], job["settled_until"], now, most=most)
        except SkerryError as error:  # a time zone that an upgrade has dropped
            if job["name"] not in self._broken_clocks:
                self._broken_clocks.add(job["name"])
                _LOG.error("The clock of the job %s stands still: %s", job["name"], error)
            return []

    def _start_tick(self, job: RowMapping, due: list[datetime]) -> None:
        tick, *missed = due
        with self._engine.begin() as connection:
            if not self._settle_until(connection, job, tick):
                return
            _record_passed(connection, job, missed, tick)
            try:
                start_run(
                    connection, job["name"], occurrence=key_for_tick(tick), parameters={},
                    by="clock",
                )  # fmt: skip
            except SkerryError as error:
                _LOG.error("The tick %s of the job %s made no run: %s", tick, job["name"], error)
                record_unstarted(
                    connection, job["name"], key_for_tick(tick), status="failed", detail=error.what
                )

    def hand_over(self) -> None:
        """Let the workflow engine know every run that is queued or running here."""
        with reading(self._engine) as connection:
            query = select(runs.c.id, runs.c.generation).where(runs.c.status.in_(ACTIVE))
            active = {
                workflow_id(row.id, row.generation): (row.id, row.generation)
                for row in connection.execute(query.order_by(runs.c.id))
            }
        if not active:
            return
        workflows = self._workflows.find(list(active))
        for name, (run_id, generation) in active.items():
            self._settle(workflows.get(name), name, run_id, generation)

    def _take_over(self) -> None:
        """Carry on the runs of workers that are lost."""
        if self._book is None:
            return
        for name in self._book.look():
            count = self._workflows.take_over(name)
            _LOG.warning(
                "The worker %s shows no sign of life; its %s runs are carried on.", name, count
            )
            self._book.forget(name)

    def _take_back(self) -> None:
        """Carry on this worker's own runs that none of its threads carries any more."""
        for name in self._workflows.take_back_left():
            _LOG.warning("The workflow %s was left, and is carried on.", name)

    def _settle(
        self, workflow: WorkflowStatus | None, name: str, run_id: str, generation: int
    ) -> None:
        """Start one run's workflow, or end a run whose workflow gave no result."""
        if workflow is None:
            self._workflows.enqueue(run_id, generation)
        elif workflow.app_version != STEPS_VERSION and workflow.status in _UNDER_WAY:
            # Begun by a Skerry with another sequence of steps: start over under this one. The
            # epoch keeps what has been published.
            self._workflows.cancel(name)
            self._next_generation(run_id, generation)
        elif workflow.status == "CANCELLED":
            self._next_generation(run_id, generation)
        elif workflow.status not in _UNDER_WAY:
            self._give_up(run_id, generation, workflow.status)

    def _next_generation(self, run_id: str, generation: int) -> None:
        with self._engine.begin() as connection:
            connection.execute(
                update(runs)
                .where(runs.c.id == run_id, runs.c.generation == generation)
                .values(generation=generation + 1)
            )

    def _give_up(self, run_id: str, generation: int, status: str) -> None:
        """End a run whose workflow ended without a recorded result."""
        detail = f"The workflow ended as {status}; 'skerry logs worker' says why."
        with self._engine.begin() as connection:
            ended = give_up_run(connection, run_id, generation, detail)
        if ended:
            _LOG.error("The workflow of the run %s ended as %s without a result.", run_id, status)

    def _end_clusters(self) -> None:
        """End the Dask clusters of attempts that are over, however they ended."""
        now = time.monotonic()
        if self._gateway is None or now - self._looked_at_clusters < _CLUSTERS_S:
            return
        self._looked_at_clusters = now
        with suppress(UnavailableError):  # the next round tries again
            clusters = self._gateway.list_clusters()
            with reading(self._engine) as connection:
                for name in end_clusters(self._gateway, connection, clusters):
                    _LOG.info("The Dask cluster %s ends: its attempt is over.", name)

    def _revoke_tokens(self) -> None:
        with reading(self._engine) as connection:
            spent = list_spent_tokens(connection)
        for run_id, recorded in spent:
            with self._engine.begin() as connection:
                taken = take_token(connection, run_id, recorded)
            if taken is None:
                continue
            try:
                self._minter.revoke(name_token(taken))
            except UnavailableError:
                return  # it is tried again after a while
            with self._engine.begin() as connection:
                forget_token(connection, run_id, taken)


def _record_passed(
    connection: Connection, job: RowMapping, missed: list[datetime], carried_out: datetime
) -> None:
    reason = (
        "Passed over: the platform was not at work at its time, and the later tick "
        f"{format_time(carried_out)} was carried out. 'skerry run retry' carries it out too."
    )
    recorded = missed[:_RECORDED]
    for tick in reversed(recorded):  # the earliest first: the history shows the newest run first
        unseen = tick == recorded[-1] and len(missed) > len(recorded)
        detail = f"{reason} Earlier ticks were passed over, too." if unseen else reason
        record_unstarted(
            connection, job["name"], key_for_tick(tick), status="passed", detail=detail
        )
