"""A person's JupyterLab and Dask cluster on a real platform."""

import json
from contextlib import suppress

import httpx
import psutil
import pytest
from tests.integration.platform.people import run_notebook
from tests.platform_process import RunningPlatform

from skerry.core.scopes import PUBLICISER, SCIENTIST, Scope

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def server_environment(running_platform: RunningPlatform, lab: str) -> dict[str, str]:
    """Return the environment of the process that serves `lab`."""
    result = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):  # other tests' processes come and go
            environment = process.environ()
            if (
                "jupyterhub.singleuser" in process.cmdline()
                and environment.get("JUPYTERHUB_SERVICE_PREFIX") == f"{lab}/"
                and environment.get("SKERRY_URL") == running_platform.url
            ):
                result.append(environment)
    (environment,) = result
    return environment


@pytest.mark.parametrize(
    ("folder", "notebook"),
    [("production", "s2_water_quality.ipynb"), ("tutorials", "first_steps.ipynb")],
)
def test_home_holds_the_notebooks(
    person: httpx.Client, lab: str, folder: str, notebook: str
) -> None:
    listed = person.get(f"{lab}/api/contents/{folder}").json()
    assert notebook in {entry["name"] for entry in listed["content"]}


def test_lab_asks_nobody_for_news(person: httpx.Client, lab: str) -> None:
    plugin = "@jupyterlab/apputils-extension:notification"
    answer = person.get(f"{lab}/lab/api/settings/{plugin}").json()
    properties = answer["schema"]["properties"]
    assert properties["fetchNews"]["default"] == "false"
    assert properties["checkForUpdates"]["default"] is False


def test_server_knows_the_platform_but_none_of_its_secrets(
    running_platform: RunningPlatform, server_environment: dict[str, str]
) -> None:
    secrets = json.loads((running_platform.data / "state" / "secrets.json").read_text())
    gateway = running_platform.record["gateway"]
    assert server_environment["DASK_GATEWAY__ADDRESS"] == gateway["address"]
    assert server_environment["DASK_GATEWAY__PROXY_ADDRESS"] == gateway["proxy_address"]
    values = set(server_environment.values())
    hidden = {*secrets["service_tokens"].values(), secrets["proxy_token"]}
    assert values.isdisjoint(hidden | {running_platform.password})


def test_token_of_the_server_reaches_the_services(
    running_platform: RunningPlatform, server_environment: dict[str, str]
) -> None:
    token = server_environment["JUPYTERHUB_API_TOKEN"]
    client = running_platform.http(token)
    assert client.get("/services/api/stac/collections").status_code == 200
    assert client.get("/services/api/production/jobs").status_code == 200
    scopes = set(client.get("/hub/api/user").json()["scopes"])
    own = {scope for scope in scopes if scope.startswith("custom:")}
    # to decide and to operate is not a notebook's part
    assert own == set(map(str, (SCIENTIST | PUBLICISER) - {Scope.PROJECTS_DECIDE}))
    assert not {scope for scope in scopes if scope.startswith(("admin", "tokens", "servers"))}


def test_cluster_of_two_workers_and_its_dashboard(
    running_platform: RunningPlatform, person: httpx.Client, lab: str
) -> None:
    hub = json.loads((running_platform.data / "state" / "hub.json").read_text())
    dashboards = f"{lab}/proxy/{hub['gateway_dashboards_port']}/clusters"
    with run_notebook(running_platform) as (name, result):
        assert result == "12"
        page = f"{name}/individual-plots.json"
        anonymous = running_platform.http()
        public = anonymous.get(f"/services/dask-gateway/clusters/{page}")
        assert public.status_code in {401, 403}
        assert anonymous.get(f"{dashboards}/{page}").status_code in {302, 403}
        assert person.get(f"{dashboards}/{page}").json()
