"""Who asks a sign-on provider trusts an authority of one's own besides the usual ones."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.kubernetes.certificates import Authority
from tests.served_handler import serve_handler

from skerry.cli.doctor.asking import SilentError, ask
from skerry.core import certificates
from skerry.core.certificates import read_authorities
from skerry.core.errors import InvalidInputError
from skerry.core.oidc import provider
from skerry.core.oidc.keys import KeySet
from skerry.core.oidc.provider import Provider, ProviderAwayError
from skerry.core.oidc.sign_on_settings import SignOnSettings
from skerry.hub.sign_on.exchange import Exchange

_KEY = {"kid": "first", "kty": "RSA", "n": "AQAB", "e": "AQAB"}


@dataclass
class Place:
    """A provider whose certificate an authority of its own has signed."""

    url: str
    authority: Path


class Answer(BaseHTTPRequestHandler):
    """Describes the provider, its keys and a person."""

    def do_GET(self) -> None:
        url = f"https://{self.headers['Host']}"
        described = {
            name: f"{url}/{name}"
            for name in ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
        }
        answers: dict[str, Any] = {
            "/.well-known/openid-configuration": {
                "issuer": url, "jwks_uri": f"{url}/keys", **described,
            },
            "/keys": {"keys": [_KEY]},
            "/userinfo_endpoint": {"sub": "ann"},
        }  # fmt: skip
        content = json.dumps(answers[self.path]).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("certificates")
    Authority.create(folder / "authority.crt").issue(folder / "server", "provider", server=True)
    with serve_handler(Answer, certificate=folder / "server") as port:
        yield Place(f"https://127.0.0.1:{port}", folder / "authority.crt")


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for variable in (*certificates.FILE_VARIABLES, "SSL_CERT_DIR"):
        monkeypatch.delenv(variable, raising=False)
    provider._trusted.cache_clear()
    yield
    provider._trusted.cache_clear()


def sign_on(url: str) -> Exchange:
    settings = SignOnSettings.model_validate(
        {"issuer": url, "client_id": "skerry", "groups": [{"group": "/eo"}]}
    )
    return Exchange(settings, "secret")


@pytest.mark.parametrize("variable", certificates.FILE_VARIABLES)
def test_hub_api_and_doctor_trust_an_authority_that_is_named(
    place: Place, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(place.authority))

    async def ask_as_parts() -> tuple[Any, Any]:
        facts = await sign_on(place.url).read_userinfo("token", "ann")
        return facts, await KeySet(Provider(place.url)).find("first")

    assert asyncio.run(ask_as_parts()) == ({"sub": "ann"}, _KEY)
    assert ask(f"{place.url}/keys").json() == {"keys": [_KEY]}


def test_the_usual_authorities_are_trusted_as_well(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = len(httpx.create_ssl_context(trust_env=False).get_ca_certs())
    monkeypatch.setenv("SSL_CERT_FILE", str(place.authority))
    assert len(read_authorities().get_ca_certs()) == usual + 1 > 2


def test_a_certificate_of_nobody_known_is_named_with_its_remedy(place: Place) -> None:
    with pytest.raises(ProviderAwayError, match="is not trusted here: ") as refused:
        asyncio.run(sign_on(place.url).describe())
    with pytest.raises(SilentError, match="is not trusted here: ") as silent:
        ask(f"{place.url}/keys")
    for error in (refused.value, silent.value):
        assert "SSL_CERT_FILE" in error.remedy
        assert "certificates.authorities" in error.remedy


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_without_certificates_is_refused(
    content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(InvalidInputError, match=r"SSL_CERT_FILE names .* no certificate can be"):
        read_authorities()
