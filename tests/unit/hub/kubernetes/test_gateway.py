"""What Dask clusters may take on Kubernetes, and the pods that the real gateway makes of it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from dask_gateway_server.auth import JupyterHubAuthenticator
from dask_gateway_server.backends.kubernetes.backend import KubeClusterConfig
from dask_gateway_server.backends.kubernetes.controller import KubeController
from dask_gateway_server.models import User
from tests.cluster_hub import make_hub, name_image
from tests.pod_variables import ODD, expand_references
from traitlets.config import Config

from skerry.core.cluster_hub_settings import DaskRules
from skerry.core.errors import InvalidInputError
from skerry.hub.gateway_auth import HubTokenAuthenticator
from skerry.hub.kubernetes.gateway import configure_gateway, count_workers, offer_options
from skerry.hub.kubernetes.gateway_backend import Share, explain_refusal

GIB = 1 << 30
RULES = DaskRules(
    dashboards="traefik:80", proxy_address="gateway://traefik:80",
    clusters_per_user=2, cores_per_user=10, memory_per_user="40Gi",
)  # fmt: skip


@pytest.fixture
def config() -> Any:
    config = Config()
    config.JupyterHubAuthenticator.jupyterhub_api_url = "http://hub:8081/hub/api"
    config.KubeClusterConfig.scheduler_extra_pod_config = {"hostNetwork": True}
    configure_gateway(config, make_hub(environment={"TEXT": ODD}))
    return config


def make_cluster(config: Any, **asked: Any) -> Any:
    """Return a cluster's configuration as the gateway makes it of a request."""
    options = config.LimitedBackend.cluster_options
    chosen = options.get_configuration(options.parse_options(asked), User("ann"))
    return KubeClusterConfig(config=config, **chosen)


def test_a_cluster_follows_the_image_of_its_server_and_no_other(config: Any) -> None:
    assert make_cluster(config).image == name_image("a")
    assert make_cluster(config, image=name_image("b")).image == name_image("b")
    for image in (name_image("c"), "registry.example/skerry-analysis:latest", ""):
        with pytest.raises(ValueError, match="not a valid option"):
            make_cluster(config, image=image)


@pytest.mark.parametrize(
    "asked",
    [
        {"worker_cores": 100}, {"worker_memory": 100}, {"worker_memory": -1}, {"most_workers": -1},
        {"cluster_max_workers": 9}, {"environment": {}}, {"scheduler_extra_pod_config": {}},
    ],
)  # fmt: skip
def test_nobody_asks_for_more_than_is_offered(config: Any, asked: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError)):
        make_cluster(config, **asked)


