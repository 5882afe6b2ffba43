"""Start parts of a platform again and again, without importing them each time.

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

PARTS = ("api", "maps", "worker", "dashboards")


@dataclass(frozen=True)
class Forks:
    """The program that forks, and the folder for what the parts print."""

    program: "subprocess.Popen[str]"
    folder: Path

    def run(self, part: str, environment: dict[str, str]) -> tuple[int, str]:
        """Run a part to its end; return its exit code and what it wrote to stderr."""
        assert self.program.stdin is not None
        assert self.program.stdout is not None
        output = self.folder / "stderr"
        order = {"part": part, "environment": environment, "output": str(output)}
        self.program.stdin.write(json.dumps(order) + "\n")
        self.program.stdin.flush()
        return int(self.program.stdout.readline()), output.read_text()


@contextmanager
def serve_forks(folder: Path) -> Iterator[Forks]:
    """Start the program, and end it after the block."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as program:
        yield Forks(program, folder)


def _become(part: str, environment: dict[str, str], output: str) -> int:
    """Be the part, as `python -m` starts it."""
    os.environ.clear()
    os.environ.update(environment)
    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
    os.dup2(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    return MAINS[part]()


if __name__ == "__main__":
    from skerry.dashboards import server
    from skerry.services import api, maps, worker

    MAINS = dict(zip(PARTS, (api.main, maps.main, worker.main, server.main), strict=True))
    for line in sys.stdin:
        if (child := os.fork()) == 0:
            os._exit(_become(**json.loads(line)))  # its imports need not be taken down
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
