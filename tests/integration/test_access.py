"""Every route of every program, and every entry of the proxy's table: nobody gets in by mistake.

The routes are read from the applications themselves, each with the audience that its code names.
A route without an audience fails before a single request is made.
"""

import asyncio
import json
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from tests.fresh_database import fill_database
from tests.platform_process import NO_CERTIFICATES, RunningPlatform, free_port
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from skerry.core.measurements import Measurements
from skerry.core.scopes import ADMIN, RUN, Scope
from skerry.core.settings import DEFAULT_PROJECT, ServiceSettings
from skerry.dashboards.handlers import ANYONE, Handler
from skerry.dashboards.server import list_handlers
from skerry.production.executors.local import LocalExecutor
from skerry.services.api import create_api
from skerry.services.hub_access import HubAccess
from skerry.services.identity import Audience, AudienceKind
from skerry.services.maps import create_maps
from skerry.services.routes import RouteEntry, list_routes
from skerry.services.worker_signs import create_worker_signs
from skerry.storage.layout import DataFolder

SECRET = "private-bay"
"""A collection that is not public: its name must never reach anybody without the scope."""


def _read_routes() -> list[RouteEntry]:
    with tempfile.TemporaryDirectory() as folder:
        data = DataFolder(Path(folder))
        data.create()
        fill_database(data)
        settings = ServiceSettings(data=data.root, public_url="http://127.0.0.1:1", port=0)
        hub = HubAccess(
            service="api", api_url="http://127.0.0.1:1/hub/api", api_token="none",
            client_id="service-api", callback="/services/api/oauth_callback",
        )  # fmt: skip
        executor = LocalExecutor(data)
        return [
            *list_routes(create_api(settings, hub=hub)),
            *list_routes(create_maps(settings, hub=hub)),
            *list_routes(create_worker_signs(settings, Measurements(), executor, hub=hub)),
        ]


ROUTES = _read_routes()
HANDLERS = list_handlers()

_EXAMPLES = {"collection": SECRET, "collection_id": SECRET, "z": "0", "x": "0", "y": "0"}


def _fill(path: str, *, harmless: bool) -> str:
    def replace(match: re.Match[str]) -> str:
        name = match[1].partition(":")[0]
        if harmless and name not in "zxy":
            return "nothing-of-this-name"
        return _EXAMPLES.get(name, "1" if name in ("epoch", "version") else "nothing-of-this-name")

    query = "?lon=0&lat=0" if path.endswith("/point.json") else ""
    return re.sub(r"\{([^}]+)\}", replace, path) + query


@dataclass(frozen=True)
class Keys:
    """Tokens for the three cases.

    Attributes
    ----------
    powerless
        A good token of the owner without any of Skerry's scopes.
    """

    platform: RunningPlatform
    powerless: str
    _minted: dict[tuple[frozenset[Scope], bool], str] = field(default_factory=dict)

    def mint(self, scopes: frozenset[Scope], *, run: bool = False) -> str:
        """Return a token with exactly these scopes; of the project's account if `run`."""
        if (scopes, run) not in self._minted:
            self._minted[scopes, run] = self._mint(scopes, run=run)
        return self._minted[scopes, run]

    def read_token(self, service: str) -> str:
        """Return the token of a part of the platform."""
        settings = json.loads((self.platform.data / "state" / "hub.json").read_text())
        services = {setting["name"]: setting["token"] for setting in settings["services"]}
        return str(services[service])

    def _mint(self, scopes: frozenset[Scope], *, run: bool) -> str:
        account = DEFAULT_PROJECT if run else self.platform.user
        reach = "access:services!service=api" if run else "access:services"
        answer = httpx.post(
            f"{self.platform.url}/hub/api/users/{account}/tokens",
            headers={
                "Authorization": f"token {self.read_token('worker' if run else 'supervisor')}"
            },
            json={"scopes": [reach, *sorted(map(str, scopes))], "expires_in": 3600},
            trust_env=False,
            verify=NO_CERTIFICATES,
        )
        return str(answer.raise_for_status().json()["token"])


@pytest.fixture(scope="module")
def keys(running_platform: RunningPlatform) -> Iterator[Keys]:
    """Return the tokens, with one private collection in the catalogue."""
    keys = Keys(running_platform, "")
    keys = Keys(running_platform, keys.mint(frozenset()))
    document = {
        "type": "Collection", "stac_version": "1.1.0", "id": SECRET, "description": "Not public.",
        "license": "other", "links": [], "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]}, "temporal": {"interval": [[None, None]]}},
    }  # fmt: skip
    with running_platform.http(running_platform.token) as client:
        client.put(f"/services/api/stac/collections/{SECRET}", json=document).raise_for_status()
        yield keys
        client.delete(f"/services/api/stac/collections/{SECRET}").raise_for_status()


