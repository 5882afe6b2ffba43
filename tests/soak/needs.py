"""What a platform needs while it is soaked: memory and disk."""

from contextlib import suppress
from dataclasses import dataclass

import psutil
from tests.soak.platforms import SoakedPlatform

from skerry.core.wording import describe_bytes


@dataclass
class Needs:
    """The memory of a platform's processes and the size of its data folders.

    Attributes
    ----------
    memory
        The most that all processes together had, run processes and servers too; pages that
        processes share are counted in each.
    processes
        The most processes at a time.
    """

    memory: int = 0
    processes: int = 0

    def look(self) -> None:
        """Measure the processes that this one has started."""
        sizes = []
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                sizes.append(process.memory_info().rss)
        self.memory = max(self.memory, sum(sizes))
        self.processes = max(self.processes, len(sizes))

    def describe(self, soaked: SoakedPlatform, runs: int, passed_s: float) -> str:
        """Return a line about time, memory and disk."""
        paths = [path for folder in soaked.folders for path in folder.root.rglob("*")]
        disk = 0
        for path in paths:
            with suppress(OSError):
                disk += 0 if path.is_symlink() else path.stat().st_size
        return (
            f"needed {passed_s / runs:.1f} s and {describe_bytes(disk // runs)} of the data folders"
            f" for each of {runs} runs; at most {describe_bytes(self.memory)} of memory in"
            f" {self.processes} processes"
        )
