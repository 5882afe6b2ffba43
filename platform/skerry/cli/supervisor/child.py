"""One child process, its log and its pid file; it ends when its parent ends."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable

from skerry.cli.supervisor.plan import Part
from skerry.storage.layout import DataFolder
from skerry.storage.pid_files import write_pid_file

_PR_SET_PDEATHSIG = 1
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 10.0
_STEADY_S = 5.0
"""Seconds after which a start has succeeded: the next restart then has no pause."""


class Child:
    """A part's process, and the processes that replaced it when it died.

    Parameters
    ----------
    part
        What to start.
    folder
        Where its pid file goes; its log is written there too.
    output
        File descriptor into which it writes its log.
    """

    def __init__(self, part: Part, folder: DataFolder, output: int) -> None:
        self.part = part
        self.restarts = 0
        self.log = folder.logs / f"{part.name}.log"
        self._folder = folder
        self._output = output
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._pause = _FIRST_PAUSE_S
        self._due: float | None = None

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """The last process's exit code, None while it runs."""
        return None if self._process is None else self._process.poll()

    def start(self) -> None:
        """Start the process in a session of its own."""
        if self.part.record.beat is not None:
            self.part.record.beat.unlink(missing_ok=True)
        self._process = subprocess.Popen(
            self.part.command,
            env=self.part.environment,
            cwd=self._folder.run,
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=end_with_parent(),  # noqa: PLW1509 - we start no threads
        )
        self._started = time.monotonic()
        self._due = None
        write_pid_file(self._folder.pids / f"{self.part.name}.json", self._process.pid)

    def revive(self) -> bool:
        """Start a dead process again when its pause is over; return whether it was started.

        The pause doubles from 0.5 s to 10 s while it keeps dying.
        """
        now = time.monotonic()
        if self.alive:
            return False
        if self._due is None:
            if now - self._started > _STEADY_S:
                self._pause = _FIRST_PAUSE_S
            self._due = now + self._pause
            self._pause = min(self._pause * 2, _LONGEST_PAUSE_S)
        if now < self._due:
            return False
        self.restarts += 1
        self.start()
        return True

    def ask_to_end(self) -> None:
        """Send SIGTERM."""
        if self._process is not None and self.alive:
            self._process.terminate()

    def kill(self) -> None:
        """Send SIGKILL and wait for the end."""
        if self._process is not None and self.alive:
            self._process.kill()
            self._process.wait()

    def last_lines(self, count: int = 8) -> list[str]:
        """Return the end of the log, for a message."""
        try:
            text = self.log.read_bytes()[-4000:].decode(errors="replace")
        except FileNotFoundError:
            return []
        return text.splitlines()[-count:]


def end_with_parent() -> Callable[[], None] | None:
    """Return what makes a new process receive SIGTERM when this one dies, where that exists."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)  # loaded now: after the fork it is too late
    parent = os.getpid()

    def ask_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent died meanwhile
            os._exit(1)

    return ask_kernel
