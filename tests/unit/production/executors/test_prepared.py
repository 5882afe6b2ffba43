"""A process waits with its imports done, becomes exactly one attempt, and outlives no worker."""

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest
from tests.platform_process import wait_until
from tests.unit.production.executors.contract import ENVIRONMENT, LIMIT_S, LONG

from skerry.core.ids import new_id
from skerry.production.executors.local import LocalExecutor
from skerry.production.executors.places import AttemptPlaces
from skerry.production.executors.protocol import AttemptName, Limits, Order, Phase
from skerry.production.processes import PR_SET_CHILD_SUBREAPER, end_marked
from skerry.storage.layout import DataFolder

pytestmark = pytest.mark.slow

_PROGRAM = """
import os, subprocess, sys, tempfile, time
from pathlib import Path

def prepare():
    kernel = subprocess.Popen(["sleep", "600"], start_new_session=True)  # like a kernel
    Path("kernel").write_text(str(kernel.pid))
    Path("prepared").touch()

def begin():
    from skerry.production.executors.last_words import leave_words
    print(os.getpid(), os.getcwd(), sys.path[0], tempfile.gettempdir(), sep="\\n", flush=True)
    print(*sorted(os.environ), file=sys.stderr, flush=True)
    if os.environ["ENDING"] == "wait":
        time.sleep(600)
    leave_words(0, os.environ["SECRET"])
    return 0
"""
_WORKER = """
import os, signal, sys
from pathlib import Path
from skerry.production.executors.local import LocalExecutor
from skerry.storage.layout import DataFolder

executor = LocalExecutor(DataFolder(Path(sys.argv[1])), prepare="program")
executor.recover()
sys.stdin.read()
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def data() -> Iterator[DataFolder]:
    with TemporaryDirectory() as short:  # long paths get no folder for temporary files
        folder = DataFolder(Path(short))
        folder.create()
        yield folder


@pytest.fixture
def executor(data: DataFolder) -> Iterator[LocalExecutor]:
    (data.run / "program.py").write_text(_PROGRAM)
    executor = LocalExecutor(data, patience_s=3.0, prepare="program")
    executor.recover()
    yield executor
    executor.close()
    end_marked(data.attempts)
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.fixture
def name() -> AttemptName:
    return AttemptName(new_id(), 1)


def write_order(ending: str = "end") -> Order:
    return Order(
        arguments=("-m", "program"),
        environment=ENVIRONMENT,
        variables={"ENDING": ending},
        make_secrets=lambda: {"SECRET": "secret-of-the-attempt"},
    )


def read_kernel(data: DataFolder) -> psutil.Process:
    """Return what the waiting process has started."""
    (note,) = data.attempts.glob("waiting.*/kernel")
    return psutil.Process(int(note.read_text()))


def list_waiting(parent: int | None = None) -> list[psutil.Process]:
    return [
        child
        for child in psutil.Process(parent).children()
        if "skerry.production.executors.prepared" in child.cmdline()
        and child.status() != psutil.STATUS_ZOMBIE
    ]


def wait_for_waiting(data: DataFolder, parent: int | None = None) -> psutil.Process:
    def look() -> bool:
        return (
            bool(list(data.attempts.glob("waiting.*/prepared"))) and len(list_waiting(parent)) == 1
        )

    wait_until(look, LIMIT_S, "it waits")
    for mark in data.attempts.glob("waiting.*/prepared"):
        mark.unlink()
    return list_waiting(parent)[0]


def test_it_becomes_the_attempt_and_is_replaced(
    data: DataFolder, executor: LocalExecutor, name: AttemptName
) -> None:
    waiting = wait_for_waiting(data)
    executor.start_or_attach(name, write_order(), LONG)
    executor.wait(name, LIMIT_S)
    state = executor.poll(name)
    assert (state.phase, state.message) == (Phase.SUCCEEDED, "secret-of-the-attempt")
    places = AttemptPlaces(data.run, name)
    pid, *told, variables = executor.logs(name).decode().splitlines()
    assert int(pid) == waiting.pid
    assert told == [str(places.work), str(places.work), str(places.temporary)]
    assert {"SECRET", "ENDING", "PATH", "SKERRY_SCRATCH"} <= set(variables.split())
    assert wait_for_waiting(data).pid != waiting.pid, "no process is used twice"


def test_it_shows_the_system_no_secret(
    data: DataFolder, executor: LocalExecutor, name: AttemptName
) -> None:
    waiting = wait_for_waiting(data)
    executor.start_or_attach(name, write_order("wait"), LONG)
    wait_until(lambda: b"SECRET" in executor.logs(name), LIMIT_S, "the attempt is at work")
    assert "secret-of-the-attempt" not in str(waiting.environ()) + str(waiting.cmdline())
    executor.end(name, "Done.")
    assert not waiting.is_running()


def test_its_time_begins_with_the_attempt(
    data: DataFolder, executor: LocalExecutor, name: AttemptName
) -> None:
    waiting = wait_for_waiting(data)
    executor.start_or_attach(name, write_order("wait"), Limits(time_s=600))
    record = AttemptPlaces(data.run, name).read()
    assert record is not None
    assert record.began is not None
    assert record.created == waiting.create_time() < record.began
    executor.end(name, "Done.")


def test_a_program_that_has_changed_is_not_taken(data: DataFolder, executor: LocalExecutor) -> None:
    waiting = wait_for_waiting(data)
    kernel = read_kernel(data)
    assert executor._prepared is not None
    assert executor._prepared.take(ENVIRONMENT, ("-m", "another")) is None
    assert executor._prepared.take({**ENVIRONMENT, "package": "1e20"}, ("-m", "program")) is None
    wait_until(lambda: not waiting.is_running(), LIMIT_S, "it is ended")
    assert not _lives(kernel)


def test_where_it_was_killed_the_attempt_starts_as_without_it(
    data: DataFolder, executor: LocalExecutor, name: AttemptName
) -> None:
    waiting = wait_for_waiting(data)
    kernel = read_kernel(data)
    waiting.kill()
    executor.start_or_attach(name, write_order(), LONG)
    executor.wait(name, LIMIT_S)
    assert executor.poll(name).phase is Phase.FAILED, "a program that is a module alone"
    assert not _lives(kernel)


def test_what_it_has_started_goes_on_with_the_attempt_when_the_worker_is_killed(
    data: DataFolder, executor: LocalExecutor, name: AttemptName
) -> None:
    waiting = wait_for_waiting(data)
    kernel = read_kernel(data)
    executor.start_or_attach(name, write_order("wait"), LONG)
    next_worker = LocalExecutor(data)
    next_worker.recover()
    assert next_worker.poll(name).phase is Phase.RUNNING
    assert _lives(kernel)
    waiting.kill()
    executor._started[name].wait(LIMIT_S)
    assert next_worker.poll(name).is_over
    wait_until(lambda: not _lives(kernel), LIMIT_S, "it ends with the attempt")
    assert list(data.attempts.iterdir()) == []


def test_what_it_has_started_does_not_outlive_both_it_and_the_worker(
    data: DataFolder, executor: LocalExecutor, name: AttemptName
) -> None:
    waiting = wait_for_waiting(data)
    kernel = read_kernel(data)
    executor.start_or_attach(name, write_order("wait"), LONG)
    waiting.kill()
    executor._started[name].wait(LIMIT_S)
    LocalExecutor(data).recover()
    wait_until(lambda: not _lives(kernel), LIMIT_S, "the next worker ends it")
    assert list(data.attempts.iterdir()) == []


def test_it_ends_with_its_worker_however_that_ends(
    data: DataFolder, executor: LocalExecutor
) -> None:
    own = wait_for_waiting(data)
    command = [sys.executable, "-c", _WORKER, str(data.root)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as worker:
        orphan = wait_for_waiting(data, worker.pid)
        kernel = read_kernel(data)
        assert worker.stdin is not None
        worker.stdin.close()
        assert worker.wait(LIMIT_S) == -9
    wait_until(lambda: not _lives(orphan), LIMIT_S, "it has ended with the killed worker")
    assert not _lives(kernel)
    executor.close()
    assert not _lives(own)
    assert list_waiting() == []


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


def test_a_worker_without_it_starts_none(data: DataFolder) -> None:
    executor = LocalExecutor(data)
    executor.recover()
    assert executor._prepared is None
    executor.close()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)
