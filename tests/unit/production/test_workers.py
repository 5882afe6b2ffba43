"""Workers that share a database notice which of them is lost, and one takes its runs over."""

import os
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, update
from tests.fresh_database import fill_database
from tests.postgresql_server import PostgresqlServer

from skerry.core.beats import BEAT_S
from skerry.core.settings import DATABASE_VARIABLE
from skerry.core.time import utc_now
from skerry.production.tables import workers
from skerry.production.workers import LOST_S, PERIOD_S, WorkerBook, list_workers
from skerry.storage.columns import Now
from skerry.storage.database import find_database, reading, using_database
from skerry.storage.layout import DataFolder


class Clock:
    """A clock that a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def list_names(engine: Engine) -> list[str]:
    with reading(engine) as connection:
        return list(connection.scalars(select(workers.c.name).order_by(workers.c.name)))


def pass_time(clock: Clock, *books: WorkerBook, seconds: float) -> list[list[str]]:
    """Let time pass while some workers live; return what each was told."""
    told: list[list[str]] = [[] for _ in books]
    for _ in range(int(seconds / PERIOD_S)):
        clock.now += PERIOD_S
        for number, book in enumerate(books):
            told[number] += book.look()
    return told


def test_workers_that_live_are_never_lost(engine: Engine, clock: Clock) -> None:
    books = [WorkerBook(engine, name, clock) for name in ("a", "b", "c")]
    assert pass_time(clock, *books, seconds=5 * LOST_S) == [[], [], []]
    assert list_names(engine) == ["a", "b", "c"]


def test_exactly_one_takes_a_lost_worker_over_within_a_minute(engine: Engine, clock: Clock) -> None:
    first, second, lost = (WorkerBook(engine, name, clock) for name in ("a", "b", "c"))
    pass_time(clock, first, second, lost, seconds=10)
    assert pass_time(clock, first, second, seconds=LOST_S - PERIOD_S) == [[], []]
    told = pass_time(clock, first, second, seconds=2 * PERIOD_S)
    assert sorted(told) == [[], ["c"]]
    (first if told[0] else second).forget("c")
    assert list_names(engine) == ["a", "b"]
    assert pass_time(clock, first, second, seconds=5 * LOST_S) == [[], []]


def test_who_dies_while_taking_over_is_replaced(engine: Engine, clock: Clock) -> None:
    first, second, lost = (WorkerBook(engine, name, clock) for name in ("a", "b", "c"))
    pass_time(clock, first, second, lost, seconds=10)
    told = pass_time(clock, first, second, seconds=LOST_S + PERIOD_S)
    left = second if told[0] else first  # the one that was told never calls forget
    assert pass_time(clock, left, seconds=2 * LOST_S)[0].count("c") == 1


def test_a_worker_that_was_only_slow_is_back_with_its_next_beat(
    engine: Engine, clock: Clock
) -> None:
    first, slow = (WorkerBook(engine, name, clock) for name in ("a", "b"))
    pass_time(clock, first, slow, seconds=10)
    assert pass_time(clock, first, seconds=LOST_S + 2 * PERIOD_S) == [["b"]]
    first.forget("b")
    assert pass_time(clock, first, slow, seconds=5 * LOST_S) == [[], []]
    assert list_names(engine) == ["a", "b"]


def test_nobody_is_lost_while_the_database_was_away(engine: Engine, clock: Clock) -> None:
    first, second = (WorkerBook(engine, name, clock) for name in ("a", "b"))
    pass_time(clock, first, second, seconds=10)
    clock.now += 600  # nobody could show anything
    assert first.look() == []
    assert second.look() == []
    assert pass_time(clock, first, second, seconds=LOST_S) == [[], []]


def test_workers_that_look_at_the_same_moment_agree(engine: Engine, clock: Clock) -> None:
    books = [WorkerBook(engine, str(number), clock) for number in range(6)]
    gone = WorkerBook(engine, "gone", clock)
    pass_time(clock, gone, *books, seconds=4)
    told: list[str] = []
    for _ in range(int(LOST_S / PERIOD_S) + 2):
        clock.now += PERIOD_S
        threads = [
            threading.Thread(target=lambda book=book: told.extend(book.look())) for book in books
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert told == ["gone"]


def test_the_clock_of_the_database_goes_with_ours(engine: Engine) -> None:
    before = utc_now()
    with reading(engine) as connection:
        now = connection.execute(select(Now())).scalar_one()
    # SQLite counts milliseconds
    assert before - timedelta(milliseconds=1) <= now <= utc_now()


@pytest.mark.postgresql
def test_workers_of_other_machines_are_seen_in_the_database(
    postgresql: PostgresqlServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with postgresql.database() as url:
        monkeypatch.setenv(DATABASE_VARIABLE, url)
        elsewhere = DataFolder(tmp_path / "elsewhere")  # no file of a worker is here
        with using_database(find_database(elsewhere)) as engine:
            assert list_workers(engine, elsewhere) == []
            for name in ("lives", "stands", "old"):
                WorkerBook(engine, name).look()
            ago = utc_now() - timedelta(seconds=2 * BEAT_S)
            with engine.begin() as connection:
                for name, seen in (("stands", ago), ("old", None)):
                    own = workers.c.name == name
                    connection.execute(update(workers).where(own).values(seen_at=seen))
            lives, old, stands = list_workers(engine, elsewhere)
            assert (lives.name, lives.works) == ("lives", True)
            assert (old.name, old.works, old.silent_s) == ("old", False, None)
            assert (stands.name, stands.works) == ("stands", False)
            assert stands.silent_s == pytest.approx(2 * BEAT_S, abs=10)
            clock = Clock()
            pass_time(clock, WorkerBook(engine, "lives", clock), seconds=2 * LOST_S)
            assert not list_workers(engine, elsewhere)[-1].works, "to be claimed is no sign of life"


def test_the_only_worker_of_a_file_is_seen_by_its_own_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
    data = DataFolder(tmp_path / "data")
    data.create()
    fill_database(data)
    with using_database(find_database(data)) as engine:
        (sign,) = list_workers(engine, data)
        assert (sign.name, sign.works, sign.silent_s) == ("worker", False, None)
        data.worker_beat.touch()
        assert list_workers(engine, data)[0].works
        os.utime(data.worker_beat, (1, 1))
        assert not list_workers(engine, data)[0].works
