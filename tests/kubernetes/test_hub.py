"""People of a real hub start servers, which a real API server accepts as pods or refuses."""

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.cluster_hub import name_image
from tests.kubernetes.gateway import ClusterGateway, serve_cluster_gateway
from tests.kubernetes.hub import ClusterHub, serve_cluster_hub, working
from tests.kubernetes.server import KubernetesServer
from tests.platform_process import wait_until

import skerry
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.core.errors import InvalidInputError
from skerry.hub.kubernetes.gateway_backend import OWNER_LABEL

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def hub(
    kubernetes: KubernetesServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ClusterHub]:
    with (
        kubernetes.namespace() as namespace,
        serve_cluster_hub(kubernetes, namespace, tmp_path_factory.mktemp("hub")) as hub,
    ):
        yield hub


@contextmanager
def started(hub: ClusterHub, name: str, **choice: str) -> Iterator[dict[str, Any]]:
    """Start a person's server, and give its pod; end it after."""
    answer = hub.ask("POST", f"users/{name}/server", name, json=choice)
    assert answer.status_code in (201, 202), (answer.text, hub.explain())
    try:
        yield hub.find_pod(name)
    finally:
        hub.ask("DELETE", f"users/{name}/server")  # it may have ended
        with hub.kubernetes.log_in() as owner:
            for pod in hub.list_pods():
                path = f"/api/v1/namespaces/{hub.namespace}/pods/{pod['metadata']['name']}"
                owner.delete(f"{path}?gracePeriodSeconds=0")
        wait_until(lambda: not is_started(hub, name), 60, "the server is over", hub.explain)


def is_started(hub: ClusterHub, name: str) -> bool:
    return bool(hub.ask("GET", f"users/{name}").json()["servers"])


def test_the_api_server_accepts_the_pod_that_a_person_chose(hub: ClusterHub) -> None:
    with started(hub, "ann", profile="large", image="last") as pod:
        spec = pod["spec"]
        [container] = spec["containers"]
        assert container["image"] == name_image("b")
        assert container["resources"]["limits"] == {"cpu": "8", "memory": str(64 << 30)}
        assert spec["nodeSelector"] == {"size": "large"}
        assert spec["priority"] == 100
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        mounts = {one["mountPath"] for one in container["volumeMounts"]}
        assert mounts == {
            "/home/skerry", "/tmp", "/data/elevation", "/data/lakes", "/projects/lakes"
        }  # fmt: skip
        with hub.kubernetes.log_in() as owner:
            claims = f"/api/v1/namespaces/{hub.namespace}/persistentvolumeclaims"
            claim = owner.get(f"{claims}/home-ann").raise_for_status().json()
        assert claim["spec"]["resources"]["requests"]["storage"] == "10Gi"


@pytest.mark.parametrize(
    ("name", "choice", "words"),
    [
        ("eve", {"profile": "large"}, "There is no profile 'large' for you"),
        ("ann", {"profile": "gpu"}, "There is no profile 'gpu' for you"),
        ("bob", {"profile": "gpu", "image": "last"}, "has no environment 'last'"),
        ("eve", {"image": "registry.example/evil"}, "has no environment"),
        ("eve", {"image--unlisted-choice": "registry.example/evil"}, "has no option"),
        ("eve", {"profile": ["large"]}, "which is no name"),
    ],
)
def test_what_a_person_is_not_offered_starts_nothing(
    hub: ClusterHub, name: str, choice: dict[str, Any], words: str
) -> None:
    before, written = hub.list_pods(), len(hub.log.read_text())
    answer = hub.ask("POST", f"users/{name}/server", name, json=choice)
    # the hub of z2jh answers before it has asked the spawner
    assert answer.status_code in (201, 202, 400), answer.text
    wait_until(lambda: words in hub.log.read_text(), 30, words, hub.explain)
    wait_until(lambda: not is_started(hub, name), 30, "nothing starts", hub.explain)
    assert hub.list_pods() == before
    page = hub.log_in(name).open(f"/hub/spawn-pending/{name}")
    assert page.status_code == 422
    assert words in html.unescape(page.text), "its person reads the sentence"
    assert "Traceback" not in hub.log.read_text()[written:], "the log has one line of it"


