"""The work of a soak: a job whose every run publishes a product that no other run publishes."""

import json
from typing import Any

import httpx
from tests.integration.production.stage import CELLS, approve_as_seen, make_notebook
from tests.platform_process import wait_until
from tests.soak.platforms import SoakedPlatform

JOB = "soak"
_PRODUCTION = "api/production"
_PARAMETERS = """\
number: Annotated[int, Field(ge=0, description="Minutes of the data time after 10 o'clock")] = 0
"""
_PUBLISH = """\
from datetime import UTC, datetime, timedelta

import numpy as np
import rioxarray
import xarray as xr

import skerry

x, y = 500005.0 + 10 * np.arange(50), 5999995.0 - 10 * np.arange(40)
data = np.full((40, 50), number, "float32")
field = xr.DataArray(data, dims=("y", "x"), name="field", coords={"x": x, "y": y})
moment = datetime(2026, 5, 1, 10, tzinfo=UTC) + timedelta(minutes=number)
skerry.publish(field.rio.write_crs("EPSG:32633"), output="field", datetime=moment.isoformat())
"""
AWAY = frozenset({502, 503, 504})
"""Answers that say that an api, or what it needs, is away now."""


class Client:
    """The owner as a client of the apis: it asks the next api when one is away.

    Parameters
    ----------
    soaked
        The platform.

    Attributes
    ----------
    wrong
        Answers that nothing excuses.
    """

    def __init__(self, soaked: SoakedPlatform) -> None:
        self._addresses = soaked.apis
        self._turn = 0
        self._client = httpx.Client(
            headers={"Authorization": f"Bearer {soaked.platform.token}"}, timeout=15,
            trust_env=False,
        )  # fmt: skip
        self.wrong: list[str] = []

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def ask(self, method: str, path: str, **content: Any) -> Any:
        """Send a request to the next api; return what it says, None when somebody is away."""
        own = path.startswith("maps/")  # there is one of them
        address = self._addresses[0 if own else self._turn % len(self._addresses)]
        self._turn += 1
        try:
            answer = self._client.request(method, f"{address}/services/{path}", **content)
        except httpx.TransportError:
            return None
        if answer.is_success:
            is_json = "json" in answer.headers["content-type"]
            return answer.json() if is_json else answer.content
        if answer.status_code not in AWAY:
            self.wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        return None

    def insist(self, method: str, path: str, **content: Any) -> Any:
        """Ask until there is an answer."""
        answers: list[Any] = []

        def answered() -> bool:
            answers.append(self.ask(method, path, **content))
            return answers[-1] is not None

        wait_until(answered, 120, f"{method} {path} has an answer", lambda: str(self.wrong))
        return answers[-1]


def prepare(client: Client) -> None:
    """Release the notebook and make its job."""
    notebook = make_notebook((CELLS[0], _PARAMETERS, _PUBLISH))
    proposed = client.insist(
        "POST", f"{_PRODUCTION}/releases", json={"name": JOB, "notebook": notebook}
    )
    path = f"{_PRODUCTION}/releases/{proposed['id']}/approve"
    client.insist("POST", path, json=approve_as_seen(proposed))
    order = {"name": JOB, "release": proposed["id"], "policy": {"review": "none"}}
    client.insist("POST", f"{_PRODUCTION}/jobs", json=order)


def start_run(client: Client, number: int) -> bool:
    """Ask for the run of a number, under a key of its own; return whether it was accepted."""
    order = {"parameters": {"number": number}, "idempotency_key": f"{JOB}-{number}"}
    return client.ask("POST", f"{_PRODUCTION}/jobs/{JOB}/runs", json=order) is not None


def count_runs(client: Client) -> dict[str, int] | None:
    """Count the runs by status; None when nobody answers now."""
    answer = client.ask("GET", f"{_PRODUCTION}/runs/counts", params={"job": JOB})
    return None if answer is None else dict(answer["counts"])


def list_runs(client: Client) -> list[dict[str, Any]]:
    """Return all runs with their attempts."""
    found: list[dict[str, Any]] = []
    while True:
        before = {"before": found[-1]["id"]} if found else {}
        page = client.insist(
            "GET", f"{_PRODUCTION}/runs", params={"job": JOB, "limit": 100, **before}
        )["runs"]
        if not page:
            return [client.insist("GET", f"{_PRODUCTION}/runs/{run['id']}") for run in found]
        found += page


def list_audit(client: Client, kind: str) -> list[dict[str, Any]]:
    """Return all that the audit tells of a kind of things, the oldest first."""
    found: list[dict[str, Any]] = []
    while True:
        before = {"before": found[-1]["number"]} if found else {}
        page = client.insist("GET", "api/audit", params={"what": kind, "limit": 1000, **before})
        if not page["entries"]:
            return found[::-1]
        found += page["entries"]


def list_items(client: Client) -> list[dict[str, Any]]:
    """Return all items that the catalogue shows of the job."""
    found: list[dict[str, Any]] = []
    asked: dict[str, Any] = {"collections": [JOB], "limit": 100}
    while True:
        page = client.insist("POST", "api/stac/search", json=asked)
        found += page["features"]
        following = [link for link in page["links"] if link["rel"] == "next"]
        if not following:
            return found
        asked = following[0]["body"]


def describe_failures(runs: list[dict[str, Any]]) -> str:
    """Return the runs that did not succeed, for people."""
    return "\n".join(json.dumps(run, indent=1) for run in runs if run["status"] != "succeeded")
