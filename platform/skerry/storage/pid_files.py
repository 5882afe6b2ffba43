"""Pid files: JSON notes that identify processes.

A process id is given to another process later, so a note holds the start time too.
"""

from pathlib import Path
from typing import Self

import psutil
from pydantic import BaseModel, ValidationError

from skerry.storage.writing import write_aside

_SAME_START_S = 0.05
"""The kernel counts start times in ticks of 10 ms."""


class PidFile(BaseModel):
    """The identity of a process.

    Attributes
    ----------
    pid, created
        Process id and start time (seconds since the epoch).
    """

    pid: int
    created: float

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Return a file's content, or None if it cannot be read."""
        try:
            return cls.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            return None

    def find(self) -> psutil.Process | None:
        """Return the process if it still lives."""
        return same_process(self.pid, self.created)


def write_pid_file(path: Path, pid: int) -> None:
    """Record a living process in a file that only its owner can read.

    Raises
    ------
    psutil.NoSuchProcess
        If it does not live.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    note = PidFile(pid=pid, created=psutil.Process(pid).create_time())
    write_aside(path, note.model_dump_json(), private=True, outlasts_power=False)


def same_process(pid: int, created: float) -> psutil.Process | None:
    """Return the process if it lives and started at `created`, else None."""
    try:
        process = psutil.Process(pid)
        # A process that has ended keeps its id until its parent reads its exit code: it does not
        # live.
        lives = process.status() != psutil.STATUS_ZOMBIE
        if lives and abs(process.create_time() - created) < _SAME_START_S:
            return process
    except psutil.Error:
        pass
    return None
