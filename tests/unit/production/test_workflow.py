"""The run's workflow on the worker's side: what is away for a while fails no run."""

import pytest
from sqlalchemy import Engine
from tests.unit.production.test_execution import Minter, start_lakes

from skerry.core.errors import UnavailableError
from skerry.production import workflow
from skerry.production.epochs import Outcome
from skerry.production.execution import Attempts
from skerry.production.executors.local import LocalExecutor
from skerry.production.run_history import get_run
from skerry.production.workflow import RunWorkflow
from skerry.storage.database import reading
from skerry.storage.layout import DataFolder
from skerry.storage.object_folder import ObjectFolder


class AwayFolder(ObjectFolder):
    """An object store that does not answer the first questions."""

    absences = 2

    def list_names(self, prefix: str) -> list[str]:
        if self.absences:
            self.absences -= 1
            raise UnavailableError("The object store does not answer.", remedy="Wait.")
        return super().list_names(prefix)


def test_a_run_that_ends_while_the_object_store_is_away_waits_for_it(
    engine: Engine,
    data: DataFolder,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(workflow, "_PAUSE_S", 0.0)
    run = start_lakes(engine, data)
    attempts = Attempts(
        engine, LocalExecutor(data), "http://127.0.0.1:9", Minter(), stopping=lambda: False
    )
    away = AwayFolder(data.objects)
    RunWorkflow(attempts, away)._acknowledge(run, 1, Outcome(1, "cancelled", "Cancelled."))
    assert away.absences == 0
    assert caplog.text.count(f"The run {run} waits: The object store does not answer.") == 1
    with reading(engine) as connection:
        assert get_run(connection, run).status == "cancelled"
