"""What is given, and what is public, of releases, jobs and runs: person against person."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from sqlalchemy import update
from tests.served_api import People, ServedApi, serve_people
from tests.unit.services.test_owners_of_work import (
    TEAM,
    approve,
    ask,
    begin,
    make_job,
    propose,
    start,
)

from skerry.core.scopes import PUBLICISER, Scope
from skerry.production.tables import runs
from skerry.storage.database import database_url, open_database


@pytest.fixture
def people(api: ServedApi) -> Iterator[People]:
    """Return clients: an owner, who may open things; a reader, a changer, a stranger, nobody."""
    scopes = {
        "owner": TEAM, **dict.fromkeys(("reader", "changer", "stranger"), TEAM - PUBLICISER),
        "scopeless": {Scope.CATALOG_READ},
    }  # fmt: skip
    with serve_people(api, scopes) as people:
        yield people


@pytest.fixture
def work(api: ServedApi, people: People) -> dict[str, str]:
    """Return the owner's private release, its job, and a run that failed and one that succeeded."""
    owner = people["owner"]
    release = approve(owner, propose(owner, "person:owner"))
    make_job(owner, "daily", release, owner="person:owner", collection="sandbox-owner")
    names = {"release": release, "job": "daily"}
    for status in ("failed", "succeeded"):
        names[status] = start(owner, "daily")
        begin(api, names[status], f"token-{status}")
        facts = {"status": status, "detail": "words of the owner", "progress_cell": "owner's cell"}
        engine = open_database(database_url(api.data.database))
        with engine.begin() as connection:
            connection.execute(update(runs).where(runs.c.id == names[status]).values(facts))
        engine.dispose()
    return names


def give(people: People, work: dict[str, str], kind: str) -> None:
    for holder, verb in (("reader", "see"), ("changer", "change")):
        path = f"production/{kind}s/{work[kind]}/shares/person:{holder}"
        ask(people["owner"], "PUT", path, 200, json={"verb": verb})


def list_all(client: httpx.Client, kind: str, key: str) -> set[str]:
    return {entry[key] for entry in ask(client, "GET", f"production/{kind}", 200)[kind]}


def test_a_job_that_is_given_shows_its_runs_and_only_changers_read_logs(
    people: People, work: dict[str, str]
) -> None:
    give(people, work, "job")
    both = {work["failed"], work["succeeded"]}
    for name, status in (("reader", 403), ("changer", 200), ("stranger", 404), ("scopeless", 403)):
        client, sees = people[name], status in {200, 403} and name != "scopeless"
        seen = 200 if sees else status
        ask(client, "GET", "production/jobs/daily", seen)
        run = ask(client, "GET", f"production/runs/{work['failed']}", seen)
        for file in ("log", "files/executed.ipynb"):
            answer = client.get(f"production/runs/{work['failed']}/{file}")
            assert answer.status_code == status, answer.text
        if sees:
            assert run["parameters"] is not None
            assert (run["detail"], run["created_by"]) == ("words of the owner", "owner")
            assert bool(run["attempts"][0]["files"]) == (name == "changer")
            relation = f"given to {'change' if name == 'changer' else 'see'}"
            jobs = ask(client, "GET", "production/jobs", 200)["jobs"]
            assert {run["relation"], *(job["relation"] for job in jobs)} == {relation}
        assert list_all(client, "jobs", "name") == ({"daily"} if sees else set())
        assert list_all(client, "runs", "id") == (both if sees else set())
        counts = ask(client, "GET", "production/runs/counts", 200)["counts"]
        assert sum(counts.values()) == (2 if sees else 0)
        # its release, and its collection, stay what they were
        ask(client, "GET", f"production/releases/{work['release']}", status if not sees else 404)
        assert list_all(client, "releases", "id") == set()


