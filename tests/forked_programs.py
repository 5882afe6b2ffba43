"""Start parts of a platform and commands again and again, without importing them each time.

As a program it has their imports behind it, and forks a process for each line that it reads.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Forks:
    """The program that forks, and the folder for what the processes print."""

    program: "subprocess.Popen[str]"
    folder: Path

    def run(
        self, name: str, environment: dict[str, str], *words: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a part, or `skerry` with words, to its end."""
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        outputs = [self.folder / "stdout", self.folder / "stderr"]
        order = [name, environment, [str(path) for path in outputs], words]
        self.program.stdin.write(json.dumps(order) + "\n")
        self.program.stdin.flush()
        code = int(self.program.stdout.readline())
        return subprocess.CompletedProcess(
            [name, *words], code, *(path.read_text() for path in outputs)
        )


@contextmanager
def serve_forks(folder: Path) -> Iterator[Forks]:
    """Start the program, and end it after the block."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        yield Forks(program, folder)


def _become(name: str, environment: dict[str, str], outputs: list[str], words: list[str]) -> int:
    """Be the program, as `python -m` starts it."""
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in enumerate(outputs, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    sys.argv = [name, *words]
    code = run(words) if name == "skerry" else MAINS[name]()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    return code


if __name__ == "__main__":
    from skerry.cli import backup, move, serve, up  # noqa: F401  (imported when they are called)
    from skerry.cli.doctor import command  # noqa: F401
    from skerry.cli.main import run
    from skerry.dashboards import server
    from skerry.services import api, maps, worker

    MAINS = {"api": api.main, "maps": maps.main, "worker": worker.main, "dashboards": server.main}
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            os._exit(_become(*json.loads(line)))  # its imports need not be taken down
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
