"""The image of the servers: each part starts, and answers its health."""

import os
import socket
import subprocess
import tempfile
import unittest
from pathlib import Path

from waiting import started, wait_until


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class TheParts(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.data = Path(folder.name)

    def name_variables(self, part: str) -> dict[str, str]:
        port = free_port()
        prefix = f"/services/{part}/"
        return os.environ | {
            "SKERRY_DATA": str(self.data),
            "SKERRY_PUBLIC_URL": "https://skerry.example",
            "SKERRY_SERVICE_PORT": str(port),
            "SKERRY_LISTEN_HOST": "0.0.0.0",
            "JUPYTERHUB_SERVICE_NAME": part,
            "JUPYTERHUB_SERVICE_PREFIX": prefix,
            "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}",
            "JUPYTERHUB_API_URL": "http://127.0.0.1:9/hub/api",
            "JUPYTERHUB_API_TOKEN": "0" * 32,
            "JUPYTERHUB_CLIENT_ID": f"service-{part}",
            "JUPYTERHUB_OAUTH_CALLBACK_URL": f"{prefix}oauth_callback",
            "JUPYTERHUB_OAUTH_SCOPES": '["access:services"]',
            "JUPYTERHUB_PUBLIC_HUB_URL": "https://skerry.example/hub/",
            "JUPYTERHUB_PUBLIC_URL": f"https://skerry.example{prefix}",
        }

    def prove(self, part: str, module: str) -> None:
        variables = self.name_variables(part)
        log = self.data / f"{part}.log"
        with started(["python", "-m", module], log, variables) as process:

            def is_alive() -> bool:
                asked = subprocess.run(
                    ["skerry-health"], env=variables, check=False, capture_output=True
                )
                return asked.returncode == 0

            wait_until(is_alive, process, log)

    def prepare(self) -> None:
        subprocess.run(
            ["skerry", "database", "upgrade"],
            env=self.name_variables("api"), check=True, capture_output=True,
        )  # fmt: skip

    def test_the_api(self) -> None:
        self.prepare()
        self.prove("api", "skerry.services.api")

    def test_maps(self) -> None:
        self.prepare()
        self.prove("maps", "skerry.services.maps")

    def test_the_worker(self) -> None:
        self.prepare()
        self.prove("worker", "skerry.services.worker")

    def test_dashboards(self) -> None:
        self.prove("dashboards", "skerry.dashboards")

    def test_doctor_knows_the_part_of_the_lock_that_is_here(self) -> None:
        from skerry.production.environments import find_deviations, find_installed_lock

        self.assertEqual(find_deviations(find_installed_lock()), [])
        self.assertEqual(
            find_installed_lock().read_bytes(), Path("/requirements.lock").read_bytes()
        )

    def test_jobs_of_kubernetes_can_be_asked_for(self) -> None:
        import skerry.production.executors.kubernetes.executor  # noqa: F401
