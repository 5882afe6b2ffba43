"""A machine client takes a token from a real provider, and the api checks it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.sign_on.provider import API, MACHINE, PEOPLE, ProviderServer, serve_provider
from tests.platform_process import wait_until
from tests.served_api import ServedApi, serve_api
from tests.stac_documents import make_collection

from skerry.core.oidc.trusted_issuers import TRUSTED_VARIABLE


@pytest.fixture(scope="module")
def provider() -> Iterator[ProviderServer]:
    with serve_provider("http://127.0.0.1:9/callback", "http://127.0.0.1:9/") as server:
        yield server


@pytest.fixture
def api(
    provider: ProviderServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[ServedApi]:
    """Return an api that trusts the provider; its hub is away, and is not needed."""
    provider.rotate_keys("first")
    provider.set_people(PEOPLE)
    client = {
        "name": "harvester", "when": {"client_id": MACHINE, "groups": "/machines/lakes"},
        "roles": ["scientist"], "projects": ["lakes"],
    }  # fmt: skip
    settings = {"issuers": [{"issuer": provider.url, "audience": API, "clients": [client]}]}
    path = tmp_path / "trusted.json"
    path.write_text(json.dumps(settings))
    monkeypatch.setenv(TRUSTED_VARIABLE, str(path))
    with serve_api(tmp_path / "data", "http://127.0.0.1:9/hub/api") as served:
        yield served


def test_a_machine_works_for_its_project(api: ServedApi, provider: ProviderServer) -> None:
    with api.client(provider.give_machine_token()) as machine, api.client(None) as nobody:
        made = {**make_collection("of-lakes"), "skerry:owner": "project:lakes"}
        assert machine.put("stac/collections/of-lakes", json=made).status_code == 200
        assert machine.get("stac/collections/of-lakes").status_code == 200
        assert nobody.get("stac/collections/of-lakes").status_code == 401


def test_a_token_for_another_audience_or_without_the_group_is_refused(
    api: ServedApi, provider: ProviderServer
) -> None:
    with api.client(provider.give_machine_token("another")) as machine:
        answer = machine.get("stac/collections")
        assert answer.status_code == 401
        assert "another audience" in answer.json()["detail"]
    provider.change_person(MACHINE, groups=["/machines"])
    with api.client(provider.give_machine_token()) as machine:
        answer = machine.get("stac/collections")
        assert answer.status_code == 401
        assert "none of the clients" in answer.json()["detail"]


def test_new_keys_are_found_and_old_ones_end(api: ServedApi, provider: ProviderServer) -> None:
    old = provider.give_machine_token()
    with api.client(old) as machine:
        assert machine.get("stac/collections").status_code == 200
    provider.rotate_keys("curve", algorithm="ES256")
    new = provider.give_machine_token()
    with api.client(new) as machine:
        wait_until(
            lambda: machine.get("stac/collections").status_code == 200, 30,
            "the new key is known",
        )  # fmt: skip
    with api.client(old) as machine:
        assert machine.get("stac/collections").status_code == 401
