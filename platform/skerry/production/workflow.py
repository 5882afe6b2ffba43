"""The run's workflow on DBOS: claim, execute, acknowledge.

Every execution of the workflow, the first or a recovered one, claims a new epoch before anything
else; the claim is therefore no recorded step. `execute` and `acknowledge` are recorded: their
results are replayed, so a recovered workflow acknowledges what an earlier epoch has done.
"""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

from skerry.core.errors import UnavailableError
from skerry.production.epochs import Outcome, claim_run, end_attempt, end_run
from skerry.production.execution import Executor, StoppingError, remove_unpublished
from skerry.production.pausing import pause_at
from skerry.production.runs import find_run
from skerry.storage.database import open_workflows, reading

STEPS_VERSION = "1"
"""DBOS's application version: raise it when the sequence of steps below changes. The reconciler
then continues active runs under the new sequence."""

EXECUTOR_ID = "worker"
QUEUE = "runs"
CONCURRENCY = 2

ExecuteStep = Callable[[str, int], dict[str, Any]]
AcknowledgeStep = Callable[[str, int, dict[str, Any]], None]

_LOG = logging.getLogger("skerry.worker")
_CRASHES = 3
_RECOVERIES = 100
_HUB_PAUSE_S = 2.0
_POLL_S = 0.3


class RunWorkflow:
    """Executes runs, with one workflow for each run and generation.

    Parameters
    ----------
    executor
        Starts the attempts.
    """

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._engine = executor.engine
        self._state = executor.data.run

    def register(self) -> Callable[[str, int], str]:
        """Register workflow and steps at DBOS, before it is launched; return the workflow."""

        @DBOS.step(name="execute")
        def execute(run_id: str, epoch: int) -> dict[str, Any]:
            return asdict(self._execute(run_id, epoch))

        @DBOS.step(name="acknowledge")
        def acknowledge(run_id: str, epoch: int, outcome: dict[str, Any]) -> None:
            self._acknowledge(run_id, epoch, Outcome(**outcome))

        @DBOS.workflow(name="run", max_recovery_attempts=_RECOVERIES)
        def run(run_id: str, generation: int) -> str:
            return self._carry_out(run_id, generation, execute, acknowledge)

        return run

    def _carry_out(
        self, run_id: str, generation: int, execute: ExecuteStep, acknowledge: AcknowledgeStep
    ) -> str:
        epoch = self._claim(run_id, generation)
        if epoch is None:
            return "over"
        tries = {"crashed": _CRASHES, "failed": self._read(run_id)["retries"]}
        while True:
            outcome = Outcome(**execute(run_id, epoch))
            if tries.get(outcome.status, 0) <= 0:
                break
            tries[outcome.status] -= 1
            if outcome.epoch == epoch:  # a replayed outcome leaves this epoch unused
                with self._engine.begin() as connection:
                    end_attempt(connection, run_id, epoch, outcome)
                renewed = self._claim(run_id, generation)
                if renewed is None:
                    return "over"
                epoch = renewed
        acknowledge(run_id, epoch, asdict(outcome))
        return outcome.status

    def _claim(self, run_id: str, generation: int) -> int | None:
        pause_at("before:claim", self._state)
        with self._engine.begin() as connection:
            epoch = claim_run(connection, run_id, generation)
        pause_at("after:claim", self._state)
        return epoch

    def _execute(self, run_id: str, epoch: int) -> Outcome:
        pause_at("before:execute", self._state)
        message = ""
        while True:
            try:
                outcome = self._executor.execute(run_id, epoch)
                break
            except UnavailableError as error:
                if str(error) != message:
                    message = str(error)
                    _LOG.warning("The run %s waits: %s", run_id, message)
                time.sleep(_HUB_PAUSE_S)  # the hub is restarting
            except StoppingError:
                # A step that never returns is not recorded: the next worker executes it anew.
                threading.Event().wait()
        pause_at("after:execute", self._state)
        return outcome

    def _acknowledge(self, run_id: str, epoch: int, outcome: Outcome) -> None:
        pause_at("before:acknowledge", self._state)
        # remove the files first: nobody returns to an ended run after a crash
        published = self._read(run_id)["published_epoch"]
        remove_unpublished(self._executor.data, run_id, published, up_to=epoch)
        with self._engine.begin() as connection:
            end_run(connection, run_id, epoch, outcome)
        pause_at("after:acknowledge", self._state)

    def _read(self, run_id: str) -> Any:
        with reading(self._engine) as connection:
            return find_run(connection, run_id)


def launch(database: str, file: Path) -> None:
    """Start DBOS on its own tables, see `open_workflows`. Register workflows first."""
    engine = open_workflows(database, file)
    config: DBOSConfig = {
        "name": "skerry",
        "system_database_url": engine.url.render_as_string(hide_password=False),
        "system_database_engine": engine,
        "serializer": DBOSPortableJSONSerializer(),
        "executor_id": EXECUTOR_ID,
        "application_version": STEPS_VERSION,
        "log_level": "WARNING",
    }
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue(
        QUEUE, worker_concurrency=CONCURRENCY, polling_interval_sec=_POLL_S,
        on_conflict="always_update",
    )  # fmt: skip


def workflow_id(run_id: str, generation: int) -> str:
    """Return a run's workflow id: the run's own id, with a number after a retry."""
    return run_id if generation == 0 else f"{run_id}-{generation}"
