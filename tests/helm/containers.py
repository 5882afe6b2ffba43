"""Containers of the chart as processes of this machine, started as Kubernetes would start them.

Only what names the cluster's own places is replaced.
"""

import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.helm.rendering import find
from tests.minio_server import S3Server
from tests.platform_process import clean_environment, free_port
from tests.postgresql_server import PostgresqlServer

from skerry.core.settings import DATABASE_VARIABLE, OBJECTS_VARIABLE

_POD = {
    "Deployment": ("template",), "StatefulSet": ("template",), "Job": ("template",),
    "CronJob": ("jobTemplate", "spec", "template"),
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

    def __init__(self, folder: Path, **own: str) -> None:
        self._folder = folder
        self._own = {"POD_IP": "127.0.0.1", **own}

    def tell(self, **own: str) -> None:
        """Set variables that name places of this machine, for containers that start later."""
        self._own |= own

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

    def start(
        self, container: dict[str, Any], **places: Path
    ) -> "tuple[subprocess.Popen[bytes], dict[str, str]]":
        """Start a container's program; `places` are folders that stand for volumes by name."""
        [program, *words] = container["args"]
        assert program == "python"
        for mount in container["volumeMounts"]:
            if (place := places.get(mount["name"])) is not None:
                words = [str(place) if word == mount["mountPath"] else word for word in words]
        variables = self.name_variables(container)
        with (self._folder / f"{container['name']}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, *words], env=variables, stdout=log, stderr=log, cwd=self._folder
            )
        return process, variables

    def read_log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()


@contextmanager
def empty_state(postgresql: PostgresqlServer, s3: S3Server) -> Iterator[dict[str, str]]:
    """Give the variables of a database without tables and of an empty bucket."""
    with postgresql.database("template0") as url, s3.bucket() as bucket:
        postgresql.execute("CREATE EXTENSION postgis", url.rpartition("/")[2])
        place = f"s3://{bucket}/skerry"
        yield s3.variables() | {DATABASE_VARIABLE: url, OBJECTS_VARIABLE: place}


def find_container(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """Return the one container of an object."""
    described = find(objects, kind, name)["spec"]
    for step in _POD[kind]:
        described = described[step]
    [container] = described["spec"]["containers"]
    return container
