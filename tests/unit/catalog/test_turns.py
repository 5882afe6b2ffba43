"""Turns of registrations: nobody holds up all others by many products."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import pytest
from tests.platform_process import wait_until

from skerry.catalog import settling
from skerry.core.errors import BusyError


class Copying:
    """Registrations that copy until they are let go, in the order in which their turns came."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.turns = settling._Turns()
        self.began: list[str] = []
        self.let_go: dict[str, Event] = {}
        self._pool = pool

    def begin(self, account: str, name: str) -> Future[None]:
        """Begin, and return once it copies or waits."""
        self.let_go[name] = Event()
        done = self._pool.submit(self._copy, account, name)
        wait_until(
            lambda: done.done() or name in self.began or self._is_waiting(account), 30,
            "it copies, waits or is refused",
        )  # fmt: skip
        return done

    def _is_waiting(self, account: str) -> bool:
        return account in list(self.turns._waiting.values())

    def _copy(self, account: str, name: str) -> None:
        with self.turns.take(account):
            self.began.append(name)
            self.let_go[name].wait(60)


@pytest.fixture
def copying() -> Iterator[Copying]:
    with ThreadPoolExecutor(20) as pool:
        copying = Copying(pool)
        yield copying
        for event in copying.let_go.values():
            event.set()


def test_who_registers_many_products_is_refused_and_another_account_is_not(
    copying: Copying,
) -> None:
    of_alice = [
        copying.begin("alice", f"alice-{number}") for number in range(settling._OF_ACCOUNT + 2)
    ]
    wait_until(lambda: sum(future.done() for future in of_alice) == 2, 30, "two are refused")
    assert {type(future.exception()) for future in of_alice if future.done()} == {BusyError}
    of_bob = copying.begin("bob", "bob-0")
    assert not of_bob.done()
    assert len(copying.began) == settling._AT_ONCE
    copying.let_go[copying.began[0]].set()
    wait_until(lambda: len(copying.began) > settling._AT_ONCE, 30, "a turn is given on")
    assert copying.began[settling._AT_ONCE] == "bob-0"  # before those of alice that wait longer


def test_who_waited_too_long_takes_no_turn(
    copying: Copying, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(settling._AT_ONCE):
        copying.begin("alice", f"alice-{number}")
    monkeypatch.setattr(settling, "_PATIENCE_S", 0.0)
    with pytest.raises(BusyError), copying.turns.take("bob"):
        pass
    for event in copying.let_go.values():
        event.set()
    wait_until(lambda: not copying.turns._at_work, 30, "all turns are free")
    with copying.turns.take("bob"):
        pass
    assert not copying.turns._at_work
    assert not copying.turns._waiting
