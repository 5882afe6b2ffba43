"""Machine clients come with tokens of their own issuer; each reason to refuse them is tried."""

import asyncio
import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.served_api import (
    TokenBook,
    bind_free_port,
    make_hub_access,
    open_client,
    serve_in_thread,
)
from tests.token_issuer import (
    AUDIENCE,
    ISSUER,
    Issuer,
    change_claims,
    describe_key,
    forge_unsigned,
    forge_with_public_key,
    make_rsa,
)

from skerry.core.errors import InvalidInputError
from skerry.core.oidc.provider import ProviderAwayError
from skerry.core.oidc.tokens import RefusedTokenError
from skerry.core.oidc.trusted_issuers import TRUSTED_VARIABLE, TrustedIssuers
from skerry.core.scopes import OPERATOR, Scope
from skerry.core.settings import API_PREFIX, ServiceSettings
from skerry.services.api import create_api
from skerry.services.hub_access import HubVerifier
from skerry.services.hub_names import check_holder
from skerry.services.machine_tokens import MachineTokens, PlatformVerifier, open_verifier
from skerry.storage.layout import DataFolder

SETTINGS: dict[str, Any] = {
    "issuers": [
        {
            "issuer": ISSUER,
            "audience": AUDIENCE,
            "longest_s": 3600,
            "clients": [
                {
                    "name": "harvester", "when": {"azp": "harvester", "groups": "/machines/lakes"},
                    "roles": ["operator"], "projects": ["lakes"],
                },
                {
                    "name": "reader", "when": {"azp": "reader"},
                    "scopes": ["custom:skerry:catalog:read"],
                },
            ],
        }
    ]
}  # fmt: skip
GROUPS = ["/machines", "/machines/lakes"]


def make_settings(**changes: Any) -> TrustedIssuers:
    [entry] = SETTINGS["issuers"]
    return TrustedIssuers.model_validate({"issuers": [entry | changes]})


def verify(issuer: Issuer, token: str, settings: TrustedIssuers | None = None) -> Any:
    return asyncio.run(MachineTokens(settings or make_settings(), fetch=issuer.fetch).verify(token))


class TestWhoItIs:
    def test_claims_give_an_account_its_scopes_and_its_projects(self) -> None:
        issuer = Issuer()
        identity = verify(issuer, issuer.sign(groups=GROUPS))
        assert identity.account == "service:harvester"
        assert identity.owner == "service:harvester"
        assert identity.scopes == set(map(str, OPERATOR))
        assert identity.groups == {"lakes"}
        reader = verify(issuer, issuer.sign(azp="reader"))
        assert reader.account == "service:reader"
        assert reader.scopes == {str(Scope.CATALOG_READ)}

    @pytest.mark.parametrize(
        "claims",
        [
            {"groups": ["/machines"]},
            {"groups": []},
            {},
            {"groups": "/machines"},
            {"groups": ["/machines/lakes/x", "machines/lakes", " /machines/lakes"]},
            {"groups": {"/machines/lakes": True}},
            {"groups": [["/machines/lakes"]]},
            {"groups": GROUPS, "azp": "another"},
            {"groups": GROUPS, "azp": ["other"]},
        ],
    )
    def test_a_client_without_its_group_is_nobody(self, claims: dict[str, Any]) -> None:
        issuer = Issuer()
        with pytest.raises(RefusedTokenError, match="none of the clients"):
            verify(issuer, issuer.sign(**claims))

    @pytest.mark.parametrize(
        ("changes", "why"),
        [
            ({"exp": 1_000_000_000, "iat": 999_999_000}, "has expired"),
            ({"nbf": 4_000_000_000}, "not valid yet"),
            ({"aud": "another"}, "another audience"),
            ({"key": "stranger"}, "signature is wrong"),
            ({"headers": {"kid": None}}, "does not name its key"),
            ({"headers": {"kid": "unknown"}}, "does not have"),
            ({"iss": "https://evil.example"}, "does not trust"),
            ({"without": ("iss",)}, "does not trust"),
            ({"nonce": "n"}, "one of a login"),
            ({"at_hash": "n"}, "one of a login"),
            ({"typ": "ID"}, "one of a login"),
            ({"typ": "Refresh"}, "one of a login"),
            ({"exp": int(time.time()) + 7200}, "lives for"),
            ({"exp": str(int(time.time()) + 7200)}, "lives for"),
            ({"exp": float("inf")}, "malformed"),
        ],
    )
    def test_a_bad_token_is_refused(self, changes: dict[str, Any], why: str) -> None:
        issuer = Issuer()
        token = issuer.sign(groups=GROUPS, **changes)
        with pytest.raises(RefusedTokenError, match=why):
            verify(issuer, token)

    def test_forgeries_and_nonsense_are_refused(self) -> None:
        issuer = Issuer()
        good = issuer.sign(groups=GROUPS)
        header = good.partition(".")[0]
        deep = base64.urlsafe_b64encode(b"[" * 9000).decode().rstrip("=")
        for token in (
            forge_unsigned(good),
            forge_with_public_key(good),
            change_claims(good, groups=GROUPS, sub="x"),
            f"{header}.{deep}.x",
            f"eyJ{deep}.{deep}.x",
            f"{header}.bnVsbA.x",
            "eyJ..",
            f"{good}{'A' * 100_000}",
        ):
            with pytest.raises(RefusedTokenError):
                verify(issuer, token)

    def test_tokens_of_two_issuers_do_not_mix(self) -> None:
        """The other issuer's good key, under the name of a key of the first."""
        other = "https://other.example.org"
        [entry] = SETTINGS["issuers"]
        settings = TrustedIssuers.model_validate({"issuers": [entry, {**entry, "issuer": other}]})
        second = Issuer(issuer=other, keys=[describe_key(make_rsa("theirs"), "first")])
        first = Issuer()

        async def fetch(url: str) -> Any:
            return await (second if url.startswith(other) else first).fetch(url)

        machines = MachineTokens(settings, fetch=fetch)

        async def ask(token: str) -> Any:
            return await machines.verify(token)

        assert asyncio.run(ask(first.sign(groups=GROUPS)))
        forged = first.sign(groups=GROUPS, key="theirs")
        with pytest.raises(RefusedTokenError, match="signature is wrong"):
            asyncio.run(MachineTokens(settings, fetch=fetch).verify(forged))


