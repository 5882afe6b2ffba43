"""Runs a long command: its steps are shown, all that it says is kept."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from images.building.subsets import ROOT

BUILD = ROOT / "build" / "images"
_LAST_LINES = 12
_WIDTH = 150


class FailedError(Exception):
    """A step failed; the message says which, and where its log is."""


def follow(
    title: str, command: Sequence[str], log: Path, *, folder: Path = ROOT, shown: bool = False
) -> None:
    """Run a command in a folder until it ends.

    Parameters
    ----------
    log
        Keeps all that it says.
    shown
        Whether every line is shown, or those alone that begin a step.

    Raises
    ------
    FailedError
        If its exit code is not 0.
    """
    print(f"\033[1m{title}\033[0m", file=sys.stderr, flush=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    last: list[str] = []
    with (
        log.open("w") as kept,
        subprocess.Popen(
            command, cwd=folder, text=True, errors="replace",
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        ) as process,
    ):  # fmt: skip
        for line in process.stdout or ():
            kept.write(line)
            last = [*last[1 - _LAST_LINES :], line]
            if shown or begins_step(line):
                print(f"  {line.rstrip()[:_WIDTH]}", file=sys.stderr, flush=True)
    if process.returncode:
        said = "" if shown else "".join(last)
        raise FailedError(f"{said}{title}: failed. All that was said: {log}")


def begins_step(line: str) -> bool:
    """Return whether a builder begins a step: ``[1/2] STEP 2/9: RUN``, ``#7 [build 2/9] RUN``."""
    number, _, rest = line.partition(" ")
    if number[:1] == "#" and number[1:].isdigit():
        return rest.startswith("[")
    return line.startswith("STEP ") or rest.startswith("STEP ")
