"""What the workflow engine says of its database: short, seldom, and an absence not at all."""

import logging
import traceback

import pytest
from dbos import DBOSClient
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError
from tests.postgresql_server import PostgresqlServer

from skerry.production.workflow import open_client
from skerry.production.workflow_log import ShortLines
from skerry.storage.database import find_database, open_workflows
from skerry.storage.layout import DataFolder


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def logger(clock: Clock) -> logging.Logger:
    """Return a logger as the workflow engine's own."""
    logger = logging.getLogger("tests.workflow_log")
    logger.filters = [ShortLines(clock)]
    return logger


def test_a_failure_of_the_database_is_a_line_once_a_minute(
    engine: Engine, logger: logging.Logger, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    for moment in (0, 30, 61):
        clock.now = moment
        try:
            with engine.begin() as connection:
                connection.execute(text("SELECT *\nFROM nowhere"))
        except DBAPIError as error:
            logger.exception("Exception in background workflow:")
            logger.warning(f"Exception in the queue: {error}")
            logger.warning(f"Exception in the clock: {traceback.format_exc()}")
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 6
    assert not any("Traceback" in line for line in lines)
    assert all("nowhere" in line and "FROM" not in line for line in lines)
    assert not any(record.exc_info for record in caplog.records)


def test_other_lines_stay_as_they_are(
    logger: logging.Logger, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        logger.warning("Two lines,\nabout %s", "something else")
    assert [record.getMessage() for record in caplog.records] == [
        "Two lines,\nabout something else"
    ] * 2


@pytest.mark.postgresql
@pytest.mark.parametrize("data", ["postgresql"], indirect=True)
def test_of_a_server_that_is_away_it_says_nothing(
    data: DataFolder, postgresql: PostgresqlServer, logger: logging.Logger,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    tables = open_workflows(find_database(data), data.workflows)
    client: DBOSClient = open_client(tables)
    postgresql.stop()
    try:
        with pytest.raises(DBAPIError) as raised:
            client.list_workflows()
        logger.error("Exception in background workflow:", exc_info=raised.value)
        logger.warning(f"Exception in the queue: {raised.value}")
        trace = "".join(traceback.format_exception(raised.value))
        logger.warning(f"Exception in the clock: {trace}")
        told = [record.getMessage() for record in caplog.records]
        assert [line.partition(":")[0] for line in told] == ["The database is away"]
    finally:
        postgresql.start()
        client.destroy()
        tables.dispose()
