"""A real node carries out pods and Jobs, and its pods find each other by names of Services."""

from typing import Any

import pytest
from tests.cluster.foreign_images import PAUSE
from tests.cluster.node import RealNode
from tests.platform_process import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(600)]

_JOBS = "/apis/batch/v1/namespaces/default/jobs"
_PODS = "/api/v1/namespaces/default/pods"


def _describe(name: str, *words: str, port: int | None = None) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": "work", "image": PAUSE, "imagePullPolicy": "Never",
        "command": ["/bin/busybox", *words],
    }  # fmt: skip
    if port is not None:
        container["readinessProbe"] = {"httpGet": {"path": "/", "port": port}, "periodSeconds": 1}
    return {
        "metadata": {"name": name, "labels": {"part": name}},
        "spec": {"restartPolicy": "Never", "containers": [container]},
    }


def _read(node: RealNode, path: str) -> dict[str, Any]:
    with node.server.log_in() as owner:
        return owner.get(path).raise_for_status().json()


def test_a_job_is_carried_out_and_its_log_is_there(node: RealNode) -> None:
    pod = _describe("greeting", "echo", "hello")
    template = {"metadata": {}, "spec": pod["spec"]}
    node.server.create(_JOBS, {"metadata": {"name": "greeting"}, "spec": {"template": template}})
    wait_until(
        lambda: _read(node, f"{_JOBS}/greeting")["status"].get("succeeded") == 1, 60, "it ends"
    )
    [made] = _read(node, f"{_PODS}?labelSelector=batch.kubernetes.io/job-name=greeting")["items"]
    with node.server.log_in() as owner:
        assert owner.get(f"{_PODS}/{made['metadata']['name']}/log").text == "hello\n"


def test_pods_reach_each_other_by_the_name_of_a_service(node: RealNode) -> None:
    page = "mkdir /www && echo here > /www/index.html && exec /bin/busybox httpd -f -p 8000 -h /www"
    served = _describe("page", "sh", "-c", page.replace("mkdir", "/bin/busybox mkdir"), port=8000)
    node.server.create(_PODS, served)
    node.server.create("/api/v1/namespaces/default/services", {
        "metadata": {"name": "page"},
        "spec": {"selector": {"part": "page"}, "ports": [{"port": 80, "targetPort": 8000}]},
    })  # fmt: skip
    wait_until(lambda: _is_ready(node, "page"), 60, "the page is served")
    # busybox asks by itself, and Debian's asks nobody for a name: it gets the address
    asked = _describe("asking", "wget", "-q", "-O", "-", f"http://{_find(node, 'page')}/")
    node.server.create(_PODS, asked)
    wait_until(
        lambda: _read(node, f"{_PODS}/asking")["status"]["phase"] == "Succeeded", 60, "it is read"
    )


def _is_ready(node: RealNode, name: str) -> bool:
    said = _read(node, f"{_PODS}/{name}")["status"].get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in said)


def _find(node: RealNode, service: str) -> str:
    found = _read(node, f"/api/v1/namespaces/default/services/{service}")
    return str(found["spec"]["clusterIP"])