def _label(route: RouteEntry) -> str:
    return f"{'+'.join(route.methods)} {route.path}"


@pytest.mark.parametrize("route", ROUTES, ids=_label)
def test_every_route_has_a_decided_audience(route: RouteEntry) -> None:
    assert route.audience is not None, f"nobody decided who may {_label(route)}"


@pytest.mark.parametrize("route", ROUTES, ids=_label)
def test_routes_let_in_whom_they_are_for(route: RouteEntry, keys: Keys) -> None:
    assert route.audience is not None
    for method in route.methods:
        assert method != "WEBSOCKET", "say here how a socket of api or maps is proven"
        check = {
            AudienceKind.ANYONE: _check_open,
            AudienceKind.VISIBLE: _check_visible,
            AudienceKind.SCOPE: _check_scoped,
        }[route.audience.kind]
        check(route, "GET" if method == "*" else method, route.audience, keys)


def _ask(keys: Keys, method: str, path: str, token: str | None, **headers: str) -> httpx.Response:
    with keys.platform.http(token) as client:
        body = {} if method in {"POST", "PUT", "PATCH"} else None
        return client.request(method, path, json=body, headers=headers)


def _check_open(route: RouteEntry, method: str, _audience: Audience, keys: Keys) -> None:
    for token in (None, keys.powerless):
        answer = _ask(keys, method, _fill(route.path, harmless=True), token)
        if route.path.endswith("/oauth_callback"):  # a login that was never begun is refused
            assert answer.status_code in {400, 403}
        else:
            assert answer.status_code not in {401, 403}
            assert answer.status_code < 500
        assert SECRET not in answer.text


def _check_visible(route: RouteEntry, method: str, _audience: Audience, keys: Keys) -> None:
    path = _fill(route.path, harmless=False)
    for token in (None, keys.powerless):
        answer = _ask(keys, method, path, token)
        assert answer.status_code < 500
        if SECRET in path:
            assert answer.status_code == (401 if token is None else 403), answer.text
        else:
            assert SECRET not in answer.text
    entitled = _ask(
        keys, method, path, keys.mint(frozenset({Scope.CATALOG_READ, Scope.PRODUCTION_READ}))
    )
    assert entitled.status_code not in {401, 403}
    assert entitled.status_code < 500
    assert "no-store" in entitled.headers["cache-control"]


_OF_SERVICES = {Scope.BUDGETS_RESERVE: "dask-gateway"}
"""Scopes that no person can have, with a part of the platform that has them."""

_ELSEWHERE = frozenset({Scope.PROJECTS_LOOK_UP})
"""Scopes that nobody has on one machine."""


def _check_scoped(route: RouteEntry, method: str, audience: Audience, keys: Keys) -> None:
    path = _fill(route.path, harmless=True)
    assert _ask(keys, method, path, None).status_code == 401
    assert _ask(keys, method, path, "0" * 32).status_code == 401
    if method == "GET":
        login = _ask(keys, method, path, None, Accept="text/html")
        assert login.is_redirect
        assert urlsplit(login.headers["location"]).path == "/hub/api/oauth2/authorize"
    if audience.scopes:
        wrong = keys.mint(ADMIN - audience.scopes)
        assert _ask(keys, method, path, wrong).status_code == 403
    if audience.scopes and audience.scopes <= _ELSEWHERE:
        return
    service = next((_OF_SERVICES[one] for one in audience.scopes if one in _OF_SERVICES), None)
    if service is not None:
        right = keys.read_token(service)
    else:
        run = audience.scopes == {Scope.RUN_PUBLISH}
        right = keys.mint(RUN if run else frozenset(audience.scopes), run=run)
    answer = _ask(keys, method, path, right)
    assert answer.status_code not in {401, 403}
    assert answer.status_code < 500


@pytest.mark.parametrize("handler", HANDLERS, ids=lambda item: f"{item.kind} {item.pattern}")
def test_dashboards_let_in_whom_they_are_for(handler: Handler, keys: Keys) -> None:
    if handler.kind == "websocket":
        asyncio.run(_check_socket(handler, keys))
        return
    anonymous = _ask(keys, "GET", handler.example, None)
    machine = _ask(keys, "GET", handler.example, "0" * 32)
    if handler.audience == ANYONE:
        assert anonymous.status_code not in {401, 500}
        assert SECRET not in anonymous.text
        return
    assert anonymous.status_code in {302, 401, 403}
    assert machine.status_code in {302, 401, 403}
    assert SECRET not in anonymous.text + machine.text
    if handler.scope is not None:
        unable = _ask(keys, "GET", handler.example, keys.powerless)
        assert SECRET not in unable.text
    entitled = _ask(keys, "GET", handler.example, keys.platform.token)
    assert entitled.status_code not in {401, 403, 500}


