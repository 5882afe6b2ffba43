"""Servers of people whom no group lets in any more: they end, whatever their own code does."""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from tests.integration.sign_on.conftest import Stage
from tests.integration.sign_on.hub import HOST, Browser
from tests.integration.sign_on.provider import PEOPLE
from tests.platform_process import wait_until

pytestmark = pytest.mark.long

Start = Callable[[str], str]
_PAGE = "Look at my results."


@pytest.fixture
def start(stage: Stage) -> Iterator[Start]:
    """Start somebody's server and return a token of theirs; all are ended in the end."""
    tokens: dict[str, str] = {}

    def start_server(name: str) -> str:
        browser = Browser(stage.hub)
        browser.sign_on(f"sub-{name}")
        tokens[name] = browser.make_token(name)
        browser.close()
        begun = stage.hub.ask(tokens[name], f"users/{name}/server", "POST")
        assert begun.status_code in (201, 202), begun.text
        wait_until(lambda: is_open(stage, name), 60, "the server answers")
        return tokens[name]

    yield start_server
    stage.provider.set_people(PEOPLE)
    for name, token in tokens.items():
        stage.hub.ask(token, f"users/{name}/server", "DELETE")


def is_open(stage: Stage, name: str) -> bool:
    """Return whether a person's server answers, without any login: it is their own program."""
    port = stage.hub.url.rpartition(":")[2]
    headers = {"Host": f"{name}.{HOST}:{port}"}
    url = f"http://127.0.0.1:{port}/user/{name}/"
    return _PAGE in httpx.get(url, headers=headers, trust_env=False).text


@pytest.mark.parametrize("facts", [{"groups": []}, {"groups": ["/strangers"]}, {}])
def test_the_server_of_a_person_whom_no_group_lets_in_ends(
    stage: Stage, start: Start, facts: dict[str, Any]
) -> None:
    """Nobody shows a token of theirs: the hub itself asks. Keycloak names no empty groups."""
    start("ann")
    start("bob")
    stage.provider.set_people({**PEOPLE, "sub-ann": {"preferred_username": "ann", **facts}})
    wait_until(lambda: not is_open(stage, "ann"), 30, "the server has ended")
    assert is_open(stage, "bob"), "who is a member keeps their server"
    stage.provider.set_people(PEOPLE)
    browser = Browser(stage.hub)
    browser.sign_on("sub-ann")
    home = ""

    def says_why() -> bool:
        nonlocal home
        home = browser.get("/hub/home").text
        return "none of your groups has access to this platform any more" in home

    wait_until(says_why, 30, "the page says why it ended", lambda: home[-3000:])
    browser.close()
    assert "Your files are kept" in home


def test_who_lost_one_of_two_groups_keeps_their_server(stage: Stage, start: Start) -> None:
    token = start("ann")
    stage.provider.change_person("sub-ann", groups=["/eo"])
    wait_until(
        lambda: stage.hub.ask(token).json()["groups"] == ["role:scientist"], 20,
        "the other group is taken away",
    )  # fmt: skip
    assert is_open(stage, "ann")


def test_the_end_of_a_session_at_the_provider_ends_no_server(stage: Stage, start: Start) -> None:
    """The provider refuses the refresh token, and says nothing of groups."""
    token = start("ann")
    people = {subject: facts for subject, facts in PEOPLE.items() if subject != "sub-ann"}
    stage.provider.set_people(people)
    wait_until(lambda: stage.hub.ask(token).status_code == 403, 20, "the membership has ended")
    for _ in range(3):  # further rounds find the same
        before = stage.hub.log.read_text().count("The membership of ann has ended")
        wait_until(
            lambda seen=before: (
                stage.hub.log.read_text().count("The membership of ann has ended") > seen
            ),
            20, "the hub asks by itself",
        )  # fmt: skip
    assert is_open(stage, "ann")
