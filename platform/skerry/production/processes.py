"""The processes that an attempt starts: all of them end with it, however it ends.

Neither a process group nor a tree is enough: a kernel has a session of its own, and a daemon
leaves its parent. On Linux the run process and the worker are *subreapers*: a process whose
parent has ended becomes a child of the nearest of them, so that nothing that a notebook begins
leaves their trees. When the run process itself is killed, the worker inherits what it began; when
both are, the attempt's mark in the environment names it to the next worker.
"""

import contextlib
import ctypes
import os
import select
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import psutil

SCRATCH_MARK = "SKERRY_SCRATCH"
"""Environment variable that names the attempt's scratch to everything that the attempt begins."""

PR_SET_CHILD_SUBREAPER = 36
_WAIT_S = 3.0


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends, where the system allows it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def end_tree(pid: int) -> None:
    """Kill a process and everything that it started, and wait until they are gone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(pid)
        _kill(_freeze(lambda: [root, *root.children(recursive=True)]))


def measure_memory(pid: int) -> int:
    """Return the bytes of memory of a process and all its descendants.

    Memory that several of them share counts once, where the system tells it (Linux).
    """
    total = 0
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.Error):
                memory = process.memory_full_info()
                total += getattr(memory, "pss", memory.uss)
    return total


def wait_for_end(pid: int, time_s: float) -> None:
    """Wait until a process has ended, at most `time_s` seconds; whose child it is does not matter.

    Where the system does not tell the end of processes, wait the whole time.
    """
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    except (AttributeError, OSError):
        time.sleep(time_s)
        return
    try:
        select.select([process], [], [], time_s)
    finally:
        os.close(process)


def end_children() -> None:
    """Kill everything that the calling process started."""
    this = psutil.Process()
    _kill(_freeze(lambda: this.children(recursive=True)))


def end_marked(*folders: Path, spare: Callable[[Path], bool] = lambda _folder: False) -> int:
    """Kill every process that an attempt started; the mark in its environment shows which.

    Parameters
    ----------
    folders
        An attempt's scratch folders, or the folder above those of several attempts.
    spare
        Tells for an attempt's scratch folder whether its processes may live on.

    Returns
    -------
    int
        Number of killed processes.
    """
    processes = [
        process
        for process in psutil.process_iter()
        if (folder := _read_mark(process)) is not None
        and any(map(folder.is_relative_to, folders))
        and not spare(folder)
    ]
    _kill(processes)
    return len(processes)


class RunProcesses:
    """The run processes of one worker, and the orphans that they leave behind.

    Children that the calling process had before are not counted among them.
    """

    def __init__(self) -> None:
        self._earlier = {child.pid for child in psutil.Process().children()}
        self._started: dict[int, subprocess.Popen[bytes]] = {}
        self._turn = threading.Lock()  # a process that is just starting must not count as an orphan

    def start(self, arguments: Sequence[str], **options: Any) -> subprocess.Popen[bytes]:
        """Start a run process in a session of its own."""
        with self._turn:
            process = subprocess.Popen(arguments, start_new_session=True, **options)
            self._started[process.pid] = process
        return process

    def end(self, process: subprocess.Popen[bytes]) -> None:
        """Kill a run process if it is still alive, and every process that it left behind."""
        if process.poll() is None:
            end_tree(process.pid)
            process.wait()
        with self._turn:
            self._started.pop(process.pid, None)
        self.end_orphans()

    def end_orphans(self) -> None:
        """Kill the processes that dead run processes have left to the calling worker.

        The worker's other children share its session. Everything that a run process started is in
        another session, and cannot come back into the worker's.
        """
        session, this = os.getsid(0), psutil.Process()
        deadline = time.monotonic() + _WAIT_S
        while time.monotonic() < deadline:
            with self._turn:
                orphans = [
                    child
                    for child in this.children()
                    if child.pid not in self._started
                    and child.pid not in self._earlier
                    and _read_session(child) != session
                ]
            if not orphans:
                return
            for orphan in orphans:
                end_tree(orphan.pid)


def _freeze(list_family: Callable[[], Iterable[psutil.Process]]) -> list[psutil.Process]:
    """Stop all of a family, again until there is no new member: a stopped process starts none."""
    frozen: dict[int, psutil.Process] = {}
    while fresh := [process for process in list_family() if process.pid not in frozen]:
        for process in fresh:
            frozen[process.pid] = process
            with contextlib.suppress(psutil.Error):
                process.suspend()
    return list(frozen.values())


def _kill(processes: Sequence[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.Error):
            process.kill()
    psutil.wait_procs(processes, timeout=_WAIT_S)


def _read_mark(process: psutil.Process) -> Path | None:
    try:
        mark = process.environ().get(SCRATCH_MARK)
    except (psutil.Error, OSError):  # it belongs to another user, or has ended
        return None
    return Path(mark) if mark else None


def _read_session(process: psutil.Process) -> int | None:
    try:
        return os.getsid(process.pid)
    except ProcessLookupError:
        return None