class TestSettings:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"issuer": "http://login.example.org"}, "must be an https address"),
            ({"audience": ""}, "issuers.0.audience: "),
            ({"algorithms": ["HS256"]}, "issuers.0.algorithms.0: "),
            ({"algorithms": ["none"]}, "issuers.0.algorithms.0: "),
            ({"clients": []}, "issuers.0.clients: "),
            ({"clients": [{"name": "a", "when": {}}]}, "issuers.0.clients.0.when: "),
            ({"clients": [{"name": "api", "when": {"azp": "a"}}]}, "a part of the platform"),
            ({"clients": [{"name": "a:b", "when": {"azp": "a"}}]}, "no name of an account"),
            (
                {"clients": [{"name": "a", "when": {"azp": "a"},
                              "scopes": ["custom:skerry:run:publish"]}]},
                "only tokens of runs",
            ),
            ({"clients": [{"name": "a", "when": {"azp": "a"}, "roles": ["run"]}]}, "roles.0: "),
        ],
    )  # fmt: skip
    def test_what_is_wrong_is_named(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: dict[str, Any], words: str
    ) -> None:
        path = tmp_path / "trusted.json"
        path.write_text(json.dumps({"issuers": [SETTINGS["issuers"][0] | change]}))
        monkeypatch.setenv(TRUSTED_VARIABLE, str(path))
        with pytest.raises(InvalidInputError) as refused:
            TrustedIssuers.from_environment()
        assert words in str(refused.value)

    def test_an_issuer_is_named_once(self) -> None:
        with pytest.raises(ValueError, match="twice"):
            TrustedIssuers.model_validate({"issuers": SETTINGS["issuers"] * 2})

    def test_without_settings_only_the_hub_is_asked(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv(TRUSTED_VARIABLE, raising=False)
        assert isinstance(open_verifier("http://127.0.0.1:9/hub/api", tmp_path), HubVerifier)
        path = tmp_path / "trusted.json"
        path.write_text(json.dumps(SETTINGS))
        monkeypatch.setenv(TRUSTED_VARIABLE, str(path))
        assert isinstance(open_verifier("http://127.0.0.1:9/hub/api", tmp_path), PlatformVerifier)
        assert check_holder(make_hub_access(), "service:harvester") is None
        assert check_holder(make_hub_access(), "service:another") is not None


class TestOverHttp:
    @pytest.fixture
    def issuer(self) -> Issuer:
        return Issuer()

    @pytest.fixture
    def client(self, tmp_path: Path, issuer: Issuer) -> Iterator[httpx.Client]:
        from tests.fresh_database import fill_database

        data = DataFolder(tmp_path / "data")
        data.create()
        fill_database(data)
        listening, url = bind_free_port()
        settings = ServiceSettings(data=data.root, public_url=url, port=1)
        verifier = PlatformVerifier(TokenBook(), MachineTokens(make_settings(), fetch=issuer.fetch))
        app = create_api(settings, hub=make_hub_access(), verifier=verifier)
        with serve_in_thread(app, listening), open_client(f"{url}{API_PREFIX}/") as client:
            yield client

    def test_each_request_is_judged_by_its_token(
        self, client: httpx.Client, issuer: Issuer
    ) -> None:
        def ask(token: str, path: str = "audit") -> httpx.Response:
            return client.get(path, headers={"Authorization": f"Bearer {token}"})

        good = issuer.sign(groups=GROUPS)
        assert ask(good).status_code == 200
        assert ask(issuer.sign(azp="reader")).status_code == 403
        assert ask("alice-token").status_code == 200
        refused = ask(issuer.sign(groups=["/machines"]))
        assert refused.status_code == 401
        assert "none of the clients" in refused.json()["detail"]
        forged = ask(forge_unsigned(good))
        assert forged.status_code == 401
        assert forged.headers["www-authenticate"] == "Bearer"
        # a bad token is refused on public pages too, not ignored
        assert ask(forge_unsigned(good), "stac/collections").status_code == 401

    def test_while_the_issuer_is_away_nobody_new_passes_and_the_hub_s_tokens_do(
        self, client: httpx.Client, issuer: Issuer
    ) -> None:
        issuer.is_away = True
        headers = {"Authorization": f"Bearer {issuer.sign(groups=GROUPS)}"}
        answer = client.get("production/jobs", headers=headers)
        assert answer.status_code == 503
        assert answer.json()["remedy"]
        known = client.get("production/jobs", headers={"Authorization": "Bearer alice-token"})
        assert known.status_code == 200


def test_a_provider_that_answers_nothing_lets_nobody_in() -> None:
    issuer = Issuer(is_away=True)
    with pytest.raises(ProviderAwayError):
        verify(issuer, issuer.sign(groups=GROUPS))