@pytest.mark.parametrize(("name", "other"), [("ann", "bob"), ("zoe", "ann")])
def test_nobody_starts_or_sees_another_s_server(hub: ClusterHub, name: str, other: str) -> None:
    assert hub.ask("POST", f"users/{other}/server", name).status_code in (403, 404)
    assert hub.ask("DELETE", f"users/{other}/server", name).status_code in (403, 404)
    assert hub.ask("GET", f"users/{other}", name).status_code in (403, 404)
    assert hub.ask("GET", f"users/{name}", name).status_code == 200


def test_a_server_works_and_its_end_is_explained_to_its_person(
    hub: ClusterHub, tmp_path: Path
) -> None:
    with started(hub, "zoe", profile="small") as pod:
        with working(hub, pod, tmp_path):
            wait_until(
                lambda: hub.ask("GET", "users/zoe").json()["servers"].get("", {}).get("ready"),
                120, "the server is ready",
                lambda: hub.explain() + (tmp_path / "server.log").read_text()[-3000:],
            )  # fmt: skip
            address = f"http://127.0.0.1:{hub.host.rpartition(':')[2]}/user/zoe/api/status"
            host = {"Host": hub.host.replace("skerry.localhost", "zoe.people.localhost")}
            for name, status in (("zoe", 200), ("ann", 403)):
                shown = {"Authorization": f"token {hub.mint(name)}", **host}
                answer = httpx.get(address, headers=shown, trust_env=False, timeout=30)
                assert answer.status_code == status, answer.text
            hub.end(pod, "OOMKilled")
        wait_until(lambda: not is_started(hub, "zoe"), 60, "the hub has seen it", hub.explain)
    visitor = hub.log_in("zoe")
    for path in ("/hub/spawn", "/hub/home"):
        page = html.unescape(visitor.open(path).text)
        assert "it needed more memory than its limit of 4 GiB" in page, page
    assert "needed more memory" not in hub.log_in("ann").open("/hub/spawn").text
    with started(hub, "zoe"):
        pass
    assert "needed more memory" not in hub.log_in("zoe").open("/hub/home").text


def test_starts_that_fail_do_not_end_the_hub(hub: ClusterHub) -> None:
    refused = "There is no profile 'none' for you"
    for number in range(1, 7):
        hub.ask("POST", "users/bob/server", "bob", json={"profile": "none"})
        wait_until(lambda: not is_started(hub, "bob"), 60, f"refusal {number}", hub.explain)
    assert hub.log.read_text().count(refused) >= 6
    assert "Aborting due to" not in hub.log.read_text()
    with started(hub, "bob", profile="small"):
        pass


def test_the_page_offers_a_person_what_their_groups_may_choose(hub: ClusterHub) -> None:
    page = hub.log_in("bob").open("/hub/spawn").text
    assert "GPU" in page
    assert "Much memory" not in page
    shown = hub.log_in("eve").open("/hub/spawn").text
    assert "GPU" not in shown
    assert "2 processors" in shown


def test_the_culler_sees_all_servers_and_may_end_them_and_nothing_else(hub: ClusterHub) -> None:
    asked = re.compile(r"JupyterHub log:\d+\] (\d+) GET /hub/api/users.*\(idle-culler@")
    wait_until(lambda: bool(asked.search(hub.log.read_text())), 60, "the culler asks", hub.explain)
    assert {found.group(1) for found in asked.finditer(hub.log.read_text())} == {"200"}
    roles = hub.ask("GET", "services/idle-culler").json()["roles"]
    assert roles == ["skerry-idle-culler"]


def test_the_hub_reads_no_secret_of_its_namespace(hub: ClusterHub) -> None:
    config = json.loads((hub.kubernetes.folder / "hub.config").read_text())
    token = config["users"][0]["user"]["token"]
    with hub.kubernetes.log_in(token) as account:
        base = f"/api/v1/namespaces/{hub.namespace}"
        assert account.get(f"{base}/pods").status_code == 200
        assert account.get(f"{base}/secrets").status_code == 403
        assert account.get("/api/v1/namespaces/default/pods").status_code == 403


