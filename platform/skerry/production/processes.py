"""Run processes: started in a session of their own, named by pid files, ended with all they began.

A kernel has a session of its own too, so a process group is not enough: the tree is walked.
"""

import contextlib
from pathlib import Path

import psutil

_WAIT_S = 3.0


def pid_file(run_state: Path, run: str, epoch: int) -> Path:
    """Return where an attempt's pid is written."""
    return run_state / "pids" / f"attempt-{run}-{epoch}.json"


def end_tree(pid: int) -> None:
    """Kill a process and everything that it started, and wait until they are gone.

    The parent is stopped first, so that it starts nothing more while its children are listed.
    """
    try:
        parent = psutil.Process(pid)
        parent.suspend()
    except psutil.NoSuchProcess:
        return
    family = [parent]
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [*parent.children(recursive=True), parent]
    for process in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(family, timeout=_WAIT_S)


def end_children() -> None:
    """Kill everything that the calling process started."""
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def has_children() -> bool:
    """Return whether anything that the calling process started is still there."""
    return any(process.status() != psutil.STATUS_ZOMBIE for process in psutil.Process().children())
