"""Clears after an interrupted worker: processes without their run process, and scratch folders."""

from pathlib import Path

from skerry.production.processes import end_marked, is_alive, pid_file, remove_scratch
from skerry.storage.layout import DataFolder


def clear_interrupted(data: DataFolder) -> None:
    """End processes and remove scratch of dead attempts. A worker calls it before it starts any.

    A run process that still lives is left alone: it learns from the api that it is superseded,
    ends its own processes and removes its scratch itself.
    """

    def is_at_work(run: str, epoch: str) -> bool:
        return epoch.isdecimal() and is_alive(pid_file(data.run, run, int(epoch)))

    def holds(scratch: Path) -> bool:
        run, _, epoch = scratch.name.rpartition("-")
        return is_at_work(run, epoch)

    end_marked(data.attempts, spare=holds)
    for scratch in data.attempts.glob("*"):
        run, _, epoch = scratch.name.rpartition("-")
        if not is_at_work(run, epoch):
            remove_scratch(scratch, data.run, run, int(epoch) if epoch.isdecimal() else 0)
            (data.run / "pids" / f"attempt-{scratch.name}.json").unlink(missing_ok=True)
