"""The kernel of one attempt: the Python process that executes the notebook. Never used twice.

It may have been started before its attempt: it learns the attempt's environment and folder before
the first cell, and has executed nothing else. It speaks through socket files in the folder in which
it was started (ZeroMQ over ipc): no other user of the machine can listen to what a notebook prints
or send it code. Imported only by the run process.
"""

import asyncio
import os
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from queue import Empty
from typing import Any

from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync

from skerry.production.processes import wait_for_end

_SOCKET = "kernel"
"""Beginning of the sockets' names, relative to the working folder: their whole path may have at
most 107 bytes, and a data folder's own path can be longer."""

_BEGIN = """\
from skerry.production.becoming import become as _become
_become({variables!r}, {folder!r})
from skerry.production.installing import guard_kernel as _guard
_guard(get_ipython())
del _become, _guard
"""
_START_S = 60.0
_LOOK_S = 0.01
_HEAR_S = 0.1
_END_S = 2.5
"""How long a notebook's own work at the end of Python (`atexit`) may take."""


class Kernel:
    """A kernel that is starting in the present working folder.

    Attributes
    ----------
    manager, client
        Its process, and the connection to it.
    output
        The end of a pipe from which comes what it prints past the notebook.
    """

    def __init__(self) -> None:
        self.manager = AsyncKernelManager(
            kernel_name="python3", transport="ipc", ip=_SOCKET,
            connection_file=str(Path(f"{_SOCKET}.json").absolute()),
        )  # fmt: skip
        self.output, printed = os.pipe()
        try:
            run_sync(self.manager.start_kernel)(
                cwd=str(Path.cwd()), stdout=printed, stderr=printed,
                extra_arguments=["--HistoryManager.hist_file=:memory:"],
            )  # fmt: skip
        finally:
            os.close(printed)
        self.client: AsyncKernelClient = self.manager.client()
        self._sockets = [Path(f"{_SOCKET}-{port}").absolute() for port in self.manager.ports]
        self._answers = False

    @property
    def process(self) -> subprocess.Popen[bytes] | None:
        """Its process."""
        process: subprocess.Popen[bytes] | None = getattr(self.manager.provisioner, "process", None)
        return process

    def wait_until_ready(self) -> None:
        """Wait until it answers.

        Raises
        ------
        RuntimeError
            If it dies before, or does not answer within a minute.
        """
        run_sync(self._connect)()

    def begin(self, variables: Mapping[str, str], folder: Path) -> None:
        """Make it the kernel of an attempt, and have it refuse to install packages.

        Raises
        ------
        RuntimeError
            If it dies, or cannot do this.
        """
        self.wait_until_ready()
        run_sync(self._execute)(_BEGIN.format(variables=dict(variables), folder=str(folder)))

    def ask_to_end(self) -> None:
        """Ask it to end, and do not wait for it."""
        if self.find_exit_code() is None and self._answers:
            run_sync(self._ask_to_end)()

    def wait_for_end(self) -> None:
        """Wait until it has ended, for some seconds; then it is killed with all other children."""
        if self.process is not None and self.find_exit_code() is None:
            wait_for_end(self.process.pid, _END_S)

    def find_exit_code(self) -> int | None:
        """Return the exit code of its process, None while it lives or where it is unknown."""
        return None if self.process is None else self.process.poll()

    async def _connect(self) -> None:
        """Connect as soon as there is something to connect to, and until outputs are heard."""
        deadline = time.monotonic() + _START_S
        while not self._answers:
            if not all(map(Path.exists, self._sockets)):
                await asyncio.sleep(_LOOK_S)
            elif not self.client.channels_running:
                self.client.start_channels()
                self.client.allow_stdin = False
            else:
                self._answers = await self._hear()
            self._check_life(deadline)

    async def _hear(self) -> bool:
        """Return whether it answers, and its outputs arrive."""
        self.client.kernel_info()
        try:
            await self.client.get_shell_msg(timeout=1)
            await self.client.get_iopub_msg(timeout=_HEAR_S)
        except Empty:
            return False
        return True

    async def _ask_to_end(self) -> None:
        self.client.shutdown()

    async def _execute(self, code: str) -> None:
        """Execute code that is no cell."""
        asked = self.client.execute(code, silent=True, store_history=False)
        deadline = time.monotonic() + _START_S
        answer: dict[str, Any] = {}
        while answer.get("parent_header", {}).get("msg_id") != asked:
            self._check_life(deadline)
            try:
                answer = await self.client.get_shell_msg(timeout=1)
            except Empty:
                continue
        content = answer["content"]
        if content["status"] != "ok":
            raise RuntimeError(
                f"It could not begin: {content.get('ename')}: {content.get('evalue')}"
            )

    def _check_life(self, deadline: float) -> None:
        code = self.find_exit_code()
        if code is not None:
            raise RuntimeError(f"It ended with exit code {code} before the first cell.")
        if time.monotonic() > deadline:
            raise RuntimeError(f"It did not answer within {_START_S:g} s.")