@pytest.mark.parametrize("is_worker", [True, False])
def test_pods_of_clusters_fulfil_the_restricted_standard(config: Any, is_worker: bool) -> None:
    controller = KubeController(gateway_instance="skerry", api_url="http://api")
    made = make_cluster(config, worker_cores=2, worker_memory=8)
    pod = controller.make_pod("skerry", "c1", made, is_worker=is_worker)["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert "hostNetwork" not in pod
    variables = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
    assert variables["SKERRY_URL"] == "https://skerry.example"
    assert variables["SKERRY_INTERNAL_URL"] == "http://inside.skerry.svc"
    assert expand_references(variables["TEXT"] or "", {"HOME": "elsewhere"}) == ODD
    assert pod["priorityClassName"] == "skerry-interactive"
    [container] = pod["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    part = "worker" if is_worker else "scheduler"
    begin = ["python", "-m", "dask", part, "--preload", "skerry.hub.dask_hosts"]
    assert container["args"][:6] == begin
    assert variables["SKERRY_ALLOWED_HOSTS"] == "traefik-dask-gateway,inside.skerry.svc"
    limits = container["resources"]["limits"]
    assert int(limits["memory"]) == (8 if is_worker else 2) * GIB
    assert float(limits["cpu"]) == (2 if is_worker else 1)
    named = {one["name"] for one in pod["volumes"]}
    assert {one["name"] for one in container["volumeMounts"]} == named
    assert not any(one.get("hostPath") for one in pod["volumes"])


def test_by_default_a_cluster_gets_an_equal_share() -> None:
    assert count_workers(RULES, 1, GIB) == 4, "5 processors, 1 of them for the scheduler"
    assert count_workers(RULES, 1, 9 * GIB) == 2, "20 GiB, 2 of them for the scheduler"
    assert count_workers(RULES, 64, GIB) == 1, "the backend refuses it, with the limits"
    options = offer_options(make_hub(), RULES)
    chosen = options.get_configuration(options.parse_options({"most_workers": 7}), User("ann"))
    assert chosen["cluster_max_workers"] == 7


def test_there_is_room_for_as_many_workers_as_a_client_names(config: Any) -> None:
    share = make_cluster(config).cluster_max_workers
    assert make_cluster(config, least_workers=share - 1).cluster_max_workers == share
    assert make_cluster(config, least_workers=share + 5).cluster_max_workers == share + 5
    both = make_cluster(config, least_workers=share + 5, most_workers=2)
    assert both.cluster_max_workers == 2, "the limit that somebody sets"


def share(workers: int, cores: float = 1, memory: int = GIB) -> Share:
    return Share.of_cluster({
        "cluster_max_workers": workers, "worker_cores_limit": cores, "worker_memory_limit": memory,
        "scheduler_cores_limit": 1, "scheduler_memory_limit": 2 * GIB,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("taken", "asked", "words"),
    [
        (Share(), share(9), ""),
        (Share(), share(10), "grow to 11 processors, your others to 0, and 10"),
        (share(4), share(4), ""),
        (share(4), share(5), "your others to 5"),
        (share(1) + share(1), share(1), "You have 2 Dask clusters, and 2 is the limit"),
        (Share(), share(4, memory=10 * GIB), "42 GiB of memory"),
        (Share(), share(1, cores=64), "65 processors"),
    ],
)
def test_what_passes_a_limit_is_refused_with_its_numbers(
    taken: Share, asked: Share, words: str
) -> None:
    told = explain_refusal(taken, asked, RULES)
    assert words in told
    assert bool(told) == bool(words)


def test_the_hub_says_who_somebody_is(config: Any) -> None:
    assert config.DaskGateway.authenticator_class == "skerry.hub.gateway_auth.HubTokenAuthenticator"
    login = config.HubTokenAuthenticator
    assert (login.public_prefix, login.cache_max_age) == ("/services/dask-gateway", 5)
    asked = JupyterHubAuthenticator(config=config, jupyterhub_api_token="a-token")
    assert asked.jupyterhub_api_url == "http://hub:8081/hub/api", "as the other chart has set it"


def test_a_gateway_without_limits_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="dask is missing"):
        configure_gateway(Config(), make_hub(dask=None))


def test_the_gateway_answers_to_its_names_in_the_cluster_and_to_no_other(
    config: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "own")
    monkeypatch.setenv("SKERRY_ALLOWED_HOSTS", "10.244.0.5")  # the chart: the pod's own, for probes
    names = (
        "api-dask-gateway:8000", "inside.skerry.svc", "skerry.example", "10.244.0.5:8000",
        "stranger.example",
    )  # fmt: skip

    async def say_well(_request: web.Request) -> web.Response:
        return web.Response()

    async def ask() -> list[int]:
        authenticator, app = HubTokenAuthenticator(config=config), web.Application()
        app.router.add_get("/api/health", say_well)
        await authenticator.setup(app)
        try:
            async with TestClient(TestServer(app)) as client:
                answers = [
                    await client.get("/api/health", headers={"Host": name}) for name in names
                ]
                return [answer.status for answer in answers]
        finally:
            await authenticator.cleanup()

    assert asyncio.run(ask()) == [200, 200, 200, 200, 400]
