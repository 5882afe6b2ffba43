"""People sign on at a real hub with a real provider; memberships end, and so do tokens."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from tests.integration.services.team_hub import WORKER
from tests.integration.sign_on.conftest import Stage
from tests.integration.sign_on.hub import Browser
from tests.integration.sign_on.provider import PEOPLE
from tests.platform_process import wait_until
from tests.served_api import serve_api
from tests.stac_documents import make_collection

from skerry.core.scopes import REVIEWER, SCIENTIST, Scope
from skerry.production.tokens import TokenMinter

pytestmark = pytest.mark.long

NewBrowser = Callable[[], Browser]


@pytest.fixture
def open_browser(stage: Stage) -> Iterator[NewBrowser]:
    opened: list[Browser] = []

    def open_one() -> Browser:
        opened.append(stage.hub.browser())
        return opened[-1]

    yield open_one
    for browser in opened:
        browser.close()


def own_scopes(answer: httpx.Response) -> set[str]:
    """Return which scopes of ours the hub reports."""
    assert answer.status_code == 200, answer.text
    return {scope for scope in answer.json()["scopes"] if scope.startswith("custom:")}


class TestGettingIn:
    def test_a_person_has_the_roles_and_projects_of_their_groups(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        for subject, name, groups, scopes in (
            ("sub-ann", "ann", {"lakes", "role:reviewer", "role:scientist"}, SCIENTIST | REVIEWER),
            ("sub-bob", "bob", {"role:scientist"}, SCIENTIST),
        ):
            browser = open_browser()
            home = browser.sign_on(subject)
            assert home.url.path == "/hub/home"
            assert browser.read_user() == name
            answer = stage.hub.ask(browser.make_token(name))
            assert set(answer.json()["groups"]) == groups
            assert own_scopes(answer) == set(map(str, scopes))

    @pytest.mark.parametrize(
        ("subject", "words"),
        [
            ("sub-eve", "None of this person&#39;s groups at the provider has access"),
            ("sub-nobody", "its userinfo has no claim &#39;groups&#39;"),
        ],
    )
    def test_who_is_in_no_named_group_is_refused_and_gets_no_account(
        self, stage: Stage, open_browser: NewBrowser, subject: str, words: str
    ) -> None:
        browser = open_browser()
        answer = browser.sign_on(subject)
        assert answer.status_code == 403
        assert words in answer.text
        assert browser.read_user() is None
        name = PEOPLE[subject]["preferred_username"]
        assert stage.hub.ask("token-of-api-x", f"users/{name}").status_code == 404

    def test_there_is_no_other_way_in(self, stage: Stage, open_browser: NewBrowser) -> None:
        browser = open_browser()
        page = browser.get("/hub/login")
        assert "Sign in with Example Institute" in page.text
        assert 'name="password"' not in page.text
        xsrf = browser.client.cookies["_xsrf"]
        form = {"username": "olga", "password": "a long password of the owner", "_xsrf": xsrf}
        answer = browser.client.post(f"{stage.hub.url}/hub/login", data=form)
        assert answer.status_code == 403
        for auth in ({"username": "olga", "password": "a long password of the owner"}, None):
            answer = httpx.post(
                f"{stage.hub.api}/users/olga/tokens", json={"auth": auth}, trust_env=False
            )
            assert answer.status_code == 403
        assert browser.read_user() is None

    def test_nobody_takes_over_an_account_by_another_name(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        """A user name that somebody else gets later, at the same provider."""
        assert _sign_on_as(open_browser(), "sub-ann") == "ann"
        assert _sign_on_as(open_browser(), "sub-bob") == "bob"
        exchanged = {
            "sub-ann": {"preferred_username": "ann.new", "groups": ["/eo/lakes"]},
            "sub-bob": {"preferred_username": "ann", "groups": ["/eo"]},
            "sub-late": {"preferred_username": "Ann", "groups": ["/eo"]},
            "sub-owner": {"preferred_username": "olga", "groups": ["/eo"]},
            "sub-project": {"preferred_username": "project-main", "groups": ["/eo"]},
        }
        stage.provider.set_people(exchanged)
        assert _sign_on_as(open_browser(), "sub-ann") == "ann"
        assert _sign_on_as(open_browser(), "sub-bob") == "bob"
        assert re.fullmatch(r"ann-[0-9a-f]{6}", _sign_on_as(open_browser(), "sub-late"))
        assert re.fullmatch(r"olga-[0-9a-f]{6}", _sign_on_as(open_browser(), "sub-owner"))
        name = _sign_on_as(open_browser(), "sub-project")
        assert re.fullmatch(r"project-main-[0-9a-f]{6}", name)

    def test_after_sign_on_a_browser_goes_only_to_the_platform(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        browser = open_browser()
        browser.sign_on("sub-ann")
        for path in (
            "https://evil.example/", "//evil.example/", "/\\evil.example/", "\\\\evil.example",
            "/\t/evil.example", "https:evil.example", "javascript:alert(1)", "http:///evil.example",
        ):  # fmt: skip
            answer = browser.get("/hub/oauth_login", params={"next": path})
            for _ in range(10):
                target = answer.headers.get("location", "")
                assert "evil" not in (urlsplit(target).hostname or ""), path
                if not answer.is_redirect or "/oauth_callback" in str(answer.url):
                    break
                answer = browser.client.get(str(answer.url.join(target)))
            assert target.startswith("/"), (path, target)
            assert not target.startswith(("//", "/\\", "/\t")), (path, target)


@pytest.mark.long
class TestMembership:
    def test_a_group_that_is_taken_away_takes_its_role_from_every_token(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        browser = open_browser()
        browser.sign_on("sub-ann")
        token = browser.make_token("ann")
        assert str(Scope.PRODUCTION_APPROVE) in own_scopes(stage.hub.ask(token))
        stage.provider.change_person("sub-ann", groups=["/eo"])
        wait_until(
            lambda: own_scopes(stage.hub.ask(token)) == set(map(str, SCIENTIST)), 20,
            "the token has lost the role",
        )  # fmt: skip
        assert stage.hub.ask(token).json()["groups"] == ["role:scientist"]
        stage.provider.set_people(PEOPLE)
        wait_until(
            lambda: str(Scope.PRODUCTION_APPROVE) in own_scopes(stage.hub.ask(token)), 20,
            "the token has the role again",
        )  # fmt: skip

    @pytest.mark.parametrize("facts", [{"groups": []}, {"groups": ["/strangers"]}, None])
    def test_who_is_no_member_any_more_gets_nowhere(
        self, stage: Stage, open_browser: NewBrowser, facts: dict[str, list[str]] | None
    ) -> None:
        """Neither with a token nor with an open browser; also whom the provider has forgotten."""
        browser = open_browser()
        browser.sign_on("sub-ann")
        token = browser.make_token("ann")
        assert stage.hub.ask(token).status_code == 200
        people = {**PEOPLE, "sub-ann": {**PEOPLE["sub-ann"], **(facts or {})}}
        if facts is None:
            del people["sub-ann"]
        stage.provider.set_people(people)
        wait_until(lambda: stage.hub.ask(token).status_code == 403, 20, "the token is refused")
        assert browser.read_user() is None
        member = stage.hub.ask("token-of-api-x", "groups/lakes").json()
        assert "ann" not in member.get("users", [])
        stage.provider.set_people(PEOPLE)
        browser.sign_on("sub-ann")
        assert browser.read_user() == "ann"
        assert stage.hub.ask(token).status_code == 200, "a person who comes back has their tokens"

    def test_requests_at_once_renew_a_membership_once(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        """The provider gives each refresh token once, and ends a session that shows it twice."""
        browser = open_browser()
        browser.sign_on("sub-ann")
        token = browser.make_token("ann")
        for _ in range(4):
            with ThreadPoolExecutor(16) as pool:
                answers = list(pool.map(lambda _: stage.hub.ask(token).status_code, range(64)))
            assert set(answers) == {200}
            _let_renew(stage, token)

    def test_while_the_provider_is_away_members_go_on_and_nobody_gets_in(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        browser = open_browser()
        browser.sign_on("sub-ann")
        token = browser.make_token("ann")
        stage.provider.set_away(away=True)
        before = stage.hub.log.read_text().count("is not renewed")
        wait_until(
            lambda: (
                stage.hub.ask(token).status_code == 200
                and stage.hub.log.read_text().count("is not renewed") > before
            ),
            20,
            "the hub asks the provider, which is away",
        )
        stranger = open_browser()
        answer = stranger.get("/hub/oauth_callback", params={"code": "c", "state": "s"})
        assert answer.status_code in (400, 503)
        assert stranger.read_user() is None
        stage.provider.set_away(away=False)
        assert stage.hub.ask(token).status_code == 200

    def test_runs_are_no_people_and_go_on(self, stage: Stage) -> None:
        minter = TokenMinter(stage.hub.api, WORKER)
        token = minter.mint(note="test", life_s=300)
        answer = stage.hub.ask(token.token)
        minter.close()
        assert answer.status_code == 200
        assert answer.json()["name"] == "project-main"
        assert answer.json()["groups"] == ["projects"]

    def test_the_api_follows_the_membership(
        self, stage: Stage, open_browser: NewBrowser, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        """A project's collection is seen by its members, as long as they are members."""
        browser = open_browser()
        browser.sign_on("sub-ann")
        token = browser.make_token("ann")
        folder = tmp_path_factory.mktemp("api")
        with serve_api(folder, stage.hub.api) as api, api.client(token) as ann:
            made = {**make_collection("of-lakes"), "skerry:owner": "project:lakes"}
            assert ann.put("stac/collections/of-lakes", json=made).status_code == 200
            stage.provider.change_person("sub-ann", groups=["/eo"])
            wait_until(
                lambda: ann.get("stac/collections/of-lakes").status_code == 404, 30,
                "the project's collection is not seen any more",
            )  # fmt: skip
            stage.provider.change_person("sub-ann", groups=["/strangers"])
            wait_until(
                lambda: ann.get("stac/collections").status_code == 401, 30,
                "the token is refused",
            )  # fmt: skip


