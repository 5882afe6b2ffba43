"""The program's doors: who passes, and what every answer carries.

Hub and api are a small stand-in; the api has nothing.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import tornado.httpserver
import tornado.web
import websockets
from bokeh.util.token import get_token_payload
from jupyterhub.services.auth import HubOAuth

from skerry.core.scopes import Scope
from skerry.dashboards import handlers
from skerry.dashboards.handlers import ANYONE
from skerry.dashboards.server import build_server, close_unstarted, list_handlers

PREFIX = "/services/dashboards"
HANDLERS = list_handlers()
ACCESS = "access:services!service=dashboards"
MACHINE = {"Authorization": "Bearer ann-token", "Accept": "application/json"}
PEOPLE = {
    "ann-token": {"name": "ann", "scopes": [ACCESS, Scope.CATALOG_READ, Scope.PRODUCTION_READ]},
    "bob-token": {"name": "bob", "scopes": [ACCESS]},
    "run-token": {"name": "project-main", "scopes": []},
}


class UserHandler(tornado.web.RequestHandler):
    """The hub's `/user`: whose token this is."""

    def get(self) -> None:
        token = self.request.headers["Authorization"].partition(" ")[2]
        if token not in PEOPLE:
            self.set_status(403)
            return
        self.finish(json.dumps({"kind": "user", **PEOPLE[token]}))


class HubHandler(tornado.web.RequestHandler):
    """The hub's first address."""

    def get(self) -> None:
        self.finish({"version": "6"})


class ApiHandler(tornado.web.RequestHandler):
    """An api that has nothing."""

    def get(self) -> None:
        self.set_status(404)
        self.set_header("Content-Type", "application/problem+json")
        self.finish(json.dumps({"status": 404, "detail": "There is none.", "remedy": "Look."}))


@asynccontextmanager
async def run_server() -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """Run the program and a stand-in; give a client of the program and the public address."""
    routes = [("/", HubHandler), ("/user", UserHandler), ("/services/api/.*", ApiHandler)]
    hub_server = tornado.httpserver.HTTPServer(tornado.web.Application(routes))
    sockets = tornado.netutil.bind_sockets(0, "127.0.0.1")
    hub_server.add_sockets(sockets)
    public_url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    hub = HubOAuth(
        api_url=public_url,
        api_token="service",
        base_url=f"{PREFIX}/",
        oauth_client_id="service-dashboards",
        oauth_redirect_uri=f"{PREFIX}/oauth_callback",
        access_scopes={ACCESS},
    )
    # browsers name another address than the one at which the program itself reaches the api
    outside = "http://skerry.example"
    server = build_server(outside, port=0, hub=hub, inside_url=public_url)
    server.start()
    address = f"http://127.0.0.1:{server.port}"
    try:
        async with httpx.AsyncClient(base_url=address, trust_env=False, timeout=30) as client:
            yield client, outside
    finally:
        await server.stop_async()
        hub_server.stop()
        await hub_server.close_all_connections()


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", "Accept": "text/html"}


@pytest.mark.asyncio
@pytest.mark.parametrize(("address", "trusted"), [("127.0.0.1", True), ("0.0.0.0", False)])
async def test_who_stands_in_front_is_believed_on_loopback_alone(
    address: str, *, trusted: bool
) -> None:
    hub = HubOAuth(oauth_client_id="service-dashboards", api_token="none")
    server = build_server("http://127.0.0.1:8000", port=0, hub=hub, address=address)
    try:
        assert server._http.xheaders is trusted
    finally:
        close_unstarted(server)


@pytest.mark.asyncio
async def test_while_the_hub_does_not_answer_its_pages_say_so() -> None:
    hub = HubOAuth(
        api_url="http://127.0.0.1:9/hub/api", oauth_client_id="service-dashboards", api_token="none"
    )
    server = build_server("http://127.0.0.1:8000", port=0, hub=hub)
    server.start()
    try:
        async with httpx.AsyncClient(trust_env=False) as client:
            address = f"http://127.0.0.1:{server.port}{PREFIX}"
            answer = await client.get(f"{address}/ready")
            health = await client.get(f"{address}/health")
            page = await client.get(f"{address}/runs", headers={"Accept": "text/html"})
            program = await client.get(f"{address}/runs", headers=MACHINE)
    finally:
        await server.stop_async()
    assert answer.status_code == 200
    hub_is_away = {"hub": "The hub does not answer."}
    assert answer.json() == {"ready": True, "missing": {}, "limited": hub_is_away}
    assert health.status_code == 200
    for refused in (page, program):
        assert refused.status_code == 503
        assert refused.headers["Retry-After"] == "5"
    assert "<span>Skerry</span>" in page.text
    assert "These pages need a login. The hub does not answer." in page.text
    check_problem(program, "These pages need a login.")


