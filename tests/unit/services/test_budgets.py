"""Budgets over HTTP: who sees and sets them, who may reserve, and what is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.served_api import People, ServedApi, serve_people
from tests.unit.services.test_owners_of_work import approve, ask, begin, make_job, propose, start

from skerry.core.gateway import name_attempt
from skerry.core.scopes import ADMIN, OPERATOR, REVIEWER, SCIENTIST, Scope
from skerry.services import hub_names, projects

GROUPS = {"ann": frozenset({"lakes", "role:scientist"}), "zoe": frozenset({"lakes"})}
HOLDERS = ("person:ann", "person:bob", "project:lakes")


@pytest.fixture
def people(api: ServedApi) -> Iterator[People]:
    """Return clients: scientists, an operator, an admin, a visitor, and the hub's own service."""
    scopes = {
        **dict.fromkeys(("ann", "zoe", "bob"), SCIENTIST | REVIEWER), "olga": OPERATOR,
        "keeper": ADMIN, "scopeless": (), "hub": {Scope.BUDGETS_RESERVE},
    }  # fmt: skip
    with serve_people(api, scopes, GROUPS) as people:
        api.book.services = {"hub-token"}
        yield people


def order(**changes: Any) -> dict[str, Any]:
    return {
        "id": "s1", "kind": "server", "name": "ann/", "account": "ann", "groups": ["lakes"],
        "cores": 2, "memory": 4 << 30, "hours": 4, **changes,
    }  # fmt: skip


def see(people: People, name: str) -> set[str]:
    accounts = ask(people[name], "GET", "budgets", 200)["accounts"]
    return {account["holder"] for account in accounts}


def set_all(people: People, hours: int = 100) -> None:
    for holder in HOLDERS:
        ask(people["olga"], "PUT", f"budgets/{holder}", 200, json={"core_hours": hours})


def test_each_sees_their_own_and_their_projects_and_operators_see_all(people: People) -> None:
    ask(people["nobody"], "GET", "budgets", 401)
    assert see(people, "olga") == set()
    set_all(people)
    assert see(people, "ann") == {"person:ann", "project:lakes"}
    assert see(people, "zoe") == {"person:zoe", "project:lakes"}
    assert see(people, "bob") == {"person:bob"}
    assert see(people, "scopeless") == {"person:scopeless"}
    assert see(people, "hub") == set()
    assert see(people, "olga") == see(people, "keeper") == set(HOLDERS)


@pytest.mark.parametrize("name", ["ann", "bob", "scopeless", "hub", "nobody"])
def test_only_operators_set_and_remove_budgets(people: People, name: str) -> None:
    set_all(people)
    status = 401 if name == "nobody" else 403
    for holder in ("person:ann", "project:lakes", "person:*"):
        ask(people[name], "PUT", f"budgets/{holder}", status, json={"core_hours": 10**6})
        ask(people[name], "DELETE", f"budgets/{holder}", status)
    account = ask(people["zoe"], "GET", "budgets", 200)["accounts"][1]
    assert (account["holder"], account["core_hours"]) == ("project:lakes", 100)


@pytest.mark.parametrize("name", ["ann", "olga", "keeper", "nobody"])
def test_nobody_but_hub_and_gateway_reserves_or_ends(people: People, name: str) -> None:
    set_all(people)
    ask(people["hub"], "POST", "budgets/reservations", 201, json=order())
    status = 401 if name == "nobody" else 403
    ask(people[name], "POST", "budgets/reservations", status, json=order(id="s2", name="ann/b"))
    ask(people[name], "DELETE", "budgets/reservations/s1", status)
    [ann, _] = ask(people["ann"], "GET", "budgets", 200)["accounts"]
    assert ann["reserved"] == {"core_hours": 8, "memory_hours": 16}


