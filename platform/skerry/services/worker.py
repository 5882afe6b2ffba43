"""The worker, ``python -m skerry.services.worker``: it runs clocks, queues and run processes.

It holds an exclusive lock: two workers on one data folder would do each step twice. With the state
on a server there may be several, each with a data folder of its own. It may be killed at any
moment.
"""

import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from sqlalchemy.exc import OperationalError

from skerry.core.digests import digest_json
from skerry.core.disk import find_full_disk
from skerry.core.errors import ConflictError
from skerry.core.logs import configure_logs
from skerry.core.measurements import Measurements
from skerry.core.programs import run_program
from skerry.core.settings import WORKER_PREFIX, read_internal_url, read_variables
from skerry.core.time import format_time, utc_now
from skerry.core.worker_settings import RunLimits, WorkerSettings
from skerry.production.clusters import Gateway
from skerry.production.execution import PROGRAM, Attempts
from skerry.production.executors.choosing import check_executor, open_executor
from skerry.production.hub_servers import HubServers
from skerry.production.spending import SpendingUpkeep
from skerry.production.tokens import TokenMinter
from skerry.production.upkeep.daily import Upkeep
from skerry.production.workers import ONLY_WORKER, WorkerBook
from skerry.services.measuring import watch_database
from skerry.services.reaching_state import reach_state
from skerry.services.worker_signs import serve_worker
from skerry.storage.absence import describe_cause, persist
from skerry.storage.bell import Bell
from skerry.storage.database import (
    find_database,
    is_server,
    open_database,
    open_workflows,
    reading,
)
from skerry.storage.layout import DataFolder
from skerry.storage.locks import hold_lock
from skerry.storage.object_places import open_objects
from skerry.storage.recording import Actor
from skerry.storage.writing import write_aside

if TYPE_CHECKING:
    from skerry.production.reconciler import Reconciler

_ROUND_S = 0.5
_BETWEEN_S = 0.05
"""Between two answers to the bell: many runs that are recorded at once are handed over together."""

_READY_S = 2.0
_LOOK_S = 10.0
_LOG = logging.getLogger("skerry.worker")


