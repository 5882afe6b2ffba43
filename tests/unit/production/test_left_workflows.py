"""A database that refuses to record what a workflow did: no run is lost, and none fails."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from dbos import DBOS
from sqlalchemy import Engine, column, select, table, text, update
from tests.platform_process import wait_until
from tests.unit.production.test_execution import Minter, start_lakes

from skerry.core.worker_settings import WorkerSettings
from skerry.production import workflows
from skerry.production.execution import Attempts
from skerry.production.executors.local import LocalExecutor
from skerry.production.reconciler import Reconciler
from skerry.production.run_history import get_run
from skerry.production.tables import runs
from skerry.production.workflow import RunWorkflow, launch
from skerry.production.workflows import Workflows
from skerry.storage.database import find_database, open_workflows, reading
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects

pytestmark = pytest.mark.long

Round = Callable[[], None]
REFUSE = (
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE 'the disk is broken' USING ERRCODE = '58030'; END $$"
)
ON_STEP = {
    "postgresql": "CREATE TRIGGER step BEFORE INSERT ON dbos.operation_outputs "
    "FOR EACH ROW EXECUTE FUNCTION refuse()",
    "sqlite": "CREATE TRIGGER step BEFORE INSERT ON operation_outputs "
    "BEGIN SELECT abs(-9223372036854775807 - 1); END",
}
ON_END = {
    "postgresql": "CREATE TRIGGER ending BEFORE UPDATE ON dbos.workflow_status FOR EACH ROW "
    "WHEN (new.status IN ('ERROR', 'SUCCESS')) EXECUTE FUNCTION refuse()",
    "sqlite": "CREATE TRIGGER ending BEFORE UPDATE ON workflow_status "
    "WHEN new.status IN ('ERROR', 'SUCCESS') BEGIN SELECT abs(-9223372036854775807 - 1); END",
}
LIFT = {
    "postgresql": ("DROP FUNCTION refuse CASCADE",),
    "sqlite": ("DROP TRIGGER IF EXISTS step", "DROP TRIGGER IF EXISTS ending"),
}


@pytest.fixture
def tables(data: DataFolder) -> Iterator[Engine]:
    """Open the workflow engine's tables."""
    opened = open_workflows(find_database(data), data.workflows)
    try:
        yield opened
    finally:
        opened.dispose()


@pytest.fixture
def work(
    engine: Engine, tables: Engine, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Round]:
    """Start the real workflow engine as a worker does; return one round of the worker."""
    monkeypatch.setattr(workflows, "_LOOK_S", 0.1)
    monkeypatch.setattr(workflows, "_LEFT_S", 0.3)
    attempts = Attempts(
        engine, LocalExecutor(data), "http://127.0.0.1:9", Minter(), stopping=lambda: False
    )
    run_workflow = RunWorkflow(attempts, open_objects(data))
    run_workflow.register()
    client = launch(tables, WorkerSettings(), "worker")
    handed = Workflows(client, "worker", run_workflow.list_carried)
    try:
        yield Reconciler(engine, handed, Minter()).reconcile
    finally:
        DBOS.destroy(destroy_registry=True)
        client.destroy()


@contextmanager
def refusing(tables: Engine, triggers: list[dict[str, str]]) -> Iterator[None]:
    """Let the database itself refuse to write some of the workflow engine's rows.

    A server refuses as with a broken disk; in SQLite a number overflows.
    """
    kind = tables.dialect.name
    with tables.begin() as connection:
        if kind == "postgresql":
            connection.execute(text(REFUSE))
        for trigger in triggers:
            connection.execute(text(trigger[kind]))
    yield
    with tables.begin() as connection:
        for statement in LIFT[kind]:
            connection.execute(text(statement))


@pytest.mark.slow
@pytest.mark.parametrize(
    "triggers", [[ON_STEP], [ON_END], [ON_STEP, ON_END]], ids=["step", "end", "step and end"]
)
def test_a_run_whose_end_was_not_recorded_is_carried_on(
    engine: Engine, data: DataFolder, tables: Engine, work: Round, triggers: list[dict[str, str]],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    caplog.set_level(logging.WARNING)
    run = start_lakes(engine, data)
    with engine.begin() as connection:  # its products are in the catalogue already
        connection.execute(update(runs).where(runs.c.id == run).values(published_epoch=1))

    def look(words: str) -> bool:
        work()
        return words in caplog.text

    with refusing(tables, triggers):
        wait_until(
            lambda: look("was left, and is carried on"), 60, "it is noticed", lambda: caplog.text
        )

    schema = "dbos" if tables.dialect.name == "postgresql" else None
    statuses = table("workflow_status", column("workflow_uuid"), column("status"), schema=schema)
    asking = select(statuses.c.status).where(statuses.c.workflow_uuid == run)

    def has_ended() -> bool:
        work()
        with tables.connect() as connection:
            return connection.execute(asking).scalar_one() == "SUCCESS"

    wait_until(has_ended, 60, "its workflow has ended", lambda: caplog.text)
    with reading(engine) as connection:
        assert get_run(connection, run).status == "succeeded"
