"""The image of people and runs: kernels, Dask, Lab with git, SSH through Lab's server."""

import os
import socket
import subprocess
import tempfile
import unittest
import urllib.request
from pathlib import Path

from waiting import started, wait_until

RELAY = str(Path(__file__).parent / "relay.py")


def run(*command: str, **more: object) -> str:
    done = subprocess.run(command, check=False, text=True, capture_output=True, **more)
    if done.returncode:
        raise AssertionError(
            f"{command}: {done.returncode}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )
    return done.stdout


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Home(unittest.TestCase):
    """Each test has a home folder of its own: the image's may be a volume."""

    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        self.addCleanup(folder.cleanup)
        self.home = Path(folder.name)
        self.variables = os.environ | {"HOME": str(self.home)}


class Notebooks(Home):
    def test_a_kernel_runs_a_cell_with_skerry(self) -> None:
        from jupyter_client.manager import start_new_kernel

        manager, client = start_new_kernel(env=self.variables)
        try:
            said: list[str] = []
            client.execute_interactive(
                "import skerry, xarray, rasterio, stackstac; print(skerry.__version__)",
                timeout=120,
                output_hook=lambda message: said.append(message["content"].get("text", "")),
            )
            self.assertRegex("".join(said), r"^\d+\.\d+")
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)

    def test_what_a_run_is_started_with_can_be_imported(self) -> None:
        run("python", "-c", "import skerry.production.attempt, skerry.production.page")

    def test_doctor_knows_the_part_of_the_lock_that_is_here(self) -> None:
        from skerry.production.environments import find_deviations, find_installed_lock

        self.assertEqual(find_deviations(find_installed_lock()), [])
        self.assertEqual(
            find_installed_lock().read_bytes(), Path("/requirements.lock").read_bytes()
        )

    def test_every_processor_is_found(self) -> None:
        self.assertIn("turbidity", run("skerry", "process", "--list", env=self.variables))


class Dask(Home):
    def test_a_scheduler_and_a_worker_start_and_compute(self) -> None:
        port = free_port()
        log = self.home / "scheduler.log"
        address = f"tcp://127.0.0.1:{port}"
        scheduler = ["python", "-m", "dask", "scheduler", "--host=127.0.0.1", f"--port={port}",
                     "--dashboard-address=127.0.0.1:0"]  # fmt: skip
        worker = ["python", "-m", "dask", "worker", "--host=127.0.0.1", "--nthreads=1",
                  "--no-dashboard", f"--local-directory={self.home}", address]  # fmt: skip
        with started(scheduler, log, self.variables) as process:
            wait_until(lambda: "Scheduler at" in log.read_text(), process, log)
            with started(worker, self.home / "worker.log", self.variables):
                said = run(
                    "python", "-c",
                    "import sys; from distributed import Client\n"
                    "with Client(sys.argv[1], timeout=60) as client:\n"
                    "    print(client.submit(sum, [20, 22]).result(timeout=60))",
                    address,
                )  # fmt: skip
        self.assertEqual(said.strip(), "42")


class Development(Home):
    def test_a_new_processors_project_tests_builds_and_installs(self) -> None:
        at = {"cwd": str(self.home), "env": self.variables}
        run("skerry", "new", "processor", "lake-ice", **at)
        at["cwd"] = str(self.home / "lake-ice")
        self.assertIn("6 passed", run("pytest", "-q", "-p", "no:cacheprovider", **at))
        build = ("uv", "build", "--wheel", "--quiet", "--offline", "--no-build-isolation")
        run(*build, **at)
        [wheel] = Path(at["cwd"], "dist").glob("*.whl")
        run(
            "uv", "pip", "install", "--quiet", "--offline", "--no-deps",
            "--prefix", str(self.home / ".local"), str(wheel), **at,
        )  # fmt: skip
        self.assertIn("lake-ice", run("skerry", "process", "--list", **at))
        # an attempt of a run takes no part in what somebody installs for himself
        alone = self.variables | {"PYTHONNOUSERSITE": "1"}
        self.assertNotIn("lake-ice", run("skerry", "process", "--list", env=alone))

    def test_git_is_in_lab(self) -> None:
        extensions = subprocess.run(
            ["jupyter", "labextension", "list"],
            check=False, text=True, capture_output=True, env=self.variables,
        )  # fmt: skip
        self.assertRegex(extensions.stdout + extensions.stderr, r"@jupyterlab/git v\S+ .*enabled")
        run("git", "--version")

    def test_ssh_reaches_a_session_through_labs_server_and_no_open_port(self) -> None:
        port, token = free_port(), "0" * 32
        key = self.home / "key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key))
        (self.home / ".ssh").mkdir(mode=0o700)
        (self.home / ".ssh/authorized_keys").write_text(key.with_suffix(".pub").read_text())
        server = ["jupyter", "server", "--no-browser", "--ip=127.0.0.1", f"--port={port}"]
        log = self.home / "server.log"
        given = self.variables | {"JUPYTER_TOKEN": token, "SKERRY_URL": "https://skerry.example"}
        with started(server, log, given) as process:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}/api"), process, log)
            said = run(
                "ssh", "-i", str(key), "-o", "StrictHostKeyChecking=no",
                "-o", f"UserKnownHostsFile={self.home}/known_hosts",
                "-o", f"ProxyCommand=python {RELAY} ws://127.0.0.1:{port}/ssh/ {token}",
                "skerry@hub",
                "python -c 'import os, skerry; print(os.environ[\"SKERRY_URL\"], skerry.search)'",
                env=self.variables,
            )  # fmt: skip
        self.assertRegex(said, r"https://skerry\.example <function")


def answers(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=2):
            return True
    except OSError:
        return False
