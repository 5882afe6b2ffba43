"""The tokens that a running platform really has: what each may do, and for how long."""

import base64
import json
import re
from datetime import datetime
from typing import Any

import httpx
import pytest
from tests.platform_process import RunningPlatform

from skerry.core.scopes import ADMIN, PUBLICISER, SCIENTIST, Scope
from skerry.core.time import utc_now

pytestmark = pytest.mark.long

READING = {
    Scope.CATALOG_READ, Scope.CATALOG_WITHDRAWN, Scope.PRODUCTION_READ, Scope.PLATFORM_ADMIN,
    Scope.BUDGETS_READ, Scope.PROJECTS_READ,
}  # fmt: skip
VISITS = {
    "/services/api/": READING,
    "/services/maps/": {Scope.CATALOG_READ, Scope.CATALOG_WITHDRAWN},
    "/services/dashboards/": READING | {Scope.PRODUCTION_OPERATE, Scope.PROJECTS_DECIDE},
}


@pytest.fixture(scope="module")
def tokens(
    running_platform: RunningPlatform, person: httpx.Client, lab: str
) -> list[dict[str, Any]]:
    """Return the owner's tokens as the hub lists them, after a visit to every part."""
    platform = running_platform
    for path in ("api/production/runs", "maps/tiles/a/b/c/0/0/0.png", "dashboards/"):
        page = person.get(f"/services/{path}", headers={"Accept": "text/html"})
        assert page.status_code in {200, 404}, (path, page.status_code)
    secrets = json.loads((platform.data / "state" / "secrets.json").read_text())
    with platform.http(secrets["service_tokens"]["supervisor"]) as supervisor:
        answer = supervisor.get(f"/hub/api/users/{platform.user}/tokens")
    result: list[dict[str, Any]] = answer.raise_for_status().json()["api_tokens"]
    return result


def _custom(token: dict[str, Any]) -> set[str]:
    return {scope for scope in token["scopes"] if scope.startswith("custom:")}


def _life_h(token: dict[str, Any]) -> float:
    ends = datetime.fromisoformat(token["expires_at"])
    return (ends - utc_now()).total_seconds() / 3600


def test_what_pages_hold_decides_nothing_and_ends_soon(
    tokens: list[dict[str, Any]],
) -> None:
    visits = [token for token in tokens if " service " in token["oauth_client"]]
    names = {str(token["oauth_client"]).split()[-1] for token in visits}
    assert names == {"api", "maps", "dashboards"}
    for token in visits:
        part = token["oauth_client"].split()[-1]
        assert _custom(token) == set(map(str, VISITS[f"/services/{part}/"]))
        assert _life_h(token) <= 12


def test_what_maps_hold_reads_the_catalogue_alone(tokens: list[dict[str, Any]]) -> None:
    for token in tokens:
        if str(token.get("oauth_client")).endswith("maps"):
            assert _custom(token) == set(map(str, VISITS["/services/maps/"]))


def test_no_cookie_of_ours_shows_a_token(
    running_platform: RunningPlatform, person: httpx.Client, tokens: list[dict[str, Any]]
) -> None:
    cookies = [item for item in person.cookies.jar if item.path.startswith("/services/")]
    assert {item.path.split("/")[2] for item in cookies} >= {"api", "maps", "dashboards"}
    with running_platform.http() as client:
        for cookie in cookies:
            for text in _peel(str(cookie.value)):
                shown = {"Authorization": f"token {text}"}
                assert client.get("/hub/api/user", headers=shown).status_code == 403


def test_two_platforms_in_one_browser_keep_their_cookies_apart(
    running_platform: RunningPlatform, person: httpx.Client, tokens: list[dict[str, Any]]
) -> None:
    ours = [item.name for item in person.cookies.jar if item.path.startswith("/services/")]
    ours += [item.name for item in person.cookies.jar if "hub-login" in item.name]
    assert len(ours) >= 4
    for name in ours:
        assert str(running_platform.port) in name or name == "_xsrf"


def _peel(value: str) -> set[str]:
    """Return every part of a cookie, as it is and as base64 shows it."""
    parts = set(re.split(r"[^A-Za-z0-9_-]+", value)) - {""}
    full = [part + "=" * (-len(part) % 4) for part in parts if len(part) % 4 != 1]
    plain = [base64.urlsafe_b64decode(part) for part in full]
    return parts | {text.decode() for text in plain if text.isascii() and text.isalnum()}


def test_notebooks_hold_what_scientists_do(tokens: list[dict[str, Any]]) -> None:
    (server,) = [token for token in tokens if token["note"].startswith("Server at")]
    # what the person may do besides: to open something to everybody. Who is in their projects they
    # decide elsewhere: a notebook may be a colleague's
    assert _custom(server) == set(map(str, (SCIENTIST | PUBLICISER) - {Scope.PROJECTS_DECIDE}))
    assert "tokens" not in " ".join(server["scopes"])


def test_the_command_line_s_token_ends_within_a_day(tokens: list[dict[str, Any]]) -> None:
    own = [token for token in tokens if "command line" in token["note"]]
    assert own
    for token in own:
        assert _custom(token) == set(map(str, ADMIN))
        assert 11 < _life_h(token) <= 24


def test_nobody_makes_a_token_without_an_end(
    running_platform: RunningPlatform, person: httpx.Client
) -> None:
    xsrf = person.get("/hub/token").cookies.get("_xsrf") or next(
        str(item.value)
        for item in person.cookies.jar
        if item.name == "_xsrf" and item.path == "/hub/"
    )
    answer = person.post(
        f"/hub/api/users/{running_platform.user}/tokens",
        json={"note": "for ever"},
        headers={"X-XSRFToken": xsrf, "Referer": f"{running_platform.url}/hub/token"},
    )
    assert answer.status_code == 400 or answer.json()["expires_at"] is not None
