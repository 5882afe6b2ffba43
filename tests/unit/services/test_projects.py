"""Projects over HTTP, person against person: who makes, sees, joins and leaves them."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from tests.served_api import People, ServedApi, serve_people
from tests.stac_documents import make_collection
from tests.unit.services.test_owners_of_work import ask

from skerry.core.scopes import OPERATOR, SCIENTIST, Scope
from skerry.core.time import utc_now
from skerry.hub.roles import notebook_scopes
from skerry.services import projects

TODAY = utc_now().date()
YESTERDAY = str(TODAY - timedelta(days=1))


@pytest.fixture
def people(api: ServedApi, monkeypatch: pytest.MonkeyPatch) -> Iterator[People]:
    """Return clients: an owner, a member, a reader and a stranger of the project `lakes`."""
    # the hub of these tests does not answer; it has one group
    monkeypatch.setattr(projects, "knows_group", lambda _hub, name: name == "team")
    scopes = {
        **dict.fromkeys(("owner", "member", "reader", "stranger"), SCIENTIST),
        "olga": OPERATOR, "looker": {Scope.PROJECTS_READ, Scope.PROJECTS_DECIDE},
        "hub": {Scope.PROJECTS_LOOK_UP},
    }  # fmt: skip
    with serve_people(api, scopes) as people:
        api.book.services = {"hub-token"}
        make(people)
        for name in ("member", "reader"):
            give(people["owner"], name, name)
        yield people


def make(people: People, name: str = "lakes", **changes: Any) -> Any:
    order = {"name": name, "title": "Lakes", "owner": "person:owner", **changes}
    return ask(people["olga"], "POST", "projects", 201, json=order)


def give(client: Any, name: str, role: str, status: int = 200, **facts: Any) -> Any:
    path = f"projects/lakes/members/person:{name}"
    return ask(client, "PUT", path, status, json={"role": role, **facts})


def find_role(people: People, name: str) -> str | None:
    role: str | None = ask(people[name], "GET", "projects/lakes", 200)["role"]
    return role


def test_only_operators_make_and_change_projects(people: People) -> None:
    order = {"name": "rivers", "title": "Rivers", "owner": "person:stranger"}
    change = {"title": "Mine", "listed": False, "last_day": None}
    for name in ("owner", "member", "stranger", "hub", "nobody"):
        status = 401 if name == "nobody" else 403
        ask(people[name], "POST", "projects", status, json=order)
        ask(people[name], "PUT", "projects/lakes", status, json=change)
    assert ask(people["olga"], "PUT", "projects/lakes", 200, json=change)["title"] == "Mine"
    ask(people["olga"], "PUT", "projects/rivers", 404, json=change)


def test_whoever_may_see_all_projects_changes_none(people: People) -> None:
    change = {"title": "Lakes", "listed": False, "last_day": None}
    ask(people["olga"], "PUT", "projects/lakes", 200, json=change)
    [seen] = ask(people["looker"], "GET", "projects", 200)["projects"]
    assert seen["name"] == "lakes"
    shown = ask(people["looker"], "GET", "projects/lakes", 200)
    assert len(shown["members"]) == 3
    ask(people["looker"], "PUT", "projects/lakes", 403, json=change)
    give(people["looker"], "looker", "owner", 404)
    body = {"grant": True}
    ask(people["looker"], "POST", "projects/lakes/requests/person:member", 404, json=body)
    ask(people["looker"], "DELETE", "projects/lakes/members/person:member", 404)


def test_a_group_of_the_hub_stays_the_provider_s(people: People) -> None:
    order = {"name": "team", "title": "Team", "owner": "person:owner"}
    refused = ask(people["olga"], "POST", "projects", 409, json=order)
    assert "come from the sign-on" in refused["detail"]


def test_only_owners_decide_about_members(people: People) -> None:
    for name in ("member", "reader", "stranger"):
        give(people[name], "stranger", "owner", 403)
        ask(people[name], "DELETE", "projects/lakes/members/person:owner", 403)
        body = {"grant": True}
        ask(people[name], "POST", "projects/lakes/requests/person:stranger", 403, json=body)
    give(people["nobody"], "stranger", "owner", 401)
    give(people["owner"], "stranger", "member")
    assert find_role(people, "stranger") == "member"
    ask(people["stranger"], "DELETE", "projects/lakes/members/person:stranger", 204)
    assert find_role(people, "stranger") is None
    ask(people["owner"], "DELETE", "projects/lakes/members/person:owner", 409)


def test_a_token_without_the_scope_decides_nothing(api: ServedApi, people: People) -> None:
    """Such as that of a notebook, or of a page of maps: its holder is an owner all the same."""
    path = "projects/lakes"
    ask(people["stranger"], "POST", f"{path}/requests", 202, json={"reason": "x"})
    for scopes in (set(), {Scope.CATALOG_READ}, set(notebook_scopes())):
        api.book.tokens["weak"] = ("owner", frozenset(scopes))
        with api.client("weak") as weak:
            assert weak.get(path).json()["role"] == "owner"
            give(weak, "stranger", "owner", 403)
            ask(weak, "POST", f"{path}/requests/person:stranger", 403, json={"grant": True})
            ask(weak, "DELETE", f"{path}/members/person:member", 403)
            ask(weak, "DELETE", f"{path}/members/person:owner", 403)
    assert find_role(people, "member") == "member"
    assert find_role(people, "stranger") is None


def test_an_owner_grants_what_they_have_seen(people: People) -> None:
    path = "projects/lakes/requests"
    asked = {"reason": "only to look", "role": "reader"}
    ask(people["stranger"], "POST", path, 202, json=asked)
    more = {"reason": "only to look", "role": "member"}
    refused = ask(people["stranger"], "POST", path, 409, json=more)
    assert "already" in refused["detail"]
    ask(people["owner"], "POST", f"{path}/person:stranger", 200, json={"grant": True})
    assert find_role(people, "stranger") == "reader"
    ask(people["stranger"], "POST", path, 202, json=more)


def test_a_hidden_project_is_not_there_for_strangers(people: People) -> None:
    change = {"title": "Lakes", "listed": False, "last_day": None}
    ask(people["olga"], "PUT", "projects/lakes", 200, json=change)
    ask(people["stranger"], "GET", "projects/lakes", 404)
    body = {"reason": "curious"}
    ask(people["stranger"], "POST", "projects/lakes/requests", 404, json=body)
    give(people["stranger"], "stranger", "member", 404)
    assert ask(people["stranger"], "GET", "projects", 200)["projects"] == []
    assert find_role(people, "reader") == "reader"


def test_who_asks_is_answered_by_an_owner(people: People) -> None:
    path = "projects/lakes/requests"
    ask(people["nobody"], "POST", path, 401, json={"reason": "x"})
    ask(people["stranger"], "POST", path, 422, json={"reason": "x", "role": "owner"})
    ask(people["member"], "POST", path, 409, json={"reason": "x"})
    ask(people["stranger"], "POST", path, 202, json={"reason": "I work on lakes"})
    assert ask(people["member"], "GET", "projects/lakes", 200)["requests"] == []
    [asked] = ask(people["owner"], "GET", "projects/lakes", 200)["requests"]
    assert (asked["person"], asked["reason"]) == ("person:stranger", "I work on lakes")
    answer = {"grant": True, "last_day": str(TODAY)}
    ask(people["owner"], "POST", f"{path}/person:stranger", 200, json=answer)
    shown = ask(people["stranger"], "GET", "projects/lakes", 200)
    assert shown["role"] == "member"
    assert "(today)" in shown["notice"]
    ask(people["owner"], "POST", f"{path}/person:stranger", 409, json=answer)


def test_members_work_readers_see_and_whose_day_is_over_does_neither(people: People) -> None:
    document = {**make_collection("bay"), "skerry:owner": "project:lakes"}
    for name in ("reader", "stranger"):
        ask(people[name], "PUT", "stac/collections/bay", 403, json=document)
    ask(people["member"], "PUT", "stac/collections/bay", 200, json=document)
    for name, seen, changed in (
        ("owner", 200, 200), ("member", 200, 200), ("reader", 200, 403), ("stranger", 404, 403),
    ):  # fmt: skip
        ask(people[name], "GET", "stac/collections/bay", seen)
        answer = people[name].put("stac/collections/bay", json=document)
        assert answer.status_code == changed, (name, answer.text)
    assert ask(people["member"], "GET", "me", 200)["projects"] == ["lakes"]
    change = {"title": "Lakes", "listed": True, "last_day": YESTERDAY}
    ask(people["olga"], "PUT", "projects/lakes", 200, json=change)
    for name in ("owner", "member", "reader"):
        ask(people[name], "GET", "stac/collections/bay", 404)


def test_nothing_is_given_whose_last_day_is_over(people: People) -> None:
    refused = give(people["owner"], "stranger", "member", 422, last_day=YESTERDAY)
    assert f"The last day {YESTERDAY} is over." in refused["detail"]
    order = {
        "name": "rivers", "title": "Rivers", "owner": "person:owner", "last_day": YESTERDAY,
    }  # fmt: skip
    ask(people["olga"], "POST", "projects", 422, json=order)
    path = "projects/lakes/requests"
    ask(people["stranger"], "POST", path, 202, json={"reason": "x"})
    answer = {"grant": True, "last_day": YESTERDAY}
    ask(people["owner"], "POST", f"{path}/person:stranger", 422, json=answer)
    assert find_role(people, "stranger") is None
    give(people["owner"], "stranger", "member", last_day=str(TODAY))


def test_nobody_is_asked_in_a_project_that_is_over(people: People) -> None:
    change = {"title": "Lakes", "listed": True, "last_day": YESTERDAY}
    assert ask(people["olga"], "PUT", "projects/lakes", 200, json=change)["is_over"]
    body = {"reason": "I work on lakes"}
    refused = ask(people["stranger"], "POST", "projects/lakes/requests", 409, json=body)
    assert f"ended on {YESTERDAY}" in refused["detail"]


def test_who_asks_sees_their_own_request_and_its_answer(people: People) -> None:
    path = "projects/lakes/requests"
    ask(people["stranger"], "POST", path, 202, json={"reason": "I work on lakes"})
    for found in (
        ask(people["stranger"], "GET", "projects/lakes", 200),
        *ask(people["stranger"], "GET", "projects", 200)["projects"],
    ):
        assert found["request"] == {
            "person": "person:stranger", "role": "member", "reason": "I work on lakes",
            "status": "asked",
        }  # fmt: skip
    assert ask(people["reader"], "GET", "projects/lakes", 200)["request"] is None
    ask(people["owner"], "POST", f"{path}/person:stranger", 200, json={"grant": False})
    shown = ask(people["stranger"], "GET", "projects/lakes", 200)
    assert shown["request"]["status"] == "refused"


@pytest.mark.parametrize(("role", "left"), [("member", 0), ("owner", 0), ("reader", 1)])
def test_a_role_that_is_given_answers_the_request_for_it(
    people: People, role: str, left: int
) -> None:
    path = "projects/lakes/requests"
    ask(people["stranger"], "POST", path, 202, json={"reason": "x", "role": "member"})
    given = give(people["owner"], "stranger", role)
    assert len(given["requests"]) == left, "a reader may still wish to work there"


@pytest.mark.parametrize("words", ["", "   "])
def test_titles_and_reasons_say_something(people: People, words: str) -> None:
    order = {"name": "rivers", "title": words, "owner": "person:owner"}
    ask(people["olga"], "POST", "projects", 422, json=order)
    change = {"title": words, "listed": True, "last_day": None}
    ask(people["olga"], "PUT", "projects/lakes", 422, json=change)
    ask(people["stranger"], "POST", "projects/lakes/requests", 422, json={"reason": words})


def test_things_are_given_to_a_project_of_the_platform(people: People) -> None:
    document = {**make_collection("bay"), "skerry:owner": "person:owner"}
    ask(people["owner"], "PUT", "stac/collections/bay", 200, json=document)
    ask(people["member"], "GET", "stac/collections/bay", 404)
    shares = ask(people["owner"], "PUT", "shares/bay/project:lakes", 200, json={"verb": "see"})
    assert shares["remark"] == ""
    ask(people["member"], "GET", "stac/collections/bay", 200)
    ask(people["stranger"], "GET", "stac/collections/bay", 404)


def test_the_hub_alone_looks_memberships_up(people: People) -> None:
    for name in ("owner", "member", "olga", "nobody"):
        status = 401 if name == "nobody" else 403
        ask(people[name], "GET", "memberships/person:member", status)
    found = ask(people["hub"], "GET", "memberships/person:member", 200)
    assert found == {"works_in": ["lakes"], "reads": []}
    found = ask(people["hub"], "GET", "memberships/person:reader", 200)
    assert found == {"works_in": [], "reads": ["lakes"]}


def test_a_member_pays_from_the_project_s_budget_and_a_reader_does_not_see_it(
    people: People,
) -> None:
    assert {one["holder"] for one in ask(people["member"], "GET", "budgets", 200)["accounts"]} == {
        "person:member", "project:lakes",
    }  # fmt: skip
    [own] = ask(people["reader"], "GET", "budgets", 200)["accounts"]
    assert own["holder"] == "person:reader"


def test_the_audit_tells_who_let_whom_in(people: People) -> None:
    path = "audit?what=project-member/lakes/person:member&limit=1"
    [entry] = ask(people["olga"], "GET", path, 200)["entries"]
    assert (entry["who"], entry["action"], entry["after"]["role"]) == ("owner", "created", "member")
