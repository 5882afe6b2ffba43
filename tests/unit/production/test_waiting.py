"""A run says what its attempt waits for, and its time of waiting is no use of a budget."""

from collections.abc import Callable
from datetime import datetime

import pytest
from sqlalchemy import Engine
from tests.unit.production.test_execution import Minter, start_lakes

from skerry.production import waiting
from skerry.production.epochs import claim_run
from skerry.production.execution import Attempts
from skerry.production.executors.protocol import (
    AttemptName,
    AttemptState,
    Executor,
    Limits,
    Order,
    Phase,
)
from skerry.production.run_history import get_run
from skerry.storage.database import reading
from skerry.storage.layout import DataFolder

FULL = AttemptState(Phase.WAITING, "Waits for room in the cluster since noon.")
AWAY = AttemptState(Phase.WAITING, "Kubernetes does not answer.")
WORKS = AttemptState(Phase.RUNNING)
BROKEN = AttemptState(Phase.FAILED, "It broke.")


class Told(Executor):
    """Attempts whose states a test gives, one after another."""

    longest_wait_s = 3600.0

    def __init__(self, *states: AttemptState, note: Callable[[], None] = lambda: None) -> None:
        self.states = [AttemptState(Phase.VANISHED), *states]
        self.note = note
        self.secrets: list[str] = []

    def start_or_attach(self, name: AttemptName, order: Order, limits: Limits) -> None:
        self.secrets.extend(order.make_secrets().values())

    def poll(self, name: AttemptName) -> AttemptState:
        self.note()
        return self.states.pop(0)

    def wait(self, name: AttemptName, time_s: float) -> None:
        pass


class Watched:
    """A run, and what it said each time that its worker looked at the attempt."""

    def __init__(self, engine: Engine, data: DataFolder) -> None:
        self.engine = engine
        self.run = start_lakes(engine, data)
        self.said: list[str | None] = []
        self.began: list[datetime] = []

    def carry_out(self, *states: AttemptState) -> Told:
        executor = Told(*states, note=self.look)
        attempts = Attempts(
            self.engine, executor, "http://127.0.0.1:9", Minter(), stopping=lambda: False
        )
        self.outcome = attempts.carry_out(self.run, 1)
        self.look()
        return executor

    def look(self) -> None:
        with reading(self.engine) as connection:
            run = get_run(connection, self.run)
        self.said.append(run.detail)
        self.began.append(run.attempts[0].started)


@pytest.fixture
def watched(engine: Engine, data: DataFolder, monkeypatch: pytest.MonkeyPatch) -> Watched:
    monkeypatch.setattr(waiting, "_SHORT_S", 0.0)
    monkeypatch.setattr(waiting, "_EACH_S", 0.0)
    return Watched(engine, data)


def test_a_run_says_what_its_attempt_waits_for_until_it_begins(watched: Watched) -> None:
    watched.carry_out(FULL, AWAY, WORKS, BROKEN)
    assert watched.said == [None, None, FULL.detail, AWAY.detail, None, None]
    begun = watched.began
    assert len(set(begun[:4])) == 1
    assert begun[4] > begun[0], "the attempt counts from when it began"
    assert begun[5] == begun[4]


def test_a_short_wait_is_not_told(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_SHORT_S", 1000.0)
    watched.carry_out(FULL, WORKS, BROKEN)
    assert set(watched.said) == {None}
    assert len(set(watched.began)) == 1


def test_words_that_change_often_are_told_now_and_then(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting, "_EACH_S", 1000.0)
    watched.carry_out(FULL, AWAY, AWAY, BROKEN)
    assert watched.said[2:5] == 3 * [FULL.detail]


def test_what_ends_while_it_waits_was_never_at_work_and_is_not_tried_again(
    watched: Watched,
) -> None:
    watched.carry_out(FULL, AttemptState(Phase.UNPLACED, "There was no room."))
    assert watched.began[-1] > watched.began[0]
    assert (watched.outcome.status, watched.outcome.detail) == ("failed", "There was no room.")


def test_the_next_worker_takes_back_what_the_last_has_told(watched: Watched) -> None:
    watched.carry_out(FULL, FULL, AttemptState(Phase.RUNNING, "Not seen."), BROKEN)
    assert watched.said[-2] == FULL.detail, "it cannot be seen, and may still wait"
    with watched.engine.begin() as connection:
        waiting._record_detail(connection, AttemptName(watched.run, 1), "Waits.")
    watched.said.clear()
    watched.carry_out(WORKS, BROKEN)
    assert watched.said == ["Waits.", "Waits.", None, None]


def test_a_new_attempt_says_nothing_of_the_last(watched: Watched) -> None:
    with watched.engine.begin() as connection:
        waiting._record_detail(connection, AttemptName(watched.run, 1), "Waits.")
        claim_run(connection, watched.run, 0)
    watched.look()
    assert watched.said == [None]


def test_a_token_lives_through_the_longest_wait(watched: Watched) -> None:
    token = watched.carry_out(BROKEN).secrets[0]
    assert token.endswith(f" {3600 + 3600 + 600}")
