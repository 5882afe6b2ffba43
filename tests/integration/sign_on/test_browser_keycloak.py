"""People sign on with a real Keycloak in a real browser; a machine client with its tokens."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright
from tests.acceptance.browsing import ARGUMENTS
from tests.conftest import find_chromium
from tests.integration.sign_on.hub import (
    GROUPS,
    HOST,
    SignOnHub,
    choose_address,
    serve_sign_on_hub,
)
from tests.integration.sign_on.keycloak import Keycloak, serve_keycloak
from tests.integration.sign_on.provider import API, CLIENT, MACHINE
from tests.platform_process import wait_until
from tests.served_api import serve_api
from tests.token_issuer import change_claims, forge_unsigned

from skerry.core.oidc.trusted_issuers import TRUSTED_VARIABLE
from skerry.core.scopes import SCIENTIST, Scope

pytestmark = [pytest.mark.keycloak, pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(900)]

NewPage = Callable[[], Page]
# Before it, the browser itself would send the form, which makes no token.
SCRIPT_HAS_COME = """() => window.jQuery
    && jQuery._data(document.getElementById("request-token-form"), "events")?.submit"""


@pytest.fixture(scope="module")
def address() -> str:
    return choose_address()


@pytest.fixture(scope="module")
def keycloak(address: str) -> Iterator[Keycloak]:
    with serve_keycloak(f"{address}/hub/oauth_callback", f"{address}/hub/login") as server:
        yield server


@pytest.fixture(scope="module")
def hub(
    address: str, keycloak: Keycloak, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[SignOnHub]:
    settings = {
        "issuer": keycloak.issuer, "client_id": CLIENT, "title": "Example Institute",
        "groups": [GROUPS[0], {**GROUPS[1], "group": "/lakes"}], "renew_after_s": 1,
    }  # fmt: skip
    folder = tmp_path_factory.mktemp("keycloak")
    with serve_sign_on_hub(folder, address, settings, keycloak.secret) as served:
        yield served


@pytest.fixture(scope="module")
def open_context() -> Iterator[Callable[[], BrowserContext]]:
    names = f"--host-resolver-rules=MAP {HOST} 127.0.0.1,MAP *.{HOST} 127.0.0.1"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=[*ARGUMENTS, names]
        )
        yield browser.new_context
        browser.close()


@pytest.fixture
def new_page(open_context: Callable[[], BrowserContext]) -> Iterator[NewPage]:
    """Return what opens a page of a browser that has been nowhere yet."""
    contexts: list[BrowserContext] = []

    def open_page() -> Page:
        contexts.append(open_context())
        contexts[-1].set_default_timeout(60_000)
        return contexts[-1].new_page()

    yield open_page
    for context in contexts:
        context.close()


def sign_on(page: Page, hub: SignOnHub, user: str, password: str) -> None:
    """Go through the login page, the provider's form, and back to the page of tokens."""
    page.goto(f"{hub.url}/hub/login?next=/hub/token")
    page.get_by_role("button", name="Sign in with Example Institute").click()
    page.locator("#username").fill(user)
    page.locator("#password").fill(password)
    page.locator("#kc-login").click()
    page.wait_for_url(re.compile(rf"^http://{HOST}[:/]"))


def read_user(page: Page) -> str:
    """Return who is signed on."""
    account = page.get_by_title("Account")
    assert account.count() == 1, page.inner_text("main")
    return account.inner_text()


def make_token(page: Page) -> str:
    """Request a token on the page of tokens, as a person does once the page's script has come."""
    page.wait_for_function(SCRIPT_HAS_COME)
    page.get_by_role("button", name="Request new API token").click()
    result = page.locator("#token-result")
    expect(result).to_have_text(re.compile(r"\S{20,}"))
    return result.inner_text()


def test_a_person_s_groups_are_their_roles_as_long_as_they_have_them(
    keycloak: Keycloak, hub: SignOnHub, new_page: NewPage
) -> None:
    page = new_page()
    sign_on(page, hub, "ann", keycloak.password)
    assert read_user(page) == "ann"
    token = make_token(page)
    approve = str(Scope.PRODUCTION_APPROVE)
    facts = hub.ask(token).json()
    assert set(facts["groups"]) == {"lakes", "role:reviewer", "role:scientist"}
    assert approve in facts["scopes"]

    ann, lakes = keycloak.find_person("ann"), keycloak.find_group("lakes")
    keycloak.leave(ann, lakes)
    wait_until(lambda: approve not in hub.ask(token).json()["scopes"], 60, "the role has ended")
    facts = hub.ask(token).json()
    assert facts["groups"] == ["role:scientist"]
    assert set(map(str, SCIENTIST)) <= set(facts["scopes"])
    keycloak.join(ann, lakes)
    wait_until(lambda: approve in hub.ask(token).json()["scopes"], 60, "the role is back")

    keycloak.change_person(ann, enabled=False)
    wait_until(lambda: hub.ask(token).status_code == 403, 60, "the token is refused")
    page.goto(f"{hub.url}/hub/home")
    expect(page.get_by_text("Sign in with Example Institute")).to_be_visible()
    keycloak.change_person(ann, enabled=True)


