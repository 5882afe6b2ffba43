"""A namespace for attempts, and a worker's account that may do there what it needs."""

from contextlib import ExitStack
from pathlib import Path

import yaml
from lightkube import KubeConfig
from tests.kubernetes.server import KubernetesServer

from skerry.production.executors import kubernetes as room
from skerry.production.executors.kubernetes.cluster import Cluster
from skerry.production.executors.kubernetes.executor import KubernetesExecutor
from skerry.production.executors.kubernetes.settings import JobSettings
from skerry.storage.layout import DataFolder
from skerry.storage.object_places import open_objects

IMAGE = "registry.example/skerry@sha256:" + "0" * 64
ROLE = yaml.safe_load((Path(room.__file__).parent / "role.yaml").read_text())
_OPEN = ExitStack()


def prepare_namespace(server: KubernetesServer, namespace: str) -> Path:
    """Make the accounts of a worker and of attempts; return the worker's kubeconfig.

    Pods that break the restricted pod security standard are refused there.
    """
    enforced = {"pod-security.kubernetes.io/enforce": "restricted"}
    server.change(f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": enforced}})
    server.create_account(namespace, "skerry-attempt")
    token = server.create_account(namespace, "skerry-worker")
    rights = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    server.create(f"{rights}/roles", ROLE)
    server.create(
        f"{rights}/rolebindings",
        {
            "metadata": {"name": "skerry-worker"},
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "skerry-worker",
            },
            "subjects": [
                {"kind": "ServiceAccount", "name": "skerry-worker", "namespace": namespace}
            ],
        },
    )  # fmt: skip
    return server.write_config(f"worker-{namespace}", token, namespace)


def open_cluster(config: Path, namespace: str) -> Cluster:
    """Return the cluster as the worker's account reaches it."""
    cluster = Cluster(KubeConfig.from_file(config), namespace)
    _OPEN.callback(cluster.close)
    return cluster


def close_all() -> None:
    """End all executors and connections that were opened here."""
    _OPEN.close()


def make_executor(
    data: DataFolder, config: Path, namespace: str, **settings: float
) -> KubernetesExecutor:
    """Return a worker's executor; `close_all` ends it."""
    cluster = open_cluster(config, namespace)
    return use_cluster(data, cluster, namespace, **settings)


def use_cluster(
    data: DataFolder, cluster: Cluster, namespace: str, **settings: float
) -> KubernetesExecutor:
    """Return a worker's executor in a cluster that is reached already; `close_all` ends it."""
    jobs = JobSettings(namespace=namespace, image=IMAGE, **{"patience_s": 3, **settings})
    executor = KubernetesExecutor(open_objects(data), cluster, jobs)
    _OPEN.callback(executor.close)
    return executor