def test_a_start_is_refused_in_words_and_its_end_gives_back(people: People) -> None:
    set_all(people, 5)
    made = ask(people["hub"], "POST", "budgets/reservations", 201, json=order(hours=2))
    assert (made["person"], made["project"]) == ("person:ann", "project:lakes")
    refused = ask(
        people["hub"], "POST", "budgets/reservations", 409,
        json=order(id="c1", kind="cluster", name="c1", account="zoe"),
    )  # fmt: skip
    assert refused["title"] == "Budget spent"
    assert refused["detail"].startswith("The budget of project:lakes for ")
    assert "has 1 of 5 core hours left, and 2 are needed for this Dask cluster" in refused["detail"]
    assert "an operator of the platform" in refused["remedy"]
    for _ in range(2):
        ask(people["hub"], "DELETE", "budgets/reservations/s1", 204)
    again = order(id="c1", kind="cluster", name="c1", account="zoe")
    ask(people["hub"], "POST", "budgets/reservations", 201, json=again)


def test_another_program_s_cluster_is_at_nobody_s_cost(people: People) -> None:
    """The doctor starts a cluster in its run end to end: it is of no person and of no project."""
    set_all(people, 0)
    ask(people["olga"], "PUT", "budgets/person:*", 200, json={"core_hours": 0})
    asked = order(id="c1", kind="cluster", name="c1", account="service:doctor", groups=[])
    made = ask(people["hub"], "POST", "budgets/reservations", 201, json=asked)
    assert (made["person"], made["project"]) == ("", "")
    ask(people["hub"], "POST", "budgets/reservations", 422, json=asked | {"account": "not a name"})


def test_where_nobody_has_a_budget_nothing_is_counted(people: People) -> None:
    made = ask(people["hub"], "POST", "budgets/reservations", 201, json=order())
    assert made == {"counted": False, "person": "", "project": "", "until": None}
    [ann, lakes] = ask(people["ann"], "GET", "budgets", 200)["accounts"]
    assert ann["reserved"] == lakes["reserved"] == {"core_hours": 0, "memory_hours": 0}


def test_a_cluster_of_a_run_is_charged_to_the_owner_of_the_run(
    api: ServedApi, people: People
) -> None:
    set_all(people)
    keeper = people["keeper"]
    release = approve(keeper, propose(keeper, "project:lakes"))
    make_job(keeper, "daily", release, owner="project:lakes")
    begin(api, start(keeper, "daily"), "run-token-1")
    account = name_attempt("project-main", "run-token-1")
    cluster = order(id="c1", kind="cluster", name="c1", account=account, groups=["projects"])
    made = ask(people["hub"], "POST", "budgets/reservations", 201, json=cluster)
    assert (made["person"], made["project"]) == ("", "project:lakes")
    stranger = order(id="c2", kind="cluster", name="c2", account=name_attempt("x", "no"))
    ask(people["hub"], "POST", "budgets/reservations", 422, json=stranger)


def test_a_cluster_is_charged_to_a_project_of_the_platform_as_a_server_is(
    monkeypatch: pytest.MonkeyPatch, people: People
) -> None:
    """The gateway knows the hub's groups alone."""
    monkeypatch.setattr(projects, "knows_group", lambda _hub, _name: False)
    made = {"name": "ponds", "title": "Ponds", "owner": "person:ann"}
    ask(people["olga"], "POST", "projects", 201, json=made)
    member = {"role": "reader"}
    ask(people["ann"], "PUT", "projects/ponds/members/person:bob", 200, json=member)
    ask(people["olga"], "PUT", "budgets/project:ponds", 200, json={"core_hours": 10})
    cluster = order(id="c1", kind="cluster", name="c1", groups=[])
    made = ask(people["hub"], "POST", "budgets/reservations", 201, json=cluster)
    assert made["project"] == "project:ponds"
    cluster = order(id="c2", kind="cluster", name="c2", groups=[])
    refused = ask(people["hub"], "POST", "budgets/reservations", 201, json=cluster)
    assert refused["project"] == "project:ponds", "an hour is left of it"
    cluster = order(id="c3", kind="cluster", name="c3", groups=[])
    refused = ask(people["hub"], "POST", "budgets/reservations", 409, json=cluster)
    assert "The budget of project:ponds" in refused["detail"]
    cluster = order(id="c4", kind="cluster", name="c4", groups=[], account="bob")
    made = ask(people["hub"], "POST", "budgets/reservations", 201, json=cluster)
    assert made["project"] == "", "readers do not work there"


