"""What the hub thinks of people's servers while Kubernetes is away, and when it is back."""

import asyncio
import html
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from kubernetes_asyncio import config as configuration
from kubernetes_asyncio.client import ApiClient, Configuration
from tests.cluster_hub import make_hub
from tests.kubernetes.hub import serve_cluster_hub, working
from tests.kubernetes.server import KubernetesServer
from tests.kubespawners import configure, make_spawner
from tests.platform_process import wait_until
from traitlets.config import Config

from skerry.hub.kubernetes.sight import has_ended
from skerry.hub.kubernetes.spawner import PersonSpawner

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(600)]


@pytest.fixture
def people(tmp_path: Path) -> Config:
    return configure(make_hub(priorityClass=None), tmp_path)


@pytest.fixture
def watches(
    kubernetes: KubernetesServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Let each test begin without watches, which give up as soon as they have tried ten times."""
    hasty = SimpleNamespace(**{**vars(asyncio), "sleep": lambda _: asyncio.sleep(0)})
    monkeypatch.setattr("kubespawner.reflector.asyncio", hasty)
    monkeypatch.setattr(PersonSpawner, "reflectors", {})
    kubernetes.create_account(namespace, "default")
    yield
    Configuration.set_default(None)


@asynccontextmanager
async def spawning(
    kubernetes: KubernetesServer, namespace: str, people: Config
) -> AsyncIterator[PersonSpawner]:
    """Give the spawner of a person whose pod the API server has accepted."""
    await configuration.load_kube_config(str(kubernetes.write_config("owner")))
    with make_spawner(people, "ann", ("lakes",), {"profile": "small"}) as spawner:
        spawner.namespace = namespace
        await spawner.load_user_options()
        async with ApiClient() as client:
            pod = client.sanitize_for_serialization(await spawner.get_pod_manifest())
        kubernetes.create(name_pods(namespace), pod)
        yield spawner


def name_pods(namespace: str) -> str:
    return f"/api/v1/namespaces/{namespace}/pods"


def remove(kubernetes: KubernetesServer, spawner: PersonSpawner) -> None:
    with kubernetes.log_in() as owner:
        path = f"{name_pods(spawner.namespace)}/{spawner.pod_name}?gracePeriodSeconds=0"
        owner.delete(path).raise_for_status()


async def until(holds: Callable[[], Awaitable[bool]], what: str) -> None:
    for _ in range(600):
        if await holds():
            return
        await asyncio.sleep(0.1)
    pytest.fail(f"not after a minute: {what}")


def test_the_hub_sees_an_end_after_kubernetes_was_away_for_longer_than_a_watch_waits(
    kubernetes: KubernetesServer, namespace: str, people: Config, watches: None
) -> None:
    async def follow() -> None:
        async with spawning(kubernetes, namespace, people) as spawner:

            async def is_running() -> bool:
                return await spawner.poll() is None

            async def has_given_up() -> bool:
                return has_ended(spawner.pod_reflector)

            async def is_over() -> bool:
                return await spawner.poll() == 1

            await until(is_running, "the pod is seen")
            kubernetes.kill_api()
            try:
                await until(has_given_up, "the watch gives up")
                assert await is_running(), "nobody can tell that it has ended"
            finally:
                kubernetes.start_api()
            assert await is_running()
            remove(kubernetes, spawner)
            await until(is_over, "its end is seen")

    asyncio.run(follow())


def test_no_server_has_ended_for_a_hub_that_starts_while_kubernetes_is_away(
    kubernetes: KubernetesServer, namespace: str, people: Config, watches: None
) -> None:
    async def follow() -> None:
        async with spawning(kubernetes, namespace, people) as spawner:
            kubernetes.kill_api()
            try:
                answers: list[Any] = await asyncio.gather(spawner.poll(), spawner.poll())
                assert [*answers, await spawner.poll()] == [None, None, None]
            finally:
                kubernetes.start_api()
            assert await spawner.poll() is None
            assert spawner.pod_reflector.pods

    asyncio.run(follow())


def test_a_server_at_work_outlives_a_hub_that_starts_while_kubernetes_is_away(
    kubernetes: KubernetesServer, namespace: str, tmp_path: Path
) -> None:
    server = tmp_path / "server"
    server.mkdir()
    with serve_cluster_hub(kubernetes, namespace, tmp_path) as hub:

        def is_ready() -> bool:
            servers = hub.ask("GET", "users/zoe").json()["servers"]
            return bool(servers.get("", {}).get("ready"))

        answer = hub.ask("POST", "users/zoe/server", "zoe", json={"profile": "small"})
        assert answer.status_code == 202, answer.text
        pod = hub.find_pod("zoe")
        with working(hub, pod, server):
            wait_until(is_ready, 120, "the server is ready", hub.explain)
            hub.stop()
            kubernetes.kill_api()
            try:
                hub.start()
                wait_until(is_ready, 60, "the hub has found the server", hub.explain)
                told = "Kubernetes cannot be asked"
                wait_until(lambda: told in hub.log.read_text(), 60, "it has asked", hub.explain)
            finally:
                kubernetes.start_api()
            assert hub.find_pod("zoe")["metadata"]["uid"] == pod["metadata"]["uid"]
            assert is_ready()
            hub.end(pod, "OOMKilled")
        wait_until(lambda: not is_ready(), 60, "the hub has seen its end", hub.explain)
        page = html.unescape(hub.log_in("zoe").open("/hub/spawn").text)
        assert "it needed more memory than its limit of 4 GiB" in page
