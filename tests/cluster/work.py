"""Runs on a cluster: one job whose notebook publishes a small product, and can wait at a gate."""

import json
from typing import Any

from tests.cluster.installation import ATTEMPTS, Installation
from tests.cluster.person import Person
from tests.integration.production.stage import approve_as_seen, make_notebook
from tests.platform_process import wait_until

RUN_S = 300.0
_GATE = "/tmp/gate"


class Work:
    """Runs of one job, whose notebook publishes a small product."""

    def __init__(self, platform: Installation, person: Person) -> None:
        self.platform = platform
        self.person = person
        self.make_job("field", make_notebook())
        self._minute = 0

    def make_job(self, name: str, notebook: dict[str, Any]) -> None:
        """Release a notebook, and make a job of it."""
        proposal = {"name": name, "notebook": notebook}
        release = self.person.ask("POST", "/production/releases", json=proposal)
        path = f"/production/releases/{release['id']}/approve"
        self.person.ask("POST", path, json=approve_as_seen(release))
        order = {"name": name, "release": release["id"], "policy": {"review": "none"}}
        self.person.ask("POST", "/production/jobs", json=order)

    def start(self, gate: str = "") -> str:
        """Start a run with a data time of its own; return its id."""
        self._minute += 1
        return self.start_job("field", minute=self._minute, gate=gate)

    def start_job(self, job: str, **parameters: Any) -> str:
        """Start a run of any job; return its id."""
        order = {"parameters": parameters}
        return str(self.person.ask("POST", f"/production/jobs/{job}/runs", json=order)["id"])

    def start_at_gate(self) -> tuple[str, str]:
        """Start a run; return its id and its pod when its notebook waits at the gate."""
        run = self.start(_GATE)
        wait_until(lambda: self._is_at_gate(run), RUN_S, "it waits", self.explain)
        [pod] = self.wait_for_pods()
        return run, pod

    def wait_for_pods(self) -> list[str]:
        """Wait until attempts are at work; return the names of their pods."""
        wait_until(lambda: bool(self._list_working()), RUN_S, "an attempt works", self.explain)
        return self._list_working()

    def _list_working(self) -> list[str]:
        return [
            pod["metadata"]["name"] for pod in self.platform.list_pods("--namespace", ATTEMPTS)
            if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
        ]  # fmt: skip

    def _is_at_gate(self, run: str) -> bool:
        seen = self.show(run)
        assert seen["status"] != "failed", seen["detail"]
        return "the gate is" in self.log(run)

    def open_gate(self, pod: str) -> None:
        """Let a notebook go on."""
        self.platform.kubectl("--namespace", ATTEMPTS, "exec", pod, "--", "touch", _GATE)

    def show(self, run: str) -> dict[str, Any]:
        """Return a run."""
        result: dict[str, Any] = self.person.ask("GET", f"/production/runs/{run}")
        return result

    def wait_until_answered(self) -> None:
        """Wait until the platform answers again: its own pods have gone with their node."""
        runs = "/production/runs?limit=1"
        wait_until(
            lambda: self.person.send("GET", runs).is_success, RUN_S, "it answers", self.explain
        )

    def log(self, run: str) -> str:
        """Return the log of its first attempt, whose pieces follow each other."""
        pieces, start = [], 0
        while True:
            answer = self.person.send("GET", f"/production/runs/{run}/log?epoch=1&from={start}")
            pieces.append(answer.text)
            following = int(answer.headers.get("X-Next", start))
            if following == start:
                return "".join(pieces)
            start = following

    def wait_for_end(self, run: str) -> dict[str, Any]:
        """Wait until a run has ended well or badly; return it."""
        wait_until(
            lambda: self.show(run)["status"] in ("succeeded", "failed"), RUN_S, "it ends",
            lambda: f"{json.dumps(self.show(run), indent=1)}\n{self.log(run)}\n{self.explain()}",
        )  # fmt: skip
        return self.show(run)

    def check_published_once(self, run: str) -> dict[str, Any]:
        """Assert that exactly one item came of a run; return it."""
        [product] = self.show(run)["outputs"]
        found = self.person.ask("GET", "/stac/search?limit=1000")["features"]
        [item] = [item for item in found if item["properties"].get("skerry:run") == run]
        assert item["properties"]["skerry:digest"] == product["digest"]
        return dict(item)

    def explain(self) -> str:
        """Return what the cluster says."""
        words = ("--namespace", ATTEMPTS, "get", "events", "--sort-by=.lastTimestamp")
        return f"{self.platform.kubectl(*words, check=False)}\n{self.platform.explain()}"
