"""The settings of a worker say where attempts run, and wrong ones are refused in plain words."""

import threading
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from lightkube import KubeConfig

from skerry.cli.variables import check_variables
from skerry.core.errors import InvalidInputError, UnavailableError
from skerry.core.settings import read_internal_url
from skerry.core.worker_settings import WorkerSettings
from skerry.production.executors.choosing import check_executor, open_executor
from skerry.production.executors.kubernetes.cluster import Cluster
from skerry.production.executors.kubernetes.executor import KubernetesExecutor
from skerry.production.executors.kubernetes.settings import JobSettings
from skerry.production.executors.local import LocalExecutor
from skerry.storage.layout import DataFolder

IMAGE = "registry.example/skerry@sha256:" + "0" * 64
CONFIG = """
apiVersion: v1
kind: Config
current-context: x
clusters: [{name: x, cluster: {server: "http://127.0.0.1:9"}}]
users: [{name: x, user: {token: x}}]
contexts: [{name: x, context: {cluster: x, user: x}}]
"""


@pytest.fixture
def kubernetes(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Set what a worker needs to make Jobs."""
    monkeypatch.setenv("SKERRY_EXECUTOR", "kubernetes")
    monkeypatch.setenv("SKERRY_JOBS_NAMESPACE", "runs")
    monkeypatch.setenv("SKERRY_JOBS_IMAGE", IMAGE)
    monkeypatch.setenv("SKERRY_OBJECTS", "s3://bucket/skerry")
    return monkeypatch


def test_attempts_are_processes_of_this_machine_by_default(tmp_path: Path) -> None:
    executor = open_executor(DataFolder(tmp_path), WorkerSettings(prepared=False), program="x")
    assert isinstance(executor, LocalExecutor)
    assert executor.find_fault() is None


def test_attempts_are_jobs_of_kubernetes_when_it_says_so(
    kubernetes: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "config").write_text(CONFIG)
    kubernetes.setenv("KUBECONFIG", str(tmp_path / "config"))
    kubernetes.setenv("AWS_REGION", "us-east-1")
    settings = WorkerSettings.from_environment()
    check_executor(settings)
    executor = open_executor(DataFolder(tmp_path), settings, program="x")
    assert isinstance(executor, KubernetesExecutor)
    assert "does not answer" in (executor.find_fault() or "")
    executor.close()


def test_a_worker_that_knows_no_kubernetes_says_so(
    kubernetes: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kubernetes.setenv("KUBECONFIG", str(tmp_path / "absent"))
    settings = WorkerSettings.from_environment()
    with pytest.raises(InvalidInputError, match="No Kubernetes is known"):
        open_executor(DataFolder(tmp_path), settings, program="x")


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("SKERRY_EXECUTOR", "docker", "SKERRY_EXECUTOR is 'docker'"),
        ("SKERRY_OBJECTS", "/data/objects", "the objects are in /data/objects, which pods do not"),
        ("SKERRY_OBJECTS", "", "the objects are in a folder, which pods do not share"),
        ("SKERRY_JOBS_NAMESPACE", "", "lacks SKERRY_JOBS_NAMESPACE"),
        ("SKERRY_JOBS_NAMESPACE", "My Runs", "SKERRY_JOBS_NAMESPACE is 'My Runs'"),
        ("SKERRY_JOBS_NAMESPACE", "runs/../x", "SKERRY_JOBS_NAMESPACE is 'runs/../x'"),
        ("SKERRY_JOBS_IMAGE", "registry.example/skerry:latest", "which is not pinned"),
        ("SKERRY_JOBS_IMAGES", "{", "SKERRY_JOBS_IMAGES is '{', which is no table"),
        ("SKERRY_JOBS_IMAGES", '{"blake3:1": "skerry:1"}', "'skerry:1', which is not pinned"),
        ("SKERRY_JOBS_ACCOUNT", "a b", "SKERRY_JOBS_ACCOUNT is 'a b'"),
        ("SKERRY_JOBS_PULL", "Sometimes", "SKERRY_JOBS_PULL is 'Sometimes'"),
        ("SKERRY_JOBS_CPU", "0", "SKERRY_JOBS_CPU is '0'"),
        ("SKERRY_JOBS_CPU", "two", "SKERRY_JOBS_CPU is 'two'"),
        ("SKERRY_JOBS_PRIORITY", "High", "SKERRY_JOBS_PRIORITY is 'High'"),
        ("SKERRY_JOBS_CERTIFICATES", "/etc/ssl", "SKERRY_JOBS_CERTIFICATES is '/etc/ssl'"),
        ("SKERRY_JOBS_START_S", "0", "SKERRY_JOBS_START_S is '0'"),
        ("SKERRY_JOBS_PULL_S", "2 min", "SKERRY_JOBS_PULL_S is '2 min'"),
        ("SKERRY_JOBS_LOST_S", "-1", "SKERRY_JOBS_LOST_S is '-1'"),
    ],
)
def test_wrong_settings_are_refused_before_anything_starts(
    kubernetes: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    kubernetes.setenv(variable, value)
    with pytest.raises(InvalidInputError) as refused:
        check_variables()
    assert told in refused.value.what
    assert refused.value.remedy


def test_all_settings_of_jobs_are_read(kubernetes: pytest.MonkeyPatch) -> None:
    assert JobSettings.from_environment() == JobSettings(namespace="runs", image=IMAGE)
    other = IMAGE.replace("0", "1")
    values = {
        "IMAGES": f'{{"blake3:1": "{other}"}}', "ACCOUNT": "runner", "PULL": "Never", "CPU": "500m",
        "PRIORITY": "production", "CERTIFICATES": "authorities", "START_S": "60", "PULL_S": "10",
        "LOST_S": "20", "ROOM_S": "3600",
    }  # fmt: skip
    for name, value in values.items():
        kubernetes.setenv(f"SKERRY_JOBS_{name}", value)
    assert JobSettings.from_environment() == JobSettings(
        namespace="runs", image=IMAGE, images={"blake3:1": other}, account="runner", pull="Never",
        cpu="500m", priority="production", certificates="authorities", start_s=60, pull_s=10,
        lost_s=20, room_s=3600,
    )  # fmt: skip


def test_runs_reach_the_platform_at_its_internal_address(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_internal_url("https://eo.example") == "https://eo.example"
    monkeypatch.setenv("SKERRY_INTERNAL_URL", "http://api.skerry.svc:8000/")
    assert read_internal_url("https://eo.example") == "http://api.skerry.svc:8000"
    monkeypatch.setenv("SKERRY_INTERNAL_URL", "api.skerry.svc")
    with pytest.raises(InvalidInputError, match=r"SKERRY_INTERNAL_URL is 'api.skerry.svc'"):
        read_internal_url("https://eo.example")


class Busy(BaseHTTPRequestHandler):
    """A Kubernetes that has too much to do: it says so in plain text."""

    def do_GET(self) -> None:
        self.send_response(429)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_a_kubernetes_that_is_too_busy_is_asked_again(tmp_path: Path) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Busy) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        path = tmp_path / "config"
        path.write_text(CONFIG.replace("127.0.0.1:9", f"127.0.0.1:{server.server_port}"))
        with (
            closing(Cluster(KubeConfig.from_file(path), "runs")) as cluster,
            pytest.raises(UnavailableError, match="Kubernetes answers 429"),
        ):
            cluster.find_job("attempt")
        server.shutdown()
        thread.join()
