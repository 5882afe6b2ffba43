"""The api behind the real proxy and the real hub: tokens, revocation, browser login."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pystac_client
import pytest
from tests.platform_process import RunningPlatform, wait_until
from tests.stac_documents import make_collection

from skerry.core.scopes import Scope
from skerry.services.identity import REQUESTED_WITH

pytestmark = pytest.mark.long

STAC = "/services/api/stac"
REVOKED_WITHIN_S = 10.0
HTML = {"Accept": "text/html"}


@dataclass
class TokenDesk:
    """The owner's logged-in browser at the hub's token page."""

    browser: httpx.Client
    path: str

    def mint(self, *scopes: Scope) -> dict[str, Any]:
        """Return a new token that holds just these scopes."""
        body = {"note": "test", "expires_in": 300, "scopes": [str(scope) for scope in scopes]}
        answer = self.browser.post(self.path, json=body, headers=self._headers())
        assert answer.status_code == 201, answer.text
        created: dict[str, Any] = answer.json()
        return created

    def revoke(self, made: dict[str, Any]) -> None:
        """Revoke a token."""
        answer = self.browser.delete(f"{self.path}/{made['id']}", headers=self._headers())
        assert answer.status_code == 204

    def _headers(self) -> dict[str, str]:
        return {"X-XSRFToken": self.browser.cookies["_xsrf"], "Referer": str(self.browser.base_url)}


@pytest.fixture
def desk(running_platform: RunningPlatform) -> TokenDesk:
    """Return the desk of a login of the test's own: signing off ends all that there are."""
    browser = running_platform.log_in(running_platform.user, running_platform.password)
    return TokenDesk(browser, f"/hub/api/users/{running_platform.user}/tokens")


@pytest.fixture(scope="module")
def secret(running_platform: RunningPlatform) -> Iterator[str]:
    """Return the id of a collection that is not public."""
    name = "secret-lakes"
    with running_platform.http(running_platform.token) as owner:
        path = f"{STAC}/collections/{name}"
        assert owner.put(path, json=make_collection(name)).status_code == 200
        yield name
        assert owner.delete(path).status_code == 204


def test_scopes_of_the_token_decide(
    running_platform: RunningPlatform, desk: TokenDesk, secret: str
) -> None:
    path = f"{STAC}/collections/{secret}"
    reading = running_platform.http(desk.mint(Scope.CATALOG_READ)["token"])
    operating = running_platform.http(desk.mint(Scope.PRODUCTION_OPERATE)["token"])
    assert reading.get(path).status_code == 200
    assert reading.delete(path).status_code == 403
    assert operating.get(path).status_code == 403
    assert running_platform.http().get(path).status_code == 401
    assert running_platform.http("0123456789abcdef").get(path).status_code == 401


def test_anonymous_sees_the_landing_page_but_no_private_name(
    running_platform: RunningPlatform, secret: str
) -> None:
    with running_platform.http() as anonymous:
        for path in ("/", "/conformance", "/collections", "/search"):
            answer = anonymous.get(f"{STAC}{path}")
            assert answer.status_code == 200
            assert secret not in answer.text
        assert anonymous.get("/services/api/openapi.json").status_code == 200
        assert anonymous.get("/services/api/health").json() == {"ready": True}


def test_pystac_client_reads_through_the_proxy(
    running_platform: RunningPlatform, secret: str
) -> None:
    catalogue = pystac_client.Client.open(
        f"{running_platform.url}{STAC}",
        headers={"Authorization": f"Bearer {running_platform.token}"},
    )
    assert secret in [collection.id for collection in catalogue.get_collections()]
    assert list(catalogue.search(collections=[secret], method="GET").items()) == []


def test_a_revoked_token_is_refused_within_ten_seconds(
    running_platform: RunningPlatform, desk: TokenDesk, secret: str
) -> None:
    result = desk.mint(Scope.CATALOG_READ)
    client = running_platform.http(result["token"])
    path = f"{STAC}/collections/{secret}"
    assert client.get(path).status_code == 200
    desk.revoke(result)
    wait_until(
        lambda: client.get(path).status_code == 401, REVOKED_WITHIN_S, "the token is refused"
    )


def test_a_browser_logs_in_and_its_cookie_alone_changes_nothing(
    running_platform: RunningPlatform, secret: str
) -> None:
    platform, path = running_platform, f"{STAC}/collections/{secret}"
    browser = platform.log_in(platform.user, platform.password)
    answer = browser.get(path, headers=HTML)
    assert answer.status_code == 200
    assert answer.url.path == path
    assert answer.json()["id"] == secret
    session = next(
        item for item in browser.cookies.jar if item.name == f"skerry-api-{platform.port}-session"
    )
    assert session.path == "/services/api"
    assert session.has_nonstandard_attr("HttpOnly")
    assert platform.token not in str(session.value)

    assert browser.put(path, json=make_collection(secret)).status_code == 403
    evil = {REQUESTED_WITH: "page", "Origin": "http://evil.example"}
    assert browser.put(path, json=make_collection(secret), headers=evil).status_code == 403
    own = {REQUESTED_WITH: "page", "Origin": platform.url}
    refused = browser.put(path, json=make_collection(secret), headers=own)
    assert refused.status_code == 403  # what a browser holds for the api only reads
    assert Scope.CATALOG_WRITE in refused.json()["detail"]

    browser.get("/hub/logout")
    wait_until(
        lambda: browser.get(path, headers={"Accept": "image/png"}).status_code == 401,
        REVOKED_WITHIN_S,
        "the session ends with the login",
    )


def test_after_signing_off_a_copy_of_the_cookies_is_good_for_nothing(
    running_platform: RunningPlatform,
) -> None:
    platform = running_platform
    browser = platform.log_in(platform.user, platform.password)
    with httpx.Client(base_url=browser.base_url, headers=HTML) as thief:
        for cookie in browser.cookies.jar:
            thief.cookies.jar.set_cookie(cookie)
        assert thief.get("/hub/home").status_code == 200
        loaded = {"Sec-Fetch-Dest": "image"}
        assert browser.get("/hub/logout", headers=loaded).status_code == 403, "a page's part"
        assert thief.get("/hub/home").status_code == 200
        browser.get("/hub/logout")
        assert thief.get("/hub/home").status_code == 302


def test_parallel_first_visits_all_arrive(running_platform: RunningPlatform, secret: str) -> None:
    platform = running_platform
    browser = platform.log_in(platform.user, platform.password)
    paths = [f"{STAC}/collections/{secret}/items?limit={number}" for number in (1, 2, 3)]
    begun = [browser.get(path, headers=HTML, follow_redirects=False) for path in paths]
    assert [answer.status_code for answer in begun] == [302] * 3
    for path, answer in zip(reversed(paths), reversed(begun), strict=True):
        arrived = browser.get(answer.headers["location"], headers=HTML)
        assert arrived.status_code == 200
        assert arrived.url.raw_path.decode() == path


def test_no_log_holds_a_token(
    running_platform: RunningPlatform, desk: TokenDesk, secret: str
) -> None:
    token = desk.mint(Scope.CATALOG_READ)["token"]
    with running_platform.http(token) as client:
        assert client.get(f"{STAC}/collections/{secret}").status_code == 200
        assert client.get("/services/api/nowhere").status_code == 404
    for log in (running_platform.data / "logs").glob("*.log"):
        assert token not in log.read_text(errors="replace")
    assert "/nowhere" not in running_platform.log_text("api")
