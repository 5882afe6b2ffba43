"""Workers that share a database notice which of them is lost, and one takes its runs over."""

import threading

import pytest
from sqlalchemy import Engine, select

from skerry.production.tables import workers
from skerry.production.workers import LOST_S, PERIOD_S, WorkerBook
from skerry.storage.database import reading


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
