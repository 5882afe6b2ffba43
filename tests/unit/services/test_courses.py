"""Courses over HTTP: who sees and keeps seats, and what is refused."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests.served_api import People, ServedApi, serve_api, serve_people
from tests.unit.services.test_budgets import order as start_order
from tests.unit.services.test_owners_of_work import ask

from skerry.core.errors import InvalidInputError
from skerry.core.profile_sizes import read_profile_sizes
from skerry.core.scopes import ADMIN, OPERATOR, SCIENTIST, Scope
from skerry.core.time import format_time, utc_now

PROFILES = '[{"name": "small", "title": "Small", "cpu": 2, "memory": "4Gi"}]'


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    """Return an api that knows the profiles of its hub."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SKERRY_PROFILES", PROFILES)
        with serve_api(tmp_path_factory.mktemp("courses") / "data") as served:
            yield served


@pytest.fixture
def people(served: ServedApi) -> Iterator[People]:
    served.empty()
    scopes = {
        **dict.fromkeys(("ann", "bob"), SCIENTIST), "olga": OPERATOR, "keeper": ADMIN,
        "hub": {Scope.BUDGETS_RESERVE},
    }  # fmt: skip
    with serve_people(served, scopes, {"ann": frozenset({"sar"})}) as people:
        served.book.services = {"hub-token"}
        ask(people["olga"], "PUT", "capacity", 200, json={"cores": 20, "memory_gib": 40})
        yield people


def order(**changes: Any) -> dict[str, Any]:
    now = utc_now()
    return {
        "name": "sar", "project": "project:sar", "profile": "small", "seats": 10,
        "begins": format_time(now - timedelta(hours=1)),
        "ends": format_time(now + timedelta(hours=5)), **changes,
    }  # fmt: skip


def test_operators_keep_seats_members_see_them_and_others_do_not(people: People) -> None:
    made = ask(people["olga"], "POST", "courses", 201, json=order())
    assert made["capacity"] == {"cores": 20, "memory_gib": 40}
    [course] = made["courses"]
    assert (course["cores"], course["memory_gib"], course["taken"]) == (2, 4, 0)
    for name, shown in (("ann", ["sar"]), ("bob", []), ("keeper", ["sar"])):
        found = ask(people[name], "GET", "courses", 200)
        assert [each["name"] for each in found["courses"]] == shown
        assert (found["capacity"] is None) == (name != "keeper")
    ask(people["nobody"], "GET", "courses", 401)
    ask(people["keeper"], "DELETE", "courses/sar", 204)
    ask(people["keeper"], "DELETE", "courses/sar", 404)


@pytest.mark.parametrize("name", ["ann", "bob", "hub", "nobody"])
def test_nobody_else_keeps_or_releases_seats_or_sets_the_capacity(
    people: People, name: str
) -> None:
    ask(people["olga"], "POST", "courses", 201, json=order())
    status = 401 if name == "nobody" else 403
    ask(people[name], "POST", "courses", status, json=order(name="mine", seats=1))
    ask(people[name], "DELETE", "courses/sar", status)
    ask(people[name], "PUT", "capacity", status, json={"cores": 1e6, "memory_gib": 1e6})
    assert len(ask(people["olga"], "GET", "courses", 200)["courses"]) == 1


def test_the_hub_s_starts_take_seats_or_are_refused(people: People) -> None:
    ask(people["olga"], "POST", "courses", 201, json=order(seats=9))
    member = start_order(id="a", groups=["sar"], profile="small")
    ask(people["hub"], "POST", "budgets/reservations", 201, json=member)
    stranger = {"account": "bob", "groups": [], "profile": "small"}
    first = start_order(id="b", name="bob/", **stranger)
    ask(people["hub"], "POST", "budgets/reservations", 201, json=first)
    second = start_order(id="c", name="bob/two", **stranger)
    refused = ask(people["hub"], "POST", "budgets/reservations", 409, json=second)
    assert refused["title"] == "Kept for a course"
    assert "sar" not in refused["detail"]  # whose course it is, is not theirs to know
    [course] = ask(people["ann"], "GET", "courses", 200)["courses"]
    assert course["taken"] == 1


@pytest.mark.parametrize(
    ("changes", "status", "words"),
    [
        ({"profile": "huge"}, 422, "Choose one of small"),
        ({"project": "person:ann"}, 422, "no project"),
        ({"project": "sar"}, 422, "not the name of an owner"),
        ({"seats": 0}, 422, "seats"),
        ({"seats": 11}, 409, "22 processors and 44 GiB"),
        ({"begins": "2026-11-10T12:00:00"}, 422, "begins"),
        ({"ends": "2026-01-01T00:00:00Z"}, 422, "Let it end after it begins"),
    ],
)
def test_wrong_courses_are_refused(
    people: People, changes: dict[str, Any], status: int, words: str
) -> None:
    answer = people["olga"].post("courses", json=order(**changes))
    assert answer.status_code == status, answer.text
    assert words in answer.text


def test_the_audit_tells_who_kept_which_seats_when(people: People) -> None:
    kept = order()
    ask(people["olga"], "POST", "courses", 201, json=kept)
    ask(people["keeper"], "DELETE", "courses/sar", 204)
    entries = ask(people["olga"], "GET", "audit?what=course/sar&limit=2", 200)["entries"]
    told = [(entry["who"], entry["action"]) for entry in entries]
    assert told == [("keeper", "deleted"), ("olga", "created")]
    assert entries[1]["after"]["seats"] == 10
    assert kept["ends"][:19] in entries[1]["after"]["time"]


def test_profiles_that_cannot_be_read_name_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_PROFILES", '[{"name": "small", "title": "Small", "cpu": 2}]')
    with pytest.raises(InvalidInputError, match=r"SKERRY_PROFILES: 0\.memory: "):
        read_profile_sizes()
