"""A person's JupyterLab and Dask cluster on a real platform."""

import json
import time
from collections.abc import Iterator

import httpx
import pytest
from tests.platform_process import RunningPlatform, wait_until

SERVER_LIMIT_S = 8.0


@pytest.fixture(scope="module")
def person(running_platform: RunningPlatform) -> Iterator[httpx.Client]:
    with running_platform.log_in(running_platform.user, running_platform.password) as client:
        yield client


def is_lab(platform: RunningPlatform, client: httpx.Client) -> bool:
    answer = client.get(f"/user/{platform.user}/api/status")
    return answer.status_code == 200 and "started" in answer.text


@pytest.fixture(scope="module")
def seconds_to_lab(running_platform: RunningPlatform, person: httpx.Client) -> float:
    began = time.monotonic()
    person.get(f"/hub/spawn/{running_platform.user}")
    wait_until(
        lambda: is_lab(running_platform, person),
        60,
        "JupyterLab answers",
        lambda: running_platform.log_text("hub")[-3000:],
    )
    return time.monotonic() - began


def test_server_is_ready_in_time(
    seconds_to_lab: float, record_property: pytest.FixtureRequest
) -> None:
    record_property("seconds_to_lab", seconds_to_lab)  # type: ignore[operator]
    assert seconds_to_lab < SERVER_LIMIT_S


@pytest.mark.usefixtures("seconds_to_lab")
def test_home_holds_the_notebooks(running_platform: RunningPlatform, person: httpx.Client) -> None:
    listed = person.get(f"/user/{running_platform.user}/api/contents/production").json()
    assert "s2_water_quality.ipynb" in {entry["name"] for entry in listed["content"]}
    listed = person.get(f"/user/{running_platform.user}/api/contents/tutorials").json()
    assert "first_steps.ipynb" in {entry["name"] for entry in listed["content"]}


@pytest.mark.usefixtures("seconds_to_lab")
def test_lab_asks_nobody_for_news(running_platform: RunningPlatform, person: httpx.Client) -> None:
    settings = f"/user/{running_platform.user}/lab/api/settings"
    overridden = person.get(f"{settings}/@jupyterlab/apputils-extension:notification").json()["schema"]["properties"]
    assert overridden["fetchNews"]["default"] == "false"
    assert overridden["checkForUpdates"]["default"] is False


@pytest.mark.usefixtures("seconds_to_lab")
def test_server_knows_platform_and_gateway_but_no_secrets(
    running_platform: RunningPlatform,
) -> None:
    import psutil

    instance = json.loads((running_platform.data / "state" / "secrets.json").read_text())
    servers = [
        process.environ()
        for process in psutil.process_iter()
        if "jupyterhub.singleuser" in process.cmdline()
        and process.environ().get("SKERRY_INSTANCE") == instance["instance"]
    ]
    (environment,) = servers
    assert environment["SKERRY_URL"] == running_platform.url
    assert environment["DASK_GATEWAY__ADDRESS"] == running_platform.record["gateway"]["address"]
    values = set(environment.values())
    assert values.isdisjoint(instance["service_tokens"].values())
    assert running_platform.password not in values
    assert instance["proxy_token"] not in values


def test_token_of_the_server_reaches_the_services(
    running_platform: RunningPlatform, person: httpx.Client, seconds_to_lab: float
) -> None:
    assert seconds_to_lab > 0
    kernels = f"/user/{running_platform.user}/api/kernels"
    assert person.get(kernels).json() == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_cluster_of_two_workers_and_its_dashboard(
    running_platform: RunningPlatform,
    person: httpx.Client,
    seconds_to_lab: float,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert seconds_to_lab > 0
    from dask_gateway import Gateway, JupyterHubAuth

    monkeypatch.delenv("JUPYTERHUB_API_TOKEN", raising=False)
    gateway_record = running_platform.record["gateway"]
    with (
        Gateway(
            address=gateway_record["address"],
            proxy_address=gateway_record["proxy_address"],
            auth=JupyterHubAuth(api_token=running_platform.token),
        ) as gateway,
        gateway.new_cluster() as cluster,
    ):
        cluster.scale(2)
        with cluster.get_client() as client:
            client.wait_for_workers(2, timeout=60)
            assert client.gather(client.map(lambda value: value * 2, range(4))) == [0, 2, 4, 6]

        name = cluster.name
        with running_platform.http() as anonymous:
            public = anonymous.get(f"/services/dask-gateway/clusters/{name}/status")
            assert public.status_code in {401, 403}
            hub = json.loads((running_platform.data / "state" / "hub.json").read_text())
            through = (
                f"/user/{running_platform.user}/proxy/{hub['gateway_dashboards_port']}"
                f"/clusters/{name}/individual-plots.json"
            )
            assert anonymous.get(through).status_code in {302, 403}
        assert person.get(through).status_code == 200
