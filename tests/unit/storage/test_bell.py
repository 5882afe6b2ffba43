"""Workers hear at once of what is recorded, on both databases; a ring that is lost does no harm."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine
from tests.databases import data, engine
from tests.postgresql_server import PostgresqlServer

from skerry.core.settings import DATABASE_VARIABLE
from skerry.storage import bell as bells
from skerry.storage.bell import Bell, ring
from skerry.storage.database import find_database, open_database, using_database
from skerry.storage.layout import DataFolder

__all__ = ["data", "engine"]

LIMIT_S = 60.0


@pytest.fixture
def bell(data: DataFolder) -> Iterator[Bell]:
    with closing(Bell(find_database(data), data)) as opened:
        if opened._server is not None:
            assert opened.wait(LIMIT_S), "it listens"
        yield opened


def test_a_ring_is_heard_and_only_once(bell: Bell, data: DataFolder, engine: Engine) -> None:
    assert not bell.wait(0.0)
    ring(engine, data)
    assert bell.wait(LIMIT_S)
    assert not bell.wait(0.0)


def test_it_is_heard_from_where_nothing_may_be_written(bell: Bell, data: DataFolder) -> None:
    with using_database(find_database(data), read_only=True) as reader:
        ring(reader, data)
    assert bell.wait(LIMIT_S)


def test_it_ends_a_wait_that_has_begun(bell: Bell) -> None:
    heard: list[bool] = []
    thread = threading.Thread(target=lambda: heard.append(bell.wait(LIMIT_S)))
    thread.start()
    bell.ring()
    thread.join(LIMIT_S)
    assert heard == [True]


def test_more_rings_than_anybody_hears_are_one(bell: Bell, data: DataFolder) -> None:
    for _ in range(70_000):  # a pipe holds 65,536 bytes
        bell.ring()
    assert bell.wait(0.0)
    while bell.wait(0.0):
        pass
    bell.ring()
    assert bell.wait(0.0)


def test_nobody_needs_to_hear_it(data: DataFolder, engine: Engine) -> None:
    ring(engine, data)
    Bell(find_database(data), data).close()
    ring(engine, data)  # the pipe of a worker that has ended is still there
    with closing(Bell(find_database(data), data)) as another:
        if another._server is not None:
            assert another.wait(LIMIT_S), "it listens"
        ring(engine, data)
        assert another.wait(LIMIT_S)


def test_where_no_pipe_can_be_made_a_worker_still_hears_its_own_signals(tmp_path: Path) -> None:
    nowhere = DataFolder(tmp_path / "missing")
    with closing(Bell("sqlite:///unused", nowhere)) as bell:
        assert not bell.wait(0.0)
        bell.ring()
        assert bell.wait(0.0)


@pytest.mark.postgresql
def test_it_is_heard_again_after_its_session_was_ended(
    postgresql: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bells, "_PAUSE_S", 0.0)
    with postgresql.database() as url:
        monkeypatch.setenv(DATABASE_VARIABLE, url)
        data = DataFolder(tmp_path)
        data.create()
        engine = open_database(find_database(data))
        with closing(Bell(find_database(data), data)) as bell:
            assert bell.wait(LIMIT_S), "it listens"
            with engine.begin() as connection:
                connection.exec_driver_sql(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE query LIKE 'LISTEN%%' AND datname = current_database()"
                )
            assert bell.wait(LIMIT_S), "it listens again"
            ring(engine, data)
            assert bell.wait(LIMIT_S)
        engine.dispose()
