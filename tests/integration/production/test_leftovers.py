"""Whatever way an attempt ends, everything that its notebook began ends with it."""

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from tests.integration.production.stage import LIMIT_S, Stage, is_gone, kill, make_notebook
from tests.platform_process import wait_until

pytestmark = pytest.mark.long

_PARAMETERS = """\
pids: str
ending: str = "wait"
"""
_BEGIN = """\
import multiprocessing, os, subprocess, sys, time
from pathlib import Path

def note(name, pid):
    Path(pids, f"{name}.part").write_text(str(pid))
    Path(pids, f"{name}.part").rename(Path(pids, name))

SLEEP = [sys.executable, "-c", "import time; time.sleep(3600)"]
note("child", subprocess.Popen(SLEEP).pid)
# a daemon: a session of its own, its parent gone, nothing of the run in its environment
daemon = "import os, subprocess, sys; p = subprocess.Popen(%r, env={}, start_new_session=True, " \\
    "stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL); " \\
    "print(p.pid)" % SLEEP
note("daemon", int(subprocess.run([sys.executable, "-c", daemon], capture_output=True, text=True,
                                  check=True, start_new_session=True).stdout))
pool = multiprocessing.get_context("fork").Pool(1)
note("pool", pool.apply(os.getpid))
note("kernel", os.getpid())
"""
_END = """\
if ending == "raise":
    raise ValueError("no water here")
if ending == "exit":
    os._exit(9)
if ending == "wait":
    time.sleep(3600)
"""
_NAMES = ("child", "daemon", "pool", "kernel")


@pytest.fixture(scope="module")
def job(stage: Stage) -> str:
    notebook = make_notebook((_PARAMETERS, _BEGIN, _END), parameters=0)
    stage.create_job("busy", stage.release_notebook("busy", notebook))
    stage.create_job("brief", stage.release_notebook("brief", notebook), policy={"timeout_s": 15})
    return "busy"


def begin(stage: Stage, folder: Path, job: str, ending: str) -> tuple[str, dict[str, int]]:
    """Start a run; return it with the processes that its notebook has begun, by name."""
    run = stage.start(job, pids=str(folder), ending=ending)
    return run, wait_for_processes(stage, run, folder)


def wait_for_processes(stage: Stage, run: str, folder: Path) -> dict[str, int]:
    wait_until(
        lambda: all((folder / name).exists() for name in _NAMES),
        LIMIT_S,
        "the notebook has begun its processes",
        lambda: stage.explain(run),
    )
    return {name: int((folder / name).read_text()) for name in _NAMES}


def wait_until_gone(begun: dict[str, int]) -> None:
    wait_until(
        lambda: all(is_gone(pid) for pid in begun.values()),
        LIMIT_S,
        "what the notebook began is gone",
        lambda: str({name: pid for name, pid in begun.items() if not is_gone(pid)}),
    )


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("finish", "succeeded"),
        ("raise", "failed"),
        ("exit", "failed"),
    ],
)
def test_an_attempt_that_ends_by_itself(
    stage: Stage, job: str, tmp_path: Path, ending: str, status: str
) -> None:
    run, begun = begin(stage, tmp_path, job, ending)
    assert stage.wait_for(run, "succeeded", "failed")["status"] == status, stage.explain(run)
    wait_until_gone(begun)


def _cancel(stage: Stage, run: str, _begun: dict[str, int]) -> None:
    stage.ask("POST", f"/production/runs/{run}/cancel")


def _kill_kernel(_stage: Stage, _run: str, begun: dict[str, int]) -> None:
    kill(begun["kernel"])


@pytest.mark.parametrize("end", [_cancel, _kill_kernel])
def test_an_attempt_that_is_ended(
    stage: Stage, job: str, tmp_path: Path, end: Callable[[Stage, str, dict[str, int]], None]
) -> None:
    run, begun = begin(stage, tmp_path, job, "wait")
    end(stage, run, begun)
    stage.wait_for(run, "failed", "cancelled")
    wait_until_gone(begun)


def test_an_attempt_that_times_out(stage: Stage, job: str, tmp_path: Path) -> None:
    run, begun = begin(stage, tmp_path, "brief", "wait")
    assert "timeout of 15 s" in stage.wait_for(run, "failed")["detail"]
    wait_until_gone(begun)
    page = stage.fetch(f"/production/runs/{run}/files/executed.html").text
    assert "Ended after its timeout of 15 s." in page


def test_a_run_process_that_is_killed(stage: Stage, job: str, tmp_path: Path) -> None:
    run, begun = begin(stage, tmp_path, job, "wait")
    for name in _NAMES:
        (tmp_path / name).unlink()
    kill(stage.attempt_pid(run, 1))
    wait_until_gone(begun)  # the worker has inherited them
    second = wait_for_processes(stage, run, tmp_path)  # a crash is tried again by itself
    _cancel(stage, run, second)
    stage.wait_for(run, "cancelled")
    wait_until_gone(second)


def test_a_worker_that_is_killed(stage: Stage, job: str, tmp_path: Path) -> None:
    run, begun = begin(stage, tmp_path, job, "wait")
    stage.kill_worker()
    assert not any(is_gone(pid) for pid in begun.values()), "the next worker attaches to it"
    _cancel(stage, run, begun)
    assert len(stage.wait_for(run, "cancelled")["attempts"]) == 1
    wait_until_gone(begun)
    scratch = stage.state / "attempts"
    wait_until(lambda: not list(scratch.glob(f"{run}-*")), LIMIT_S, "the scratch is freed")


def test_a_worker_and_a_run_process_that_are_killed(stage: Stage, job: str, tmp_path: Path) -> None:
    run, begun = begin(stage, tmp_path, job, "wait")
    worker, attempt = stage.worker_pid(), stage.attempt_pid(run, 1)
    os.kill(worker, signal.SIGSTOP)  # so that it inherits nothing before it dies
    kill(attempt)
    stage.ask("POST", f"/production/runs/{run}/cancel")
    kill(worker)
    stage.wait_for_new_worker(worker)
    stage.wait_for(run, "cancelled")
    # a daemon that has put its whole environment off cannot be told from others any more
    daemon = begun.pop("daemon")
    wait_until_gone(begun)
    assert not list((stage.state / "attempts").glob(f"{run}-*"))
    shutil.rmtree(tmp_path)
    if not is_gone(daemon):
        psutil.Process(daemon).kill()
