"""The whole road on a real node: from the login page to a tile of a product, by the chart alone."""

import io
import math

import httpx
import numpy as np
import pytest
from PIL import Image
from tests.cluster.installation import ATTEMPTS, Installation
from tests.cluster.node import RealNode
from tests.cluster.person import Person
from tests.cluster.work import RUN_S, Work
from tests.integration.production.stage import history
from tests.platform_process import wait_until

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

_IMPORT = "import skerry; print(skerry.__version__); print([item for item in skerry.search()])"
_CLUSTER = """\
import skerry
with skerry.cluster(workers=1) as client:
    print(client.submit(sum, range(10)).result(timeout=200))
"""


def test_every_pod_is_ready(platform: Installation) -> None:
    print(platform.kubectl("get", "pods", "--all-namespaces", "--output=wide"))
    states = {
        pod["metadata"]["name"]: container["ready"]
        for pod in platform.list_pods("--field-selector=status.phase=Running")
        for container in pod["status"]["containerStatuses"]
    }
    assert all(states.values()), states
    parts = ("api", "maps", "dashboards", "worker", "database", "objects")
    for part in parts:
        assert any(name.startswith(f"skerry-{part}-") for name in states), part


def test_nobody_gets_in_without_login(platform: Installation) -> None:
    with httpx.Client(base_url=platform.url, trust_env=False) as stranger:
        assert stranger.post("/services/api/production/releases", json={}).status_code == 401
        assert stranger.get("/services/api/production/runs").json() == {"runs": []}
        assert stranger.get("/hub/api/users").status_code == 403
        assert stranger.get("/services/api/health").is_success


def test_a_kernel_imports_skerry_and_searches(owner: Person) -> None:
    version, found = owner.run_code(_IMPORT).splitlines()
    assert version
    assert found.startswith("[")


def test_a_kernel_uses_a_dask_cluster(owner: Person) -> None:
    assert owner.run_code(_CLUSTER).strip() == "45"


def test_a_run_is_a_job_in_the_namespace_of_attempts(work: Work) -> None:
    run, pod = work.start_at_gate()
    [seen] = work.platform.list_pods("--namespace", ATTEMPTS)
    assert seen["metadata"]["name"] == pod
    digest = work.platform.values["images"]["analysis"]["digest"]
    assert seen["spec"]["containers"][0]["image"].endswith(f"@{digest}")
    work.open_gate(pod)
    assert history(work.wait_for_end(run)) == [(1, "published", None)]
    work.check_published_once(run)


def test_a_product_is_on_the_map(work: Work) -> None:
    run = work.start()
    assert work.wait_for_end(run)["status"] == "succeeded"
    item = work.check_published_once(run)
    west, south, east, north = item["bbox"]
    x, y = _find_tile((west + east) / 2, (south + north) / 2, 15)
    place = f"/services/maps/tiles/{item['collection']}/{item['id']}/field/15/{x}/{y}.png"
    answer = work.person.send("GET", place)
    assert answer.is_success, answer.text
    drawn = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGBA"))
    assert (drawn[..., 3] > 0).any()
    assert httpx.get(f"{work.person.url}{place}", trust_env=False).status_code in (401, 404)


def test_a_worker_pod_that_is_killed_during_a_run(work: Work) -> None:
    run, pod = work.start_at_gate()
    words = ("delete", "pod", "skerry-worker-0", "--grace-period=0", "--force")
    work.platform.kubectl(*words)
    work.open_gate(pod)
    assert history(work.wait_for_end(run)) == [(1, "published", None)]
    work.check_published_once(run)


def test_a_kubelet_that_is_killed_during_a_run(work: Work, node: RealNode) -> None:
    run, pod = work.start_at_gate()
    work.open_gate(pod)
    node.stop_kubelet()
    node.start_kubelet()
    work.platform.open_door()
    ended = work.wait_for_end(run)
    assert ended["status"] == "succeeded"
    work.check_published_once(run)


def test_a_node_that_is_lost_during_a_run(work: Work, node: RealNode) -> None:
    """Its kubelet says nothing for so long that the pod of the attempt is given up."""
    run, pod = work.start_at_gate()
    with node.with_spare_node():
        node.stop_kubelet()
        wait_until(lambda: not node.is_ready(), 180, "the node is lost", node.explain)
        wait_until(lambda: _is_given_up(node, pod), 120, "its pod is given up", node.explain)
        node.start_kubelet()
    work.platform.open_door()
    work.wait_until_answered()
    wait_until(
        lambda: len(work.show(run)["attempts"]) == 2, RUN_S, "another attempt", work.explain
    )  # fmt: skip
    [again] = work.wait_for_pods()
    assert again != pod
    work.open_gate(again)
    ended = work.wait_for_end(run)
    first, second = ended["attempts"]
    assert first["status"] == "crashed"
    assert first["detail"].startswith(("Its node", "Its pod was taken from its node"))
    assert second["status"] == "published"
    work.check_published_once(run)


def _is_given_up(node: RealNode, pod: str) -> bool:
    with node.server.log_in() as owner:
        answer = owner.get(f"/api/v1/namespaces/{ATTEMPTS}/pods/{pod}")
    return not answer.is_success or "deletionTimestamp" in answer.json()["metadata"]


def _find_tile(longitude: float, latitude: float, zoom: int) -> tuple[int, int]:
    """Return column and row of the tile of the web's map that holds a place."""
    across = (longitude + 180) / 360
    down = (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2
    return int(across * 2**zoom), int(down * 2**zoom)
