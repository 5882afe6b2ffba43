"""The image of the hub: hub, proxy, idle culler and gateway start as charts start them."""

import importlib
import json
import os
import socket
import subprocess
import tempfile
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from waiting import started, wait_until

CONFIGURATION = "/usr/local/etc/jupyterhub/jupyterhub_config.d/skerry.py"
SETTINGS = {
    "publicUrl": "https://skerry.example",
    "userDomain": "people.skerry.example",
    "onlyPerson": "ann",
    "services": [{"name": "api", "url": "http://skerry-api:8000"}, {"name": "prometheus"}],
    "images": [
        {"name": "current", "title": "Current", "image": f"skerry-analysis@sha256:{'a' * 64}"}
    ],
    "profiles": [{"name": "small", "title": "Small", "cpu": 2, "memory": "4Gi"}],
}


class TheHub(unittest.TestCase):
    def test_what_the_chart_s_configuration_imports(self) -> None:
        for name in ("kubespawner", "kubernetes_asyncio.client", "oauthenticator.generic", "yaml",
                     "tornado.curl_httpclient", "psycopg", "jupyterhub_idle_culler"):  # fmt: skip
            importlib.import_module(name)

    def test_the_configuration_of_the_package_is_read(self) -> None:
        folder = Path(tempfile.mkdtemp())
        tokens = folder / "tokens"
        tokens.mkdir()
        for name in ("api", "prometheus", "password"):
            (tokens / name).write_text("0" * 64)
        settings = folder / "hub.json"
        settings.write_text(json.dumps(SETTINGS))
        said = subprocess.run(
            ["jupyterhub", "--show-config-json", "--config", CONFIGURATION],
            check=False, text=True, capture_output=True,
            env=os.environ | {
                "SKERRY_HUB_SETTINGS": str(settings), "SKERRY_HUB_TOKENS": str(tokens),
            },
        )  # fmt: skip
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr)
        read = json.loads(said.stdout[said.stdout.index("{") :])
        self.assertEqual(read["KubeSpawner"]["pvc_name_template"], "home-{username}")

    def test_it_is_the_version_of_one_machine(self) -> None:
        said = subprocess.run(
            ["jupyterhub", "--version"], check=True, text=True, capture_output=True
        ).stdout
        self.assertRegex(said.strip(), r"^6\.")

    def test_the_idle_culler_starts(self) -> None:
        subprocess.run(
            ["python3", "-m", "jupyterhub_idle_culler", "--help"], check=True, capture_output=True
        )


class TheProxy(unittest.TestCase):
    def test_it_answers_and_refuses_strange_addresses(self) -> None:
        with socket.socket() as one, socket.socket() as other:
            for listener in (one, other):
                listener.bind(("127.0.0.1", 0))
            port, api = one.getsockname()[1], other.getsockname()[1]
        log = Path(tempfile.mkdtemp()) / "proxy.log"
        command = ["configurable-http-proxy", "--ip=127.0.0.1", f"--port={port}",
                   "--api-ip=127.0.0.1", f"--api-port={api}"]  # fmt: skip

        def ask(path: str) -> int:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}{path}")
            except urllib.error.HTTPError as error:
                return error.code
            except OSError:
                return 0
            return 200

        with started(command, log) as process:
            wait_until(lambda: ask("/") == 404, process, log)
            self.assertEqual(ask("/100%"), 400)


class TheGateway(unittest.TestCase):
    def test_its_server_reads_a_configuration_for_kubernetes(self) -> None:
        folder = Path(tempfile.mkdtemp())
        configuration = folder / "dask_gateway_config.py"
        configuration.write_text(
            "from skerry.hub.gateway_auth import HubTokenAuthenticator\n"
            "c.DaskGateway.backend_class = "
            "'dask_gateway_server.backends.kubernetes.KubeBackend'\n"
            "c.DaskGateway.authenticator_class = HubTokenAuthenticator\n"
            "c.HubTokenAuthenticator.public_url = 'https://skerry.example'\n"
            "c.HubTokenAuthenticator.public_prefix = '/services/dask-gateway'\n"
            "c.HubTokenAuthenticator.jupyterhub_api_token = '0' * 32\n"
            "c.HubTokenAuthenticator.jupyterhub_api_url = 'http://127.0.0.1:9/hub/api'\n"
        )
        said = subprocess.run(
            ["dask-gateway-server", "--config", str(configuration), "--show-config-json"],
            check=True, text=True, capture_output=True,
        ).stdout  # fmt: skip
        self.assertIn("KubeBackend", json.loads(said)["DaskGateway"]["backend_class"])

    def test_its_controller_starts_for_the_chart(self) -> None:
        subprocess.run(
            ["dask-gateway-server", "kube-controller", "--help"], check=True, capture_output=True
        )
