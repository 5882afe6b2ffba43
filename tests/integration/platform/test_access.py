"""Who gets in: the one person, with the one password; nobody else by any door."""

import json

import httpx
import pytest
from dask_gateway_server.routes import default_routes
from tests.platform_process import RunningPlatform

from skerry.core.gateway import CLUSTERS_PATH
from skerry.core.scopes import ADMIN, RUN, Scope

pytestmark = pytest.mark.long

HOME = "/hub/home"
GATEWAY = "/services/dask-gateway"


def is_logged_in(client: httpx.Client) -> bool:
    return client.get(HOME).url.path == HOME


def test_owner_logs_in_with_the_password_alone(running_platform: RunningPlatform) -> None:
    platform = running_platform
    assert is_logged_in(platform.log_in(platform.user, platform.password))
    assert not is_logged_in(platform.log_in(platform.user, "wrong password"))
    assert not is_logged_in(platform.log_in(platform.user, ""))


@pytest.mark.parametrize("name", ["project-main", "somebody", "admin"])
def test_no_other_account_logs_in(running_platform: RunningPlatform, name: str) -> None:
    assert not is_logged_in(running_platform.log_in(name, running_platform.password))


def test_owner_token_holds_skerry_scopes_and_nothing_of_the_hub(
    running_platform: RunningPlatform,
) -> None:
    platform = running_platform
    identity = platform.http(platform.token).get("/hub/api/user").json()
    own = {scope for scope in identity["scopes"] if scope.startswith("custom:")}
    assert own == {str(scope) for scope in ADMIN}
    assert not identity["admin"]
    with platform.http(platform.token) as client:
        assert client.get("/hub/api/users").status_code == 403
        assert client.post(f"/hub/api/users/{platform.user}/tokens").status_code == 403
        assert client.post("/hub/api/users/somebody").status_code == 403


def service_client(platform: RunningPlatform, name: str) -> httpx.Client:
    secrets = json.loads((platform.data / "state" / "secrets.json").read_text())
    return platform.http(secrets["service_tokens"][name])


def test_worker_makes_tokens_of_runs_and_of_nobody_else(running_platform: RunningPlatform) -> None:
    platform = running_platform
    scopes = [*map(str, RUN), "access:services!service=dask-gateway"]
    request = {"note": "test", "expires_in": 60, "scopes": scopes}
    with service_client(platform, "worker") as worker:
        answer = worker.post("/hub/api/users/project-main/tokens", json=request)
        assert answer.status_code == 201
        run = platform.http(answer.json()["token"])
        identity = run.get("/hub/api/user").json()
        assert identity["name"] == "project-main"
        assert str(Scope.RUN_PUBLISH) in identity["scopes"]
        assert str(Scope.CATALOG_WRITE) not in identity["scopes"]

        wider = request | {"scopes": [str(Scope.CATALOG_WRITE)]}
        refused = worker.post("/hub/api/users/project-main/tokens", json=wider)
        assert refused.status_code in {400, 403}
        own_answer = worker.post(f"/hub/api/users/{platform.user}/tokens", json={"note": "x"})
        assert own_answer.status_code in {403, 404}

        revoked = worker.delete(f"/hub/api/users/project-main/tokens/{answer.json()['id']}")
        assert revoked.status_code == 204
        assert run.get("/hub/api/user").status_code == 403


def test_the_api_reads_names_from_the_hub_and_nothing_else(
    running_platform: RunningPlatform,
) -> None:
    user = running_platform.user
    with service_client(running_platform, "api") as client:
        answer = client.get(f"/hub/api/users/{user}").raise_for_status()
        assert answer.json()["name"] == user
        hidden = {"servers", "groups", "roles", "last_activity", "created", "auth_state"}
        assert not hidden & answer.json().keys()
        assert client.get("/hub/api/users").status_code == 403
        assert client.get(f"/hub/api/users/{user}/tokens").status_code in {403, 404}
        path = "/hub/api/users/project-main/tokens"
        assert client.post(path, json={"note": "x"}).status_code in {403, 404}


@pytest.mark.parametrize("name", ["maps", "dashboards", "dask-gateway"])
def test_other_services_read_nothing_from_the_hub(
    running_platform: RunningPlatform, name: str
) -> None:
    with service_client(running_platform, name) as client:
        assert client.get("/hub/api/users").status_code == 403
        assert client.get(f"/hub/api/users/{running_platform.user}").status_code in {403, 404}
        path = "/hub/api/users/project-main/tokens"
        assert client.post(path, json={"note": "x"}).status_code in {403, 404}


ROUTES = [
    (route.method, route.path.replace("{cluster_name}", "some"))
    for route in default_routes
    if route.path != "/api/health"
] + [("GET", CLUSTERS_PATH)]
"""What the gateway's router has; its health is for everybody."""

NO_ROUTES = [
    ("GET", "/"), ("GET", "/api/v1/routes"), ("GET", "/clusters/some/status"),
    ("GET", "/clusters/some/individual-plots.json"), ("GET", "/no/such/path"),
]  # fmt: skip


def test_the_gateway_s_router_is_known() -> None:
    assert len(ROUTES) >= 9
    assert ("GET", "/api/v1/clusters/some") in ROUTES


@pytest.mark.parametrize(("method", "path"), [*ROUTES, *NO_ROUTES])
@pytest.mark.parametrize("authorization", [None, "jupyterhub wrong", "token wrong", "Bearer wrong"])
@pytest.mark.parametrize("public", [True, False])
def test_gateway_refuses_whoever_has_no_token(
    running_platform: RunningPlatform,
    method: str,
    path: str,
    authorization: str | None,
    public: bool,
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    settings = json.loads((running_platform.data / "state" / "gateway.json").read_text())
    inside = f"http://{settings['api_address']}"
    with running_platform.http() as client:
        answer = client.request(
            method, f"{GATEWAY}{path}" if public else f"{inside}{path}", headers=headers
        )
    assert answer.status_code in {401, 403}


def test_gateway_refuses_a_token_without_access(running_platform: RunningPlatform) -> None:
    request = {"note": "test", "expires_in": 60, "scopes": [str(Scope.CATALOG_READ)]}
    with service_client(running_platform, "worker") as worker:
        created = worker.post("/hub/api/users/project-main/tokens", json=request).json()
    headers = {"Authorization": f"jupyterhub {created['token']}"}
    with running_platform.http() as client:
        answer = client.get(f"{GATEWAY}/api/v1/clusters/", headers=headers)
    assert answer.status_code in {401, 403}


def test_routing_table_holds_what_is_known(running_platform: RunningPlatform) -> None:
    services = {"dask-gateway", "api", "maps", "dashboards", "worker"}
    routes = set(running_platform.routes())
    people = {route for route in routes if route.startswith("/user/")}
    assert routes - people == {"/", *(f"/services/{name}" for name in services)}
    assert people <= {f"/user/{running_platform.user}"}
