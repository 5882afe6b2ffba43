"""One question a second for all attempts of a worker, and nobody is ended by an old answer."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Engine, event
from tests.unit.production.test_execution import Minter, start_lakes

from skerry.production import cancellations
from skerry.production.cancellations import Cancellations
from skerry.production.epochs import claim_run, end_run
from skerry.production.execution import Attempts
from skerry.production.executors.protocol import (
    AttemptName,
    AttemptState,
    Executor,
    Limits,
    Order,
    Phase,
)
from skerry.production.runs import cancel_run, retry_run
from skerry.storage.layout import DataFolder


@contextmanager
def counting(engine: Engine) -> Iterator[list[str]]:
    """Collect the statements that read runs."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "FROM runs" in statement:
            asked.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield asked
    event.remove(engine, "before_cursor_execute", note)


class Short(Executor):
    """Attempts that end by themselves at the third look, or when they are told to."""

    def __init__(self) -> None:
        self.looks = 0
        self.ended: list[AttemptName] = []

    def start_or_attach(self, name: AttemptName, order: Order, limits: Limits) -> None:
        self.looks = 0

    def poll(self, name: AttemptName) -> AttemptState:
        self.looks += 1
        if name in self.ended:
            return AttemptState(Phase.KILLED)
        return AttemptState(Phase.RUNNING if self.looks < 3 else Phase.SUCCEEDED)

    def wait(self, name: AttemptName, time_s: float) -> None:
        pass

    def end(self, name: AttemptName, reason: str) -> None:
        self.ended.append(name)


def test_many_attempts_ask_once(engine: Engine, data: DataFolder) -> None:
    run = start_lakes(engine, data)
    with engine.begin() as connection:
        cancel_run(connection, run)
    known = Cancellations(engine)
    with counting(engine) as asked:
        answers = [known.include(name) for name in [run, *map(str, range(100))]]
    assert answers == [True] + 100 * [False]
    assert len(asked) == 1


def test_the_answer_is_new_after_its_time(
    engine: Engine, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellations, "_GOOD_FOR_S", 0.0)
    run = start_lakes(engine, data)
    known = Cancellations(engine)
    assert not known.include(run)
    with engine.begin() as connection:
        cancel_run(connection, run)
    assert known.include(run)


def test_an_attempt_of_a_run_that_was_queued_anew_is_not_ended_by_an_old_answer(
    engine: Engine, data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cancellations, "_GOOD_FOR_S", 1e9)
    run = start_lakes(engine, data)
    with engine.begin() as connection:
        cancel_run(connection, run)
    executor = Short()
    attempts = Attempts(engine, executor, "http://127.0.0.1:9", Minter(), stopping=lambda: False)
    monkeypatch.setattr(Attempts, "are_there", lambda *_: True)
    outcome = attempts.carry_out(run, 1)
    assert (outcome.status, executor.ended) == ("cancelled", [AttemptName(run, 1)])
    with engine.begin() as connection:
        assert end_run(connection, run, 1, outcome)
        retry_run(connection, run)
        assert claim_run(connection, run, 1) == 2
    assert attempts.carry_out(run, 2).status == "crashed", "it ended by itself, without last words"
    assert executor.ended == [AttemptName(run, 1)]
