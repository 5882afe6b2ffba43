"""The worker's rounds: the bell brings a new run at once, and without it the next round does."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from sqlalchemy import Engine
from tests.databases import data, engine
from tests.unit.production.test_execution import Minter

from skerry.production.reconciler import Reconciler
from skerry.services import worker as worker_module
from skerry.services.worker import Worker
from skerry.storage.bell import ring
from skerry.storage.layout import DataFolder

__all__ = ["data", "engine"]

LIMIT_S = 60.0


class Rounds:
    """What a worker does in its rounds, as events."""

    def __init__(self) -> None:
        self.handed_over = threading.Event()
        self.reconciled = threading.Event()

    def hand_over(self) -> None:
        self.handed_over.set()

    def reconcile(self) -> None:
        self.reconciled.set()
        self.hand_over()


@contextmanager
def working(data: DataFolder, rounds: Rounds) -> Iterator[Worker]:
    worker = Worker(data, "http://127.0.0.1:9", cast("Any", Minter()))
    thread = threading.Thread(target=worker._go_rounds, args=(cast("Reconciler", rounds),))
    thread.start()
    try:
        yield worker
    finally:
        worker.stop(0, None)
        thread.join(LIMIT_S)
        worker._bell.close()
        worker._engine.dispose()
        assert not thread.is_alive(), "a signal ends it at once"


@pytest.fixture
def rare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the next round be far away."""
    monkeypatch.setattr(worker_module, "_ROUND_S", 1e6)


@pytest.mark.usefixtures("rare")
def test_runs_are_handed_over_as_soon_as_the_bell_rings(data: DataFolder, engine: Engine) -> None:
    rounds = Rounds()
    with working(data, rounds):
        for _ in range(3):
            ring(engine, data)
            assert rounds.handed_over.wait(LIMIT_S)
            rounds.handed_over.clear()
    assert not rounds.reconciled.is_set()


def test_runs_are_handed_over_without_the_bell(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_ROUND_S", 0.01)
    rounds = Rounds()
    with working(data, rounds):
        for _ in range(3):
            assert rounds.handed_over.wait(LIMIT_S)
            rounds.handed_over.clear()


def test_a_bell_that_never_rests_keeps_no_round_away(
    data: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_module, "_ROUND_S", 0.05)
    monkeypatch.setattr(worker_module, "_BETWEEN_S", 0.0)
    rounds = Rounds()
    with working(data, rounds) as worker:
        rounds.hand_over = worker._bell.ring  # type: ignore[method-assign]
        worker._bell.ring()
        for _ in range(3):
            assert rounds.reconciled.wait(LIMIT_S)
            rounds.reconciled.clear()
