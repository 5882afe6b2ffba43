"""One attempt on the worker's side: prepare, start the run process, wait, report how it ended."""

import os
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, RowMapping
from sqlalchemy.exc import OperationalError

from skerry.core.digests import digest_bytes
from skerry.core.disk import check_space
from skerry.core.errors import SkerryError, UnavailableError
from skerry.core.settings import API_PREFIX, GATEWAY_PREFIX, RunLimits
from skerry.core.time import format_time
from skerry.models.releases import Release
from skerry.production.environments import find_python
from skerry.production.epochs import Outcome, record_token
from skerry.production.occurrences import find_tick
from skerry.production.orders import AttemptOrder, AttemptResult
from skerry.production.processes import (
    SCRATCH_MARK,
    RunProcesses,
    end_marked,
    name_temporary,
    pid_file,
    remove_scratch,
    temporary_folder,
)
from skerry.production.releases import check_pinned, get_approved
from skerry.production.run_log import add_line
from skerry.production.runs import find_run
from skerry.production.tokens import GRACE_S, TokenMinter
from skerry.storage.database import reading
from skerry.storage.layout import DataFolder
from skerry.storage.objects import ObjectFolder
from skerry.storage.plain_files import open_inside
from skerry.storage.run_folder import RunFile, list_run_folders
from skerry.storage.writing import write_aside

_POLL_S = 0.2
_LAST_WORDS_S = 15.0
_LONGEST_RESULT = 1_000_000
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_FILE", "USER",
                   "SKERRY_PAUSE_POINTS", "SKERRY_ISOLATION", "SKERRY_INSTANCE")  # fmt: skip
_KEPT_PREFIXES = ("DASK_GATEWAY__",)


class StoppingError(Exception):
    """The worker is ending; it must record nothing about the attempt."""


