"""The workflow engine's own records: those of finished work go in time, all others stay."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from dbos import DBOS, DBOSClient, DBOSConfig, DBOSPortableJSONSerializer, SetWorkflowID
from sqlalchemy import Engine, column, func, select, table
from sqlalchemy.exc import OperationalError
from tests.platform_process import wait_until
from tests.postgresql_server import PostgresqlServer
from tests.unit.production.upkeep.world import World

from skerry.core.time import utc_now
from skerry.models.upkeep import Kind
from skerry.production.upkeep.history import list_history
from skerry.production.workflow import open_client
from skerry.storage.database import find_database, open_workflows
from skerry.storage.layout import DataFolder

Work = Callable[[str], None]


@pytest.fixture
def workflows(data: DataFolder) -> Iterator[Engine]:
    """Start the real workflow engine on its own tables."""
    opened = open_workflows(find_database(data), data.workflows)
    config: DBOSConfig = {
        "name": "skerry", "system_database_url": opened.url.render_as_string(hide_password=False),
        "system_database_engine": opened, "serializer": DBOSPortableJSONSerializer(),
        "executor_id": "test", "log_level": "ERROR",
    }  # fmt: skip
    DBOS(config=config)
    try:
        yield opened
    finally:
        DBOS.destroy()
        opened.dispose()


@pytest.fixture
def work(workflows: Engine) -> Work:
    """Return a function that carries a workflow of an id to its end."""
    assert workflows is not None

    @DBOS.step()
    def take_step(name: str) -> str:
        if name == "failed":
            raise ValueError(name)
        return name

    @DBOS.workflow()
    def carry_out(name: str) -> str:
        return take_step(name)

    DBOS.launch()

    def run(name: str) -> None:
        with SetWorkflowID(name):
            carry_out(name)

    return run


def count_steps(engine: Engine) -> int:
    """Return how many results of steps the engine has recorded."""
    schema = "dbos" if engine.dialect.name == "postgresql" else None
    steps = table("operation_outputs", column("workflow_uuid"), schema=schema)
    with engine.connect() as connection:
        return connection.execute(select(func.count()).select_from(steps)).scalar_one()


def test_finished_work_goes_in_time_and_that_of_active_runs_stays(
    engine: Engine, data: DataFolder, workflows: Engine, work: Work
) -> None:
    world = World(engine, data)
    run = world.add_run(world.add_job(), "running", epochs=1)
    work("ended")
    work(run)
    with pytest.raises(ValueError, match="failed"):
        work("failed")
    now = utc_now()
    assert list(list_history(engine, data, now, 1)) == [], "they ended a moment ago"
    (found,) = list_history(engine, data, now + timedelta(days=31), 30)
    assert (found.kind, found.count) == (Kind.HISTORY, 2)
    assert {known.workflow_id for known in DBOS.list_workflows()} == {"ended", "failed", run}
    assert count_steps(workflows) == 3
    assert found.remove()
    assert {known.workflow_id for known in DBOS.list_workflows()} == {run}
    assert count_steps(workflows) == 1
    assert list(list_history(engine, data, now + timedelta(days=31), 30)) == []
    assert found.remove(), "a second removal is no error"


def test_a_platform_that_never_worked_has_no_history(engine: Engine, data: DataFolder) -> None:
    assert list(list_history(engine, data, utc_now(), 1)) == []


@pytest.mark.postgresql
@pytest.mark.parametrize("data", ["postgresql"], indirect=True)
def test_who_looks_at_work_hears_at_once_that_the_server_is_away(
    workflows: Engine, work: Work, postgresql: PostgresqlServer
) -> None:
    work("ended")
    client = open_client(workflows)
    assert [item.workflow_id for item in client.list_workflows()] == ["ended"]
    postgresql.stop()
    try:
        with pytest.raises(OperationalError):  # the engine itself would wait until it is back
            client.list_workflows()
    finally:
        postgresql.start()
    wait_until(lambda: can_list(client), 30, "the server is back")


def can_list(client: DBOSClient) -> bool:
    try:
        return [item.workflow_id for item in client.list_workflows()] == ["ended"]
    except OperationalError:  # of a connection that went with the server
        return False
