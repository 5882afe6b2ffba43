"""The heartbeat of a run process: every second it reports progress, and hears whether it may go on.

It also ends an attempt whose worker was killed: when a newer attempt has superseded it, its
report is refused, and it ends its kernel and itself.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from skerry.core.errors import ConflictError, UnavailableError
from skerry.core.patience import RUN_S
from skerry.production.reporting import Reporter

PERIOD_S = 1.0


@dataclass
class Progress:
    """A notebook's progress; the engine writes it, the heartbeat reads it."""

    done: int = 0
    total: int = 0
    cell: str | None = None


class Heartbeat:
    """A thread that reports progress until it is stopped.

    Parameters
    ----------
    reporter
        Sends the reports.
    progress
        The progress to report.
    give_up
        Called once, with the reason, when the attempt must end.
    """

    def __init__(
        self, reporter: Reporter, progress: Progress, give_up: Callable[[str], None]
    ) -> None:
        self._reporter = reporter
        self._progress = progress
        self._give_up = give_up
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after a last report: the run keeps the notebook's last progress."""
        self._stopped.set()
        self._thread.join()
        with contextlib.suppress(ConflictError, UnavailableError):
            self._report()

    def _beat(self) -> None:
        heard = time.monotonic()
        while True:
            try:
                self._report()
                heard = time.monotonic()
            except ConflictError as error:
                self._give_up(error.what)
                return
            except UnavailableError as error:
                if time.monotonic() - heard > RUN_S:
                    self._give_up(error.what)
                    return
            if self._stopped.wait(PERIOD_S):
                return

    def _report(self) -> None:
        progress = self._progress
        self._reporter.report(done=progress.done, total=progress.total, cell=progress.cell)
