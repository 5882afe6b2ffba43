"""A process that has imported its program, and waits to become an attempt.

Importing what an attempt needs, and starting a kernel, takes longer than a small notebook. So the
local executor keeps one process that has done it: ``python -m skerry.production.executors.prepared
MODULE``, in a folder of its own. It knows nothing of any run. It reads one line from its standard
input: environment variables, working folder and log of an attempt. Then it *is* that attempt, and
never another. When its worker dies before that, its standard input ends, and it ends with what it
has started.
"""

import importlib
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel

from skerry.core.errors import SkerryError
from skerry.models.releases import Environment
from skerry.production.becoming import become
from skerry.production.environments import Stamp, describe_environment, find_lock, stamp_packages
from skerry.production.processes import SCRATCH_MARK, end_children

_LOG = logging.getLogger("skerry.worker")
_PROGRAM = ("-m", "skerry.production.executors.prepared")
_LATER_S = 0.2

type Content = tuple[Environment, Stamp]
"""What a process has imported: the running environment, and when its packages were installed."""


@dataclass(frozen=True)
class Waiting:
    """A prepared process.

    Attributes
    ----------
    process
        It, with a pipe to its input.
    folder
        Its own folder, which stands in its environment and in that of what it has started.
    """

    process: subprocess.Popen[bytes]
    folder: Path


class Handover(BaseModel):
    """What makes a prepared process an attempt.

    Attributes
    ----------
    variables
        Its whole environment.
    work
        Its working folder.
    log
        The file for what it prints.
    """

    variables: dict[str, str]
    work: Path
    log: Path


class Prepared:
    """The prepared process of one worker, at most one at a time.

    Parameters
    ----------
    module
        The program: a module with the functions `prepare` and `begin`.
    start
        Starts a process of the running Python with these arguments.
    end
        Ends such a process and removes its folder.
    """

    def __init__(
        self,
        module: str,
        start: Callable[[tuple[str, ...]], Waiting],
        end: Callable[[Waiting], None],
    ) -> None:
        self._module = module
        self._start = start
        self._end = end
        self._turn = threading.Lock()
        self._waiting: tuple[Waiting, Content] | None = None
        self._timer: threading.Timer | None = None
        self._closed = False

    def renew_later(self) -> None:
        """Start a process to wait for the next attempt, in a moment: other work comes first."""
        with self._turn:
            if self._waiting is None and self._timer is None and not self._closed:
                self._timer = threading.Timer(_LATER_S, self._renew)
                self._timer.daemon = True
                self._timer.start()

    def take(self, environment: Environment, arguments: tuple[str, ...]) -> Waiting | None:
        """Return the waiting process if it is exactly what an attempt would start, else None."""
        with self._turn:
            if self._waiting is None or arguments != ("-m", self._module):
                return None
            waiting, content = self._waiting
            self._waiting = None
        if waiting.process.poll() is None and content == (dict(environment), _stamp()):
            return waiting
        self._discard(waiting)
        return None

    def close(self) -> None:
        """End the waiting process, and start none any more."""
        with self._turn:
            self._closed = True
            if self._timer is not None:
                self._timer.cancel()
            waiting, self._waiting = self._waiting, None
        if waiting is not None:
            self._discard(waiting[0])

    def _discard(self, waiting: Waiting) -> None:
        self._end(waiting)
        if waiting.process.stdin is not None:
            waiting.process.stdin.close()

    def _renew(self) -> None:
        with self._turn:
            self._timer = None
            if self._closed or self._waiting is not None:
                return
            try:
                content = (describe_environment(), _stamp())
                waiting = self._start((*_PROGRAM, self._module))
            except (
                OSError,
                SkerryError,
            ) as error:  # an attempt that finds none starts a process of its own
                _LOG.warning("No process waits for the next run: %s", error)
                return
            self._waiting = (waiting, content)


def _stamp() -> Stamp:
    return stamp_packages(find_lock())


def hand_over(waiting: Waiting, variables: Mapping[str, str], work: Path, log: Path) -> bool:
    """Make a prepared process an attempt; return False if it has ended instead."""
    line = Handover(variables=dict(variables), work=work, log=log).model_dump_json()
    if waiting.process.stdin is None:
        return False
    try:
        with waiting.process.stdin as pipe:
            pipe.write(f"{line}\n".encode())
    except OSError:
        return False
    return True


def _become(handover: Handover) -> None:
    """Take over environment, folder and log; nothing of what was before counts any more."""
    os.environ.clear()
    become(handover.variables, str(handover.work))
    sys.path[0] = str(handover.work)
    log = os.open(handover.log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((nothing, 0), (log, 1), (log, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(log)


def main() -> int:
    """Prepare, wait and become an attempt; return the exit code."""
    module = importlib.import_module(sys.argv[1])
    os.chdir(os.environ[SCRATCH_MARK])
    module.prepare()
    line = sys.stdin.buffer.readline()
    if not line.endswith(b"\n"):
        end_children()
        os._exit(0)
    _become(Handover.model_validate_json(line))
    sys.argv = [str(module.__file__)]
    code: int = module.begin()
    return code


if __name__ == "__main__":
    sys.exit(main())
