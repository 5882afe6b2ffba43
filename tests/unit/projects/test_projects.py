"""Members, requests and last days of projects."""

from datetime import date, timedelta

import pytest
from sqlalchemy import Connection

from skerry.core.errors import ConflictError, InvalidInputError, NotFoundError
from skerry.models.projects import Role
from skerry.projects.membership import NOTICE_DAYS, list_belonging
from skerry.projects.requests import answer_request, ask_access, list_requests
from skerry.projects.showing import list_projects, show_project
from skerry.projects.store import (
    change_project,
    list_members,
    make_project,
    remove_member,
    set_member,
)

TODAY = date(2026, 11, 30)
DAY = timedelta(days=1)
ANN, BOB = "person:ann", "person:bob"


@pytest.fixture
def lakes(connection: Connection) -> Connection:
    """Return a transaction with a project of Ann."""
    make(connection, "lakes")
    return connection


def make(connection: Connection, name: str, last_day: date | None = None) -> None:
    make_project(connection, name, title="Lakes", owner=ANN, listed=True, last_day=last_day)


def find_role(connection: Connection, person: str, today: date = TODAY) -> Role | None:
    found = list_belonging(connection, person, today).get("lakes")
    return found and found.role


@pytest.mark.parametrize("name", ["projects", "project-main", "role:admin", "a/b", ""])
def test_names_that_mean_something_else_are_refused(connection: Connection, name: str) -> None:
    with pytest.raises((ConflictError, InvalidInputError)):
        make(connection, name)


def test_a_project_is_made_once(lakes: Connection) -> None:
    with pytest.raises(ConflictError, match="already"):
        make(lakes, "lakes")
    assert find_role(lakes, ANN) is Role.OWNER


def test_a_membership_holds_up_to_its_last_day_and_that_of_the_project(lakes: Connection) -> None:
    set_member(lakes, "lakes", BOB, Role.MEMBER, TODAY + 5 * DAY)
    assert find_role(lakes, BOB, TODAY + 5 * DAY) is Role.MEMBER
    assert find_role(lakes, BOB, TODAY + 6 * DAY) is None
    change_project(lakes, "lakes", title="Lakes", listed=True, last_day=TODAY + 2 * DAY)
    for person in (ANN, BOB):
        assert find_role(lakes, person, TODAY + 2 * DAY) is not None
        assert find_role(lakes, person, TODAY + 3 * DAY) is None
    set_member(lakes, "lakes", BOB, Role.READER, None)
    assert find_role(lakes, BOB) is Role.READER
    assert len(list_members(lakes, "lakes")) == 2


@pytest.mark.parametrize(
    ("days", "words"),
    [(0, "(today)"), (1, "(tomorrow)"), (NOTICE_DAYS, "(in 14 days)"), (NOTICE_DAYS + 1, "")],
)
def test_an_end_is_told_two_weeks_before(lakes: Connection, days: int, words: str) -> None:
    set_member(lakes, "lakes", BOB, Role.MEMBER, TODAY + days * DAY)
    notice = show_project(lakes, "lakes", BOB, TODAY).notice
    assert words in notice
    assert bool(notice) == bool(words)
    assert show_project(lakes, "lakes", ANN, TODAY).notice == ""


def test_the_last_owner_stays(lakes: Connection) -> None:
    for change in (
        lambda: remove_member(lakes, "lakes", ANN),
        lambda: set_member(lakes, "lakes", ANN, Role.MEMBER, None),
        lambda: set_member(lakes, "lakes", ANN, Role.OWNER, TODAY),
    ):
        with pytest.raises(ConflictError, match="the last owner"):
            change()
    set_member(lakes, "lakes", BOB, Role.OWNER, None)
    remove_member(lakes, "lakes", ANN)
    with pytest.raises(NotFoundError):
        remove_member(lakes, "lakes", ANN)
    with pytest.raises(InvalidInputError, match="no person"):
        set_member(lakes, "lakes", "project:rivers", Role.MEMBER, None)


def test_a_request_is_answered_once_and_may_be_asked_again(lakes: Connection) -> None:
    with pytest.raises(NotFoundError):
        answer_request(lakes, "lakes", BOB, grant=True, last_day=None)
    ask_access(lakes, "lakes", BOB, Role.READER, "I read")
    with pytest.raises(ConflictError, match="already"):
        ask_access(lakes, "lakes", BOB, Role.MEMBER, "I write")
    [asked] = list_requests(lakes, "lakes")
    assert (asked.person, asked.role, asked.reason) == (BOB, Role.READER, "I read")
    answer_request(lakes, "lakes", BOB, grant=False, last_day=None)
    assert (find_role(lakes, BOB), list_requests(lakes, "lakes")) == (None, [])
    with pytest.raises(ConflictError, match="refused already"):
        answer_request(lakes, "lakes", BOB, grant=True, last_day=None)
    ask_access(lakes, "lakes", BOB, Role.MEMBER, "Please")
    answer_request(lakes, "lakes", BOB, grant=True, last_day=TODAY)
    assert find_role(lakes, BOB) is Role.MEMBER
    assert find_role(lakes, BOB, TODAY + DAY) is None


def test_strangers_see_what_is_listed_without_members(lakes: Connection) -> None:
    ask_access(lakes, "lakes", BOB, Role.MEMBER, "I write")
    assert show_project(lakes, "lakes", BOB, TODAY).members == []
    assert [one.person for one in show_project(lakes, "lakes", ANN, TODAY).requests] == [BOB]
    set_member(lakes, "lakes", BOB, Role.READER, None)
    seen = show_project(lakes, "lakes", BOB, TODAY)
    assert (len(seen.members), seen.requests) == (2, [])
    change_project(lakes, "lakes", title="Lakes", listed=False, last_day=None)
    assert [one.name for one in list_projects(lakes, BOB, TODAY, sees_all=False)] == ["lakes"]
    assert list_projects(lakes, "person:eve", TODAY, sees_all=False) == []
    with pytest.raises(NotFoundError):
        show_project(lakes, "lakes", "person:eve", TODAY)
    with pytest.raises(NotFoundError):
        show_project(lakes, "rivers", ANN, TODAY)
