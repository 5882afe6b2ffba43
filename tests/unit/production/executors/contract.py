"""What every executor does, whatever place it starts attempts in.

A subclass names the place: it gives executors, as many workers have one after the other, and ways
to do harm from outside.
"""

from abc import abstractmethod
from collections.abc import Iterator

import certifi
import pytest
from tests.platform_process import wait_until
from tests.pod_variables import ODD

from skerry.core.errors import UnavailableError
from skerry.core.ids import new_id
from skerry.production.environments import describe_environment
from skerry.production.executors.protocol import (
    AttemptName,
    AttemptState,
    Executor,
    Limits,
    Order,
    Phase,
)

LIMIT_S = 60.0
LONG = Limits(time_s=600)

WORDS = "from skerry.production.executors.last_words import leave_words, read_reason\n"
SUCCEED = WORDS + "print('at work', flush=True); leave_words(0, 'all done')"
FAIL = WORDS + "leave_words(3, 'no water'); raise SystemExit(3)"
SLEEP = "print('at work', flush=True); import time; time.sleep(600)"
OBEY = f"""{WORDS}
import signal, time
def obey(*_):
    leave_words(4, read_reason())
    raise SystemExit(4)
signal.signal(signal.SIGTERM, obey)
print("at work", flush=True)
time.sleep(600)
"""
IGNORE = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
    "print('at work', flush=True); time.sleep(600)"
)
GROW = "import time; print('at work', flush=True); held = bytearray(400_000_000); time.sleep(600)"
GROW_BELOW = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {GROW!r}])"
TELL = "import os; print(*sorted(os.environ.items()), sep='\\n', flush=True)"


ENVIRONMENT = describe_environment()


def write_order(code: str) -> Order:
    """Return an order for a small program."""
    return Order(
        arguments=("-c", code),
        environment=ENVIRONMENT,
        variables={"SKERRY_RUN": "r", "SKERRY_TEXT": ODD},
        make_secrets=lambda: {"SKERRY_TOKEN": "secret-of-the-attempt"},
    )


