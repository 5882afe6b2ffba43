"""The executor of one machine keeps the contract, and ends daemons and children too."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from tests.object_stores import STORES, opened_bucket
from tests.platform_process import wait_until
from tests.unit.production.executors.contract import (
    LIMIT_S,
    LONG,
    SLEEP,
    SUCCEED,
    ExecutorContract,
    write_order,
)

from skerry.core.errors import UnavailableError
from skerry.core.settings import OBJECTS_VARIABLE
from skerry.production.executors.local import LocalExecutor
from skerry.production.executors.places import AttemptPlaces, list_places
from skerry.production.executors.protocol import AttemptName, Limits, Phase
from skerry.production.processes import PR_SET_CHILD_SUBREAPER, end_marked, measure_memory
from skerry.storage.layout import DataFolder

_WORKER = """
import os, signal, sys
from pathlib import Path
from tests.unit.production.executors.contract import write_order
from skerry.production.executors.local import LocalExecutor
from skerry.production.executors.protocol import AttemptName, Limits
from skerry.storage.layout import DataFolder

data, name, code, time_s = sys.argv[1:]
executor = LocalExecutor(DataFolder(Path(data)))
executor.recover()
executor.start_or_attach(AttemptName.parse(name), write_order(code), Limits(float(time_s)))
os.kill(os.getpid(), signal.SIGKILL)
"""
_FAMILY = """
import os, subprocess, sys, time
sleep = [sys.executable, "-c", "import time; time.sleep(600)"]
daemon = (
    "import subprocess; quiet = {'stdout': subprocess.DEVNULL, 'stderr': subprocess.DEVNULL};"
    f"print(subprocess.Popen({sleep!r}, start_new_session=True, **quiet).pid)"
)
child = subprocess.Popen(sleep).pid
daemon = subprocess.run([sys.executable, "-c", daemon], capture_output=True, text=True).stdout
print("family", child, daemon.strip(), "at work", flush=True)
"""


@pytest.mark.slow
class TestLocal(ExecutorContract):
    """The contract on this machine."""

    @pytest.fixture(
        autouse=True,
        params=[STORES[0], pytest.param("bucket", marks=[pytest.mark.s3, pytest.mark.long])],
    )
    def keep_data(
        self, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[None]:
        self.data = DataFolder(tmp_path / "data")  # no executor opens a database
        self.data.create()
        with ExitStack() as stack:
            if request.param == "bucket":
                server = request.getfixturevalue("s3")
                address = stack.enter_context(opened_bucket(server, monkeypatch))
                monkeypatch.setenv(OBJECTS_VARIABLE, address)
            yield
        end_marked(self.data.attempts)
        # this process is no worker any more: it takes no more orphans of other tests
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

    @pytest.fixture
    def executor(self) -> Iterator[LocalExecutor]:
        executor = self.make_next()
        executor.recover()
        yield executor
        executor.close()

    def make_next(self) -> LocalExecutor:
        return LocalExecutor(self.data, patience_s=3.0)

    def start_and_die(self, name: AttemptName, code: str, limits: Limits) -> None:
        arguments = [str(self.data.root), str(name), code, str(limits.time_s)]
        worker = subprocess.run([sys.executable, "-c", _WORKER, *arguments], check=False)
        assert worker.returncode == -9

    def kill(self, name: AttemptName) -> None:
        record = AttemptPlaces(self.data.run, name).read()
        assert record is not None
        process = record.find()
        assert process is not None
        process.kill()
        wait_until(lambda: record.find() is None, LIMIT_S, "the process is gone")

    def is_gone(self, name: AttemptName) -> bool:
        record = AttemptPlaces(self.data.run, name).read()
        return record is not None and record.find() is None

    def test_the_log_tells_how_a_killed_attempt_ended(
        self, executor: LocalExecutor, name: AttemptName, caplog: pytest.LogCaptureFixture
    ) -> None:
        self.begin(executor, name, SLEEP)
        self.kill(name)
        self.wait_for_end(executor, name)
        last = executor.logs(name).decode().splitlines()[-1]
        assert last.endswith("Z The run process ended with signal 9.")
        assert "ended with signal 9" in caplog.text

    @pytest.mark.parametrize("end", ["", "time.sleep(600)"], ids=["by itself", "on request"])
    def test_children_and_daemons_end_with_it(
        self, executor: LocalExecutor, name: AttemptName, end: str
    ) -> None:
        self.begin(executor, name, _FAMILY + end)
        pids = [int(word) for word in executor.logs(name).split()[1:3]]
        if end:
            executor.end(name, "Cancelled.")
        self.wait_for_end(executor, name)
        assert len(pids) == 2
        assert not any(map(psutil.pid_exists, pids))

    def test_its_folders_go_and_its_record_goes_when_forgotten(
        self, executor: LocalExecutor, name: AttemptName
    ) -> None:
        places = AttemptPlaces(self.data.run, name)
        self.begin(executor, name, SLEEP)
        assert places.work.is_dir()
        assert places.temporary.is_dir()
        executor.end(name, "Cancelled.")
        assert not places.work.exists()
        assert not places.temporary.exists()
        assert [result.name for result in list_places(self.data.run)] == [name]
        executor.forget(name)
        assert list(list_places(self.data.run)) == []

    def test_without_a_record_it_does_not_live(
        self, executor: LocalExecutor, name: AttemptName, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def fail(*_words: object) -> None:
            raise OSError("no room")

        with monkeypatch.context() as patch:
            patch.setattr(AttemptPlaces, "write", fail)
            with pytest.raises(OSError, match="no room"):
                executor.start_or_attach(name, write_order(SLEEP), LONG)
        assert not [child for child in psutil.Process().children() if SLEEP in child.cmdline()]

    def test_what_a_dead_worker_left_without_a_record_is_ended(self, name: AttemptName) -> None:
        self.start_and_die(name, SLEEP, LONG)
        places = AttemptPlaces(self.data.run, name)
        record = places.read()
        assert record is not None
        places.record.unlink()
        executor = self.make_next()
        executor.recover()
        assert record.find() is None
        assert not places.work.exists()
        assert executor.poll(name).phase is Phase.VANISHED

    def test_a_nearly_full_disk_starts_nothing(
        self, executor: LocalExecutor, name: AttemptName, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SKERRY_DISK_FLOOR_MB", "100000000")
        with pytest.raises(UnavailableError, match="A run needs"):
            executor.start_or_attach(name, write_order(SUCCEED), LONG)
        monkeypatch.delenv("SKERRY_DISK_FLOOR_MB")
        executor.start_or_attach(name, write_order(SUCCEED), LONG)
        assert self.wait_for_end(executor, name).phase is Phase.SUCCEEDED


def test_memory_counts_a_whole_family() -> None:
    alone = measure_memory(os.getpid())
    code = "held = bytearray(300_000_000); print(1, flush=True); input()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert measure_memory(os.getpid()) > alone + 250_000_000
        child.kill()


@pytest.mark.parametrize("text", ["", "r", "r-", "-1", "r-x"])
def test_names_are_run_and_epoch(text: str) -> None:
    assert AttemptName.parse(text) is None
    assert AttemptName.parse(str(AttemptName("a-b", 12))) == AttemptName("a-b", 12)
