"""Dask clusters that never start: a real backend of the gateway ends them on a real API server."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp.web import Application
from kubernetes_asyncio import config as configuration
from kubernetes_asyncio.client import Configuration
from tests.cluster_hub import make_hub
from tests.kubernetes.gateway import create_kind
from tests.kubernetes.node import patch_object
from tests.kubernetes.server import KubernetesServer

from skerry.hub.kubernetes import unstarted
from skerry.hub.kubernetes.gateway_backend import LimitedBackend
from skerry.hub.kubernetes.unstarted import end_unstarted

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(600)]


class Clusters:
    """The clusters of a namespace, as the API server has them."""

    def __init__(self, kubernetes: KubernetesServer, namespace: str) -> None:
        self._kubernetes = kubernetes
        self.instance = namespace  # others in the same cluster are of other gateways
        self._path = f"/apis/gateway.dask.org/v1alpha1/namespaces/{namespace}/daskclusters"

    def create(self, name: str, phase: str | None = None) -> None:
        labels = {
            "app.kubernetes.io/name": "dask-gateway", "gateway.dask.org/instance": self.instance,
            "gateway.dask.org/cluster": name,
        }  # fmt: skip
        self._kubernetes.create(
            self._path,
            {
                "apiVersion": "gateway.dask.org/v1alpha1", "kind": "DaskCluster",
                "metadata": {"name": name, "labels": labels},
                "spec": {"username": "ann", "active": True},
            },
        )  # fmt: skip
        if phase is not None:
            with self._kubernetes.log_in() as owner:
                patch_object(owner, f"{self._path}/{name}/status", {"status": {"phase": phase}})

    def is_wanted(self, name: str) -> bool:
        with self._kubernetes.log_in() as owner:
            found = owner.get(f"{self._path}/{name}").raise_for_status().json()
        return bool(found["spec"]["active"])


@pytest.fixture
def clusters(
    kubernetes: KubernetesServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> Clusters:
    create_kind(kubernetes)
    monkeypatch.setattr("kubernetes_asyncio.config.load_incluster_config", lambda: None)
    return Clusters(kubernetes, namespace)


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(600):
        if holds():
            return
        await asyncio.sleep(0.1)
    pytest.fail("not after a minute")


def follow(
    kubernetes: KubernetesServer, clusters: Clusters, steps: Callable[[Any], Any], **options: Any
) -> None:
    """Take steps while a gateway's backend works."""

    async def work() -> None:
        await configuration.load_kube_config(str(kubernetes.write_config("owner")))
        backend = LimitedBackend(
            rules=make_hub().dask,
            gateway_instance=clusters.instance,
            api_url="http://any",
            **options,
        )
        try:
            await backend.setup(Application())
            await steps(backend)
        finally:
            await backend.cleanup()
            Configuration.set_default(None)

    asyncio.run(work())


def test_only_what_has_waited_too_long_is_ended_and_once(
    kubernetes: KubernetesServer, namespace: str, clusters: Clusters
) -> None:
    clusters.create("waits")
    clusters.create("works", "Running")
    ended = f"{namespace}.waits"

    async def look(backend: Any) -> None:
        await until(lambda: len(backend.clusters) == 2)
        assert await end_unstarted(backend, 3600) == []
        assert clusters.is_wanted("waits")
        assert await end_unstarted(backend, 0) == [ended]
        assert not clusters.is_wanted("waits")
        await until(lambda: backend.informer.get(ended)["spec"]["active"] is False)
        assert await end_unstarted(backend, 0) == []
        assert clusters.is_wanted("works")

    follow(kubernetes, clusters, look)


def test_the_gateway_looks_again_and_again(
    kubernetes: KubernetesServer, clusters: Clusters, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unstarted, "_LOOK_S", 0.05)

    async def look(_: Any) -> None:
        for name in ("first", "second"):
            clusters.create(name)
            await until(lambda name=name: not clusters.is_wanted(name))  # type: ignore[misc]

    follow(kubernetes, clusters, look, start_s=0)
