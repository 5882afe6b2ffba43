"""Transactions and types: what every store relies on holds on both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import Engine, delete, func, insert, literal, make_url, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError
from tests.databases import data, engine
from tests.platform_process import wait_until
from tests.postgresql_server import PostgresqlServer

from skerry.core.errors import InvalidInputError
from skerry.core.time import utc_now
from skerry.production.tables import attempts, jobs, releases
from skerry.storage.absence import persist
from skerry.storage.database import (
    find_database,
    open_database,
    open_workflows,
    reading,
)
from skerry.storage.layout import DataFolder
from skerry.storage.tables import grants

__all__ = ["data", "engine"]


def add(prefix: str, **more: Any) -> Any:
    values = {
        "id": prefix, "mode": "write", "purpose": "import", "prefix": prefix, "owner": "ada",
        "created": 0, "expires": 0, **more,
    }  # fmt: skip
    return insert(grants).values(**values)


def add_release(**more: Any) -> Any:
    values = {
        "id": "r", "name": "water", "status": "proposed", "notebook_key": "k",
        "notebook_digest": "d", "environment_digest": "e", "environment": {}, "schema": {},
        "proposed_by": "ada", "proposed_at": utc_now(), "self_approved": False, **more,
    }  # fmt: skip
    return insert(releases).values(**values)


COUNT = select(func.count()).select_from(grants)


def test_reading_waits_for_no_writer_and_sees_what_is_committed(engine: Engine) -> None:
    with engine.begin() as writer, reading(engine) as reader:
        writer.execute(add("a"))
        assert reader.scalar(COUNT) == 0
    with reading(engine) as reader, engine.begin() as writer:
        assert reader.scalar(COUNT) == 1
        writer.execute(add("b"))  # nor does it keep one waiting


def test_a_transaction_that_reads_sees_one_moment(data: DataFolder, engine: Engine) -> None:
    locked = open_database(find_database(data), read_only=True)
    for opened in (reading(engine), locked.connect()):
        with opened as reader:
            before = reader.scalar(COUNT)
            with engine.begin() as writer:
                writer.execute(add(f"p{before}"))
            assert reader.scalar(COUNT) == before
    locked.dispose()


def test_an_engine_that_only_reads_refuses_to_write(data: DataFolder, engine: Engine) -> None:
    locked = open_database(find_database(data), read_only=True)
    with pytest.raises(DBAPIError, match=r"readonly|read-only"), locked.begin() as connection:
        connection.execute(add("a"))
    locked.dispose()
    with reading(engine) as reader:
        assert reader.scalar(COUNT) == 0


def test_what_a_writer_has_looked_up_is_true_until_it_writes(engine: Engine) -> None:
    """Forty threads look whether a prefix is free and then take it: one of each ten gets it."""

    def take(number: int) -> None:
        with engine.begin() as connection:
            taken = select(func.count()).where(grants.c.prefix == f"p{number % 4}")
            if connection.scalar(taken) == 0:
                connection.execute(add(f"p{number % 4}", id=str(number)))

    threads = [threading.Thread(target=take, args=(number,)) for number in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with reading(engine) as reader:
        prefixes = reader.scalars(select(grants.c.prefix).order_by(grants.c.prefix)).all()
    assert prefixes == ["p0", "p1", "p2", "p3"]


@pytest.mark.parametrize("word", ["\ud800", "a\x00"])
def test_text_that_no_table_stores_is_refused_by_name(engine: Engine, word: str) -> None:
    """Also where it is only looked up: both databases answer the same."""
    with pytest.raises(InvalidInputError, match=r"U\+0000"), engine.begin() as connection:
        connection.execute(add(word))
    with pytest.raises(InvalidInputError, match=r"U\+0000"), reading(engine) as reader:
        reader.execute(select(grants.c.prefix).where(grants.c.prefix.in_(["p0", word]))).all()
    rows = [add(name).compile().params for name in ("p0", word)]
    with pytest.raises(InvalidInputError, match=r"U\+0000"), engine.begin() as connection:
        connection.execute(insert(grants), rows)


@pytest.mark.postgresql
@pytest.mark.parametrize("data", ["postgresql"], indirect=True)
def test_who_persists_goes_on_when_the_server_is_back(
    engine: Engine, postgresql: PostgresqlServer, caplog: pytest.LogCaptureFixture
) -> None:
    def write() -> str:
        with engine.begin() as connection:
            connection.execute(add("a"))
        return "done"

    with reading(engine) as reader:
        reader.scalar(COUNT)
    postgresql.stop()
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(persist, write)
        wait_until(lambda: "The database is away" in caplog.text, 30, "it waits")
        postgresql.start()
        assert waiting.result(30) == "done"
    assert caplog.text.count("The database is away") == 1
    assert caplog.text.count("The database is back") == 1
    assert postgresql.password not in caplog.text
    with reading(engine) as reader:
        assert reader.scalar(COUNT) == 1


@pytest.mark.postgresql
@pytest.mark.parametrize("data", ["postgresql"], indirect=True)
def test_a_session_that_the_server_ended_is_not_used_again(
    data: DataFolder, engine: Engine
) -> None:
    with reading(engine) as reader:
        session = reader.scalar(select(func.pg_backend_pid()))
    other = open_database(find_database(data), read_only=True)
    sessions = text("SELECT count(*) FROM pg_stat_activity WHERE pid = :session")

    def is_alive() -> bool:
        with other.connect() as watcher:  # it sees the same until its transaction ends
            return bool(watcher.scalar(sessions, {"session": session}))

    with other.connect() as watcher:
        watcher.execute(select(func.pg_terminate_backend(session)))
    wait_until(lambda: not is_alive(), 30, "the session has ended")
    other.dispose()
    with reading(engine) as reader:
        assert reader.scalar(select(func.pg_backend_pid())) != session


@pytest.mark.postgresql
@pytest.mark.parametrize("data", ["postgresql"], indirect=True)
def test_a_session_in_use_is_not_tried_before_each_question(
    data: DataFolder, engine: Engine
) -> None:
    other = open_database(find_database(data), read_only=True)
    last = text("SELECT query FROM pg_stat_activity WHERE pid = :session")
    with reading(engine) as reader:
        session = reader.scalar(select(func.pg_backend_pid()))
    with engine.connect(), other.connect() as watcher:
        assert watcher.scalar(last, {"session": session}) == "ROLLBACK"
    other.dispose()


@pytest.mark.postgresql
@pytest.mark.parametrize("data", ["postgresql"], indirect=True)
def test_a_transaction_leaves_nothing_in_the_servers_session(data: DataFolder) -> None:
    """A pooler gives the session to a stranger, and the next transaction to another session."""
    url = find_database(data)
    for opened in (open_database(url), open_workflows(url, data.workflows)):
        for number in range(12):  # psycopg prepares what is asked for the sixth time
            with opened.begin() as writer:
                assert writer.scalar(select(literal(number) + 1)) == number + 1
        with opened.connect() as connection:
            driver: Any = connection.connection.driver_connection
            connection.rollback()
            driver.autocommit = True
            session = {
                name: driver.execute(f"SHOW {name}").fetchone()[0]
                for name in ("lock_timeout", "idle_in_transaction_session_timeout")
            }
            prepared = driver.execute("SELECT count(*) FROM pg_prepared_statements").fetchone()
            driver.autocommit = False
        assert session == {"lock_timeout": "0", "idle_in_transaction_session_timeout": "0"}
        assert prepared == (0,)
        opened.dispose()


@pytest.mark.postgresql
@pytest.mark.parametrize("data", ["postgresql"], indirect=True)
def test_a_writer_does_not_wait_or_stand_still_for_ever(engine: Engine) -> None:
    with engine.begin() as writer:
        assert writer.scalar(text("SHOW lock_timeout")) == "15s"
        assert writer.scalar(text("SHOW idle_in_transaction_session_timeout")) == "1min"


@pytest.mark.postgresql
@pytest.mark.parametrize("data", ["postgresql"], indirect=True)
def test_text_is_text_whatever_encoding_others_have_chosen(
    postgresql: PostgresqlServer, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = find_database(data)
    name = make_url(url).database
    for encoding in ("SQL_ASCII", "LATIN1"):
        postgresql.execute(f"ALTER DATABASE {name} SET client_encoding = '{encoding}'")
        monkeypatch.setenv("PGCLIENTENCODING", encoding)
        for opened in (open_database(url), open_workflows(url, data.workflows)):
            with opened.connect() as connection:
                assert connection.scalar(select(literal("Żółw 東京"))) == "Żółw 東京"
            opened.dispose()


def test_what_is_wrong_with_the_data_is_not_tried_again(engine: Engine) -> None:
    def write_twice() -> None:
        with engine.begin() as connection:
            connection.execute(add("a"))
            connection.execute(add("a"))

    with pytest.raises(IntegrityError):
        persist(write_twice)


def test_rows_that_belong_to_another_go_with_it_or_keep_it(engine: Engine) -> None:
    job = {
        "id": "j", "name": "j", "release_id": "none", "parameters": {}, "trigger": "manual",
        "collection": "c", "review": "none", "timeout_s": 1, "retries": 0, "created_by": "a",
        "created_at": utc_now(),
    }  # fmt: skip
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(jobs).values(**job))
    with engine.begin() as connection:
        connection.execute(add_release())
        connection.execute(insert(jobs).values(**{**job, "release_id": "r"}))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(delete(releases))
    with pytest.raises(IntegrityError), engine.begin() as connection:
        connection.execute(insert(attempts).values(
            run_id="none", epoch=1, status="claimed", started_at=utc_now()
        ))  # fmt: skip