@dataclass(frozen=True)
class Executor:
    """Starts attempts and watches them.

    Attributes
    ----------
    engine
        Skerry's database.
    data
        The data folder.
    public_url
        The platform's address, for the run process.
    minter
        Where run tokens come from.
    stopping
        Is set when the worker is ending.
    limits
        Limits of the outputs and logs of runs.
    processes
        The run processes that are alive.
    """

    engine: Engine
    data: DataFolder
    public_url: str
    minter: TokenMinter
    stopping: Callable[[], bool]
    limits: RunLimits = field(default_factory=RunLimits)
    processes: RunProcesses = field(default_factory=RunProcesses)

    def execute(self, run_id: str, epoch: int) -> Outcome:
        """Carry out one attempt; return how it ended. Published outputs are adopted instead.

        Raises
        ------
        StoppingError
            If the worker has to end meanwhile. The run process is ended.
        UnavailableError
            If the hub gives no token now, or the disk has too little room.
        """
        run, release = self._read(run_id)
        if run["published_epoch"] is not None:
            return Outcome(epoch=run["published_epoch"], status="published")
        if run["cancel_requested"]:
            return Outcome(epoch=epoch, status="cancelled", detail="Cancelled.")
        check_space(self.data.root, "A run")
        try:
            order = self._prepare(run, release, epoch)
            say = partial(add_line, order.folder.locate(RunFile.LOG))
            python = find_python(self.data, release.environment, say)
        except UnavailableError:
            raise
        except SkerryError as error:
            return Outcome(epoch=epoch, status="failed", detail=str(error))
        token = self._mint(run, epoch)
        try:
            process = self._start(python, order, token)
            try:
                stopped = self._watch(process, run)
                if stopped is not None:
                    _ask_to_end(process, order, stopped.detail or "")
            finally:  # no process goes on without a watch, whatever happened
                self.processes.end(process)
                end_marked(order.scratch)
            return self._judge(order, process.returncode, stopped)
        finally:
            remove_scratch(order.scratch, self.data.run, run_id, epoch)
            pid_file(self.data.run, run_id, epoch).unlink(missing_ok=True)

    def _read(self, run_id: str) -> tuple[RowMapping, Release]:
        with reading(self.engine) as connection:
            run = find_run(connection, run_id)
            return run, get_approved(connection, run["release_id"])

    def _prepare(self, run: RowMapping, release: Release, epoch: int) -> AttemptOrder:
        notebook = self.data.objects / release.notebook_key
        check_pinned(digest_bytes(notebook.read_bytes()), release)
        scratch = self.data.attempts / f"{run['id']}-{epoch}"
        temporary = temporary_folder(self.data.run, run["id"], epoch)
        for place in (scratch, temporary):
            place.mkdir(parents=True, exist_ok=True)
        order = AttemptOrder(
            run=run["id"],
            epoch=epoch,
            notebook=notebook,
            objects=self.data.objects,
            scratch=scratch,
            run_state=self.data.run,
            api=f"{self.public_url}{API_PREFIX}/production",
            schema_=release.schema_,
            parameters=run["parameters"],
            manifest=_gather_facts(run, release),
            limits=self.limits,
        )
        order.folder.create()
        write_aside(scratch / "order.json", order.model_dump_json())
        return order

    def _mint(self, run: RowMapping, epoch: int) -> str:
        token = self.minter.mint(
            note=f"run {run['id']} attempt {epoch}", life_s=run["timeout_s"] + GRACE_S
        )
        with self.engine.begin() as connection:
            record_token(connection, run["id"], epoch, token=token.token, token_id=token.id)
        return token.token

    def _start(self, python: Path, order: AttemptOrder, token: str) -> subprocess.Popen[bytes]:
        arguments = [str(python), "-m", "skerry.production.attempt"]
        with order.folder.locate(RunFile.LOG).open("ab") as log:
            return self.processes.start(
                [*arguments, str(order.scratch / "order.json")],
                cwd=order.scratch,
                env=self._environment(python, order, token),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def _environment(self, python: Path, order: AttemptOrder, token: str) -> dict[str, str]:
        """Return the whole environment of the run process, without any variable of the worker."""
        variables = {
            name: value
            for name, value in os.environ.items()
            if name in _KEPT_VARIABLES or name.startswith(_KEPT_PREFIXES)
        }
        gateway = f"{self.public_url}{GATEWAY_PREFIX}"
        return {
            "DASK_GATEWAY__ADDRESS": gateway,
            **variables,
            "DASK_GATEWAY__AUTH__TYPE": "jupyterhub",
            "PATH": f"{python.parent}{os.pathsep}{variables.get('PATH', os.defpath)}",
            # what a killed kernel leaves there goes with the scratch folder, on the same disk
            **name_temporary(temporary_folder(self.data.run, order.run, order.epoch)),
            "PYTHONNOUSERSITE": "1",
            "PYTHONUNBUFFERED": "1",
            "IPYTHONDIR": str(order.scratch / "ipython"),
            "JUPYTER_DATA_DIR": str(order.scratch / "jupyter"),
            "JUPYTER_RUNTIME_DIR": str(order.scratch / "runtime"),
            "JUPYTER_PLATFORM_DIRS": "1",
            "JUPYTERHUB_API_TOKEN": token,
            "SKERRY_TOKEN": token,
            "SKERRY_URL": self.public_url,
            "SKERRY_JOB": order.manifest["job"],
            "SKERRY_RUN": order.run,
            "SKERRY_EPOCH": str(order.epoch),
            "SKERRY_OCCURRENCE": order.manifest["occurrence"],
            "SKERRY_PARTITION": order.manifest["partition"],
            "SKERRY_TICK": order.manifest["tick"],
            "SKERRY_DATA_DAY": order.manifest["data_day"],
            "SKERRY_RUN_FOLDER": str(order.folder.place),
            SCRATCH_MARK: str(order.scratch),
        }

    def _watch(self, process: subprocess.Popen[bytes], run: RowMapping) -> Outcome | None:
        """Wait for the process; return the reason if it must end: a timeout or a cancelled run."""
        deadline = time.monotonic() + run["timeout_s"]
        checked = time.monotonic()
        while process.poll() is None:
            if self.stopping():
                raise StoppingError
            if time.monotonic() > deadline:
                return Outcome(0, "failed", f"Ended after its timeout of {run['timeout_s']} s.")
            if time.monotonic() - checked > 5 * _POLL_S:
                checked = time.monotonic()
                if self._is_cancelled(run["id"]):
                    return Outcome(0, "cancelled", "Cancelled.")
            time.sleep(_POLL_S)
        return None

    def _is_cancelled(self, run_id: str) -> bool:
        try:
            return bool(self._read(run_id)[0]["cancel_requested"])
        except OperationalError:  # the database is busy: the next try is in a second
            return False

    def _judge(self, order: AttemptOrder, returncode: int, stopped: Outcome | None) -> Outcome:
        """Return how an attempt ended; the database counts more than the process's own result."""
        run, _ = self._read(order.run)
        if run["published_epoch"] is not None:
            return Outcome(epoch=run["published_epoch"], status="published")
        if stopped is not None:
            return Outcome(order.epoch, stopped.status, stopped.detail)
        if run["cancel_requested"]:
            return Outcome(order.epoch, "cancelled", "Cancelled.")
        try:
            with open_inside(order.scratch, order.result_file.name) as stream:
                result = AttemptResult.model_validate_json(stream.read(_LONGEST_RESULT))
        except (OSError, ValueError):
            how = f"signal {-returncode}" if returncode < 0 else f"exit code {returncode}"
            return Outcome(order.epoch, "crashed", f"The run process ended with {how}.")
        if result.status == "failed":
            return Outcome(order.epoch, "failed", result.detail)
        return Outcome(order.epoch, "crashed", result.detail)


def _ask_to_end(process: subprocess.Popen[bytes], order: AttemptOrder, reason: str) -> None:
    """Ask a run process to end its notebook and write its page, within a limit."""
    write_aside(order.reason_file, reason)
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_LAST_WORDS_S)


def _gather_facts(run: RowMapping, release: Release) -> dict[str, Any]:
    return {
        "job": run["job_name"],
        "occurrence": run["occurrence"],
        "tick": format_time(find_tick(run["occurrence"]) or run["created_at"]),
        "data_day": run["data_day"],
        "partition": run["partition"],
        "release": release.id,
        "release_name": release.name,
        "notebook_digest": release.notebook_digest,
        "environment_digest": release.environment_digest,
        "approved_by": release.decided_by,
        "self_approved": release.self_approved,
        "isolation": os.environ.get("SKERRY_ISOLATION", "none"),
    }


def remove_unpublished(
    data: DataFolder, run_id: str, published_epoch: int | None, *, up_to: int
) -> None:
    """Remove the products of attempts that were not published; logs and pages stay.

    Parameters
    ----------
    up_to
        The last epoch that is over: a later one may be at work already.
    """
    for folder in list_run_folders(ObjectFolder(data.objects), run_id):
        if folder.epoch != published_epoch and folder.epoch <= up_to:
            folder.remove_products()
