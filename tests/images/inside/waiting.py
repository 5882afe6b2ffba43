"""Waits for programs that tests start."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

_PATIENCE_S = 120.0


@contextmanager
def started(
    command: list[str], log: Path, environment: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program while a test needs it."""
    with log.open("wb") as kept:
        process = subprocess.Popen(command, stdout=kept, stderr=kept, env=environment)
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until(holds: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until something holds; fail with the log if the program ends first, or never does."""
    end = time.monotonic() + _PATIENCE_S
    while not holds():
        if process.poll() is not None or time.monotonic() > end:
            raise AssertionError(f"exit code {process.returncode}:\n{log.read_text()[-3000:]}")
        time.sleep(0.2)