def test_changers_start_runs_with_the_job_s_own_parameters_and_readers_start_none(
    people: People, work: dict[str, str]
) -> None:
    give(people, work, "job")
    started = ask(people["changer"], "POST", "production/jobs/daily/runs", 201, json={})
    assert (started["owner"], started["created_by"]) == ("person:owner", "changer")
    chosen = {"parameters": {"tile": "33VVC"}}
    refused = ask(people["changer"], "POST", "production/jobs/daily/runs", 403, json=chosen)
    assert refused["detail"] == "'changer' may not choose the parameters of the job 'daily'."
    ask(people["changer"], "POST", f"production/runs/{work['failed']}/retry", 200)
    for path in ("jobs/daily/pause", "jobs/daily/resume"):
        ask(people["changer"], "POST", f"production/{path}", 200)
    run = started["id"]
    for method, path, body in (
        ("POST", "jobs/daily/runs", {}),
        ("POST", "jobs/daily/pause", None),
        ("POST", f"runs/{run}/cancel", None),
        ("POST", f"runs/{work['failed']}/retry", None),
    ):
        ask(people["reader"], method, f"production/{path}", 403, json=body)
    ask(people["changer"], "POST", f"production/runs/{run}/cancel", 200)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["job", "release"])
def test_nobody_passes_on_opens_or_deletes_what_was_given_to_them(
    people: People, work: dict[str, str], kind: str
) -> None:
    give(people, work, kind)
    own = f"production/{kind}s/{work[kind]}"
    for name in ("reader", "changer", "stranger"):
        client = people[name]
        status = 404 if name == "stranger" else 403
        for method, path, body in (
            ("GET", f"{own}/shares", None),
            ("PUT", f"{own}/shares/person:eve", {"verb": "see"}),
            ("DELETE", f"{own}/shares/person:reader", None),
            ("PUT", f"{own}/owner", {"owner": f"person:{name}"}),
            ("DELETE", own, None),
        ):
            ask(client, method, path, status, json=body)
    shares = ask(people["owner"], "GET", f"{own}/shares", 200)["shares"]
    assert {(item["holder"], item["verb"]) for item in shares} == {
        ("person:reader", "see"), ("person:changer", "change"),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["job", "release"])
def test_opening_needs_its_scope_and_the_right_to_give(
    api: ServedApi, people: People, work: dict[str, str], kind: str
) -> None:
    give(people, work, kind)
    own = f"production/{kind}s/{work[kind]}/public"
    refused = ask(people["changer"], "PUT", own, 403, json={"public": True})
    assert Scope.PRODUCTION_PUBLICISE in refused["detail"]
    for name, status in (("changer", 403), ("reader", 403), ("stranger", 404)):
        api.book.tokens["opener"] = (name, TEAM)
        with api.client("opener") as client:
            ask(client, "PUT", own, status, json={"public": True})
    assert ask(people["owner"], "PUT", own, 200, json={"public": True})["public"] is True


def test_a_public_job_shows_what_succeeded_and_no_accounts_words_or_logs(
    people: People, work: dict[str, str]
) -> None:
    ask(people["owner"], "PUT", "production/jobs/daily/public", 200, json={"public": True})
    for name in ("nobody", "stranger", "scopeless"):
        client = people[name]
        job = ask(client, "GET", "production/jobs/daily", 200)
        assert (job["created_by"], job["relation"]) == (None, "public")
        run = ask(client, "GET", f"production/runs/{work['succeeded']}", 200)
        hidden = [run[part] for part in ("created_by", "detail", "attempts", "relation")]
        assert hidden == [None, None, [], "public"]
        assert run["progress"]["cell"] is None
        listed = client.get("production/runs")
        assert "owner's cell" not in listed.text
        assert list_all(client, "runs", "id") == {work["succeeded"]}
        counts = ask(client, "GET", "production/runs/counts", 200)["counts"]
        assert sum(counts.values()) == counts["succeeded"] == 1
        missing = {"nobody": 401, "stranger": 404, "scopeless": 403}[name]
        ask(client, "GET", f"production/runs/{work['failed']}", missing)
        ask(client, "GET", f"production/releases/{work['release']}", missing)
        forbidden = 401 if name == "nobody" else 403
        for path in ("log", "files/executed.ipynb"):
            ask(client, "GET", f"production/runs/{work['succeeded']}/{path}", forbidden)
        ask(client, "POST", "production/jobs/daily/runs", forbidden, json={})
    ask(people["owner"], "PUT", "production/jobs/daily/public", 200, json={"public": False})
    ask(people["nobody"], "GET", "production/jobs/daily", 401)
    assert list_all(people["nobody"], "runs", "id") == set()