class Worker:
    """One worker on one data folder.

    Parameters
    ----------
    data
        The data folder, with a migrated database.
    public_url
        The platform's address.
    minter
        Where run tokens come from.
    measurements
        What this worker measures.

    Attributes
    ----------
    executor
        Where it has attempts carried out.
    """

    def __init__(
        self, data: DataFolder, public_url: str, minter: TokenMinter,
        measurements: Measurements | None = None,
    ) -> None:  # fmt: skip
        self._data = data
        self._measurements = measurements or Measurements()
        self._rounds = self._measurements.time(
            "skerry_round_seconds", "Seconds of the worker's rounds: clocks, hand-over, clean-up"
        )
        self._stopping = threading.Event()
        self._database = find_database(data)
        self._engine = open_database(self._database, by=Actor(self._name()))
        self._bell = Bell(self._database, data)
        watch_database(self._measurements, self._engine)
        self._minter = minter
        self._disk_was_full = self._database_was_away = False
        RunLimits.from_environment()  # wrong values are refused before anything starts
        self._settings = WorkerSettings.from_environment()
        self._upkeep = Upkeep(data, self._engine, Actor(self._name()))
        self.executor = open_executor(data, self._settings, program=PROGRAM)
        self._attempts = Attempts(
            self._engine, self.executor, read_internal_url(public_url), minter,
            stopping=self._stopping.is_set, memory=self._settings.memory,
        )  # fmt: skip

    def stop(self, _signal: int, _frame: FrameType | None) -> None:
        """Start to end; for signals."""
        self._stopping.set()
        self._bell.ring()

    def work(self) -> None:
        """Work until a signal stops it."""
        from skerry.production.reconciler import Reconciler
        from skerry.production.workflow import RunWorkflow, launch
        from skerry.production.workflows import Workflows

        self.executor.recover()
        runs = RunWorkflow(self._attempts, open_objects(self._data))
        runs.register()
        name = self._name()
        persist(self._reach_database)  # the workflow engine does not wait for it at its start
        tables = open_workflows(self._database, self._data.workflows)
        client = launch(tables, self._settings, name)
        configure_logs()  # again: the workflow engine has set a form of its own
        book = WorkerBook(self._engine, name) if is_server(self._database) else None
        gateway = Gateway.from_environment()
        workflows = Workflows(client, name, runs.list_carried)
        reconciler = Reconciler(self._engine, workflows, self._minter, gateway, book)
        spending = SpendingUpkeep(self._engine, gateway, HubServers.from_environment())
        self._go_rounds(reconciler, spending.look)

    def _go_rounds(self, reconciler: "Reconciler", *more: Callable[[], object]) -> None:
        """Do a round every half second; new runs that the bell tells are handed over at once."""
        last_report = last_look = time.monotonic() - _LOOK_S

        def go_round() -> None:
            nonlocal last_report, last_look
            reconciler.reconcile()
            if time.monotonic() - last_report > _READY_S - _ROUND_S:
                self._say_ready()
                last_report = time.monotonic()
            for look in (self._upkeep.look, *more):
                look()
            if time.monotonic() - last_look > _LOOK_S:
                self._attempts.forget_old()
                last_look = time.monotonic()

        due = time.monotonic() + _ROUND_S
        while True:
            rung = self._bell.wait(due - time.monotonic())
            if self._stopping.is_set():
                return
            if rung and time.monotonic() < due:
                self._carry_out(reconciler.hand_over)
                self._stopping.wait(_BETWEEN_S)
            else:
                self._carry_out(go_round)
                due = time.monotonic() + _ROUND_S

    def _carry_out(self, work: Callable[[], None]) -> None:
        """Do a round, or a part of it; one that fails is tried again, and the log says why."""
        started = time.perf_counter()
        outcome = "failed"
        try:
            work()
            self._disk_was_full = self._database_was_away = False
            outcome = "done"
        except OperationalError as error:
            self._note_absence(error)
        except Exception:  # noqa: BLE001 - whatever it is, the next round comes
            self._note_failure()
        finally:
            self._rounds.labels(outcome).observe(time.perf_counter() - started)

    def _reach_database(self) -> None:
        with reading(self._engine):
            pass

    def end_attempts(self) -> None:
        """End the attempts that cannot go on without this worker."""
        self.executor.close()

    def _name(self) -> str:
        """Return this worker's own name, the same after each start.

        A database file has one worker. A database server may have several, each with its own data
        folder.
        """
        if not is_server(self._database):
            return ONLY_WORKER
        host = socket.gethostname()
        folder = digest_json({"host": host, "data": str(self._data.root)})
        return f"worker-{host}-{folder[-8:]}"

    def _note_absence(self, error: OperationalError) -> None:
        """Log once that the database is away, unless a full disk explains it."""
        if find_full_disk(self._data.root) is not None:
            self._note_failure()
        elif not self._database_was_away:
            self._database_was_away = True
            _LOG.error("The worker waits: %s", describe_cause(error))

    def _note_failure(self) -> None:
        """Log why a round failed, but a full disk only once: it makes every round fail."""
        full = find_full_disk(self._data.root)
        if full is None:
            _LOG.exception("A round of the worker failed")
        elif not self._disk_was_full:
            _LOG.error("The worker waits: %s", full)
        if full is not None:  # the worker lives: it touches its file, which needs no room
            with suppress(OSError):
                os.utime(self._data.worker_beat)
        self._disk_was_full = full is not None

    def _say_ready(self) -> None:
        facts = {"pid": os.getpid(), "time": format_time(utc_now())}
        write_aside(self._data.worker_beat, json.dumps(facts), outlasts_power=False)


def main() -> int:
    """Run the only worker of a data folder; return the exit code."""
    configure_logs()
    return run_program(_start)


def _start() -> None:
    folder, public_url = read_variables("SKERRY_DATA", "SKERRY_PUBLIC_URL")
    data = DataFolder(Path(folder))
    check_executor(WorkerSettings.from_environment())
    reach_state(data, prefix=WORKER_PREFIX, writing=True)
    with hold_lock(data.run / "worker.lock", lambda pid: _describe_holder(data, pid)):
        _work(data, public_url.rstrip("/"))


def _work(data: DataFolder, public_url: str) -> None:
    measurements = Measurements()
    worker = Worker(data, public_url, TokenMinter.from_environment(), measurements)
    serve_worker(measurements, worker.executor)
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    worker.work()
    worker.end_attempts()
    # Threads of the workflow engine stand in steps that must not be recorded: leave them there.
    os._exit(0)


def _describe_holder(data: DataFolder, pid: str) -> ConflictError:
    return ConflictError(
        f"A worker (pid {pid}) is at work on {data.root}.",
        remedy="Stop it first; one data folder has one worker.",
    )


if __name__ == "__main__":
    sys.exit(main())
