"""Who asks: headers, cookies, and what a cookie alone may not do."""

import asyncio
import base64
import logging
import re
import threading
from collections.abc import Iterator
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Annotated, Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import APIRouter, Depends, WebSocket
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import Receive, Send
from starlette.types import Scope as AsgiScope
from tests.platform_process import wait_until
from tests.served_api import (
    ServedApi,
    TokenBook,
    bind_free_port,
    make_hub_access,
    open_client,
    serve_in_thread,
)

from skerry.core.errors import InvalidInputError, UnavailableError
from skerry.core.scopes import Scope
from skerry.core.settings import MAPS_PREFIX, ServiceSettings
from skerry.services.application import create_application
from skerry.services.hub_access import HubAccess, HubVerifier
from skerry.services.identity import (
    REQUESTED_WITH,
    Audience,
    AudienceKind,
    Identity,
    anyone,
    identify,
    require,
)
from skerry.services.routes import list_routes


class FakeHub(BaseHTTPRequestHandler):
    """Answers ``/hub/api/user`` and the token trade; counts what it is asked."""

    asked: ClassVar[list[str]] = []
    known: ClassVar[dict[str, list[str]]] = {}
    status: ClassVar[int] = 200
    traded: ClassVar[list[dict[str, list[str]]]] = []

    def do_GET(self) -> None:
        if self.path == "/hub/api/":
            self._answer(self.status, b"{}")
            return
        token = self.headers["Authorization"].removeprefix("token ")
        self.asked.append(token)
        if self.status != 200:
            self._answer(self.status, b"{}")
        elif token in self.known:
            scopes = ", ".join(f'"{scope}"' for scope in self.known[token])
            body = f'{{"name": "alice", "kind": "user", "scopes": [{scopes}], "token_id": "a7"}}'
            self._answer(200, body.encode())
        else:
            self._answer(403, b"{}")

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.traded.append(form)
        self._answer(200, b'{"access_token": "from-login"}')

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay quiet."""


@pytest.fixture
def hub() -> Iterator[tuple[type[FakeHub], str]]:
    handler = type("Hub", (FakeHub,), {"asked": [], "known": {}, "traded": [], "status": 200})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}/hub/api"
    server.shutdown()
    server.server_close()
    thread.join()


def _ask(url: str, *tokens: str, good_for_s: float = 5.0) -> list[Identity | None]:
    async def ask() -> list[Identity | None]:
        verifier = HubVerifier(url, good_for_s=good_for_s)
        try:
            return [await verifier.verify(token) for token in tokens]
        finally:
            await verifier.close()

    return asyncio.run(ask())


class TestVerifier:
    def test_the_hub_s_answer_is_read_and_remembered(self, hub: Any) -> None:
        handler, url = hub
        handler.known["t"] = [Scope.CATALOG_READ, "access:services"]
        identities = _ask(url, "t", "t", "t")
        assert handler.asked == ["t"]
        assert identities[0] is not None
        assert identities[0] == identities[2]
        assert identities[0].name == "alice"
        assert identities[0].token_id == "a7"
        assert identities[0].may(Scope.CATALOG_READ)
        assert not identities[0].may(Scope.CATALOG_WRITE)
        assert "'t'" not in repr(identities[0])

    def test_answers_age_and_refusals_are_not_remembered(self, hub: Any) -> None:
        handler, url = hub
        handler.known["t"] = []
        assert None not in _ask(url, "t", "t", good_for_s=0)
        assert handler.asked == ["t", "t"]
        assert _ask(url, "bad", "bad") == [None, None]
        assert handler.asked == ["t", "t", "bad", "bad"]

    def test_parallel_questions_about_a_token_are_one(self, hub: Any) -> None:
        handler, url = hub
        handler.known["t"] = []

        async def ask() -> None:
            verifier = HubVerifier(url)
            await asyncio.gather(*(verifier.verify("t") for _ in range(50)))
            await verifier.close()

        asyncio.run(ask())
        assert handler.asked == ["t"]

    def test_a_hub_that_fails_is_not_a_bad_token(self, hub: Any) -> None:
        handler, url = hub
        handler.status = 500
        with pytest.raises(UnavailableError, match="500"):
            _ask(url, "t")
        listening, address = bind_free_port()
        listening.close()
        with pytest.raises(UnavailableError, match="does not answer"):
            _ask(f"{address}/hub/api", "t")


def test_without_the_hub_nobody_is_told_that_the_token_is_bad(tmp_path: Path) -> None:
    gone, hub_address = bind_free_port()
    listening, url = bind_free_port()
    gone.close()  # only now, or both may get the same port
    access = make_hub_access("maps").model_copy(update={"api_url": f"{hub_address}/hub/api"})
    settings = ServiceSettings(data=tmp_path, public_url=url, port=1)
    app = create_application(settings, [_create_router()], "Test", prefix=MAPS_PREFIX, hub=access)
    headers = {"Authorization": "Bearer t"}
    with (
        serve_in_thread(app, listening),
        open_client(f"{url}{MAPS_PREFIX}/") as client,
    ):
        for path in ("private", "public"):
            answer = client.get(path, headers=headers)
            assert answer.status_code == 503
            assert answer.json()["remedy"]
        assert client.get("public").text == "nobody"
        assert client.get("health").status_code == 200


def test_only_the_header_carries_tokens(api: ServedApi, anonymous: httpx.Client) -> None:
    assert anonymous.get("platform/logs?token=alice-token").status_code == 401
    assert anonymous.get("stac/?token=alice-token").status_code == 400
    for scheme in ("Bearer", "bearer", "token"):
        headers = {"Authorization": f"{scheme} alice-token"}
        assert anonymous.get("platform/logs", headers=headers).status_code == 200
    for header in ("Basic YTpi", "Bearer", "alice-token"):
        answer = anonymous.get("stac/", headers={"Authorization": header})
        assert answer.status_code == 401, header
        assert answer.headers["www-authenticate"] == "Bearer"
    bad = anonymous.get("stac/", headers={"Authorization": "Bearer wrong"})
    assert bad.status_code == 401
    assert "wrong" not in bad.text
    del api.book.tokens["alice-token"]
    headers = {"Authorization": "Bearer alice-token", "Accept": "text/html"}
    assert anonymous.get("platform/logs", headers=headers).status_code == 401


def test_tokens_are_not_logged(
    api: ServedApi, alice: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    httpx_log = logging.getLogger("httpx")
    before = httpx_log.level
    httpx_log.setLevel(logging.CRITICAL)  # this test's own client logs addresses
    try:
        with caplog.at_level(logging.DEBUG):
            alice.get("stac/collections/none")
            alice.get("platform/logs?token=alice-token")
            alice.get("nowhere?token=alice-token")
    finally:
        httpx_log.setLevel(before)
    assert "alice-token" not in caplog.text
    assert api.book.tokens


def _name_session(client: httpx.Client) -> str:
    return f"skerry-maps-{client.base_url.port}-session"


def _peel(value: str) -> str:
    """Return every part of a cookie that base64 alone would show, and the cookie itself."""
    parts = re.split(r"[^\w-]+", value)
    return " ".join(
        [value, *(str(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))) for part in parts)]
    )


class TestBrowser:
    @pytest.fixture
    def browser(self, tmp_path: Path, hub: Any) -> Iterator[tuple[httpx.Client, Any, TokenBook]]:
        """Return a browser's client of a small application, its hub, and its token book."""
        handler, api_url = hub
        listening, url = bind_free_port()
        settings = ServiceSettings(data=tmp_path, public_url=url, port=1)
        access = make_hub_access("maps").model_copy(update={"api_url": api_url})
        book = TokenBook()
        book.tokens["from-login"] = book.tokens["alice-token"]
        app = create_application(
            settings, [_create_router()], "Test", prefix=MAPS_PREFIX, hub=access, verifier=book
        )
        headers = {"Accept": "text/html,*/*"}
        with (
            serve_in_thread(app, listening),
            open_client(url, headers=headers) as client,
        ):
            yield client, handler, book

    def _log_in(self, client: httpx.Client) -> httpx.Response:
        away = client.get(f"{MAPS_PREFIX}/private?a=1")
        assert away.status_code == 302
        state = parse_qs(urlsplit(away.headers["location"]).query)["state"][0]
        return client.get(f"{MAPS_PREFIX}/oauth_callback?code=c&state={state}")

    def test_a_browser_is_sent_to_the_hub_and_comes_back(self, browser: Any) -> None:
        client, handler, _ = browser
        back = self._log_in(client)
        assert back.headers["location"] == f"{MAPS_PREFIX}/private?a=1"
        (form,) = handler.traded
        assert form["client_id"] == ["service-maps"]
        assert form["client_secret"] == ["token-of-maps-x"]
        assert len(form["code_verifier"][0]) >= 43
        cookie = SimpleCookie(back.headers["set-cookie"])[_name_session(client)]
        assert "from-login" not in _peel(cookie.value)
        assert cookie["httponly"]
        assert cookie["samesite"].lower() == "lax"
        assert cookie["path"] == MAPS_PREFIX
        assert client.get(f"{MAPS_PREFIX}/private").text == "alice"

    def test_a_browser_known_to_the_hub_sees_what_is_its_own_at_once(self, browser: Any) -> None:
        client, _, _ = browser
        assert client.get(f"{MAPS_PREFIX}/public").text == "nobody"
        client.cookies.set("jupyterhub-session-id", "any", path="/")
        machine = client.get(f"{MAPS_PREFIX}/public", headers={"Accept": "application/json"})
        assert machine.text == "nobody", "a script's request is not led away"
        away = client.get(f"{MAPS_PREFIX}/public")
        assert away.status_code == 302
        assert "/hub/api/oauth2/authorize" in away.headers["location"]
        state = parse_qs(urlsplit(away.headers["location"]).query)["state"][0]
        back = client.get(f"{MAPS_PREFIX}/oauth_callback?code=c&state={state}")
        assert back.headers["location"] == f"{MAPS_PREFIX}/public"
        assert client.get(f"{MAPS_PREFIX}/public").text == "alice"

    @pytest.mark.parametrize("scheme", ["http", "https"])
    def test_over_https_no_other_subdomain_can_set_its_cookies(
        self, tmp_path: Path, hub: Any, scheme: str
    ) -> None:
        _, api_url = hub
        listening, url = bind_free_port()
        public = f"{scheme}://eo.example.org"
        access = make_hub_access("maps").model_copy(update={"api_url": api_url})
        settings = ServiceSettings(data=tmp_path, public_url=public, port=1)
        app = create_application(
            settings, [_create_router()], "Test", prefix=MAPS_PREFIX, hub=access
        )
        with serve_in_thread(app, listening), open_client(url) as client:
            away = client.get(f"{MAPS_PREFIX}/private", headers={"Accept": "text/html"})
            state = parse_qs(urlsplit(away.headers["location"]).query)["state"][0]
            [(name, cookie)] = SimpleCookie(away.headers["set-cookie"]).items()
            back = client.get(
                f"{MAPS_PREFIX}/oauth_callback?code=c&state={state}",
                headers={"Cookie": f"{name}={cookie.value}"},
            )
        cookies = [SimpleCookie(line) for line in back.headers.get_list("set-cookie")]
        written = [morsel for line in cookies for morsel in line.values()]
        assert len(written) == 2, "the flow's goes, the session's comes"
        for morsel in (cookie, *written):
            is_host = scheme == "https"
            assert morsel.key.startswith("__Host-") is is_host
            assert bool(morsel["secure"]) is is_host
            assert morsel["path"] == ("/" if is_host else MAPS_PREFIX)
            assert morsel["domain"] == ""

    def _wait_for_hub(self, client: httpx.Client, *, is_away: bool) -> None:
        """Wait until the program, which remembers for a second, knows how the hub is."""

        def is_known() -> bool:
            limited = client.get(f"{MAPS_PREFIX}/ready").json()["limited"]
            return ("hub" in limited) is is_away

        wait_until(is_known, 30, "it knows how the hub is", every_s=0.05)

    def test_while_the_hub_is_away_the_public_is_shown_and_the_rest_says_so(
        self, tmp_path: Path, hub: Any
    ) -> None:
        handler, api_url = hub
        handler.known["from-login"] = [Scope.CATALOG_READ]
        listening, url = bind_free_port()
        access = make_hub_access("maps").model_copy(update={"api_url": api_url})
        app = create_application(
            ServiceSettings(data=tmp_path, public_url=url, port=1), [_create_router()], "Test",
            prefix=MAPS_PREFIX, hub=access, verifier=HubVerifier(api_url, good_for_s=0),
        )  # fmt: skip
        page = {"Accept": "text/html"}
        with serve_in_thread(app, listening), open_client(url, headers=page) as client:
            client.cookies.set("jupyterhub-session-id", "any", path="/")
            self._log_in(client)
            assert client.get(f"{MAPS_PREFIX}/public").text == "alice"
            handler.status = 503  # what stands in front of a hub that restarts answers so
            self._wait_for_hub(client, is_away=True)
            assert client.get(f"{MAPS_PREFIX}/public").text == "nobody"
            assert client.get(f"{MAPS_PREFIX}/ready").json()["ready"] is True
            private = client.get(f"{MAPS_PREFIX}/private")
            client.cookies.clear()
            stranger = client.get(f"{MAPS_PREFIX}/private")
            program = client.get(
                f"{MAPS_PREFIX}/public", headers={"Authorization": "Bearer from-login"}
            )
            picture = client.get(f"{MAPS_PREFIX}/private", headers={"Accept": "image/png"})
            handler.status = 200
            self._wait_for_hub(client, is_away=False)
            assert client.get(f"{MAPS_PREFIX}/private").status_code == 302
        for answer in (private, stranger):
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "5"
        assert stranger.json()["detail"] == ("This needs a login. The hub answers with status 503.")
        assert "What is public is shown" in stranger.json()["remedy"]
        assert program.status_code == 503, "a program would take the public part for the whole"
        assert picture.status_code == 401, "without any login it is what it always is"

    def test_parallel_logins_do_not_race(self, browser: Any) -> None:
        client, _, _ = browser
        states = []
        for path in ("private?one", "private?two"):
            away = client.get(f"{MAPS_PREFIX}/{path}")
            states.append(parse_qs(urlsplit(away.headers["location"]).query)["state"][0])
        targets = [
            client.get(f"{MAPS_PREFIX}/oauth_callback?code=c&state={state}").headers["location"]
            for state in reversed(states)
        ]
        assert [target.partition("?")[2] for target in targets] == ["two", "one"]

    def test_a_login_that_this_browser_did_not_begin_is_refused(self, browser: Any) -> None:
        client, handler, _ = browser
        for query in ("code=c&state=made-up", "code=c", "", "error=access_denied"):
            answer = client.get(f"{MAPS_PREFIX}/oauth_callback?{query}")
            assert answer.status_code == 403
        assert handler.traded == []

    def test_images_and_machines_get_401_not_a_redirect(self, browser: Any) -> None:
        client, _, _ = browser
        url = f"{MAPS_PREFIX}/private"
        assert client.get(url, headers={"Accept": "image/png"}).status_code == 401
        assert client.post(url).status_code == 401

    def test_a_forged_or_foreign_cookie_is_nobody(self, browser: Any) -> None:
        client, _, _ = browser
        self._log_in(client)
        good = client.cookies[_name_session(client)]
        flow = client.get(f"{MAPS_PREFIX}/public").text
        assert flow == "alice"
        for value in (good[:-2] + "xx", "alice-token", ""):
            client.cookies.clear()
            headers = {"Accept": "*/*", "Cookie": f"{_name_session(client)}={value}"}
            assert client.get(f"{MAPS_PREFIX}/private", headers=headers).status_code == 401
            assert client.get(f"{MAPS_PREFIX}/public", headers=headers).text == "nobody"

    def test_a_login_flow_s_cookie_is_not_a_session(self, browser: Any) -> None:
        client, _, _ = browser
        client.get(f"{MAPS_PREFIX}/private")
        (value,) = client.cookies.values()
        client.cookies.clear()
        headers = {"Accept": "*/*", "Cookie": f"{_name_session(client)}={value}"}
        assert client.get(f"{MAPS_PREFIX}/private", headers=headers).status_code == 401

    def test_a_revoked_token_ends_the_session(self, browser: Any) -> None:
        client, _, book = browser
        self._log_in(client)
        del book.tokens["from-login"]
        assert client.get(f"{MAPS_PREFIX}/private").status_code == 302

    def test_a_cookie_alone_changes_nothing(self, browser: Any) -> None:
        client, _, _ = browser
        self._log_in(client)
        url, own = f"{MAPS_PREFIX}/private", str(client.base_url).rstrip("/")
        assert client.post(url).status_code == 403
        assert client.post(url, headers={"Origin": own}).status_code == 403
        foreign = {REQUESTED_WITH: "page", "Origin": "http://evil.example"}
        assert client.post(url, headers=foreign).status_code == 403
        assert client.post(url, headers={REQUESTED_WITH: "page", "Origin": own}).text == "alice"
        assert client.post(url, headers={REQUESTED_WITH: "page"}).text == "alice"
        bearer = {"Authorization": "Bearer bob-token", "Origin": "http://evil.example"}
        assert client.post(url, headers=bearer).text == "bob"

    def test_a_socket_with_a_cookie_must_come_from_our_own_pages(self, browser: Any) -> None:
        from websockets.exceptions import InvalidStatus
        from websockets.sync.client import connect

        client, _, _ = browser
        self._log_in(client)
        own = str(client.base_url).rstrip("/")
        address = own.replace("http", "ws") + f"{MAPS_PREFIX}/socket"
        cookie = {"Cookie": f"{_name_session(client)}={client.cookies[_name_session(client)]}"}
        with connect(address, additional_headers=cookie, origin=own, proxy=None) as socket:
            assert socket.recv() == "alice"
        for origin in ("http://evil.example", None):
            with pytest.raises(InvalidStatus) as caught:
                connect(address, additional_headers=cookie, origin=origin, proxy=None)
            assert caught.value.response.status_code == 403

    def test_problems_and_headers(self, browser: Any) -> None:
        client, _, _ = browser
        machine = {"Accept": "application/json", "Connection": "close"}
        for path, method, status in (
            ("nowhere", "GET", 404),
            ("public", "DELETE", 405),
            ("number/x", "GET", 422),
            ("broken", "GET", 500),
        ):
            answer = client.request(method, f"{MAPS_PREFIX}/{path}", headers=machine)
            assert answer.status_code == status
            assert answer.headers["content-type"] == "application/problem+json"
            body = answer.json()
            assert body["status"] == status
            assert body["type"] == "about:blank"
            assert body["title"]
            assert body["detail"]
            assert body["remedy"]
            assert "secret" not in answer.text
        health = client.get(f"{MAPS_PREFIX}/health")
        assert health.json() == {"ready": True}
        assert health.headers["x-content-type-options"] == "nosniff"
        assert health.headers["cache-control"] == "no-store"
        assert client.get(f"{MAPS_PREFIX}/cached").headers["cache-control"] == "max-age=9"


