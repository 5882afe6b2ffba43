"""A real Dask gateway with Skerry's configuration; a real API server has its clusters."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

import httpx
from tests.kubernetes.hub import ClusterHub
from tests.kubernetes.node import patch_object
from tests.kubernetes.server import KubernetesServer
from tests.platform_process import clean_environment, free_port, wait_until

_KIND = {
    "metadata": {"name": "daskclusters.gateway.dask.org"},
    "spec": {
        "group": "gateway.dask.org",
        "scope": "Namespaced",
        "names": {"kind": "DaskCluster", "plural": "daskclusters", "singular": "daskcluster"},
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}
_CONFIGURATION = Path(__file__).with_name("gateway_config.py")
_CLUSTERS = {"apiGroups": ["gateway.dask.org"], "resources": ["daskclusters"]}


@dataclass
class ClusterGateway:
    """A running gateway."""

    hub: ClusterHub
    url: str
    log: Path
    pid: int = 0

    @property
    def _path(self) -> str:
        return f"/apis/gateway.dask.org/v1alpha1/namespaces/{self.hub.namespace}/daskclusters"

    def ask(self, method: str, path: str, name: str | None, **content: Any) -> httpx.Response:
        """Ask the gateway's API as a person, or as nobody, below its public path."""
        headers = {"Authorization": f"jupyterhub {self.hub.mint(name)}"} if name else {}
        return httpx.request(
            method, f"{self.url}/services/dask-gateway/api/v1/{path}", headers=headers,
            trust_env=False, timeout=60, **content,
        )  # fmt: skip

    def start(self, name: str, **options: Any) -> httpx.Response:
        """Ask for a cluster as a person."""
        return self.ask("POST", "clusters/", name, json={"cluster_options": options})

    def list_objects(self) -> list[dict[str, Any]]:
        """Return the clusters as the API server has them."""
        with self.hub.kubernetes.log_in() as owner:
            items: list[dict[str, Any]] = owner.get(self._path).raise_for_status().json()["items"]
        return items

    def end(self, cluster: str) -> None:
        """Say, as the gateway's controller would, that a cluster has ended."""
        name = cluster.rpartition(".")[2]
        ended = {"status": {"phase": "Stopped", "completionTime": "2026-01-01T00:00:00Z"}}
        with self.hub.kubernetes.log_in() as owner:
            patch_object(owner, f"{self._path}/{name}/status", ended)


@contextmanager
def serve_cluster_gateway(
    hub: ClusterHub, folder: Path, configuration: Path = _CONFIGURATION,
    variables: Mapping[str, str] | None = None,
) -> Iterator[ClusterGateway]:  # fmt: skip
    """Run the gateway in a folder until the block ends, with the rights that the chart gives it.

    Parameters
    ----------
    configuration
        The file that it reads.
    variables
        More of its variables.
    """
    gateway = ClusterGateway(hub, f"http://127.0.0.1:{free_port()}", folder / "gateway.log")
    config = _prepare(hub.kubernetes, hub.namespace)
    given = {
        "address": gateway.url.removeprefix("http://"), "namespace": hub.namespace,
        "hub_api": f"{hub.hub_url}/hub/api",
    }  # fmt: skip
    own = {
        "GATEWAY": json.dumps(given), "KUBECONFIG": str(config), "HOME": str(folder),
        "SKERRY_HUB_SETTINGS": str(hub.log.with_name("hub.json")),
        "JUPYTERHUB_API_TOKEN": "token-of-dask-gateway-x",
        "JUPYTERHUB_SERVICE_NAME": "dask-gateway", "PATH": os.defpath,
    }  # fmt: skip
    with gateway.log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask_gateway_server", "-f", str(configuration)],
            env=clean_environment() | own | dict(variables or {}), cwd=folder, stdout=output,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    gateway.pid = process.pid

    def answers() -> bool:
        assert process.poll() is None, gateway.log.read_text()[-3000:]
        try:
            return httpx.get(f"{gateway.url}/api/health", trust_env=False).is_success
        except httpx.TransportError:
            return False

    try:
        wait_until(answers, 60, "the gateway answers", lambda: gateway.log.read_text()[-3000:])
        yield gateway
    finally:
        process.terminate()
        process.wait(30)


def create_kind(kubernetes: KubernetesServer) -> None:
    """Make the kind of object, unless it is there."""
    path = "/apis/gateway.dask.org/v1alpha1/daskclusters"
    with kubernetes.log_in() as owner:
        if owner.get(path).is_success:
            return
        kinds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        answer = owner.post(kinds, json=_KIND)
        there = HTTPStatus.CONFLICT  # a server that has started again knows it a moment later
        assert answer.is_success or answer.status_code == there, answer.text
        wait_until(lambda: owner.get(path).is_success, 30, "the API server knows the clusters")


def _prepare(kubernetes: KubernetesServer, namespace: str) -> Path:
    """Make the kind of object and the gateway's account; return its kubeconfig."""
    create_kind(kubernetes)
    token = kubernetes.create_account(namespace, "gateway")
    rights = "/apis/rbac.authorization.k8s.io/v1"
    own = f"{rights}/namespaces/{namespace}"
    account = [{"kind": "ServiceAccount", "name": "gateway", "namespace": namespace}]
    named = {"metadata": {"name": "gateway"}}
    group = {"apiGroup": "rbac.authorization.k8s.io", "name": "gateway"}
    inside = [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
        {**_CLUSTERS, "verbs": ["get", "create", "patch", "delete"]},
        {
            "apiGroups": ["networking.k8s.io"],
            "resources": ["networkpolicies"],
            "verbs": ["create"],
        },
    ]
    kubernetes.create(f"{own}/roles", {**named, "rules": inside})
    kubernetes.create(
        f"{own}/rolebindings", {**named, "roleRef": {**group, "kind": "Role"}, "subjects": account}
    )
    everywhere = [{**_CLUSTERS, "verbs": ["list", "watch"]}]
    kubernetes.create(f"{rights}/clusterroles", {**named, "rules": everywhere})
    kubernetes.create(
        f"{rights}/clusterrolebindings",
        {**named, "roleRef": {**group, "kind": "ClusterRole"}, "subjects": account},
    )
    return kubernetes.write_config("gateway", token, namespace)