def test_a_person_may_be_called_as_their_e_mail_is(people: People) -> None:
    set_all(people)
    for kind in ("server", "cluster"):
        asked = order(id=kind, kind=kind, name=kind, account="ann@example.org")
        made = ask(people["hub"], "POST", "budgets/reservations", 201, json=asked)
        assert made["person"] == "person:ann@example.org"


def test_a_run_beyond_the_budget_is_refused_and_a_person_s_run_does_not_cost_others(
    people: People,
) -> None:
    set_all(people, 0)
    keeper = people["keeper"]
    release = approve(keeper, propose(keeper, "project:lakes"))
    make_job(keeper, "daily", release, owner="project:lakes")
    refused = ask(keeper, "POST", "production/jobs/daily/runs", 409, json={})
    assert "The budget of project:lakes for" in refused["detail"]
    assert ask(keeper, "GET", "production/runs", 200)["runs"] == []
    ask(people["olga"], "DELETE", "budgets/project:lakes", 204)
    ask(keeper, "POST", "production/jobs/daily/runs", 201, json={})


@pytest.mark.parametrize(
    ("holder", "body", "words"),
    [
        ("ann", {"core_hours": 1}, "not the name of an owner"),
        ("service:api", {"core_hours": 1}, "has no budget"),
        ("person:ann", {}, "limits nothing"),
        ("person:ann", {"core_hours": -1}, "core_hours"),
        ("person:ann", {"core_hours": 1, "hours": 2}, "hours"),
    ],
)
def test_wrong_budgets_are_refused(
    people: People, holder: str, body: dict[str, int], words: str
) -> None:
    answer = people["olga"].put(f"budgets/{holder}", json=body)
    assert answer.status_code == 422
    assert words in answer.text


def test_wrong_months_and_missing_budgets_are_refused(people: People) -> None:
    for month in ("2026-13", "2026", "November", "2026-1", "-026-01"):
        ask(people["ann"], "GET", f"budgets?month={month}", 422)
    ask(people["olga"], "DELETE", "budgets/person:eve", 404)
    assert ask(people["ann"], "GET", "budgets?month=2020-02", 200)["month"] == "2020-02"


def test_budgets_of_each_are_shown_apart(people: People) -> None:
    body = {"core_hours": 7, "contact": "help@lakes.example"}
    page = ask(people["olga"], "PUT", "budgets/person:*", 200, json=body)
    assert page["accounts"] == []
    assert page["each"] == [{"holder": "person:*", "memory_hours": None, **body}]
    [bob] = ask(people["bob"], "GET", "budgets", 200)["accounts"]
    assert (bob["core_hours"], bob["of_each"], bob["contact"]) == (7, True, body["contact"])


def test_the_audit_tells_who_set_which_budget(people: People) -> None:
    set_all(people, 5)
    ask(people["keeper"], "PUT", "budgets/person:ann", 200, json={"memory_hours": 9})
    ask(people["olga"], "DELETE", "budgets/person:ann", 204)
    path = "audit?what=budget/person:ann&limit=3"
    entries = ask(people["olga"], "GET", path, 200)["entries"]
    told = [(entry["who"], entry["action"]) for entry in entries]
    assert told == [("olga", "deleted"), ("keeper", "changed"), ("olga", "created")]
    assert entries[1]["after"] == {"core_hours": None, "memory_hours": 9}


def test_a_budget_of_nobody_is_kept_and_says_so(
    people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = {"users/ann": 200, "users/nobody": 404, "groups/lakse": 404}
    monkeypatch.setattr(hub_names, "_ask", lambda _hub, path: statuses.get(path))
    said = {
        holder: ask(people["olga"], "PUT", f"budgets/{holder}", 200, json={"core_hours": 1})[
            "remark"
        ]
        for holder in ("person:ann", "person:nobody", "project:lakse", "person:*", "person:bob")
    }
    assert said["person:ann"] == said["person:*"] == ""
    assert said["person:nobody"].startswith("The hub knows no person 'nobody'.")
    assert "knows no project 'lakse'" in said["project:lakse"]
    assert "does not answer" in said["person:bob"]
    assert see(people, "olga") == said.keys() - {"person:*"}
