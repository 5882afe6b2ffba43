"""The run process: ``python -m skerry.production.attempt ORDER``. One attempt, then it ends.

It executes the notebook, writes the executed notebook, page and manifest into the attempt's own
folder, and asks the api to publish. Its only secret is a run token. It goes on when its worker is
killed. The heartbeat tells it when to stop; the worker does so with SIGTERM. Every process that
the notebook started ends before the manifest is written.
"""

import contextlib
import json
import logging
import os
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

from skerry.core.errors import ConflictError, SkerryError, UnavailableError
from skerry.production.heartbeat import Heartbeat, Progress
from skerry.production.manifest import write_manifest
from skerry.production.notebooks import inject_parameters
from skerry.production.orders import AttemptOrder, AttemptResult
from skerry.production.pausing import pause_at
from skerry.production.processes import (
    adopt_orphans,
    end_children,
    pid_file,
    remove_scratch,
)
from skerry.production.reporting import Reporter
from skerry.production.run_log import RunLog
from skerry.storage.pid_files import write_pid_file
from skerry.storage.writing import write_aside

_EXIT = {"published": 0, "failed": 10, "superseded": 11}
_STOP_S = 20.0
"""How long an attempt that has to stop may take to write its page."""


def main(arguments: list[str]) -> int:
    """Carry out the order in the file that the first argument names; return the exit code."""
    order = AttemptOrder.model_validate_json(Path(arguments[0]).read_text())
    adopt_orphans()
    log = RunLog.take_over(order.limits.log)
    pids = pid_file(order.run_state, order.run, order.epoch)
    write_pid_file(pids, os.getpid())
    attempt = Attempt(order, log)
    signal.signal(signal.SIGTERM, attempt.obey)
    result = attempt.carry_out()
    end_children()
    log.close()
    write_aside(order.result_file, result.model_dump_json())
    pids.unlink(missing_ok=True)
    if result.status == "superseded":  # its worker may be gone
        remove_scratch(order.scratch, order.run_state, order.run, order.epoch)
    return _EXIT[result.status]


class Attempt:
    """One attempt in its own process.

    Parameters
    ----------
    order
        What the worker wants.
    log
        The attempt's log.
    """

    def __init__(self, order: AttemptOrder, log: RunLog) -> None:
        self._order = order
        self._log = log
        self._reason: str | None = None
        self._over: str | None = None

    def obey(self, _signal: int, _frame: FrameType | None) -> None:
        """Stop because the worker says so; for SIGTERM."""
        reason = "Ended by the worker."
        with contextlib.suppress(OSError):
            reason = self._order.reason_file.read_text()
        self._stop(reason)

    def carry_out(self) -> AttemptResult:
        """Execute the notebook, publish its outputs, and return how the attempt ended."""
        order = self._order
        self._log.say(f"Attempt {order.epoch} of the run {order.run} begins.")
        try:
            remark = self._publish_notebook()
        except ConflictError as error:
            self._log.say(f"This attempt is over: {error.what}")
            return AttemptResult(status="superseded", detail=error.what)
        except SkerryError as error:
            if self._over is not None:
                self._log.say(f"This attempt is over: {self._over}")
                return AttemptResult(status="superseded", detail=self._over)
            self._log.say(str(error))
            return AttemptResult(status="failed", detail=error.what)
        except Exception as error:  # noqa: BLE001 - whatever fails here fails this attempt alone
            self._log.say(traceback.format_exc())
            return AttemptResult(status="failed", detail=f"{type(error).__name__}: {error}")
        return AttemptResult(status="published", detail=remark)

    def _publish_notebook(self) -> str | None:
        order = self._order
        reporter = Reporter(
            f"{order.api}/runs/{order.run}/attempts/{order.epoch}", os.environ["SKERRY_TOKEN"]
        )
        progress = Progress()
        with contextlib.suppress(UnavailableError):  # the heartbeat will try again
            reporter.report(done=0, total=0, cell=None)
        heartbeat = Heartbeat(reporter, progress, self._give_up)
        heartbeat.start()
        try:
            remark = self._run_notebook(progress)
        finally:
            heartbeat.stop()
        pause_at("before:write", order.run_state)
        outputs = order.folder.read_outputs()
        manifest = write_manifest(order.folder, order, outputs, remark)
        pause_at("after:write", order.run_state)
        pause_at("before:publish", order.run_state)
        reporter.publish(outputs, manifest)
        pause_at("after:publish", order.run_state)
        self._log.say(f"Published {len(outputs)} output{'' if len(outputs) == 1 else 's'}.")
        return remark

    def _run_notebook(self, progress: Progress) -> str | None:
        from skerry.production.capped_outputs import CellOutputs
        from skerry.production.cells import Cells
        from skerry.production.page import write_notebook

        order = self._order
        notebook, injected = inject_parameters(
            json.loads(order.notebook.read_text()), order.schema_, order.parameters
        )
        outputs = CellOutputs(self._log, order.limits)
        cells = Cells(notebook, injected, progress, outputs, lambda: self._reason)
        pause_at("before:notebook", order.run_state)
        status = "Broken off."
        try:
            remark = cells.execute(order.scratch)
            status = remark or "All cells ran."
        except SkerryError as error:
            status = f"Failed. {error.what}"
            raise
        finally:
            end_children()  # before the manifest states the digests of what they wrote
            write_notebook(order.folder, order, cells.notebook, status)
        pause_at("after:notebook", order.run_state)
        return remark

    def _give_up(self, reason: str) -> None:
        """Stop because the api says so; for the heartbeat's thread."""
        self._over = reason
        self._stop(reason)

    def _stop(self, reason: str) -> None:
        """End kernel and children at once, and this process soon."""
        if self._reason is None:
            self._reason = reason
            threading.Thread(target=_end_later, daemon=True).start()
        end_children()


def _end_later() -> None:
    time.sleep(_STOP_S)
    end_children()
    os._exit(_EXIT["superseded"])


def _write_logs() -> None:
    """Write the messages of libraries with the time in UTC, like everything else in the log."""
    logging.Formatter.converter = time.gmtime
    options: dict[str, Any] = {"format": "%(asctime)sZ %(message)s", "datefmt": "%Y-%m-%dT%H:%M:%S"}
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, **options)


if __name__ == "__main__":
    _write_logs()
    sys.exit(main(sys.argv[1:]))
