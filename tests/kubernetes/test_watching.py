"""Watches show all attempts of a worker; those that break heal, and no end is lost."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
from lightkube import KubeConfig
from lightkube.resources.core_v1 import Pod
from tests.kubernetes.node import Node
from tests.kubernetes.server import KubernetesServer
from tests.kubernetes.worker_account import close_all, prepare_namespace, use_cluster
from tests.platform_process import wait_until
from tests.unit.production.executors.contract import LIMIT_S, LONG, SUCCEED, WORDS, write_order

from skerry.core.ids import new_id
from skerry.production.executors.kubernetes import cluster as asking
from skerry.production.executors.kubernetes import watching
from skerry.production.executors.kubernetes.cluster import Cluster
from skerry.production.executors.kubernetes.executor import KubernetesExecutor
from skerry.production.executors.kubernetes.manifest import name_job
from skerry.production.executors.protocol import AttemptName, AttemptState, Phase
from skerry.storage.layout import DataFolder

pytestmark = pytest.mark.kubernetes

WAIT_FOR_GATE = f"""{WORDS}
import time
from pathlib import Path
while not Path({{gate!r}}).exists():
    time.sleep(0.02)
leave_words(0, "all done")
"""
DONE = AttemptState(Phase.SUCCEEDED, "", "all done")


class Stage:
    """A namespace with a node, and a worker that watches it."""

    def __init__(self, server: KubernetesServer, namespace: str, folder: Path) -> None:
        self.server = server
        self.namespace = namespace
        self.gate = folder / "gate"
        self.data = DataFolder(folder / "data")
        self.config = KubeConfig.from_file(prepare_namespace(server, namespace))
        self.node = Node(server, namespace, folder / "node")

    def watch(self, cluster: Cluster) -> KubernetesExecutor:
        """Return the executor of a worker whose watches work."""
        executor = use_cluster(self.data, cluster, self.namespace)
        executor.recover()
        wait_until(executor._view.is_current, LIMIT_S, "the watches work")
        return executor

    def start(self, executor: KubernetesExecutor) -> AttemptName:
        """Start an attempt that waits at the gate; return when the watches show it at work."""
        name = AttemptName(new_id(), 1)
        code = WAIT_FOR_GATE.format(gate=str(self.gate))
        executor.start_or_attach(name, write_order(code), LONG)
        wait_until(lambda: is_seen_at_work(executor, name), LIMIT_S, "it is seen at work")
        return name

    def has_ended(self, name: AttemptName) -> bool:
        """Return whether the container of an attempt has ended."""
        pod = self.node.find(name_job(name))
        return pod is not None and not pod.is_at_work()


def is_seen_at_work(executor: KubernetesExecutor, name: AttemptName) -> bool:
    sight = executor._view.find(name_job(name))
    return sight is not None and any(
        pod.status is not None and pod.status.phase == "Running" for pod in sight.pods
    )


@pytest.fixture
def stage(control_plane: KubernetesServer, busy_namespace: str, tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(control_plane, busy_namespace, tmp_path)
    with stage.node.working():
        yield stage
        close_all()


@pytest.fixture
def cluster(stage: Stage) -> Iterator[Cluster]:
    with closing(Cluster(stage.config, stage.namespace)) as cluster:
        yield cluster
        close_all()


def test_attempts_at_work_cost_no_request_each(
    stage: Stage, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    executor = stage.watch(cluster)
    names = [stage.start(executor) for _ in range(5)]
    sent: list[str] = []
    send = httpx2.Client.send

    def count(client: httpx2.Client, request: httpx2.Request, **options: Any) -> httpx2.Response:
        sent.append(str(request.url))
        return send(client, request, **options)

    monkeypatch.setattr(httpx2.Client, "send", count)
    for _ in range(3):
        for name in names:
            executor.wait(name, 0.5)
            assert executor.poll(name).phase is Phase.RUNNING
    asked_about = [url for url in sent if any(str(name) in url for name in names)]
    assert [url for url in asked_about if "/log?" not in url] == []
    assert executor.list_attempts() == names
    assert executor.find_fault() is None


def test_an_end_is_heard_at_once_and_wakes_who_waits(stage: Stage, cluster: Cluster) -> None:
    executor = stage.watch(cluster)
    name = stage.start(executor)
    waiting = threading.Thread(target=executor.wait, args=(name, 10 * LIMIT_S))
    waiting.start()
    stage.gate.touch()
    waiting.join(LIMIT_S)
    assert not waiting.is_alive()
    assert executor.poll(name) == DONE
    executor.forget(name)
    assert executor.poll(name).phase is Phase.VANISHED
    assert executor.list_attempts() == []


def test_an_end_while_the_api_server_is_away_is_heard_when_it_is_back(
    stage: Stage, cluster: Cluster
) -> None:
    executor = stage.watch(cluster)
    name = stage.start(executor)
    stage.server.kill_api()
    try:
        wait_until(lambda: not executor._view.is_current(), LIMIT_S, "the watches have broken")
        assert executor.poll(name).phase is Phase.RUNNING
        assert "does not answer" in (executor.find_fault() or "")
        stage.gate.touch()
        wait_until(lambda: stage.has_ended(name), LIMIT_S, "its container has ended")
        assert executor.poll(name).phase is Phase.RUNNING, "nobody can tell that yet"
    finally:
        stage.server.start_api()
    wait_until(lambda: executor.poll(name).is_over, LIMIT_S, "its end is heard")
    assert executor.poll(name) == DONE
    wait_until(executor._view.is_current, LIMIT_S, "the watches work again")


class Forgetful(Cluster):
    """Begins its first watch of each kind where the API server knows nothing any more."""

    def __init__(self, config: KubeConfig, namespace: str) -> None:
        super().__init__(config, namespace)
        self.asked: set[str] = set()

    def watch(self, kind: Any, version: str, time_s: int) -> Iterator[tuple[str, Any]]:
        first = kind.__name__ not in self.asked
        self.asked.add(kind.__name__)
        return super().watch(kind, "1" if first else version, time_s)


def test_a_watch_from_too_long_ago_begins_anew(stage: Stage) -> None:
    with closing(Forgetful(stage.config, stage.namespace)) as cluster:
        assert list(Cluster.watch(cluster, Pod, "1", 3600)) == [], "it would last an hour"
        executor = stage.watch(cluster)
        name = stage.start(executor)
        stage.gate.touch()
        wait_until(lambda: executor.poll(name).is_over, LIMIT_S, "its end is heard")
        assert executor.poll(name) == DONE
        close_all()


class SilentProxy:
    """Passes bytes on, until it is told to pass nothing on any more and to close nothing."""

    def __init__(self, url: str) -> None:
        self._target = (urlsplit(url).hostname, urlsplit(url).port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listening.getsockname()[1]}"
        self._open: list[socket.socket] = []
        self._dead: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def go_silent(self) -> None:
        """Pass nothing on of all connections that are open now."""
        self._dead |= set(self._open)

    def close(self) -> None:
        for item in (self._listening, *self._open):
            item.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listening.accept()
            except OSError:
                return
            far = socket.create_connection(self._target)
            self._open += [near, far]
            for source, target in ((near, far), (far, near)):
                threading.Thread(target=self._pass, args=(source, target), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while content := source.recv(65536):
                if source not in self._dead:
                    target.sendall(content)
            target.shutdown(socket.SHUT_WR)


@contextmanager
def pass_on(url: str) -> Iterator[SilentProxy]:
    with closing(SilentProxy(url)) as proxy:
        yield proxy


def test_an_end_after_the_network_lost_the_watch_without_a_word(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "_WATCH_S", 2)
    monkeypatch.setattr(asking, "_LATE_S", 1.0)
    config = stage.config.get()
    with pass_on(stage.server.url) as proxy:
        config.cluster.server = proxy.url
        with closing(Cluster(KubeConfig.from_one(cluster=config.cluster, user=config.user),
                             stage.namespace)) as cluster:  # fmt: skip
            executor = stage.watch(cluster)
            name = stage.start(executor)
            proxy.go_silent()
            stage.gate.touch()
            wait_until(lambda: stage.has_ended(name), LIMIT_S, "its container has ended")
            wait_until(lambda: executor.poll(name).is_over, LIMIT_S, "its end is heard")
            assert executor.poll(name) == DONE
            close_all()


def test_a_worker_without_the_right_to_watch_asks_about_each(
    stage: Stage, cluster: Cluster
) -> None:
    rights = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{stage.namespace}/roles/skerry-worker"
    with stage.server.log_in() as owner:
        role = owner.get(rights).json()
        for rule in role["rules"]:
            rule["verbs"] = [verb for verb in rule["verbs"] if verb != "watch"]
        owner.put(rights, json=role).raise_for_status()
    executor = use_cluster(stage.data, cluster, stage.namespace)

    def is_told() -> bool:
        expected = f"let this worker watch jobs, watch pods in the namespace {stage.namespace}."
        return expected in (executor.find_fault() or "")

    wait_until(is_told, LIMIT_S, "the worker knows what it lacks")
    executor.recover()
    name = AttemptName(new_id(), 1)
    executor.start_or_attach(name, write_order(SUCCEED), LONG)
    wait_until(lambda: executor.poll(name).is_over, LIMIT_S, "its end is heard")
    assert executor.poll(name) == DONE
