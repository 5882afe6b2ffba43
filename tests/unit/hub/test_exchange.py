"""What the hub believes of a provider's answers: a small provider that lies in one thing each."""

import asyncio
import json
import threading
from base64 import b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs

import pytest
from tests.token_issuer import Issuer, describe_key, forge_unsigned, make_rsa

from skerry.core.errors import ForbiddenError, SkerryError
from skerry.core.oidc.provider import ProviderAwayError
from skerry.core.oidc.sign_on_settings import SignOnSettings
from skerry.core.oidc.tokens import RefusedTokenError
from skerry.hub.sign_on.exchange import EndedError, Exchange

NONCE = "nonce-of-this-sign-on"


class FakeProvider(BaseHTTPRequestHandler):
    """Answers as it is told; remembers forms and headers."""

    tokens: ClassVar[Any] = {}
    userinfo: ClassVar[Any] = {}
    status: ClassVar[int] = 200
    metadata: ClassVar[dict[str, Any]] = {}
    asked: ClassVar[list[tuple[str, dict[str, list[str]], str]]] = []

    @property
    def url(self) -> str:
        address = self.server.server_address
        return f"http://127.0.0.1:{address[1]}"

    def do_GET(self) -> None:
        if self.path.endswith("openid-configuration"):
            self._answer(200, {
                "issuer": self.url, "jwks_uri": f"{self.url}/keys",
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token", "userinfo_endpoint": f"{self.url}/userinfo",
            } | self.metadata)  # fmt: skip
        elif self.path == "/keys":
            self._answer(200, {"keys": [describe_key(make_rsa("first"), "first")]})
        else:
            self._answer(self.status, self.userinfo)

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.asked.append((self.path, form, self.headers.get("Authorization", "")))
        self._answer(self.status, self.tokens)

    def _answer(self, status: int, content: Any) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "http://127.0.0.1:9/elsewhere")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Stay quiet."""


@pytest.fixture
def provider() -> Iterator[tuple[type[FakeProvider], str]]:
    handler = type("Provider", (FakeProvider,), {"asked": [], "metadata": {}, "status": 200})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield handler, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def make_exchange(url: str, **changes: Any) -> Exchange:
    settings = SignOnSettings.model_validate(
        {"issuer": url, "client_id": "skerry", "groups": [{"group": "/eo"}]} | changes
    )
    return Exchange(settings, "s3cret:with/signs")


def trade(url: str, **changes: Any) -> Any:
    exchange = make_exchange(url, **changes)
    return asyncio.run(exchange.trade("code", "verifier", "http://127.0.0.1:1/callback", NONCE))


def sign(url: str, **changes: Any) -> str:
    return Issuer(issuer=url).sign(**{"aud": "skerry", "azp": "skerry", "nonce": NONCE} | changes)


def test_a_good_answer_names_the_person(provider: Any) -> None:
    handler, url = provider
    handler.tokens = {"access_token": "a", "id_token": sign(url)}
    tokens, subject = trade(url)
    assert (tokens["access_token"], subject) == ("a", "machine-7")
    [(path, form, shown)] = handler.asked
    assert path == "/token"
    assert form["code_verifier"] == ["verifier"]
    assert "client_secret" not in form
    assert b64decode(shown.removeprefix("Basic ")) == b"skerry:s3cret%3Awith%2Fsigns"


def test_the_secret_may_stand_in_the_form(provider: Any) -> None:
    handler, url = provider
    handler.tokens = {"access_token": "a", "id_token": sign(url)}
    trade(url, client_authentication="post")
    [(_, form, shown)] = handler.asked
    assert form["client_secret"] == ["s3cret:with/signs"]
    assert shown == ""


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"nonce": "of another sign-on"}, "of another sign-on"),
        ({"without": ("nonce",)}, "of another sign-on"),
        ({"aud": "another-client"}, "another audience"),
        ({"aud": ["skerry", "another"], "azp": "another"}, "for another client"),
        ({"aud": ["skerry", "another"], "without": ("azp",)}, "for another client"),
        ({"azp": "another"}, "for another client"),
        ({"iss": "https://evil.example"}, "another issuer"),
        ({"exp": 1_000_000_000}, "has expired"),
        ({"key": "stranger"}, "signature is wrong"),
        ({"headers": {"kid": None}}, "does not name its key"),
        ({"without": ("sub",)}, "lacks the claim"),
    ],
)
def test_an_id_token_that_is_wrong_signs_nobody_on(
    provider: Any, changes: dict[str, Any], why: str
) -> None:
    handler, url = provider
    handler.tokens = {"access_token": "a", "id_token": sign(url, **changes)}
    with pytest.raises((ForbiddenError, RefusedTokenError), match=why):
        trade(url)


def test_an_unsigned_id_token_signs_nobody_on(provider: Any) -> None:
    handler, url = provider
    handler.tokens = {"access_token": "a", "id_token": forge_unsigned(sign(url))}
    with pytest.raises(RefusedTokenError, match="does not take"):
        trade(url)


@pytest.mark.parametrize(
    "tokens",
    [{}, {"access_token": "a"}, {"access_token": "a", "id_token": 7}, {"id_token": "x"}, [], None],
)
def test_an_answer_without_tokens_signs_nobody_on(provider: Any, tokens: Any) -> None:
    handler, url = provider
    handler.tokens = tokens
    with pytest.raises(EndedError):
        trade(url)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, EndedError), (401, EndedError), (302, EndedError), (500, ProviderAwayError),
     (429, ProviderAwayError), (503, ProviderAwayError)],
)  # fmt: skip
def test_a_refusal_is_no_outage_and_no_redirect_is_followed(
    provider: Any, status: int, kind: type[SkerryError]
) -> None:
    handler, url = provider
    handler.status, handler.tokens = status, {"access_token": "a", "id_token": sign(url)}
    with pytest.raises(kind):
        trade(url)


def test_userinfo_of_another_person_is_refused(provider: Any) -> None:
    handler, url = provider
    exchange = make_exchange(url)
    handler.userinfo = {"sub": "ann", "groups": ["/eo"]}
    assert asyncio.run(exchange.read_userinfo("a", "ann"))["groups"] == ["/eo"]
    for facts in ({"sub": "bob"}, {"groups": ["/eo"]}, {"sub": ["ann"]}):
        handler.userinfo = facts
        with pytest.raises(ForbiddenError, match="another person"):
            asyncio.run(exchange.read_userinfo("a", "ann"))
    for answer in ([], None, "ann"):
        handler.userinfo = answer
        with pytest.raises(EndedError):
            asyncio.run(exchange.read_userinfo("a", "ann"))
    handler.userinfo = b"no json"
    with pytest.raises(ProviderAwayError, match="no JSON"):
        asyncio.run(exchange.read_userinfo("a", "ann"))
    handler.userinfo = b"[" * (2 << 20)
    with pytest.raises(ProviderAwayError, match="1 MiB"):
        asyncio.run(exchange.read_userinfo("a", "ann"))


def test_without_a_refresh_token_an_expired_session_has_ended(provider: Any) -> None:
    handler, url = provider
    handler.status = 401
    with pytest.raises(EndedError):
        asyncio.run(make_exchange(url).ask_again({"access_token": "a"}, "ann"))
    assert handler.asked == []


def test_a_provider_without_userinfo_is_refused(provider: Any) -> None:
    handler, url = provider
    handler.metadata = {"userinfo_endpoint": None}
    with pytest.raises(ProviderAwayError, match="names no userinfo_endpoint"):
        asyncio.run(make_exchange(url).describe())
