"""The run process: ``python -m skerry.production.attempt``. One attempt, then it ends.

It asks the api for its order and for a grant to write, executes the notebook, writes the executed
notebook, page and manifest into the attempt's own folder, and asks the api to publish. Its only
secret is a run token. It goes on when its worker is killed. The heartbeat tells it when to stop;
its executor does so with SIGTERM. Every process that the notebook started ends before the manifest
is written.
"""

import contextlib
import logging
import os
import signal
import sys
import threading
import time
import traceback
from types import FrameType
from typing import TYPE_CHECKING, Any

from skerry.core.errors import ConflictError, SkerryError
from skerry.core.logs import configure_logs, writes_json
from skerry.core.request_ids import current_request
from skerry.core.time import format_time
from skerry.core.worker_settings import RunLimits
from skerry.models.runs import AttemptOrder
from skerry.production.environments import refuse_other_environment
from skerry.production.executors.last_words import leave_words, read_reason
from skerry.production.heartbeat import Heartbeat, Progress
from skerry.production.manifest import write_manifest
from skerry.production.notebooks import inject_parameters
from skerry.production.orders import AttemptResult
from skerry.production.pausing import pause_at
from skerry.production.processes import adopt_orphans, end_children
from skerry.production.reporting import Reporter
from skerry.production.run_log import RunLog
from skerry.storage.run_folder import RunFolder

if TYPE_CHECKING:
    from skerry.production.kernel import Kernel

_EXIT = {"published": 0, "failed": 10, "superseded": 11}
_STOP_S = 20.0
"""How long an attempt that has to stop may take to write its page."""


def main() -> int:
    """Carry out the attempt that the environment names; return the exit code."""
    adopt_orphans()
    limits = RunLimits.from_environment()
    log = RunLog.take_over(limits.log)
    attempt = Attempt(Reporter.from_environment(), log, limits)
    signal.signal(signal.SIGTERM, attempt.obey)
    result = attempt.carry_out()
    end_children()
    log.close()
    leave_words(_EXIT[result.status], result.write())
    return _EXIT[result.status]


class Attempt:
    """One attempt in its own process.

    Parameters
    ----------
    reporter
        Asks the api, and reports to it.
    log
        The attempt's log.
    limits
        Limits of its outputs.
    """

    def __init__(self, reporter: Reporter, log: RunLog, limits: RunLimits) -> None:
        self._reporter = reporter
        self._log = log
        self._limits = limits
        self._reason: str | None = None
        self._over: str | None = None

    def obey(self, _signal: int, _frame: FrameType | None) -> None:
        """Stop because the executor says so; for SIGTERM."""
        self._stop(read_reason())

    def carry_out(self) -> AttemptResult:
        """Execute the notebook, publish its outputs, and return how the attempt ended."""
        reporter = self._reporter
        asked = f" (request {request})" if (request := current_request()) else ""
        self._log.say(f"Attempt {reporter.epoch} of the run {reporter.run} begins{asked}.")
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
        reporter = self._reporter
        progress = Progress()
        refuse_other_environment()
        kernel = _take_kernel()  # while it starts, the api is asked
        self._log.follow(kernel.output)
        heartbeat = Heartbeat(reporter, progress, self._give_up)
        heartbeat.start()
        try:
            order = reporter.fetch_order()
            folder = reporter.ask_for_folder()
            remark = self._run_notebook(order, folder, progress, kernel)
        finally:
            heartbeat.stop()
        pause_at("before:write")
        outputs = folder.read_outputs()
        manifest = write_manifest(folder, order, outputs, remark)
        pause_at("after:write")
        pause_at("before:publish")
        reporter.publish(outputs, manifest)
        pause_at("after:publish")
        self._log.say(f"Published {len(outputs)} output{'' if len(outputs) == 1 else 's'}.")
        return remark

    def _run_notebook(
        self, order: AttemptOrder, folder: RunFolder, progress: Progress, kernel: "Kernel"
    ) -> str | None:
        from skerry.production.capped_outputs import CellOutputs
        from skerry.production.cells import Cells
        from skerry.production.page import prepare_pages, write_notebook

        os.environ |= name_facts(order)
        notebook, injected = inject_parameters(
            order.notebook.model_dump(), dict(order.parameter_schema), order.parameters
        )
        outputs = CellOutputs(self._log, self._limits)
        cells = Cells(notebook, injected, progress, outputs, lambda: self._reason)
        pause_at("before:notebook")
        prepare_pages()  # while the kernel starts
        status = "Broken off."
        try:
            remark = cells.execute(kernel)
            status = remark or "All cells ran."
        except SkerryError as error:
            status = f"Failed. {error.what}"
            raise
        finally:
            write_notebook(folder, order, cells.notebook, status)
            kernel.wait_for_end()
            end_children()  # before the manifest states the digests of what they wrote
        pause_at("after:notebook")
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


def name_facts(order: AttemptOrder) -> dict[str, str]:
    """Return the environment variables from which a notebook knows its run (`skerry.run`)."""
    facts = order.facts
    return {
        "SKERRY_JOB": facts.job,
        "SKERRY_OCCURRENCE": facts.occurrence,
        "SKERRY_PARTITION": facts.partition,
        "SKERRY_TICK": format_time(facts.tick),
        "SKERRY_DATA_DAY": facts.data_day,
    }


def _end_later() -> None:
    time.sleep(_STOP_S)
    end_children()
    os._exit(_EXIT["superseded"])


def _write_logs() -> None:
    """Write the messages of libraries with the time in UTC, like everything else in the log."""
    if writes_json():
        configure_logs(logging.WARNING)
        return
    logging.Formatter.converter = time.gmtime
    options: dict[str, Any] = {"format": "%(asctime)sZ %(message)s", "datefmt": "%Y-%m-%dT%H:%M:%S"}
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, **options)


_waiting: "list[Kernel]" = []
"""The kernel of this process, at most one, until an attempt takes it."""


def prepare() -> None:
    """Do what every attempt needs and what knows nothing of it: imports, a page, its kernel."""
    from skerry.production import cells  # noqa: F401
    from skerry.production.kernel import Kernel
    from skerry.production.page import prepare_pages

    kernel = Kernel()
    Reporter.prepare()
    prepare_pages()
    with contextlib.suppress(RuntimeError):  # the attempt then says why, or starts another
        kernel.wait_until_ready()
        _waiting.append(kernel)


def _take_kernel() -> "Kernel":
    from skerry.production.kernel import Kernel

    while _waiting:
        kernel = _waiting.pop()
        if kernel.find_exit_code() is None:
            return kernel
    return Kernel()


def begin() -> int:
    """Carry out the attempt that the environment names, as a program; end with its exit code."""
    _write_logs()
    try:
        code = main()
    except BaseException:  # noqa: BLE001 - nothing is left above
        traceback.print_exc()
        code = 1
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)  # everything is said; taking all libraries apart takes a while


if __name__ == "__main__":
    begin()