Someone = Annotated[Identity, Depends(require(Scope.CATALOG_READ))]


def _create_router() -> APIRouter:
    router = APIRouter()

    @router.get("/private")
    @router.post("/private")
    def answer_private(identity: Someone) -> Response:
        return Response(identity.name)

    @router.get("/public")
    def answer_public(identity: Annotated[Identity | None, Depends(identify())]) -> Response:
        return Response(identity.name if identity else "nobody")

    @router.get("/number/{number}", dependencies=[Depends(anyone())])
    def answer_number(number: int) -> int:
        return number

    @router.get("/broken", dependencies=[Depends(anyone())])
    def answer_broken() -> None:
        raise RuntimeError("the secret reason")

    @router.get("/cached", dependencies=[Depends(anyone())])
    def answer_cached() -> Response:
        return Response("x", headers={"Cache-Control": "max-age=9"})

    @router.websocket("/socket")
    async def answer_socket(socket: WebSocket, identity: Someone) -> None:
        await socket.accept()
        await socket.send_text(identity.name)
        await socket.close()

    return router


class Pages:
    """A mounted application that says for whom it is."""

    audience = Audience(AudienceKind.SCOPE, frozenset({Scope.PLATFORM_ADMIN}))

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        """Answer nothing."""


def test_every_route_is_listed_with_its_audience(tmp_path: Path) -> None:
    settings = ServiceSettings(data=tmp_path, public_url="http://127.0.0.1:1", port=1)
    hub = make_hub_access("maps")
    undecided = APIRouter()
    undecided.add_api_route("/undecided", lambda: None)
    app = create_application(
        settings, [_create_router(), undecided], "Test", prefix=MAPS_PREFIX, hub=hub,
        verifier=TokenBook(),
    )  # fmt: skip
    inner = create_application(
        settings, [_create_router()], "Inner", prefix="/in", hub=hub, verifier=TokenBook()
    )
    app.router.routes += [Mount("/pages", Pages()), Mount("/inner", inner)]
    listed = {(entry.path, entry.methods): entry.audience for entry in list_routes(app)}
    scope = Audience(AudienceKind.SCOPE, frozenset({Scope.CATALOG_READ}))
    assert listed[f"{MAPS_PREFIX}/private", ("GET",)] == scope
    assert listed[f"{MAPS_PREFIX}/private", ("POST",)] == scope
    assert listed[f"{MAPS_PREFIX}/socket", ("WEBSOCKET",)] == scope
    assert listed["/inner/in/private", ("GET",)] == scope
    assert listed["/pages", ("*",)] == Pages.audience
    assert listed[f"{MAPS_PREFIX}/health", ("GET",)] == Audience(AudienceKind.ANYONE)
    assert listed[f"{MAPS_PREFIX}/public", ("GET",)] == Audience(AudienceKind.VISIBLE)
    assert [path for (path, _), audience in listed.items() if audience is None] == [
        f"{MAPS_PREFIX}/undecided"
    ]


def test_the_api_decides_about_every_route(api: ServedApi) -> None:
    entries = list_routes(api.app)
    assert len(entries) > 20
    assert [entry.path for entry in entries if entry.audience is None] == []


def test_a_service_without_its_environment_says_what_is_missing() -> None:
    with pytest.raises(InvalidInputError, match="JUPYTERHUB_API_TOKEN"):
        HubAccess.from_environment({"JUPYTERHUB_SERVICE_NAME": "api"})
    access = HubAccess.from_environment(
        {
            "JUPYTERHUB_SERVICE_NAME": "api",
            "JUPYTERHUB_API_URL": "http://127.0.0.1:1/hub/api/",
            "JUPYTERHUB_API_TOKEN": "secret",
        }
    )
    assert access.callback == "/services/api/oauth_callback"
    assert access.client_id == "service-api"
    assert access.api_url == "http://127.0.0.1:1/hub/api"
    assert "secret" not in repr(access)
