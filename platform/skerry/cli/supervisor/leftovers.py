"""Ending processes that a killed platform, hub or gateway left behind.

It recognises them in two ways, and neither confuses a process id that another process has now:
pid files, which also hold the process's start time, and the data folder's mark in the
environment, which all descendants of a part inherit.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress

import psutil

from skerry.storage.layout import DataFolder
from skerry.storage.pid_files import PidFile

INSTANCE_MARK = "SKERRY_INSTANCE"
"""Environment variable that all processes of one data folder share."""

PART_MARK = "SKERRY_PART"
"""Environment variable that names the part from which a process descends."""


def end_leftovers(folder: DataFolder, instance: str, *, grace: float = 3.0) -> int:
    """End every process of this data folder that still lives, and remove the pid files.

    Parameters
    ----------
    folder
        The data folder, whose lock the caller holds.
    instance
        The data folder's mark.
    grace
        Seconds between SIGTERM and SIGKILL.

    Returns
    -------
    int
        Number of ended processes.
    """
    leftovers = {process.pid: process for process in _find_recorded(folder)}
    leftovers |= {process.pid: process for process in find_marked(instance)}
    for pid in _own_line():
        leftovers.pop(pid, None)
    end_processes(leftovers.values(), grace=grace)
    shutil.rmtree(folder.pids, ignore_errors=True)
    return len(leftovers)


def find_marked(instance: str, *, part: str | None = None) -> list[psutil.Process]:
    """Return this user's processes that carry the mark, of one part or of all."""
    marked = []
    for process in psutil.process_iter():
        try:
            if process.uids().real != os.getuid():
                continue
            environment = process.environ()
        except (psutil.Error, OSError):
            continue
        if environment.get(INSTANCE_MARK) == instance and (
            part is None or environment.get(PART_MARK) == part
        ):
            marked.append(process)
    return marked


def end_processes(processes: Iterable[psutil.Process], *, grace: float) -> None:
    """Ask processes to end, and kill those that still live after `grace` seconds."""
    terminated = list(processes)
    for process in terminated:
        _signal(process, psutil.Process.terminate)
    _, alive = psutil.wait_procs(terminated, timeout=grace)
    for process in alive:
        _signal(process, psutil.Process.kill)
    psutil.wait_procs(alive, timeout=grace)


def _signal(process: psutil.Process, send: Callable[[psutil.Process], None]) -> None:
    with suppress(psutil.Error):
        send(process)


def _find_recorded(folder: DataFolder) -> list[psutil.Process]:
    """Return the processes of the pid files, with all that descend from them."""
    processes: list[psutil.Process] = []
    for path in folder.pids.glob("*.json"):
        note = PidFile.read(path)
        process = note.find() if note is not None else None
        if process is not None:
            try:
                processes += [process, *process.children(recursive=True)]
            except psutil.Error:
                continue
    return processes


def _own_line() -> list[int]:
    """Return the pids of this process and its ancestors, which must not be ended."""
    this = psutil.Process()
    return [this.pid, *(parent.pid for parent in this.parents())]
