"""What a person's JupyterLab server does for a link that somebody else has made."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.platform_process import clean_environment, free_port, wait_until
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from skerry.hub.user_servers import lab_environment

pytestmark = pytest.mark.long

_TOKEN = "token-of-ann-in-her-browser"
_SERVER_TOKEN = "token-of-the-server-of-ann"


@dataclass
class Inside:
    """Stands for the gateway and its proxy: ann has one cluster, bob has the others."""

    port: int = 0
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    @property
    def dashboards(self) -> list[tuple[str, dict[str, str]]]:
        """What schedulers were asked, with the headers in small letters."""
        return [(path, headers) for path, headers in self.asked if path.startswith("/clusters/")]


@contextmanager
def serve_inside() -> Iterator[Inside]:
    inside = Inside()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            inside.asked.append((self.path, headers))
            api = "/api/v1/clusters/"
            known = headers.get("authorization") == f"jupyterhub {_SERVER_TOKEN}"
            status = 200
            if self.path.startswith(api):
                status = 200 if known and self.path == f"{api}skerry.of-ann" else 403
            self.send_response(status)
            self.end_headers()
            self.wfile.write(b"a page of a scheduler")

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    inside.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield inside
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class Lab:
    """A running server of ann."""

    url: str
    inside: Inside
    home: Path

    def get(self, path: str, **headers: str) -> httpx.Response:
        """Return the answer to ann's browser, which follows a link."""
        shown = {"Authorization": f"token {_TOKEN}", **headers}
        return httpx.get(f"{self.url}/{path}", headers=shown, trust_env=False, timeout=60)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    home = folder / "home"
    home.mkdir()
    with serve_inside() as inside:
        port = free_port()
        variables = {
            **lab_environment(), "HOME": str(home), "PATH": os.environ["PATH"],
            "SKERRY_DASK_DASHBOARDS": f"127.0.0.1:{inside.port}",
            "DASK_GATEWAY__ADDRESS": f"http://127.0.0.1:{inside.port}",
            "JUPYTERHUB_API_TOKEN": _SERVER_TOKEN, "JUPYTER_TOKEN": _TOKEN,
        }  # fmt: skip
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [
                    sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser",
                    f"--port={port}",
                ],
                env=clean_environment() | variables, cwd=home, stdout=log,
                stderr=subprocess.STDOUT,
            )  # fmt: skip
        lab = Lab(f"http://127.0.0.1:{port}", inside, home)
        try:
            wait_until(lambda: _answers(lab), 120, "the server", (folder / "log").read_text)
            yield lab
        finally:
            process.terminate()
            process.wait(20)


def _answers(lab: Lab) -> bool:
    try:
        return lab.get("api").is_success
    except httpx.TransportError:
        return False


def write_programs(folder: Path) -> Path:
    """Write a notebook and a program that leave a trace, and return what they would leave."""
    trace = folder / "trace"
    source = f"open({str(trace)!r}, 'w').close()"
    cell = {
        "cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": [],
        "source": [source],
    }  # fmt: skip
    kernel = {"name": "python3", "display_name": "Python", "language": "python"}
    notebook = {
        "cells": [cell], "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5
    }  # fmt: skip
    (folder / "app.py").write_text(source)
    (folder / "app.ipynb").write_text(json.dumps(notebook))
    return trace


@pytest.mark.parametrize("name", ["app.py", "app.ipynb"])
def test_no_link_runs_a_file(lab: Lab, tmp_path: Path, name: str) -> None:
    """Neither one of a folder that a project shares, nor one of the home."""
    for folder in (tmp_path, lab.home):
        trace = write_programs(folder)
        for path in (
            f"panel-preview/render/{folder / name}",
            f"panel-preview/render/{os.path.relpath(folder / name, lab.home)}",
            f"panel-preview/render/{name}",
        ):
            assert lab.get(path).status_code == 404, path
        assert not trace.exists()
    assert lab.get("api/kernels").json() == []


