"""The stage of the production tests: a platform, a real notebook, and ways to kill processes."""

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
from tests.audit_replay import check_audit
from tests.platform_process import RunningPlatform, start_platform, wait_until

from skerry.core.digests import digest_tree
from skerry.core.settings import DATABASE_VARIABLE
from skerry.production.epochs import claim_run
from skerry.storage.database import database_url, open_database
from skerry.storage.layout import DataFolder

LIMIT_S = 120.0

_IMPORTS = """\
from pathlib import Path
from typing import Annotated

from pydantic import Field
"""
_PARAMETERS = """\
minute: Annotated[int, Field(ge=0, le=59, description="Of the data time")] = 0
value: float = 1.0
gate: str = ""
"""
SHOW = 'import subprocess; subprocess.Popen(["sleep", "3600"])'
"""The system shows a program's environment as it was at its start: the kernel's is older than its
attempt, that of what the notebook starts is the attempt's."""
_WAIT = f"""\
import time

if gate:
    {SHOW}
print("the gate is", gate)
while gate and not Path(gate).exists():
    time.sleep(0.05)
"""
_PUBLISH = """\
import numpy as np
import rioxarray
import xarray as xr

import skerry

x, y = 500005.0 + 10 * np.arange(50), 5999995.0 - 10 * np.arange(40)
data = np.full((40, 50), value, "float32")
field = xr.DataArray(data, dims=("y", "x"), name="field", coords={"x": x, "y": y})
skerry.publish(
    field.rio.write_crs("EPSG:32633"),
    output="field",
    datetime=f"2026-05-01T10:{minute:02d}:00Z",
)
"""
CELLS = (_IMPORTS, _PARAMETERS, _WAIT, _PUBLISH)
"""A tiny notebook that waits at a gate if asked to, and publishes a real GeoZarr."""


def make_notebook(cells: tuple[str, ...] = CELLS, parameters: int | None = 1) -> dict[str, Any]:
    """Return an nbformat notebook; `parameters` is the tagged cell's position."""
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "language": "python", "display_name": "P"}},
        "cells": [
            {
                "cell_type": "code",
                "id": f"c{number}",
                "metadata": {"tags": ["parameters"]} if number == parameters else {},
                "source": source,
                "outputs": [],
                "execution_count": None,
            }
            for number, source in enumerate(cells)
        ],
    }


def approve_as_seen(proposed: dict[str, Any]) -> dict[str, Any]:
    """Return the body that approves a proposal of one's own, with the digests that it shows."""
    return {"self": True} | {
        name: proposed[name] for name in ("notebook_digest", "environment_digest")
    }


