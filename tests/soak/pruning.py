"""`skerry prune --yes` again and again while runs are carried out: nothing that is needed goes."""

import json
import subprocess
import time
from collections import Counter
from dataclasses import dataclass, field

from tests.platform_process import SKERRY, clean_environment
from tests.soak.platforms import SoakedPlatform

from skerry.core.settings import DATABASE_VARIABLE

_PAUSE_S = 5.0
_COMMAND = ["prune", "--yes", "--json", "--unnamed", "--older-than", "0"]


@dataclass
class Pruning:
    """A prune at a time, each a while after the one before.

    What a prune removes that is needed, the checks of the soak miss after it: they compare the
    bytes of every product, and read the log of every run.

    Attributes
    ----------
    soaked
        The platform.
    ended
        How many prunes looked everywhere, and how many something stopped.
    freed
        Bytes that they removed.
    wrong
        Reports and failures that nothing excuses.
    """

    soaked: SoakedPlatform
    ended: Counter[str] = field(default_factory=Counter)
    freed: int = 0
    wrong: list[str] = field(default_factory=list)
    _process: subprocess.Popen[str] | None = None
    _due: float = 0.0

    def tend(self) -> None:
        """Hear the prune that has ended, and start the next when it is due."""
        if self._process is not None and self._process.poll() is not None:
            self._hear(self._process)
            self._process = None
            self._due = time.monotonic() + _PAUSE_S * self.soaked.pace
        if self._process is None and time.monotonic() >= self._due:
            self._process = self._start()

    def finish(self) -> None:
        """Wait for the prune at work, and let a last one look at what all runs have left."""
        for process in (self._process, self._start()):
            if process is not None:
                self._hear(process)
        assert not self.wrong, "\n".join(self.wrong)
        assert self.ended["whole"], f"no prune looked everywhere: {self.ended}"

    def _start(self) -> subprocess.Popen[str]:
        soaked = self.soaked
        known = {"SKERRY_DATA": str(soaked.platform.data), **soaked.variables}
        if soaked.database is not None:
            known[DATABASE_VARIABLE] = soaked.database
        return subprocess.Popen(
            [*SKERRY, *_COMMAND], env=clean_environment() | known, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def _hear(self, process: subprocess.Popen[str]) -> None:
        output, errors = process.communicate(timeout=120)
        if process.returncode:  # the database or the store was away
            self.ended["stopped"] += 1
            if process.returncode not in (1, 2) or "Traceback" in errors:
                self.wrong.append(f"a prune ended with {process.returncode}: {errors}")
            return
        report = json.loads(output)
        self.ended["stopped" if report["skipped"] or report["left"] else "whole"] += 1
        self.freed += sum(entry["size"] for entry in report["entries"])
        if report["lost"] or report["changed"] or report["unnamed"]:
            self.wrong.append(f"a prune reports {output}")
