"""Run processes are ended with everything that they started; pause points do nothing unasked."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from skerry.production.pausing import pause_at
from skerry.production.processes import end_tree
from skerry.storage.pid_files import PidFile, write_pid_file

_LIMIT_S = 30.0
_PARENT = """
import subprocess, sys, time
child = "import subprocess, sys, time; subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)']); time.sleep(600)"
subprocess.Popen([sys.executable, "-c", child], start_new_session=True)
time.sleep(600)
"""  # noqa: E501


def wait_for_family(pid: int, count: int) -> list[psutil.Process]:
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline:
        result = psutil.Process(pid).children(recursive=True)
        if len(result) == count:
            return result
    raise AssertionError("the children did not start")


def test_a_tree_is_ended_across_sessions() -> None:
    parent = subprocess.Popen([sys.executable, "-c", _PARENT], start_new_session=True)
    family = wait_for_family(parent.pid, 2)
    end_tree(parent.pid)
    parent.wait(_LIMIT_S)
    assert not [process for process in family if process.is_running()]
    end_tree(parent.pid)  # nobody there any more


def test_pid_files_name_process_and_creation_time(tmp_path: Path) -> None:
    path = tmp_path / "pids" / "part.json"
    write_pid_file(path, os.getpid())
    note = PidFile.read(path)
    assert note == PidFile(pid=os.getpid(), created=psutil.Process().create_time())
    assert note.find() == psutil.Process()


def test_pause_points_do_nothing_unless_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pause").write_text("before:claim")
    monkeypatch.delenv("SKERRY_PAUSE_POINTS", raising=False)
    pause_at("before:claim")
    monkeypatch.setenv("SKERRY_PAUSE_POINTS", str(tmp_path))
    pause_at("after:claim")
    assert (tmp_path / "pause").exists()


def test_a_pause_point_stops_the_process_until_it_is_continued(tmp_path: Path) -> None:
    (tmp_path / "pause").write_text("before:claim")
    code = "from skerry.production.pausing import pause_at; pause_at('before:claim')"
    environment = {**os.environ, "SKERRY_PAUSE_POINTS": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    deadline = time.monotonic() + _LIMIT_S
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        assert time.monotonic() < deadline
    assert json.loads((tmp_path / "paused.json").read_text()) == {
        "point": "before:claim", "pid": process.pid,
    }  # fmt: skip
    os.kill(process.pid, signal.SIGCONT)
    assert process.wait(_LIMIT_S) == 0