@pytest.fixture(scope="module")
def gateway(hub: ClusterHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClusterGateway]:
    with serve_cluster_gateway(hub, tmp_path_factory.mktemp("gateway")) as gateway:
        yield gateway


def test_dask_clusters_stay_within_the_limits_of_their_owner(gateway: ClusterGateway) -> None:
    first = gateway.start("ann", most_workers=3, image=name_image("b"))
    assert first.status_code == 201, (first.text, gateway.log.read_text()[-3000:])
    [made] = gateway.list_objects()
    owner = made["metadata"]["labels"][OWNER_LABEL]
    assert made["spec"]["username"] == "ann"
    assert made["spec"]["config"]["image"] == name_image("b")
    assert made["spec"]["config"]["cluster_max_workers"] == 3
    assert made["spec"]["config"]["worker_extra_pod_config"]["securityContext"]["runAsNonRoot"]
    for asked, words in (
        ({"most_workers": 12}, "your others to 4, and 16 is the limit"),
        ({"least_workers": 12}, "your others to 4, and 16 is the limit"),
        ({"image": name_image("c")}, "not a valid option for image"),
        ({"worker_memory": 500}, "worker_memory"),
        ({"cluster_max_workers": 1}, "Unknown fields"),
    ):
        refused = gateway.start("ann", **asked)
        assert refused.status_code == 422
        assert words in refused.text
    assert len(gateway.list_objects()) == 1
    assert gateway.start("ann", most_workers=1).status_code == 201
    third = gateway.start("ann", most_workers=1)
    assert (third.status_code, "2 is the limit" in third.text) == (422, True)
    assert gateway.start("zoe", most_workers=1).status_code == 201, "each has limits of their own"
    labels = [item["metadata"]["labels"][OWNER_LABEL] for item in gateway.list_objects()]
    assert (labels.count(owner), len(labels)) == (2, 3), "a start reads its owner's clusters alone"
    gateway.end(first.json()["name"])
    assert gateway.start("ann", most_workers=1).status_code == 201


def test_a_client_is_told_at_once_that_a_cluster_is_too_large(
    gateway: ClusterGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_GATEWAY__ADDRESS", f"{gateway.url}/services/dask-gateway")
    monkeypatch.setenv("DASK_GATEWAY__PROXY_ADDRESS", "gateway://127.0.0.1:1")
    login = Login(gateway.url, gateway.hub.mint("bob"))
    with (
        Session(login) as session,
        pytest.raises(InvalidInputError, match=r"refuses a cluster of 50 workers.* is the limit"),
    ):
        skerry.cluster(workers=50, session=session)


def test_the_pods_of_a_cluster_admit_each_other_alone(gateway: ClusterGateway) -> None:
    started = gateway.start("zoe", most_workers=1)
    name = started.json()["name"].rpartition(".")[2]
    [cluster] = [item for item in gateway.list_objects() if item["metadata"]["name"] == name]
    policies = f"/apis/networking.k8s.io/v1/namespaces/{gateway.hub.namespace}/networkpolicies"
    with gateway.hub.kubernetes.log_in() as owner:
        made = owner.get(f"{policies}/dask-{name}").raise_for_status().json()
    own = {"podSelector": {"matchLabels": {"gateway.dask.org/cluster": name}}}
    assert made["spec"] == {**own, "policyTypes": ["Ingress"], "ingress": [{"from": [own]}]}
    [kept_by] = made["metadata"]["ownerReferences"]
    assert kept_by["uid"] == cluster["metadata"]["uid"], "it goes with its cluster"


def test_clusters_are_their_owner_s_alone(gateway: ClusterGateway) -> None:
    assert gateway.ask("GET", "clusters/", None).status_code == 401
    assert gateway.start("eve").status_code == 401, "no group gives her a role"
    started = gateway.start("bob", most_workers=1)
    path = f"clusters/{started.json()['name']}"
    wait_until(
        lambda: gateway.ask("GET", path, "bob").status_code == 200, 30, "the gateway has seen it"
    )
    assert gateway.ask("GET", path, "ann").status_code == 403
    assert gateway.ask("DELETE", path, "ann").status_code == 403
    assert gateway.ask("DELETE", path, "bob").status_code in (200, 204)