class Stage:
    """One platform on which runs are started, stopped, killed and looked at."""

    def __init__(self, platform: RunningPlatform, database: str | None = None) -> None:
        self.platform = platform
        self.database = database or database_url(DataFolder(platform.data).database)
        self.state = platform.data / "run"
        self._client = httpx.Client(
            base_url=f"{platform.url}/services/api",
            headers={"Authorization": f"Bearer {platform.token}"},
            timeout=60,
            trust_env=False,
            event_hooks={"response": [platform.check_described]},
        )
        self._minute = 0
        self.release = self.release_notebook("field", make_notebook())
        self.create_job("field")

    def close(self) -> None:
        """Close the connections to the api."""
        self._client.close()

    def ask(self, method: str, path: str, expect: int | None = None, **content: Any) -> Any:
        """Send a request to the api as the owner and return its JSON."""
        answer = self._client.request(method, path, **content)
        if expect is None:
            assert answer.is_success, answer.text
        else:
            assert answer.status_code == expect, answer.text
        return answer.json() if answer.content else None

    def ask_with(self, token: str, method: str, path: str, **content: Any) -> httpx.Response:
        """Send a request with another token."""
        headers = {"Authorization": f"Bearer {token}"}
        return self._client.request(method, path, headers=headers, **content)

    def fetch(self, path: str) -> httpx.Response:
        """Return a whole response."""
        return self._client.get(path)

    def release_notebook(self, name: str, notebook: dict[str, Any]) -> str:
        """Propose and approve a notebook; return the release's id."""
        proposed = self.ask(
            "POST", "/production/releases", json={"name": name, "notebook": notebook}
        )
        path = f"/production/releases/{proposed['id']}/approve"
        self.ask("POST", path, json=approve_as_seen(proposed))
        return str(proposed["id"])

    def create_job(self, name: str, release: str | None = None, **more: Any) -> None:
        """Create a job whose products are published at once."""
        policy = {"review": "none", **more.pop("policy", {})}
        order = {"name": name, "release": release or self.release, "policy": policy, **more}
        self.ask("POST", "/production/jobs", json=order)

    def start(self, job: str = "field", **parameters: Any) -> str:
        """Start a run with a data time of its own and return its id."""
        if job == "field":
            self._minute += 1
            parameters = {"minute": self._minute % 60, **parameters}
        run = self.ask("POST", f"/production/jobs/{job}/runs", json={"parameters": parameters})
        return str(run["id"])

    def show(self, run: str) -> dict[str, Any]:
        """Return a run."""
        result: dict[str, Any] = self.ask("GET", f"/production/runs/{run}")
        return result

    def wait_for(self, run: str, *statuses: str) -> dict[str, Any]:
        """Wait until a run has one of the statuses and return it."""
        wait_until(
            lambda: self.show(run)["status"] in statuses,
            LIMIT_S,
            f"the run is {' or '.join(statuses)}",
            lambda: self.explain(run),
        )
        return self.show(run)

    def wait_for_epoch(self, run: str, epoch: int, *, executing: bool = True) -> None:
        """Wait until an attempt is there, and by default has begun to execute."""

        def there() -> bool:
            return any(
                item["epoch"] == epoch and (not executing or item["status"] == "executing")
                for item in self.show(run)["attempts"]
            )

        wait_until(there, LIMIT_S, f"epoch {epoch} is at work", lambda: self.explain(run))

    def explain(self, run: str) -> str:
        """Return what is known about a run, for a failing test."""
        worker = self.platform.log_text("worker")[-3000:]
        logs = [self.log(run, item["epoch"])[-2000:] for item in self.show(run).get("attempts", [])]
        return "\n".join([json.dumps(self.show(run), indent=1), *logs, worker])

    def log(self, run: str, epoch: int) -> str:
        """Return an attempt's log."""
        return self.fetch(f"/production/runs/{run}/log?epoch={epoch}").text

    # -- processes ---------------------------------------------------------------------------

    def arm(self, point: str) -> None:
        """Have the next process that reaches the point stop itself there."""
        (self.state / "paused.json").unlink(missing_ok=True)
        aside = self.state / "pause.partial"
        aside.write_text(point)
        aside.rename(self.state / "pause")

    def wait_until_stopped(self, point: str, run: str) -> int:
        """Wait until a process has stopped at the point and return its pid."""
        mark = self.state / "paused.json"
        wait_until(mark.exists, LIMIT_S, f"a process stops at {point}", lambda: self.explain(run))
        document = json.loads(mark.read_text())
        assert document["point"] == point
        pid = int(document["pid"])
        wait_until(
            lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED, LIMIT_S, "it is stopped"
        )
        return pid

    def worker_pid(self) -> int:
        """Return the worker's pid."""
        return self.platform.part_pids()["worker"]

    def kill_worker(self) -> None:
        """SIGKILL the worker and wait until the supervisor has started another."""
        old = self.worker_pid()
        kill(old)
        self.wait_for_new_worker(old)

    def wait_for_new_worker(self, old: int) -> None:
        """Wait until another worker than `old` says that it is ready."""

        def ready() -> bool:
            try:
                return json.loads((self.state / "worker.ready").read_text())["pid"] != old
            except (OSError, ValueError):
                return False

        wait_until(ready, LIMIT_S, "a new worker", lambda: self.platform.log_text("worker")[-3000:])

    def claim(self, run: str) -> None:
        """Claim the next epoch of a run as another worker does."""
        engine = open_database(self.database)
        with engine.begin() as connection:
            assert claim_run(connection, run, 0) is not None
        engine.dispose()

    def attempt_pid(self, run: str, epoch: int) -> int:
        """Return the pid of a run process."""
        path = self.state / "pids" / f"attempt-{run}-{epoch}.json"
        wait_until(path.exists, LIMIT_S, f"the process of epoch {epoch}", lambda: self.explain(run))
        return int(json.loads(path.read_text())["pid"])

    def run_environment(self, run: str) -> dict[str, str]:
        """Return the environment variables of a run's notebook, which has to execute `SHOW`."""
        return find_environment(run, lambda: self.explain(run))

    # -- what must hold ----------------------------------------------------------------------

    def check_audit(self) -> None:
        """Assert that the audit tells all that the records hold, whatever was killed."""
        engine = open_database(self.database, read_only=True)
        try:
            check_audit(engine)
        finally:
            engine.dispose()

    def check_published_once(self, run: str) -> None:
        """Assert that exactly one item came of a run and that its bytes match its digests."""
        self.check_audit()
        result = self.show(run)
        assert [entry["output"] for entry in result["outputs"]] == ["field"]
        product = result["outputs"][0]
        pages = self.ask("GET", f"/stac/search?collections={result['collection']}&limit=1000")
        own = [item for item in pages["features"] if item["properties"].get("skerry:run") == run]
        assert [item["id"] for item in own] == [product["item"]]
        properties = own[0]["properties"]
        assert properties["skerry:digest"] == product["digest"]
        objects = self.platform.data / "objects"
        prefix = properties["skerry:prefix"]
        assert prefix == f"runs/{run}/{product['epoch']}/products/field/"
        assert digest_tree(objects / prefix) == product["digest"]
        for asset in own[0]["assets"].values():
            key = asset["href"].split("/files/", 1)[1].rstrip("/")
            assert digest_tree(objects / key) == asset["file:checksum"]
        left = [path.parent.name for path in (objects / "runs" / run).glob("*/products/field")]
        assert left in ([], ["products"])