def test_nobody_has_modules_imported_or_reads_folders_of_the_home(lab: Lab) -> None:
    package = lab.home / "own_app"
    (package / "dist").mkdir(parents=True)
    (package / "__init__.py").write_text(f"open({str(lab.home / 'imported')!r}, 'w').close()")
    (package / "dist" / "secret.txt").write_text("of ann")
    for path in (
        "panel-preview/components/own_app/A/_esm",
        "panel-preview/static/extensions/own_app/secret.txt",
    ):
        answer = httpx.get(f"{lab.url}/{path}", trust_env=False, timeout=60)
        assert (answer.status_code, "of ann" in answer.text) == (404, False), path
    assert not (lab.home / "imported").exists()


def test_notebooks_have_what_panel_needs(lab: Lab) -> None:
    for path in (
        "panel-preview/static/js/bokeh.min.js",
        "panel-preview/static/extensions/panel/panel.min.js",
        "panel-preview/static/extensions/panel-material-ui/panel-material-ui.bundle.js",
        "panel_dist/panel.min.js",
    ):
        assert lab.get(path).status_code == 200, path
    for path in (
        "panel-preview/static/extensions/panel/../__init__.py",
        "panel-preview/static/extensions/panel/%2e%2e/__init__.py",
        "panel-preview/static/extensions/panel/%2Fetc/passwd",
        "panel-preview/static/extensions/os/x", "panel-preview/static/extensions/..%2F/x",
        "panel-preview/static/extensions/panel.io/x", "panel-preview/static/%2e%2e/__init__.py",
    ):  # fmt: skip
        assert lab.get(path).status_code in (403, 404), path


def test_the_dashboard_of_an_own_cluster_is_shown_and_gets_no_cookie(lab: Lab) -> None:
    answer = lab.get("skerry/dask/clusters/skerry.of-ann/status?x=1", Cookie="session=secret")
    assert (answer.status_code, answer.text) == (200, "a page of a scheduler")
    path, headers = lab.inside.dashboards[-1]
    assert path == "/clusters/skerry.of-ann/status?x=1"
    assert not {"authorization", "cookie"} & headers.keys()
    assert _TOKEN not in str(headers)


@pytest.mark.parametrize(
    "path",
    [
        "skerry/dask/clusters/skerry.of-bob/status",
        "skerry/dask/clusters/skerry.of-ann/../skerry.of-bob/status",
        "skerry/dask/clusters/skerry.of-ann/%2e%2e/skerry.of-bob/status",
        "skerry/dask/clusters/skerry.of-ann/%2E%2E%2Fskerry.of-bob/status",
        "skerry/dask/clusters/skerry.of-ann%2F..%2Fskerry.of-bob/status",
        "skerry/dask/clusters/skerry.of-ann/..%5Cskerry.of-bob/status",
        "skerry/dask/clusters/../clusters/skerry.of-bob/status",
        "skerry/dask/services/api/me",
        "proxy/127.0.0.2:{port}/clusters/skerry.of-bob/status",
        "proxy/absolute/127.0.0.2:{port}/clusters/skerry.of-bob/status",
    ],
)
def test_no_page_of_another_s_scheduler_is_shown(lab: Lab, path: str) -> None:
    before = len(lab.inside.dashboards)
    answer = lab.get(path.format(port=lab.inside.port))
    assert answer.status_code in (400, 403, 404)
    assert "a page of a scheduler" not in answer.text
    assert lab.inside.dashboards[before:] == []


def test_nobody_else_sees_a_dashboard_and_nothing_is_sent_there(lab: Lab) -> None:
    address = f"{lab.url}/skerry/dask/clusters/skerry.of-ann/status"
    assert httpx.get(address, trust_env=False).status_code in (302, 403)
    shown = {"Authorization": f"token {_TOKEN}"}
    assert httpx.post(address, headers=shown, trust_env=False).status_code == 405


def test_a_websocket_to_another_s_scheduler_is_closed(lab: Lab) -> None:
    before = len(lab.inside.dashboards)
    place = lab.url.replace("http:", "ws:")
    shown = {"Authorization": f"token {_TOKEN}"}
    address = f"{place}/skerry/dask/clusters/skerry.of-bob/status/ws"
    with (
        connect(address, additional_headers=shown, proxy=None) as socket,
        pytest.raises(ConnectionClosed),
    ):
        socket.recv(20)
    assert lab.inside.dashboards[before:] == []