class ExecutorContract:
    """The tests."""

    @pytest.fixture
    @abstractmethod
    def executor(self) -> Iterator[Executor]:
        """Return the executor of a worker that has just been started."""

    @abstractmethod
    def make_next(self) -> Executor:
        """Return the executor of the next worker."""

    @abstractmethod
    def start_and_die(self, name: AttemptName, code: str, limits: Limits) -> None:
        """Start an attempt in a worker of its own, and kill this worker with SIGKILL."""

    @abstractmethod
    def kill(self, name: AttemptName) -> None:
        """Kill an attempt's process from outside."""

    @abstractmethod
    def is_gone(self, name: AttemptName) -> bool:
        """Return whether nothing of an attempt is at work any more."""

    @pytest.fixture
    def name(self) -> AttemptName:
        return AttemptName(new_id(), 1)

    def begin(
        self, executor: Executor, name: AttemptName, code: str, limits: Limits = LONG
    ) -> None:
        """Start an attempt and wait until it is at work."""
        executor.start_or_attach(name, write_order(code), limits)
        self.wait_for_work(executor, name)

    def wait_for_work(self, executor: Executor, name: AttemptName) -> None:
        wait_until(lambda: b"at work" in executor.logs(name), LIMIT_S, "the attempt is at work")

    def wait_until_seen(self, executor: Executor, name: AttemptName) -> None:
        """Wait until an attempt counts as running: its place may tell that after its log."""
        running = Phase.RUNNING
        wait_until(lambda: executor.poll(name).phase is running, LIMIT_S, "it is seen at work")

    def wait_for_end(self, executor: Executor, name: AttemptName) -> AttemptState:
        wait_until(lambda: executor.poll(name).is_over, LIMIT_S, "the attempt is over")
        return executor.poll(name)

    def test_success(self, executor: Executor, name: AttemptName) -> None:
        executor.start_or_attach(name, write_order(SUCCEED), LONG)
        state = self.wait_for_end(executor, name)
        assert state == AttemptState(Phase.SUCCEEDED, "", "all done")
        assert executor.logs(name) == b"at work\n"
        assert executor.logs(name, 3) == b"work\n"
        assert executor.logs(name, 10**9) == b""

    def test_its_end_is_waited_for(self, executor: Executor, name: AttemptName) -> None:
        self.begin(executor, name, SLEEP)
        executor.wait(name, 0.01)
        self.wait_until_seen(executor, name)
        self.kill(name)
        executor.wait(name, 10 * LIMIT_S)
        assert executor.poll(name).phase is Phase.KILLED
        executor.wait(name, 10 * LIMIT_S)

    def test_failure(self, executor: Executor, name: AttemptName) -> None:
        executor.start_or_attach(name, write_order(FAIL), LONG)
        state = self.wait_for_end(executor, name)
        assert state.phase is Phase.FAILED
        assert "exit code 3" in state.detail
        assert state.message == "no water"

    def test_a_failure_without_last_words(self, executor: Executor, name: AttemptName) -> None:
        executor.start_or_attach(name, write_order("raise SystemExit(7)"), LONG)
        state = self.wait_for_end(executor, name)
        assert (state.phase, state.message) == (Phase.FAILED, None)
        assert "exit code 7" in state.detail

    def test_killed_from_outside(self, executor: Executor, name: AttemptName) -> None:
        self.begin(executor, name, SLEEP)
        self.kill(name)
        state = self.wait_for_end(executor, name)
        assert state.phase is Phase.KILLED
        assert "signal 9" in state.detail

    def test_a_name_that_never_was(self, executor: Executor, name: AttemptName) -> None:
        assert executor.poll(name).phase is Phase.VANISHED
        assert executor.logs(name) == b""
        executor.end(name, "nothing")
        executor.forget(name)

    @pytest.mark.parametrize("code", [OBEY, IGNORE], ids=["obedient", "stubborn"])
    def test_beyond_its_time(self, executor: Executor, name: AttemptName, code: str) -> None:
        self.begin(executor, name, code, Limits(time_s=2))
        state = self.wait_for_end(executor, name)
        assert state.phase is Phase.TIMED_OUT
        assert "timeout of 2 s" in state.detail
        if code is OBEY:
            assert state.message == state.detail, "it was told the reason"
        assert self.is_gone(name)

    @pytest.mark.parametrize("code", [GROW, GROW_BELOW], ids=["itself", "a child"])
    def test_beyond_its_memory(self, executor: Executor, name: AttemptName, code: str) -> None:
        self.begin(executor, name, code, Limits(time_s=600, memory=200_000_000))
        state = self.wait_for_end(executor, name)
        assert state.phase is Phase.OUT_OF_MEMORY
        assert "200 MB of memory" in state.detail
        assert self.is_gone(name)

    def test_within_its_memory(self, executor: Executor, name: AttemptName) -> None:
        order = write_order(SUCCEED)
        executor.start_or_attach(name, order, Limits(time_s=600, memory=2_000_000_000))
        assert self.wait_for_end(executor, name).phase is Phase.SUCCEEDED

    def test_ended_on_request_with_its_reason(self, executor: Executor, name: AttemptName) -> None:
        self.begin(executor, name, OBEY)
        executor.end(name, "Cancelled.")
        assert executor.poll(name) == AttemptState(Phase.KILLED, "Cancelled.", "Cancelled.")
        assert self.is_gone(name)

    def test_ended_twice(self, executor: Executor, name: AttemptName) -> None:
        self.begin(executor, name, OBEY)
        executor.end(name, "Cancelled.")
        executor.end(name, "Again.")
        assert executor.poll(name).detail == "Cancelled."

    def test_an_end_stays_as_it_was(self, executor: Executor, name: AttemptName) -> None:
        executor.start_or_attach(name, write_order(SUCCEED), LONG)
        before = self.wait_for_end(executor, name)
        executor.end(name, "Too late.")
        assert executor.poll(name) == before
        assert self.make_next().poll(name) == before

    def test_started_once(self, executor: Executor, name: AttemptName) -> None:
        for _ in range(3):
            executor.start_or_attach(name, write_order(SUCCEED), LONG)
        self.wait_for_end(executor, name)
        executor.start_or_attach(name, write_order(SUCCEED), LONG)
        assert executor.poll(name).phase is Phase.SUCCEEDED
        assert executor.logs(name) == b"at work\n"

    def test_forgotten(self, executor: Executor, name: AttemptName) -> None:
        executor.start_or_attach(name, write_order(SUCCEED), LONG)
        self.wait_for_end(executor, name)
        assert executor.list_attempts() == [name]
        for _ in range(2):
            executor.forget(name)
        assert executor.list_attempts() == []
        assert executor.poll(name).phase is Phase.VANISHED
        assert executor.logs(name) == b"at work\n", "the log stays"

    def test_two_attempts_of_one_run_are_two(self, executor: Executor, name: AttemptName) -> None:
        second = AttemptName(name.run, 2)
        self.begin(executor, name, OBEY)
        executor.start_or_attach(second, write_order(FAIL), LONG)
        assert self.wait_for_end(executor, second).phase is Phase.FAILED
        self.wait_until_seen(executor, name)
        executor.end(name, "Done.")

    def test_it_knows_what_it_was_given_and_no_other_secret(
        self, executor: Executor, name: AttemptName, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "secret-of-the-worker")
        monkeypatch.setenv("AWS_CA_BUNDLE", certifi.where())
        executor.start_or_attach(name, write_order(TELL), LONG)
        self.wait_for_end(executor, name)
        message = executor.logs(name).decode()
        assert f"('AWS_CA_BUNDLE', {certifi.where()!r})" in message
        assert "('SKERRY_RUN', 'r')" in message
        assert f"('SKERRY_TEXT', {ODD!r})" in message
        assert "secret-of-the-attempt" in message
        assert "secret-of-the-worker" not in message

    def test_a_worker_that_is_killed_loses_nothing(self, name: AttemptName) -> None:
        self.start_and_die(name, OBEY, LONG)
        executor = self.make_next()
        executor.recover()
        self.wait_until_seen(executor, name)
        executor.start_or_attach(name, write_order(FAIL), LONG)
        self.wait_for_work(executor, name)
        executor.end(name, "Cancelled.")
        assert executor.poll(name) == AttemptState(Phase.KILLED, "Cancelled.", "Cancelled.")
        assert self.is_gone(name)

    @pytest.mark.parametrize(
        ("code", "phase", "message"),
        [(SUCCEED, Phase.SUCCEEDED, "all done"), (FAIL, Phase.FAILED, "no water")],
    )
    def test_the_next_worker_hears_the_last_words(
        self, name: AttemptName, code: str, phase: Phase, message: str
    ) -> None:
        self.start_and_die(name, code, LONG)
        wait_until(lambda: self.is_gone(name), LIMIT_S, "the attempt has ended")
        executor = self.make_next()
        executor.recover()
        state = executor.poll(name)
        assert (state.phase, state.message) == (phase, message)

    def test_limits_hold_for_the_next_worker_too(self, name: AttemptName) -> None:
        self.start_and_die(name, OBEY, Limits(time_s=3))
        executor = self.make_next()
        executor.recover()
        executor.start_or_attach(name, write_order(OBEY), LONG)
        state = self.wait_for_end(executor, name)
        assert state.phase is Phase.TIMED_OUT
        assert "timeout of 3 s" in state.detail

    def test_gone_without_a_trace(self, name: AttemptName) -> None:
        self.start_and_die(name, SLEEP, LONG)
        self.kill(name)
        executor = self.make_next()
        executor.recover()
        assert executor.poll(name).phase is Phase.VANISHED

    def test_a_closed_executor_starts_nothing(self, executor: Executor, name: AttemptName) -> None:
        self.begin(executor, name, SLEEP)
        executor.close()
        other = AttemptName(name.run, 2)
        with pytest.raises(UnavailableError, match="is ending"):
            executor.start_or_attach(other, write_order(SUCCEED), LONG)
        assert self.make_next().poll(other).phase is Phase.VANISHED
