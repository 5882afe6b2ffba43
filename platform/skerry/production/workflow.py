"""The run's workflow on DBOS: claim, execute, acknowledge.

Every execution of the workflow claims a new epoch before anything else, unless it is a recovered
one and the newest attempt is still there: then it carries that attempt on. The claim is therefore
no recorded step. `execute` and `acknowledge` are recorded: their results are replayed, so a
recovered workflow acknowledges what an earlier epoch has done.
"""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any

from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from skerry.core.errors import UnavailableError
from skerry.core.ownership import KEEPER
from skerry.core.request_ids import working_on
from skerry.core.worker_settings import WorkerSettings
from skerry.production.epochs import Outcome, claim_run, end_attempt, end_run, find_epoch
from skerry.production.execution import Attempts, StoppingError, remove_unpublished
from skerry.production.pausing import pause_at
from skerry.production.run_history import find_run
from skerry.production.workflow_log import ShortLines
from skerry.storage.absence import describe_cause, persist
from skerry.storage.database import reading
from skerry.storage.grants import end_run_grants
from skerry.storage.objects import Objects

STEPS_VERSION = "1"
"""DBOS's application version: raise it when the sequence of steps below changes. The reconciler
then continues active runs under the new sequence."""

APPLICATION = "skerry"
WORKFLOW = "run"
QUEUE = "runs"

ExecuteStep = Callable[[str, int], dict[str, Any]]
AcknowledgeStep = Callable[[str, int, dict[str, Any]], None]

_LOG = logging.getLogger("skerry.worker")
_CRASHES = 3
_RECOVERIES = 100
_PAUSE_S = 2.0
_POLL_S = 0.3


class UnrecordedError(BaseException):
    """The database did not record what a workflow did: no result of it, so no `Exception`.

    The workflow engine ends a workflow as failed after every `Exception`. After this it leaves the
    workflow open and without a thread, and the reconciler has it carried on.
    """


class RunWorkflow:
    """Executes runs, with one workflow for each run and generation.

    Parameters
    ----------
    attempts
        The attempts of this worker.
    objects
        The object store.
    """

    def __init__(self, attempts: Attempts, objects: Objects) -> None:
        self._attempts = attempts
        self._objects = objects
        self._engine = attempts.engine
        self._carried: list[str] = []

    def list_carried(self) -> frozenset[str]:
        """Return the identifiers of workflows that a thread of this process carries out."""
        return frozenset(self._carried)

    def register(self) -> None:
        """Register workflow and steps at DBOS, before it is launched."""

        @DBOS.step(name="execute")
        def execute(run_id: str, epoch: int) -> dict[str, Any]:
            return asdict(self._execute(run_id, epoch))

        @DBOS.step(name="acknowledge")
        def acknowledge(run_id: str, epoch: int, outcome: dict[str, Any]) -> None:
            self._acknowledge(run_id, epoch, Outcome(**outcome))

        @DBOS.workflow(name=WORKFLOW, max_recovery_attempts=_RECOVERIES)
        def run(run_id: str, generation: int) -> str:
            with self._carrying(workflow_id(run_id, generation)):
                return self._carry_out(run_id, generation, execute, acknowledge)

    @contextmanager
    def _carrying(self, name: str) -> Iterator[None]:
        self._carried.append(name)
        try:
            yield
        except OperationalError as error:
            _LOG.warning("The workflow %s is left: %s", name, describe_cause(error))
            raise UnrecordedError(name) from error
        finally:
            self._carried.remove(name)

    def _carry_out(
        self, run_id: str, generation: int, execute: ExecuteStep, acknowledge: AcknowledgeStep
    ) -> str:
        with working_on(run_id, self._read(run_id)["request"]):
            return self._carry_out_named(run_id, generation, execute, acknowledge)

    def _carry_out_named(
        self, run_id: str, generation: int, execute: ExecuteStep, acknowledge: AcknowledgeStep
    ) -> str:
        epoch = self._begin(run_id, generation)
        if epoch is None:
            return "over"
        _LOG.info("Attempt %s begins.", epoch)
        tries = {"crashed": _CRASHES, "failed": self._read(run_id)["retries"]}
        while True:
            outcome = Outcome(**execute(run_id, epoch))
            if tries.get(outcome.status, 0) <= 0:
                break
            tries[outcome.status] -= 1
            if outcome.epoch == epoch:  # a replayed outcome leaves this epoch unused
                self._write(partial(end_attempt, run_id=run_id, epoch=epoch, outcome=outcome))
                renewed = self._claim(run_id, generation)
                if renewed is None:
                    return "over"
                epoch = renewed
        acknowledge(run_id, epoch, asdict(outcome))
        self._attempts.forget(run_id, epoch)
        _LOG.info("Attempt %s ended: %s.", epoch, outcome.status)
        return outcome.status

    def _begin(self, run_id: str, generation: int) -> int | None:
        """Carry on the newest attempt if it is still there, else claim a new epoch."""
        epoch = self._look(partial(find_epoch, run_id=run_id, generation=generation))
        if epoch is not None and self._attempts.are_there(run_id, epoch):
            _LOG.info("Attempt %s of the run %s is carried on.", epoch, run_id)
            return epoch
        return self._claim(run_id, generation)

    def _claim(self, run_id: str, generation: int) -> int | None:
        pause_at("before:claim")
        epoch = self._write(partial(claim_run, run_id=run_id, generation=generation))
        pause_at("after:claim")
        return epoch

    def _execute(self, run_id: str, epoch: int) -> Outcome:
        pause_at("before:execute")
        while True:
            try:
                outcome = _wait_out(run_id, lambda: self._attempts.carry_out(run_id, epoch))
                break
            except StoppingError:
                # A step that never returns is not recorded: the next worker executes it anew.
                threading.Event().wait()
        pause_at("after:execute")
        return outcome

    def _acknowledge(self, run_id: str, epoch: int, outcome: Outcome) -> None:
        pause_at("before:acknowledge")
        # remove the files first: nobody returns to an ended run after a crash
        published = self._read(run_id)["published_epoch"]
        _wait_out(run_id, lambda: remove_unpublished(self._objects, run_id, published, up_to=epoch))
        self._write(partial(_end, run_id=run_id, epoch=epoch, outcome=outcome))
        pause_at("after:acknowledge")

    def _read(self, run_id: str) -> Any:
        return self._look(partial(find_run, run_id=run_id, viewer=KEEPER))

    def _look[Result](self, ask: Callable[[Connection], Result]) -> Result:
        """Read in a transaction of its own, and wait for the database while it is away."""

        def transact() -> Result:
            with reading(self._engine) as connection:
                return ask(connection)

        return persist(transact)

    def _write[Result](self, change: Callable[[Connection], Result]) -> Result:
        """Write in a transaction of its own, and wait for the database while it is away."""

        def transact() -> Result:
            with self._engine.begin() as connection:
                return change(connection)

        return persist(transact)