@pytest.mark.long
class TestAttacks:
    def test_an_answer_that_this_browser_did_not_ask_for_is_refused(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        """An attacker's own code must not sign the victim in as the attacker (login CSRF)."""
        attacker, victim = open_browser(), open_browser()
        callback = _stop_at_callback(attacker, "sub-bob")
        for address in (
            callback,
            callback.replace("state=", "state=x"),
            re.sub(r"state=[^&]*", "state=", callback),
            re.sub(r"&?state=[^&]*", "", callback),
            re.sub(r"state=[^&]*", "state=eyJzdGF0ZV9pZCI6IFsxXX0", callback),
            re.sub(r"state=[^&]*", "state=W10", callback),
        ):
            answer = victim.get(address)
            assert answer.status_code == 400, address
            assert victim.read_user() is None
        victim.begin()  # a state of its own does not help either
        assert victim.get(callback).status_code == 400
        assert victim.read_user() is None
        attacker.get(callback)
        assert attacker.read_user() == "bob"

    def test_a_state_that_is_too_deep_is_refused(self, stage: Stage) -> None:
        """Straight at the hub, as from a pod: the proxy takes no address as long as this."""
        address = f"{stage.hub.api.removesuffix('/api')}/oauth_callback"
        deep = {"code": "c", "state": "W1tb" * 5000}
        assert httpx.get(address, params=deep, trust_env=False).status_code == 400

    def test_an_answer_is_good_once(self, stage: Stage, open_browser: NewBrowser) -> None:
        browser = open_browser()
        callback = _stop_at_callback(browser, "sub-ann")
        assert browser.get(callback).is_redirect
        assert browser.get(callback).status_code == 400

    def test_another_provider_s_answer_is_refused(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        for issuer in ("https%3A%2F%2Fevil.example", ""):
            browser = open_browser()
            callback = _stop_at_callback(browser, "sub-ann")
            changed = re.sub(r"iss=[^&]*", f"iss={issuer}", callback)
            assert changed != callback
            assert browser.get(changed).status_code == 403
            assert browser.read_user() is None

    def test_a_link_puts_no_words_on_our_page(self, stage: Stage, open_browser: NewBrowser) -> None:
        browser = open_browser()
        words = "call this number now"
        answer = browser.get(
            "/hub/oauth_callback", params={"error": "x", "error_description": words}
        )
        assert answer.status_code == 400
        assert words not in answer.text

    def test_a_made_up_code_is_refused_in_words(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        browser = open_browser()
        callback = _stop_at_callback(browser, "sub-ann")
        answer = browser.get(re.sub(r"code=[^&]*", "code=made-up", callback))
        assert answer.status_code == 401
        assert "refuses this sign-on" in answer.text

    def test_several_sign_ons_in_one_browser_do_not_disturb_each_other(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        browser = open_browser()
        first = browser.begin("/hub/token")
        browser.begin()
        end = browser.give_consent(browser.follow(browser.send(first, login="sub-ann")))
        assert end.url.path == "/hub/token"
        assert browser.read_user() == "ann"

    def test_the_log_and_the_database_hold_no_secret(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        """Not even with all details in the log (``--debug``)."""
        browser = open_browser()
        callback = _stop_at_callback(browser, "sub-ann")
        code = parse_qs(urlsplit(callback).query)["code"][0]
        browser.get(callback)
        token = browser.make_token("ann")
        _let_renew(stage, token)
        refused = open_browser()
        refused_callback = _stop_at_callback(refused, "sub-eve")
        refused.get(refused_callback)
        browser.get("/hub/logout")
        log = stage.hub.log.read_text()
        unused = parse_qs(urlsplit(refused_callback).query)["code"][0]
        for secret in (code, unused, token, stage.provider.secret, "eyJhbGciOi"):
            assert secret not in log
        database = stage.hub.log.with_name("hub.sqlite").read_bytes()
        for secret in (stage.provider.secret, token, "eyJhbGciOi"):
            assert secret.encode() not in database


class TestGettingOut:
    def test_signing_off_ends_both_sessions_and_leaves_tokens(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        browser = open_browser()
        browser.sign_on("sub-ann")
        token = browser.make_token("ann")
        assert browser.begin().url.path == "/hub/home", "the provider knows the session"
        question = browser.follow(browser.get("/hub/logout"))
        assert browser.read_user() is None
        assert question.url.host == "127.0.0.1"
        assert "id_token_hint" not in str(question.url)
        end = browser.follow(browser.send(question, logout="yes"))
        assert end.url.path == "/hub/login"
        assert 'name="login"' in browser.begin().text, "the provider asks again who it is"
        assert stage.hub.ask(token).status_code == 200

    def test_after_signing_off_a_copy_of_the_cookies_is_good_for_nothing(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        browser, thief = open_browser(), open_browser()
        browser.sign_on("sub-ann")
        for cookie in browser.client.cookies.jar:
            thief.client.cookies.jar.set_cookie(cookie)
        assert thief.read_user() == "ann"
        browser.get("/hub/logout")
        assert thief.read_user() is None

    def test_a_part_of_another_page_signs_nobody_off(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        browser = open_browser()
        browser.sign_on("sub-ann")
        for kind in ("image", "empty", "iframe"):
            headers = {"Sec-Fetch-Dest": kind, "Sec-Fetch-Site": "same-site"}
            assert browser.get("/hub/logout", headers=headers).status_code == 403
        assert browser.read_user() == "ann"

    def test_without_the_provider_the_session_here_ends_all_the_same(
        self, stage: Stage, open_browser: NewBrowser
    ) -> None:
        browser = open_browser()
        browser.sign_on("sub-ann")
        stage.provider.set_away(away=True)
        browser.get("/hub/logout")
        stage.provider.set_away(away=False)
        assert browser.read_user() is None


def test_new_keys_of_the_provider_are_found(stage: Stage, open_browser: NewBrowser) -> None:
    stage.provider.rotate_keys("second", "first")

    def signs_on() -> bool:
        browser = open_browser()
        return browser.sign_on("sub-ann").url.path == "/hub/home"

    wait_until(signs_on, 40, "a sign-on with the new key")


def _sign_on_as(browser: Browser, subject: str) -> str:
    browser.sign_on(subject)
    name = browser.read_user()
    assert name is not None
    return str(name)


def _stop_at_callback(browser: Browser, subject: str) -> str:
    """Return the address to which the provider sends a browser back, before it goes there."""
    page = browser.begin()
    answer = browser.send(page, login=subject, password="any")
    while True:
        if answer.is_redirect:
            target = str(answer.url.join(answer.headers["location"]))
            if "/hub/oauth_callback" in target:
                return target
            answer = browser.client.get(target)
        else:
            answer = browser.send(answer)


def _let_renew(stage: Stage, token: str) -> None:
    """Wait until the hub has asked the provider for new tokens."""
    before = stage.hub.log.read_text().count("Refreshing auth for ann")
    wait_until(
        lambda: (
            stage.hub.ask(token).status_code == 200
            and stage.hub.log.read_text().count("Refreshing auth for ann") > before + 2
        ),
        30,
        "the membership was renewed",
    )