@pytest.mark.slow
@pytest.mark.asyncio
async def test_doors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_METRICS_TOKEN", "of-prometheus")
    async with run_server() as (client, public_url):
        await check_strangers(client)
        await check_errors(client)
        await check_viewers(client)
        await check_headers(client)
        await check_sockets(client, public_url)
        await check_measurements(client)
        await check_identifiers(client)


async def check_measurements(client: httpx.AsyncClient) -> None:
    """Requests are measured by the pattern of their address, without names in it."""
    address = f"{PREFIX}/metrics"
    await client.get(f"{PREFIX}/export/secret-bay/item/b04.tif")
    refused = [
        (await client.get(address, headers=headers)).status_code
        for headers in ({}, bearer("of-nobody"), MACHINE)
    ]
    text = (await client.get(address, headers=bearer("of-prometheus"))).text
    assert refused == [401, 401, 403]
    route = r"/export/([^/]+)/([^/]+)/([^/]+)\\.tif"
    assert f'skerry_request_seconds_count{{method="GET",route="{route}",status="401"}} ' in text
    assert 'route="/metrics",status="403"' in text
    assert "secret-bay" not in text


async def check_identifiers(client: httpx.AsyncClient) -> None:
    """Every answer names its request, by the name that the caller gave it if that is sound."""
    own = "0a" * 16
    identifiers = [
        (await client.get(f"{PREFIX}{path}", headers=headers)).headers["x-request-id"]
        for path in ("/health", "/runs", "/no/such/page")
        for headers in ({"X-Request-ID": own}, {"X-Request-ID": "odd"})
    ]
    assert identifiers[::2] == [own] * 3
    assert len(set(identifiers[1::2])) == 3
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in identifiers[1::2])


async def check_strangers(client: httpx.AsyncClient) -> None:
    for handler in HANDLERS:
        machine = await client.get(handler.example)
        if handler.audience == ANYONE:
            assert machine.status_code in {200, 400, 404}, handler
            continue
        browser = await client.get(handler.example, headers={"Accept": "text/html"})
        forged = await client.get(handler.example, headers=bearer("nobody"))
        if handler.kind == "websocket":
            assert {machine.status_code, browser.status_code, forged.status_code} == {403}
        elif handler.example.endswith("/login"):
            assert "/hub/api/oauth2/authorize" in browser.headers["Location"]
        else:
            assert machine.status_code == 401, handler
            assert forged.status_code == 401, handler
            assert browser.headers["Location"].startswith(f"{PREFIX}/login?next=")
    assert (await client.get(f"{PREFIX}/runs", headers=bearer("run-token"))).status_code == 403
    assert (await client.get(f"{PREFIX}/health")).json() == {"ready": True}
    assert (await client.get(f"{PREFIX}/ready")).json()["ready"] is True
    await check_refusals(client)


async def check_refusals(client: httpx.AsyncClient) -> None:
    """Every refusal has the look of the pages for a browser, and is a problem for a program."""
    log_in = 'href="/hub/login"'
    for path, token, status, message, header in (
        ("/nowhere/else", "ann-token", 404, "There is no page", ">ann</a>"),
        ("/nowhere/else", "nobody", 404, "There is no page", log_in),
        ("/runs", "nobody", 401, "Nobody is logged in", log_in),
        ("/runs", "run-token", 403, "may not use the dashboards", ">project-main</a>"),
    ):
        page = await client.get(PREFIX + path, headers=bearer(token))
        assert page.status_code == status
        assert "<span>Skerry</span>" in page.text
        assert message in page.text
        assert header in page.text
        assert (log_in in page.text) == (header == log_in), "only strangers are asked to log in"
        text = await client.get(PREFIX + path, headers=bearer(token) | {"Accept": "*/*"})
        assert text.status_code == status
        check_problem(text, message)


def check_problem(answer: httpx.Response, *words: str) -> None:
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["remedy"]
    assert all(word in problem["detail"] for word in words), problem


async def check_errors(client: httpx.AsyncClient) -> None:
    """Errors that the libraries write have the same two forms."""
    for method, path, status in (
        ("GET", "/assets/none.css", 404),
        ("GET", "/static/js/none.js", 404),
        ("GET", "/widgets/none@1/dist/index", 404),
        ("GET", "/ws", 400),
        ("DELETE", "/", 405),
        ("PUT", "/health", 405),
        ("POST", "/runs", 405),
        ("GET", "/oauth_callback", 400),
        ("GET", "/nowhere", 404),
    ):
        machine = await client.request(method, PREFIX + path, headers=MACHINE)
        assert machine.status_code == status, (method, path)
        check_problem(machine, path if status != 403 else "")
        assert "traceback" not in machine.text.lower()
        page = await client.request(method, PREFIX + path, headers=bearer("ann-token"))
        assert page.status_code == status
        assert "<span>Skerry</span>" in page.text
    unknown = await client.get(f"{PREFIX}/health", headers={"Host": "evil.example"})
    assert unknown.status_code == 400
    check_problem(unknown, "evil.example")


