"""What a process costs: wall time of its work, and peak memory of it and its children."""

import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import psutil

SAMPLE_S = 0.02


@dataclass(frozen=True)
class Cost:
    """Seconds of the work, and the largest sum of resident memory over the process tree."""

    seconds: float
    peak_mib: float


def measure(command: list[str], *, cwd: Path | None = None) -> Cost:
    """Run a command to its end; its last line says ``seconds`` and how many its work took.

    Raises
    ------
    RuntimeError
        If it fails; with the end of what it printed.
    """
    with tempfile.TemporaryFile("w+") as printed:
        child = subprocess.Popen(command, cwd=cwd, stdout=printed, stderr=subprocess.STDOUT)
        tree, peak = psutil.Process(child.pid), 0
        while child.poll() is None:
            peak = max(peak, _resident(tree), _highest(child.pid))
            time.sleep(SAMPLE_S)
        printed.seek(0)
        output = printed.read()
    if child.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{output[-3000:]}")
    return Cost(float(output.rsplit("seconds ", 1)[1]), peak / 2**20)


def measure_in_turns(
    commands: dict[str, list[str]], *, rounds: int, clean: dict[str, Path]
) -> dict[str, Cost]:
    """Run commands in turns, each `rounds` times after a first one that warms caches.

    Parameters
    ----------
    commands
        Name to command.
    rounds
        Measured rounds.
    clean
        Name to the file or folder that its command makes; removed before each run.

    Returns
    -------
    dict
        Name to the median of the wall times and the largest of the peaks.
    """
    import shutil

    result: dict[str, list[Cost]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            place = clean[name]
            place.unlink() if place.is_file() else shutil.rmtree(place, ignore_errors=True)
            os.sync()  # so that it does not wait for what others wrote
            cost = measure(command)
            if number:
                result[name].append(cost)
    return {
        name: Cost(median(item.seconds for item in costs), max(item.peak_mib for item in costs))
        for name, costs in result.items()
    }


def _highest(pid: int) -> int:
    """Return the most that a process has had, by the kernel: samples may miss it."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next(
        (int(line.split()[1]) * 1024 for line in status.splitlines() if line[:6] == "VmHWM:"), 0
    )


def _resident(tree: psutil.Process) -> int:
    total = 0
    try:
        for item in (tree, *tree.children(recursive=True)):
            total += item.memory_info().rss
    except psutil.NoSuchProcess:
        pass
    return total