def test_a_public_release_shows_its_notebook_once_it_is_approved(people: People) -> None:
    owner = people["owner"]
    proposal = propose(owner, "person:owner", "shore")
    own = f"production/releases/{proposal['id']}"
    ask(owner, "PUT", f"{own}/public", 200, json={"public": True})
    ask(people["nobody"], "GET", own, 401)
    ask(people["stranger"], "GET", own, 404)
    approve(owner, proposal)
    for name in ("nobody", "stranger", "scopeless"):
        shown = ask(people[name], "GET", own, 200)
        assert (shown["proposed_by"], shown["decided_by"]) == (None, None)
        ask(people[name], "GET", f"{own}/notebook", 200)
        assert list_all(people[name], "releases", "id") == {proposal["id"]}
    order = {"name": "mine", "release": proposal["id"], "owner": "person:stranger"}
    job = ask(people["stranger"], "POST", "production/jobs", 201, json=order)
    assert job["release"] == proposal["id"]


def test_a_release_that_is_given_can_be_used_and_only_changers_decide(people: People) -> None:
    owner = people["owner"]
    proposal = propose(owner, "person:owner", "shore")
    own = f"production/releases/{proposal['id']}"
    give(people, {"release": proposal["id"]}, "release")
    for name in ("reader", "changer"):
        assert ask(people[name], "GET", own, 200)["proposed_by"] == "owner"
        ask(people[name], "GET", f"{own}/notebook", 200)
    ask(people["reader"], "POST", f"{own}/reject", 403)
    ask(people["stranger"], "POST", f"{own}/reject", 404)
    approve(people["changer"], proposal)
    order = {"name": "mine", "release": proposal["id"], "owner": "person:reader"}
    ask(people["reader"], "POST", "production/jobs", 201, json=order)


def test_a_name_means_the_asker_s_own_release_and_not_the_newest_that_others_open(
    people: People,
) -> None:
    own = approve(people["stranger"], propose(people["stranger"], "person:stranger", "shore"))
    other = approve(people["owner"], propose(people["owner"], "person:owner", "shore"))
    path = f"production/releases/{other}/public"
    ask(people["owner"], "PUT", path, 200, json={"public": True})
    assert ask(people["stranger"], "GET", "production/releases/shore", 200)["id"] == own
    assert ask(people["nobody"], "GET", "production/releases/shore", 200)["id"] == other


@pytest.mark.slow
def test_what_was_given_ends_with_the_job_and_a_new_job_of_its_name_has_none(
    people: People, work: dict[str, str]
) -> None:
    give(people, work, "job")
    for run in ("failed", "succeeded"):
        assert people["reader"].get(f"production/runs/{work[run]}").status_code == 200
    ask(people["owner"], "DELETE", "production/jobs/daily", 204)
    for run in ("failed", "succeeded"):
        ask(people["reader"], "GET", f"production/runs/{work[run]}", 404)
    make_job(people["stranger"], "daily", approve(
        people["stranger"], propose(people["stranger"], "person:stranger")
    ), owner="person:stranger")  # fmt: skip
    ask(people["reader"], "GET", "production/jobs/daily", 404)
    path = "production/jobs/daily/shares/person:reader"
    ask(people["stranger"], "PUT", path, 200, json={"verb": "change"})
    ask(people["reader"], "GET", "production/jobs/daily", 200)
    ask(people["reader"], "GET", f"production/runs/{work['failed']}", 404)
    ask(people["reader"], "GET", f"production/runs/{work['failed']}/log", 404)


@pytest.mark.slow
def test_the_audit_tells_who_gave_what_to_whom(api: ServedApi, people: People, work: Any) -> None:
    give(people, work, "job")
    ask(people["owner"], "PUT", "production/jobs/daily/public", 200, json={"public": True})
    ask(people["owner"], "DELETE", "production/jobs/daily/shares/person:reader", 204)
    with api.client("alice-token") as keeper:
        entries = ask(keeper, "GET", "audit", 200)["entries"]
    told = {(entry["who"], entry["what"], entry["action"]) for entry in entries}
    assert {
        ("owner", "job-share/daily/person:reader", "created"),
        ("owner", "job-share/daily/person:reader", "deleted"),
        ("owner", "job/daily", "opened"),
    } <= told