def _wait_out[Result](run_id: str, act: Callable[[], Result]) -> Result:
    """Act, as often as it takes while the hub or the object store is away; the log says why."""
    message = ""
    while True:
        try:
            return act()
        except UnavailableError as error:
            if str(error) != message:
                message = str(error)
                _LOG.warning("The run %s waits: %s", run_id, message)
            time.sleep(_PAUSE_S)


def _end(connection: Connection, *, run_id: str, epoch: int, outcome: Outcome) -> None:
    end_run(connection, run_id, epoch, outcome)
    end_run_grants(connection, run_id, up_to=epoch)


def launch(engine: Engine, settings: WorkerSettings, worker: str) -> DBOSClient:
    """Start DBOS. Register workflows first.

    Parameters
    ----------
    engine
        DBOS's own tables, see `skerry.storage.database.open_workflows`.
    settings
        How many runs are under way at a time.
    worker
        This worker's name: it takes up the workflows that it left behind under this name.

    Returns
    -------
    DBOSClient
        See `open_client`.
    """
    config: DBOSConfig = {
        "name": APPLICATION,
        "system_database_url": engine.url.render_as_string(hide_password=False),
        "system_database_engine": engine,
        "serializer": DBOSPortableJSONSerializer(),
        "executor_id": worker,
        "application_version": STEPS_VERSION,
        "log_level": "WARNING",
    }
    DBOS(config=config)
    logging.getLogger("dbos").addFilter(ShortLines())
    DBOS.launch()
    DBOS.register_queue(
        QUEUE, worker_concurrency=settings.runs, global_concurrency=settings.all_runs,
        polling_interval_sec=_POLL_S, on_conflict="always_update",
    )  # fmt: skip
    return open_client(engine)


def open_client(engine: Engine) -> DBOSClient:
    """Return what looks at workflows; it says at once that the database is away, as DBOS does not.

    Parameters
    ----------
    engine
        An engine of `open_workflows`.
    """
    return DBOSClient(
        system_database_engine=engine, serializer=DBOSPortableJSONSerializer(), lazy=True,
        retry_connection_errors=False,
    )  # fmt: skip


def workflow_id(run_id: str, generation: int) -> str:
    """Return a run's workflow id: the run's own id, with a number after a retry."""
    return run_id if generation == 0 else f"{run_id}-{generation}"