async def _check_socket(handler: Handler, keys: Keys) -> None:
    address = keys.platform.url.replace("http:", "ws:") + handler.example
    for token in (None, "0" * 32):
        headers = {"Authorization": f"token {token}"} if token else {}
        with pytest.raises(InvalidStatus) as refused:
            async with connect(
                address, additional_headers=headers, subprotocols=["bokeh", "none"], proxy=None
            ):
                pass
        assert refused.value.response.status_code in {401, 403}


def test_every_entry_of_the_proxys_table_is_known_and_guarded(keys: Keys) -> None:
    platform = keys.platform
    session = platform.log_in(platform.user, platform.password)
    marker = {"_xsrf": session.cookies.get("_xsrf", path="/hub/") or ""}
    started = session.post(f"/hub/api/users/{platform.user}/server", params=marker)
    assert started.status_code in {201, 202, 400}, started.text
    guarded = {
        "/": "/hub/api/users",
        "/services/api": "/services/api/audit",
        "/services/maps": f"/services/maps/tiles/{SECRET}/none/none/0/0/0.png",
        "/services/dashboards": "/services/dashboards/runs",
        "/services/worker": "/services/worker/metrics",
        "/services/dask-gateway": "/services/dask-gateway/api/v1/clusters/",
        f"/user/{platform.user}": f"/user/{platform.user}/api/contents",
    }
    routes = {route.rstrip("/") or "/" for route in platform.routes()}
    assert routes <= set(guarded), "a route of the proxy that no test knows"
    assert {route for route in guarded if not route.startswith("/user")} <= routes
    for route in routes:
        for token in (None, "0" * 32, keys.powerless):
            answer = _ask(keys, "GET", guarded[route], token)
            allowed = {401, 403} | ({302} if token is None or "/user" in route else set())
            if route == "/services/dashboards" and token is not None:
                allowed |= {200, 302}  # the page then says that the token may not
            assert answer.status_code in allowed, (route, answer.status_code)
            assert SECRET in guarded[route] or SECRET not in answer.text


GRANT = "/services/api/grants"


@pytest.mark.parametrize("purpose", ["import", "sandbox", "run"])
def test_a_grant_to_write_is_for_holders_of_its_scope(keys: Keys, purpose: str) -> None:
    body = {"mode": "write", "purpose": purpose}
    needed = Scope.RUN_PUBLISH if purpose == "run" else Scope.CATALOG_WRITE
    body |= {"run": "0" * 26, "epoch": 1} if purpose == "run" else {}
    reader = keys.mint(frozenset({Scope.CATALOG_READ}))
    wrong = keys.mint(ADMIN - {needed})
    expected = {None: 401, "0" * 32: 401, keys.powerless: 403, reader: 403, wrong: 403}
    for token, status in expected.items():
        with keys.platform.http(token) as client:
            assert client.post(GRANT, json=body).status_code == status
    run = purpose == "run"
    with keys.platform.http(keys.mint(RUN if run else frozenset({needed}), run=run)) as client:
        answer = client.post(GRANT, json=body)
        if run:  # a run's token opens the folder of its own attempt, and there is none
            assert answer.status_code in {403, 404, 409}
        else:
            assert answer.status_code == 201
            assert client.delete(f"{GRANT}/{answer.json()['id']}").status_code == 204


@pytest.mark.parametrize(
    "path", ["{port}/", "{port}/clusters/x/status", "absolute/{port}/", "127.0.0.1:{port}/"]
)
def test_what_a_user_server_forwards_is_for_its_owner_alone(keys: Keys, path: str) -> None:
    platform = keys.platform
    hub = json.loads((platform.data / "state" / "hub.json").read_text())
    address = f"/user/{platform.user}/proxy/{path.format(port=hub['gateway_dashboards_port'])}"
    tokens = [None, "0" * 32, keys.powerless, keys.mint(ADMIN), keys.mint(RUN, run=True)]
    tokens += [service["token"] for service in hub["services"]]
    for token in tokens:
        answer = _ask(keys, "GET", address, token)
        assert answer.status_code in {302, 403}, (token, answer.status_code)
        if answer.is_redirect:
            assert urlsplit(answer.headers["location"]).path in {
                "/hub/api/oauth2/authorize", f"/hub{address}"
            }  # fmt: skip


def test_a_platform_listens_on_loopback_only(
    tmp_path: Path, running_platform: RunningPlatform
) -> None:
    answer = running_platform.run(
        "up", "--host", "0.0.0.0", "--port", str(free_port()), check=False
    )
    assert answer.returncode == 2
    assert "0.0.0.0" in answer.stderr
