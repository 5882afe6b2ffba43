"""The run process: ``python -m skerry.production.attempt ORDER``. One attempt, then it ends.

It executes the notebook with papermill, writes executed notebook, page and manifest into the
attempt's own folder, and asks the api to publish. It holds a run token and nothing else of the
platform's. It outlives a worker that is killed; the heartbeat tells it when to give up.
"""

import contextlib
import json
import os
import sys
import traceback
from pathlib import Path
from typing import NoReturn

from skerry.core.errors import ConflictError, SkerryError, UnavailableError
from skerry.core.time import format_time, utc_now
from skerry.production.heartbeat import Heartbeat, Progress
from skerry.production.manifest import EXECUTED, read_outputs, write_manifest, write_page
from skerry.production.notebooks import inject_parameters
from skerry.production.orders import RESULT_NAME, AttemptOrder, AttemptResult
from skerry.production.pausing import pause_at
from skerry.production.processes import end_children, pid_file
from skerry.production.reporting import Reporter
from skerry.storage.pid_files import write_pid_file
from skerry.storage.writing import write_aside

_EXIT = {"published": 0, "failed": 10, "superseded": 11}


def main(arguments: list[str]) -> int:
    """Carry out the order in the file that the first argument names; return the exit code."""
    order = AttemptOrder.model_validate_json(Path(arguments[0]).read_text())
    pids = pid_file(order.run_state, order.run, order.epoch)
    write_pid_file(pids, os.getpid())
    try:
        _carry_out(order)
        result = AttemptResult(status="published")
    except ConflictError as error:
        _log(f"This attempt is over: {error.what}")
        result = AttemptResult(status="superseded", detail=error.what)
    except SkerryError as error:
        _log(str(error))
        result = AttemptResult(status="failed", detail=error.what)
    except Exception as error:  # noqa: BLE001 - whatever fails here fails this attempt alone
        traceback.print_exc()
        result = AttemptResult(status="failed", detail=f"{type(error).__name__}: {error}")
    end_children()
    write_aside(order.folder / RESULT_NAME, result.model_dump_json())
    pids.unlink(missing_ok=True)
    return _EXIT[result.status]


def _carry_out(order: AttemptOrder) -> None:
    reporter = Reporter(
        f"{order.api}/runs/{order.run}/attempts/{order.epoch}", os.environ["SKERRY_TOKEN"]
    )
    progress = Progress()
    _log(f"Attempt {order.epoch} of the run {order.run} begins.")
    with contextlib.suppress(UnavailableError):  # the heartbeat will try again
        reporter.report(done=0, total=0, cell=None)
    heartbeat = Heartbeat(reporter, progress, lambda reason: _give_up(order, reason))
    heartbeat.start()
    try:
        _run_notebook(order, progress)
    finally:
        heartbeat.stop()
    pause_at("before:write", order.run_state)
    outputs = read_outputs(order.folder)
    manifest = write_manifest(order, outputs)
    pause_at("after:write", order.run_state)
    pause_at("before:publish", order.run_state)
    reporter.publish(outputs, manifest)
    pause_at("after:publish", order.run_state)
    _log(f"Published {len(outputs)} output{'' if len(outputs) == 1 else 's'}.")


def _run_notebook(order: AttemptOrder, progress: Progress) -> None:
    from skerry.production.engine import execute

    notebook = inject_parameters(
        json.loads(order.notebook.read_text()), order.schema_, order.parameters
    )
    pause_at("before:notebook", order.run_state)
    try:
        execute(notebook, order.folder / EXECUTED, cwd=order.scratch, progress=progress)
    finally:
        if (order.folder / EXECUTED).is_file():
            write_page(order.folder)
    pause_at("after:notebook", order.run_state)


def _give_up(order: AttemptOrder, reason: str) -> NoReturn:
    """End the kernel and this process at once; called from the heartbeat's thread."""
    _log(f"This attempt ends itself: {reason}")
    end_children()
    with contextlib.suppress(OSError):
        result = AttemptResult(status="superseded", detail=reason)
        write_aside(order.folder / RESULT_NAME, result.model_dump_json())
        pid_file(order.run_state, order.run, order.epoch).unlink(missing_ok=True)
    os._exit(_EXIT["superseded"])


def _log(line: str) -> None:
    print(f"{format_time(utc_now())} {line}", file=sys.stderr, flush=True)  # noqa: T201 - the log


if __name__ == "__main__":
    import logging

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("httpx").setLevel(logging.WARNING)
    sys.exit(main(sys.argv[1:]))