async def check_viewers(client: httpx.AsyncClient) -> None:
    for page, status in (
        ("/", 200), ("/runs", 200), ("/map", 200), ("/map?variable=B02", 200), ("/budgets", 200),
        ("/budgets?month=May", 404), ("/projects", 200), ("/projects?name=x", 404),
        ("/runs?job=j", 404), ("/run?id=x", 404), ("/map?item=c/i", 404), ("/map?item=c", 422),
    ):  # fmt: skip
        answer = await client.get(PREFIX + page, headers=bearer("ann-token"))
        assert answer.status_code == status, page
        assert '<html lang="en">' in answer.text
        assert not re.findall(r"""(?:src|href)=["'](?:https?:)?//""", answer.text)
        assert "ann-token" not in answer.text
        payload = get_token_payload(read_page_token(answer.text))
        assert payload["cookies"] == {}
        assert payload["headers"] == {}
    refused = await client.get(f"{PREFIX}/export/c/i/v.tif", headers=bearer("bob-token"))
    assert refused.status_code == 404
    elsewhere = await client.get(
        f"{PREFIX}/login?next=https://elsewhere.example/", headers=bearer("ann-token")
    )
    assert elsewhere.headers["Location"] == f"{PREFIX}/"


async def check_headers(client: httpx.AsyncClient) -> None:
    for path in ("/health", "/nothing", "/static/js/bokeh.min.js", "/runs"):
        headers = (await client.get(PREFIX + path)).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "http" not in policy, "no other origin"
        assert headers["X-Content-Type-Options"] == "nosniff"
    assert (await client.get(f"{PREFIX}/health")).headers["Cache-Control"] == "no-store"
    for path in ("../../pyvenv.cfg", "jupyter-leaflet/../../../../pyvenv.cfg", "package.json"):
        answer = await client.get(f"{PREFIX}/widgets/jupyter-leaflet@1/dist/{path}")
        assert answer.status_code == 404
    widget = await client.get(f"{PREFIX}/widgets/jupyter-leaflet@^1/dist/index")
    assert widget.headers["Content-Type"] == "text/javascript"
    assert (await client.get(f"{PREFIX}/assets/../server.py")).status_code == 404


async def check_sockets(client: httpx.AsyncClient, public_url: str) -> None:
    page = await client.get(f"{PREFIX}/runs", headers=bearer("ann-token"))
    token = read_page_token(page.text)
    for sender, origin, status in (
        ("bob-token", public_url, 403),  # another person's page
        ("nobody", public_url, 403),
        (None, public_url, 403),
        ("ann-token", "http://elsewhere.example", 403),
        ("ann-token", public_url, 101),
    ):
        assert await open_socket(client, token, sender, origin) == status


async def open_socket(client: httpx.AsyncClient, page: str, token: str | None, origin: str) -> int:
    """Return the status with which the websocket of a page is answered."""
    address = str(client.base_url).replace("http:", "ws:").rstrip("/") + f"{PREFIX}/runs/ws"
    headers = {"Authorization": f"token {token}"} if token else {}
    try:
        async with websockets.connect(
            address,
            origin=websockets.Origin(origin),
            additional_headers=headers,
            subprotocols=[websockets.Subprotocol("bokeh"), websockets.Subprotocol(page)],
            proxy=None,
        ) as socket:
            await asyncio.wait_for(socket.recv(), 30)
            return 101
    except websockets.exceptions.InvalidStatus as refused:
        return refused.response.status_code


def read_page_token(html: str) -> str:
    """Return the token of the page's session, which Bokeh writes into its start script."""
    result = re.search(r'"token":"([^"]+)"', html)
    assert result is not None
    return result.group(1)


def test_every_handler_is_decided_and_only_these_ask_nobody():
    open_to_all = {handler.name for handler in HANDLERS if handler.audience == ANYONE}
    assert open_to_all == {
        "AssetHandler", "CallbackHandler", "HealthHandler", "IcoHandler", "MultiRootStaticHandler",
        "ReadyHandler", "StaticHandler", "WidgetFiles",
    }  # fmt: skip
    assert {handler.example for handler in HANDLERS if handler.kind == "page"} == {
        f"{PREFIX}/", f"{PREFIX}/runs", f"{PREFIX}/run", f"{PREFIX}/map", f"{PREFIX}/budgets",
        f"{PREFIX}/projects",
    }  # fmt: skip


def test_a_handler_about_which_nothing_was_decided_stops_the_program(
    monkeypatch: pytest.MonkeyPatch,
):
    decided: dict[str, Any] = dict(handlers._DECIDED)
    del decided["/health"]
    monkeypatch.setattr(handlers, "_DECIDED", decided)
    with pytest.raises(LookupError, match="/health"):
        list_handlers()
