"""The pipes from the parts to the process that writes their logs, and that process."""

import os
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress

from skerry.cli.supervisor.leftovers import INSTANCE_MARK, PART_MARK
from skerry.core.settings import platform_secrets
from skerry.storage.layout import DataFolder

_END_S = 1.0


class LogPipes:
    """A pipe for each part; both ends stay open here, so that no death of a side breaks them.

    Parameters
    ----------
    folder
        The data folder; the lines go to its ``logs``.
    instance
        The data folder's mark.
    names
        The parts.
    """

    def __init__(self, folder: DataFolder, instance: str, names: Iterable[str]) -> None:
        self._folder = folder
        self._instance = instance
        self._pipes = {name: os.pipe() for name in names}
        self._writer: subprocess.Popen[bytes] | None = None

    def output(self, name: str) -> int:
        """Return the end into which a part writes."""
        return self._pipes[name][1]

    def tend(self) -> None:
        """Start the writing process, also again after its death; lines wait meanwhile."""
        if self._writer is not None and self._writer.poll() is None:
            return
        secrets = platform_secrets()
        inherited = {name: value for name, value in os.environ.items() if name not in secrets}
        ends = {name: pipe[0] for name, pipe in self._pipes.items()}
        self._writer = subprocess.Popen(
            [sys.executable, "-m", "skerry.cli.supervisor.log_writer", str(self._folder.logs),
             *(f"{name}={end}" for name, end in ends.items())],
            env=inherited | {INSTANCE_MARK: self._instance, PART_MARK: "logs"},
            pass_fds=tuple(ends.values()),
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip

    def close(self) -> None:
        """Close the pipes and wait until the last lines are written."""
        for ends in self._pipes.values():
            for end in ends:
                os.close(end)
        if self._writer is not None:
            with suppress(subprocess.TimeoutExpired):  # a process that was left holds a pipe
                self._writer.wait(_END_S)
