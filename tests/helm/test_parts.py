"""The parts work with what the chart gives them: variables, arguments, an empty folder.

Each is started as its container is, as a process of this machine, with a real database and bucket.
Only what names the cluster's own places is replaced.
"""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.helm.rendering import Chart, find
from tests.minio_server import S3Server
from tests.platform_process import NO_CERTIFICATES, clean_environment, free_port, wait_until
from tests.postgresql_server import PostgresqlServer

pytestmark = [pytest.mark.kubernetes, pytest.mark.postgresql, pytest.mark.s3]

_LIMIT_S = 120.0
_KINDS = {
    "api": "Deployment", "maps": "Deployment", "dashboards": "Deployment", "worker": "StatefulSet",
}  # fmt: skip


class _Hub(http.server.BaseHTTPRequestHandler):
    """A hub that answers."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serve_hub() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Hub) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/hub/api"
        finally:
            server.shutdown()
            thread.join()


class Cluster:
    """What the cluster would give to containers: an address of its own to each, and Secrets."""

    def __init__(self, folder: Path, hub: str, database: str, store: dict[str, str]) -> None:
        self._folder = folder
        self._own = {
            "JUPYTERHUB_API_URL": hub, "SKERRY_DATABASE_URL": database, "POD_IP": "127.0.0.1",
            **store,
        }  # fmt: skip

    def name_variables(self, container: dict[str, Any]) -> dict[str, str]:
        """Return the variables of a container, with a port and folders of this machine."""
        place = self._folder / container["name"]
        place.mkdir(exist_ok=True)
        told: dict[str, str] = {}
        for variable in container["env"]:
            name = variable["name"]
            if name in self._own:
                told[name] = self._own[name]
            elif "value" in variable:
                text = variable["value"].replace("$(POD_IP)", told.get("POD_IP", ""))
                told[name] = text.replace("/data/", f"{place}/").replace("/tmp", str(place))
            else:
                told[name] = f"of-{variable['valueFrom']['secretKeyRef']['key']}" * 4
        if "SKERRY_SERVICE_PORT" in told:
            told["SKERRY_SERVICE_PORT"] = str(free_port())
        if told.get("SKERRY_EXECUTOR") == "kubernetes":
            told["SKERRY_EXECUTOR"] = "local"  # Jobs are tried in tests/kubernetes
        return clean_environment() | told

    def start(self, container: dict[str, Any]) -> "tuple[subprocess.Popen[bytes], dict[str, str]]":
        """Start a container's program."""
        [program, *words] = container["args"]
        assert program == "python"
        variables = self.name_variables(container)
        with (self._folder / f"{container['name']}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *words], env=variables, stdout=log, stderr=log, cwd=self._folder
            )
        return process, variables

    def read_log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()


@pytest.fixture
def cluster(postgresql: PostgresqlServer, s3: S3Server, tmp_path: Path) -> Iterator[Cluster]:
    with serve_hub() as hub, postgresql.database("template0") as url, s3.bucket() as bucket:
        postgresql.execute("CREATE EXTENSION postgis", url.rpartition("/")[2])
        store = s3.variables() | {"SKERRY_OBJECTS": f"s3://{bucket}/skerry"}
        yield Cluster(tmp_path, hub, url, store)


def find_container(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    [container] = find(objects, kind, name)["spec"]["template"]["spec"]["containers"]
    return container


class Parts:
    """The parts that run, and what their probes are answered."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._addresses: dict[tuple[str, str], str] = {}

    def add(self, part: str, container: dict[str, Any], port: str) -> None:
        """Note a part that has been started."""
        for probe in ("readiness", "liveness"):
            path = container[f"{probe}Probe"]["httpGet"]["path"]
            self._addresses[part, probe] = f"http://127.0.0.1:{port}{path}"

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


def test_parts_begin_when_the_migrations_have_ended(chart: Chart, cluster: Cluster) -> None:
    objects = chart.render("trial")
    with ExitStack() as stack, httpx.Client(trust_env=False, verify=NO_CERTIFICATES) as client:
        parts = Parts(client)
        for part, kind in _KINDS.items():
            container = find_container(objects, kind, f"skerry-{part}")
            process, variables = cluster.start(container)
            stack.callback(process.wait)
            stack.callback(process.kill)
            parts.add(part, container, variables["SKERRY_SERVICE_PORT"])

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