@contextmanager
def serve_stage(
    data: Path,
    *,
    parts: Sequence[str] | None = ("gateway", "api", "worker", "hub"),
    database: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[Stage]:
    """Start a platform over a new data folder, and stop it after the block.

    Parameters
    ----------
    data
        The data folder.
    parts
        The parts that are started; None for all.
    database
        The database's URL; None for that of the data folder.
    settings
        Further variables.
    """
    variables = {**(settings or {}), **({DATABASE_VARIABLE: database} if database else {})}
    platform = start_platform(
        data, parts=list(parts) if parts else None, extra_environment=variables
    )
    try:
        with closing(Stage(platform, database)) as stage:
            yield stage
    finally:
        platform.stop()


def find_environment(run: str, explain: Callable[[], str] = lambda: "") -> dict[str, str]:
    """Return the environment variables of a run's notebook, when it has executed `SHOW`."""
    found: list[dict[str, str]] = []

    def look() -> bool:
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                environment = process.environ()
                if environment.get("SKERRY_RUN") == run:
                    found.append(environment)
        return bool(found)

    wait_until(look, LIMIT_S, f"the notebook of {run} has begun", explain)
    return found[0]


def history(run: dict[str, Any]) -> list[tuple[int, str, int | None]]:
    """Return (epoch, status, adopted epoch) of a run's attempts."""
    return [(item["epoch"], item["status"], item["adopted_epoch"]) for item in run["attempts"]]


def kill(pid: int) -> None:
    """SIGKILL a process."""
    os.kill(pid, signal.SIGKILL)


def carry_on(pid: int) -> None:
    """SIGCONT a process."""
    os.kill(pid, signal.SIGCONT)


def is_gone(pid: int) -> bool:
    """Return whether a process has ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