def test_who_has_no_group_is_refused(keycloak: Keycloak, hub: SignOnHub, new_page: NewPage) -> None:
    page = new_page()
    sign_on(page, hub, "eve", keycloak.password)
    expect(page.get_by_text("The provider names no groups of this person").first).to_be_visible()
    assert page.get_by_title("Account").count() == 0


def test_a_renamed_user_takes_over_nobody(
    keycloak: Keycloak, hub: SignOnHub, new_page: NewPage
) -> None:
    page = new_page()
    sign_on(page, hub, "bob", keycloak.password)
    assert read_user(page) == "bob"
    bob = keycloak.find_person("bob")
    keycloak.change_person(bob, username="robert", email="robert@example.org")
    attacker = keycloak.ask("POST", "/lab/users", {
        "username": "bob", "enabled": True, "email": "bob@example.org", "emailVerified": True,
        "firstName": "B", "lastName": "B",
        "credentials": [{"type": "password", "value": keycloak.password, "temporary": False}],
    })  # fmt: skip
    keycloak.join(attacker, keycloak.find_group("eo"))
    page = new_page()
    sign_on(page, hub, "bob", keycloak.password)
    assert re.fullmatch(r"bob-[0-9a-f]{6}", read_user(page))
    page = new_page()
    sign_on(page, hub, "robert", keycloak.password)
    assert read_user(page) == "bob"


def test_signing_off_ends_the_session_at_the_provider(
    keycloak: Keycloak, hub: SignOnHub, new_page: NewPage
) -> None:
    page = new_page()
    sign_on(page, hub, "ann", keycloak.password)
    page.get_by_role("link", name="Log out").click()
    question = page.locator("#kc-logout")  # Keycloak asks where it has a session to end
    again = page.get_by_role("button", name="Sign in with Example Institute")
    expect(question.or_(again)).to_be_visible(timeout=60_000)
    if question.is_visible():
        question.click()
    page.wait_for_url(f"{hub.url}/hub/login")
    again.click()
    expect(page.locator("#password")).to_be_visible()


def test_new_keys_of_the_realm_are_found(
    keycloak: Keycloak, hub: SignOnHub, new_page: NewPage
) -> None:
    keycloak.rotate_keys()

    def signs_on() -> bool:
        page = new_page()
        sign_on(page, hub, "ann", keycloak.password)
        return page.get_by_title("Account").count() == 1

    wait_until(signs_on, 60, "a sign-on with the new key")


def test_a_machine_client_of_the_realm(
    keycloak: Keycloak, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = {
        "name": "harvester", "when": {"azp": MACHINE, "groups": "/machines"},
        "roles": ["operator"], "projects": ["lakes"],
    }  # fmt: skip
    issuer = {"issuer": keycloak.issuer, "audience": API, "clients": [client], "leeway_s": 0}
    path = tmp_path / "trusted.json"
    path.write_text(json.dumps({"issuers": [issuer]}))
    monkeypatch.setenv(TRUSTED_VARIABLE, str(path))
    with serve_api(tmp_path / "data", "http://127.0.0.1:9/hub/api") as api:

        def ask(token: str) -> int:
            with api.client(token) as machine:
                return machine.get("me").status_code

        good = keycloak.give_machine_token()
        with api.client(good) as machine:
            facts = machine.get("me").json()
        assert facts["account"] == "service:harvester"
        assert facts["projects"] == ["lakes"]
        assert facts["roles"] == ["operator"]
        assert ask(forge_unsigned(good)) == 401
        assert ask(change_claims(good, groups=["/machines", "/admins"])) == 401
        found = keycloak.ask("GET", f"/lab/clients?clientId={MACHINE}")[0]
        found["attributes"]["access.token.lifespan"] = "2"
        keycloak.ask("PUT", f"/lab/clients/{found['id']}", found)
        short = keycloak.give_machine_token()
        wait_until(lambda: ask(short) == 401, 30, "the token has expired")
        assert ask(good) == 200
        keycloak.rotate_keys()
        wait_until(lambda: ask(keycloak.give_machine_token()) == 200, 30, "the new key is known")
        account = keycloak.ask("GET", f"/lab/clients/{found['id']}/service-account-user")["id"]
        keycloak.leave(account, keycloak.find_group("machines"))
        assert ask(keycloak.give_machine_token()) == 401
