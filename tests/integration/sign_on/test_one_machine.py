"""One machine whose one person signs on with a provider; commands with a login of their own."""

import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.sign_on.hub import Browser, SignOnHub
from tests.integration.sign_on.provider import CLIENT, PEOPLE, ProviderServer, serve_provider
from tests.platform_process import (
    SKERRY,
    RunningPlatform,
    clean_environment,
    free_port,
    start_platform,
    wait_until,
)

from skerry.cli.supervisor.credentials import Credentials
from skerry.core.oidc.sign_on_settings import SECRET_VARIABLE, SIGN_ON_VARIABLE

pytestmark = pytest.mark.long

OWNER = Credentials().owner


@dataclass
class Machine:
    """A platform, its provider, and this user's settings."""

    platform: RunningPlatform
    provider: ProviderServer
    home: Path

    @property
    def kept(self) -> Path:
        """The file of logins."""
        return self.home / "skerry" / "logins.json"

    def read_login(self) -> Any:
        """Return the kept login for the platform."""
        return json.loads(self.kept.read_text())["logins"][self.platform.url]

    def browser(self) -> Browser:
        """Return a browser that has been nowhere yet."""
        log = self.platform.data / "logs" / "hub.log"
        return Browser(SignOnHub(self.platform.url, f"{self.platform.url}/hub/api", log))

    def run(self, *arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
        """Run `skerry` as a user elsewhere, who has no data folder."""
        environment = clean_environment() | {
            "XDG_CONFIG_HOME": str(self.home), "XDG_DATA_HOME": str(self.home / "data"),
        }  # fmt: skip
        return subprocess.run(
            [*SKERRY, *arguments], env=environment, input=said, capture_output=True, text=True,
            check=False,
        )  # fmt: skip

    def ask(self, token: str) -> int:
        """Return with which status the hub answers the holder of a token."""
        with self.platform.http(token) as client:
            return client.get("/hub/api/user").status_code


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    folder = tmp_path_factory.mktemp("one")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    callback, after = f"{url}/hub/oauth_callback", f"{url}/hub/login"
    with serve_provider(callback, after, access_token_s=2) as provider:
        settings = folder / "sign-on.json"
        content = {
            "issuer": provider.url, "client_id": CLIENT, "title": "Example Institute",
            "groups": [{"group": "/eo"}], "accounts": {"sub-ann": OWNER}, "renew_after_s": 1,
        }  # fmt: skip
        settings.write_text(json.dumps(content))
        platform = start_platform(
            folder / "data", port=port, parts=["api", "hub"],
            extra_environment={SIGN_ON_VARIABLE: str(settings), SECRET_VARIABLE: provider.secret},
        )  # fmt: skip
        yield Machine(platform, provider, folder / "home")
        platform.stop()


@pytest.fixture
def browser(machine: Machine) -> Iterator[Browser]:
    machine.provider.set_people(PEOPLE)
    opened = machine.browser()
    yield opened
    opened.close()


def test_commands_on_the_machine_need_no_sign_on(machine: Machine) -> None:
    facts = json.loads(machine.platform.run("whoami", "--json").stdout)
    assert facts["account"] == OWNER
    assert "admin" in facts["roles"]
    assert "Sign-on" in machine.platform.output
    assert "Password in" not in machine.platform.output


def test_only_the_one_person_gets_in(machine: Machine, browser: Browser) -> None:
    refused = browser.sign_on("sub-bob")
    assert refused.status_code == 403
    assert "sub-bob" in refused.text, "who is refused is told how to be let in"
    assert browser.read_user() is None
    person = machine.browser()
    person.sign_on("sub-ann")
    assert person.read_user() == OWNER
    person.close()
    by_password = machine.platform.log_in(OWNER, machine.platform.password)
    assert by_password.get("/hub/home", follow_redirects=False).status_code != 200


def test_a_login_of_the_command_line_is_kept_renewed_and_revoked(
    machine: Machine, browser: Browser
) -> None:
    browser.sign_on("sub-ann")
    shown = browser.make_token(OWNER)
    said = machine.run("login", machine.platform.url, said=f"{shown}\n")
    assert said.returncode == 0, said.stderr
    assert f"Logged in as {OWNER}" in said.stdout
    assert machine.kept.stat().st_mode & 0o777 == 0o600
    assert machine.kept.parent.stat().st_mode & 0o077 == 0
    first = machine.read_login()["token"]
    assert first not in said.stdout + said.stderr
    assert machine.ask(shown) == 403, "the token that was shown is revoked"

    facts = json.loads(machine.run("whoami", "--json").stdout)
    assert facts["account"] == OWNER
    assert facts["url"] == machine.platform.url
    with machine.platform.http(first) as client:
        scopes = client.get("/hub/api/user").json()["scopes"]
    assert not [scope for scope in scopes if scope.startswith(("admin", "servers", "users!"))]

    _change_end(machine, time.time() + 3600)
    assert machine.run("whoami").returncode == 0
    second = machine.read_login()["token"]
    assert second != first
    assert machine.ask(first) == 403
    assert machine.ask(second) == 200

    assert machine.run("logout").returncode == 0
    assert machine.ask(second) == 403
    assert json.loads(machine.kept.read_text())["logins"] == {}
    again = machine.run("whoami")
    assert again.returncode == 2
    assert "skerry login" in again.stderr


def test_bad_logins_are_refused_in_words(machine: Machine, browser: Browser) -> None:
    for arguments, said, words in (
        (("login", "http://eo.example.org"), "t", "may be sent"),
        (("login", "https://eo.example.org/hub?x=1"), "t", "may be sent"),
        (("login", machine.platform.url), "", "not a token"),
        (("login", machine.platform.url), "two words", "not a token"),
        (("login", machine.platform.url), "made-up", "does not know this token"),
        (("login", "http://127.0.0.1:9"), "made-up", "does not answer"),
        (("logout",), "", "no login"),
        (("logout", "https://elsewhere.example.org"), "", "no login at"),
    ):
        answer = machine.run(*arguments, said=said)
        assert answer.returncode in (1, 2), arguments
        assert words in answer.stderr, answer.stderr
        assert "Traceback" not in answer.stderr
    browser.sign_on("sub-ann")
    token = browser.make_token(OWNER, scopes=["access:services", f"read:users:name!user={OWNER}"])
    kept = machine.run("login", machine.platform.url, said=token)
    assert "cannot be renewed" in kept.stderr
    assert machine.read_login()["token"] == token
    machine.kept.chmod(0o644)
    assert "other users of this machine can read it" in machine.run("whoami").stderr
    machine.kept.chmod(0o600)
    _change_end(machine, time.time() - 1)
    assert "has ended" in machine.run("whoami").stderr
    assert machine.run("logout").returncode == 0


def test_a_token_in_a_variable_still_works(machine: Machine, browser: Browser) -> None:
    browser.sign_on("sub-ann")
    environment = clean_environment() | {
        "SKERRY_URL": machine.platform.url, "SKERRY_TOKEN": browser.make_token(OWNER),
        "XDG_CONFIG_HOME": str(machine.home),
    }  # fmt: skip
    answer = subprocess.run(
        [*SKERRY, "whoami", "--json"], env=environment, capture_output=True, text=True, check=True
    )
    assert json.loads(answer.stdout)["account"] == OWNER


def test_who_is_no_member_any_more_is_out_of_the_browser(
    machine: Machine, browser: Browser
) -> None:
    browser.sign_on("sub-ann")
    assert browser.read_user() == OWNER
    machine.provider.change_person("sub-ann", groups=[])
    wait_until(lambda: browser.read_user() is None, 20, "the browser is out")
    machine.provider.set_people(PEOPLE)
    assert browser.read_user() is None, "and stays out until the next sign-on"
    assert machine.platform.run("whoami").returncode == 0
    browser.sign_on("sub-ann")
    assert browser.read_user() == OWNER


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"accounts": {"sub-ann": "another"}}, "accounts"),
        ({"accounts": {}}, "accounts"),
        ({"issuer": "http://login.example.org"}, "issuer"),
        (None, SECRET_VARIABLE),
    ],
)
def test_settings_that_cannot_work_end_the_start(
    machine: Machine, tmp_path: Path, change: dict[str, Any] | None, words: str
) -> None:
    content = json.loads((machine.platform.data.parent / "sign-on.json").read_text())
    settings = tmp_path / "sign-on.json"
    settings.write_text(json.dumps(content | (change or {})))
    environment = clean_environment() | {SIGN_ON_VARIABLE: str(settings)}
    if change is not None:
        environment[SECRET_VARIABLE] = "s3cret"
    answer = subprocess.run(
        [*SKERRY, "up", "--data", str(tmp_path / "data"), "--port", str(free_port())],
        env=environment, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert answer.returncode == 2, answer.stderr
    assert words in answer.stderr
    assert "Traceback" not in answer.stderr


def _change_end(machine: Machine, end: float) -> None:
    """Let the kept login end at another time."""
    content = json.loads(machine.kept.read_text())
    content["logins"][machine.platform.url]["expires"] = end
    machine.kept.write_text(json.dumps(content))
    machine.kept.chmod(0o600)
