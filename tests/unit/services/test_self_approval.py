"""On a platform of several people nobody approves their own proposal, whoever they are."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.served_api import ServedApi, serve_api
from tests.unit.production.conftest import make_notebook

from skerry.core.errors import InvalidInputError
from skerry.core.settings import ServiceSettings


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    with serve_api(tmp_path_factory.mktemp("api"), self_approval=False) as api:
        yield api


def approve(client: httpx.Client, release: dict[str, str], *, own: bool) -> httpx.Response:
    seen = {part: release[part] for part in ("notebook_digest", "environment_digest")}
    return client.post(f"production/releases/{release['id']}/approve", json={**seen, "self": own})


def test_another_person_approves_what_its_proposer_may_not(api: ServedApi) -> None:
    with api.client("alice-token") as alice, api.client("bob-token") as bob:
        body = {"name": "lakes", "notebook": make_notebook()}
        release = alice.post("production/releases", json=body).raise_for_status().json()
        for own in (True, False):
            refused = approve(alice, release, own=own)
            assert refused.status_code == 409
            assert "was proposed by alice too" in refused.json()["detail"]
            assert "Ask another person" in refused.json()["remedy"]
        approved = approve(bob, release, own=True)
        assert (approved.status_code, approved.json()["self_approved"]) == (200, False)


@pytest.mark.parametrize(("value", "expected"), [(None, True), ("on", True), ("off", False)])
def test_the_variable_switches_it_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, value: str | None, expected: bool
) -> None:
    monkeypatch.setenv("SKERRY_DATA", str(tmp_path))
    monkeypatch.setenv("SKERRY_PUBLIC_URL", "https://skerry.example")
    monkeypatch.setenv("SKERRY_SERVICE_PORT", "8000")
    monkeypatch.delenv("SKERRY_SELF_APPROVAL", raising=False)
    if value:
        monkeypatch.setenv("SKERRY_SELF_APPROVAL", value)
    assert ServiceSettings.from_environment().self_approval is expected
    monkeypatch.setenv("SKERRY_SELF_APPROVAL", "never")
    with pytest.raises(InvalidInputError, match="SKERRY_SELF_APPROVAL is 'never'"):
        ServiceSettings.from_environment()
