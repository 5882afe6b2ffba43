"""The parts work with what the chart gives them: variables, arguments, an empty folder.

Each is started as its container is, as a process of this machine, with a real database and bucket.
"""

import json
import subprocess
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.helm.containers import Cluster, empty_state, find_container, serve_hub
from tests.helm.rendering import Chart, find
from tests.minio_server import S3Server
from tests.platform_process import NO_CERTIFICATES, wait_until
from tests.postgresql_server import PostgresqlServer

pytestmark = [pytest.mark.kubernetes, pytest.mark.postgresql, pytest.mark.s3]

_LIMIT_S = 120.0
_KINDS = {
    "api": "Deployment", "maps": "Deployment", "dashboards": "Deployment", "worker": "StatefulSet",
}  # fmt: skip


class Parts:
    """The parts that run, and what their probes are answered."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._addresses: dict[tuple[str, str], str] = {}

    def start(self, cluster: Cluster, part: str, container: dict[str, Any]) -> None:
        """Start a part."""
        process, variables = cluster.start(container)
        self._processes[part] = process
        for probe in ("readiness", "liveness"):
            path = container[f"{probe}Probe"]["httpGet"]["path"]
            address = f"http://127.0.0.1:{variables['SKERRY_SERVICE_PORT']}{path}"
            self._addresses[part, probe] = address

    def end(self, *names: str) -> None:
        """End some parts, or all of them."""
        for name in names or self._processes:
            self._processes[name].kill()
            self._processes[name].wait()

    def name_address(self, part: str, probe: str) -> str:
        """Return where a probe asks."""
        return self._addresses[part, probe]

    def ask(self, part: str, probe: str) -> httpx.Response | None:
        """Return the answer to a probe, None if there is none."""
        try:
            return self._client.get(self._addresses[part, probe])
        except httpx.TransportError:
            return None

    def wait_for(self, part: str, status: int) -> httpx.Response:
        """Return the first answer to the readiness probe that has a status."""
        answers: list[httpx.Response] = []

        def is_answered() -> bool:
            answer = self.ask(part, "readiness")
            answers[:] = [answer] if answer is not None else []
            return answer is not None and answer.status_code == status

        wait_until(is_answered, _LIMIT_S, f"{part} answers {status}", every_s=0.2)
        return answers[0]


def examine(cluster: Cluster, doctor: dict[str, Any]) -> tuple[int, dict[str, str]]:
    """Run the doctor's container, without its run; return its exit code and what it found."""
    words = [*doctor["args"][:-1], "--json"]
    process, _ = cluster.start(doctor | {"args": words})
    code = process.wait(_LIMIT_S)
    return code, {
        entry["check"]: entry["state"] for entry in json.loads(cluster.read_log("doctor"))
    }


def test_parts_begin_with_their_tables_and_go_on_without_the_hub(
    chart: Chart, postgresql: PostgresqlServer, s3: S3Server, tmp_path: Path
) -> None:
    objects = chart.render("trial")
    with (
        empty_state(postgresql, s3) as state, ExitStack() as stack, ExitStack() as hub_lives,
        httpx.Client(trust_env=False, verify=NO_CERTIFICATES) as client,
    ):  # fmt: skip
        cluster = Cluster(tmp_path, **state)
        cluster.tell(JUPYTERHUB_API_URL=hub_lives.enter_context(serve_hub()))
        parts = Parts(client)
        stack.callback(parts.end)
        for part, kind in _KINDS.items():
            parts.start(cluster, part, find_container(objects, kind, f"skerry-{part}"))

        for part in ("api", "maps", "worker"):
            missing = parts.wait_for(part, 503).json()["missing"]
            assert missing["database"] == "The database has no tables yet."
            lives = parts.ask(part, "liveness")
            assert lives is not None
            assert lives.status_code == 200, "it is not restarted"

        migrations = find_container(objects, "Job", "skerry-migrations-1")
        process, _ = cluster.start(migrations)
        assert process.wait(_LIMIT_S) == 0, cluster.read_log("migrations")
        for part in _KINDS:
            parts.wait_for(part, 200)

        told = {part: parts.name_address(part, "readiness") for part in _KINDS}
        settings = tmp_path / "hub.json"
        settings.write_text(find(objects, "ConfigMap", "skerry-hub-settings")["data"]["hub.json"])
        cluster.tell(SKERRY_PARTS_AT=json.dumps(told), SKERRY_HUB_SETTINGS=str(settings))
        doctor = find_container(objects, "CronJob", "skerry-doctor")
        code, found = examine(cluster, doctor)
        assert code == 0, found
        for check in ("database", "objects", "clock", "workers", *_KINDS):
            assert found[check] == "well", found

        told["notices"] = told["api"].replace("/ready", "/platform/notices")
        cluster.tell(SKERRY_PARTS_AT=json.dumps(told | {"hub": "http://127.0.0.1:9/hub/health"}))
        status = find_container(objects, "Deployment", "skerry-status")
        parts.start(cluster, "status", status)
        parts.wait_for("status", 200)
        hub_lives.close()
        page = parts.name_address("status", "readiness").replace("health", "status.json")

        def read_states() -> dict[str, str]:
            listed = client.get(page).raise_for_status().json()["parts"]
            return {entry["name"]: entry["state"] for entry in listed}

        in_part = dict.fromkeys(_KINDS, "works in part")
        wait_until(
            lambda: read_states() == in_part | {"hub": "away"}, _LIMIT_S, "all of it is seen"
        )
        for part in _KINDS:
            assert parts.wait_for(part, 200).json()["limited"] == {
                "hub": "The hub does not answer."
            }
        public = client.get(told["api"].replace("/ready", "/stac/search"))
        assert public.status_code == 200
        refused = client.get(
            told["api"].replace("/ready", "/audit"), headers={"Accept": "text/html"}
        )
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "5"
        assert "This needs a login." in refused.json()["detail"]
        parts.end("maps")
        code, found = examine(cluster, doctor)
        assert code == 2
        assert {check for check, state in found.items() if state == "broken"} == {"hub", "maps"}
        assert found["api"] == "attention"
