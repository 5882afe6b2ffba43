"""The tests' own Kubernetes authenticates and authorises as a cluster does."""

import subprocess

import pytest
from tests.kubernetes.server import KubernetesServer
from tests.kubernetes.tools.programs import KUBECTL, VERSION

pytestmark = pytest.mark.kubernetes

_RULES = [{"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create", "get"]}]
_CONTAINER = {"name": "work", "image": "registry.example/skerry@sha256:" + "0" * 64}
_JOB = {
    "metadata": {"name": "work"},
    "spec": {"template": {"spec": {"containers": [_CONTAINER], "restartPolicy": "Never"}}},
}


def _allow(kubernetes: KubernetesServer, namespace: str, account: str) -> None:
    rights = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    kubernetes.create(f"{rights}/roles", {"metadata": {"name": "jobs"}, "rules": _RULES})
    kubernetes.create(
        f"{rights}/rolebindings",
        {
            "metadata": {"name": "jobs"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "jobs"},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        },
    )


def test_an_account_makes_jobs_in_its_namespace_and_nowhere_else(
    kubernetes: KubernetesServer, namespace: str
) -> None:
    token = kubernetes.create_account(namespace, "worker")
    jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
    with kubernetes.namespace() as other, kubernetes.log_in(token) as worker:
        assert worker.post(jobs, json=_JOB).status_code == 403, "no role is bound to it yet"
        _allow(kubernetes, namespace, "worker")
        made = worker.post(jobs, json=_JOB)
        assert made.status_code == 201, made.text
        assert worker.post(jobs, json=_JOB).status_code == 409
        found = worker.get(f"{jobs}/work").json()
        assert found["metadata"]["uid"] == made.json()["metadata"]["uid"]
        assert worker.get(jobs).status_code == 403, "it may not list"
        assert worker.get(f"/api/v1/namespaces/{namespace}/secrets").status_code == 403
        elsewhere = f"/apis/batch/v1/namespaces/{other}/jobs"
        assert worker.post(elsewhere, json=_JOB).status_code == 403
        assert worker.get(f"{elsewhere}/work").status_code == 403


def test_an_unknown_token_is_refused(kubernetes: KubernetesServer) -> None:
    with kubernetes.log_in("not-a-token") as stranger:
        assert stranger.get("/api/v1/namespaces").status_code == 401


def test_kubectl_reads_it_with_a_config(kubernetes: KubernetesServer) -> None:
    config = kubernetes.write_config("owner")
    command = [str(KUBECTL.locate()), "--kubeconfig", str(config), "version"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert f"Client Version: {VERSION}" in told
    assert f"Server Version: {VERSION}" in told
