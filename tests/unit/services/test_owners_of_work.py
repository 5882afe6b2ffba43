"""Person against person: releases, jobs, runs and their files, by every route of production."""

import json
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.served_api import People, ServedApi, serve_people
from tests.stac_documents import make_collection
from tests.unit.production.conftest import make_notebook

from skerry.core.ids import new_id
from skerry.core.scopes import ADMIN, OPERATOR, PUBLICISER, REVIEWER, RUN, SCIENTIST
from skerry.core.settings import API_PREFIX
from skerry.production.epochs import claim_run, record_token
from skerry.services.routes import list_routes
from skerry.storage.database import database_url, open_database
from skerry.storage.object_places import open_objects
from skerry.storage.run_folder import RunFile, RunFolder

GROUPS = {"ann": frozenset({"lakes"}), "zoe": frozenset({"lakes"})}
TEAM = SCIENTIST | REVIEWER | OPERATOR | PUBLICISER


@pytest.fixture
def people(api: ServedApi) -> Iterator[People]:
    """Return a client for each of four people with the same scopes, and for a keeper."""
    team = dict.fromkeys(("ann", "zoe", "bob", "eve"), TEAM)
    with serve_people(api, {**team, "keeper": ADMIN}, GROUPS) as people:
        yield people


def ask(client: httpx.Client, method: str, path: str, status: int, **content: Any) -> Any:
    answer = client.request(method, path, **content)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def propose(client: httpx.Client, owner: str | None, name: str = "water") -> dict[str, Any]:
    body = {"name": name, "notebook": make_notebook(), "owner": owner}
    release: dict[str, Any] = ask(client, "POST", "production/releases", 201, json=body)
    return release


def approve(client: httpx.Client, release: dict[str, Any]) -> str:
    seen = {name: release[name] for name in ("notebook_digest", "environment_digest")}
    path = f"production/releases/{release['id']}/approve"
    ask(client, "POST", path, 200, json={"self": True, **seen})
    return str(release["id"])


def make_job(client: httpx.Client, name: str, release: str, **facts: Any) -> dict[str, Any]:
    order = {"name": name, "release": release, **facts}
    job: dict[str, Any] = ask(client, "POST", "production/jobs", 201, json=order)
    return job


def start(client: httpx.Client, job: str) -> str:
    return str(ask(client, "POST", f"production/jobs/{job}/runs", 201, json={})["id"])


def begin(api: ServedApi, run: str, token: str) -> RunFolder:
    """Claim a run as the worker does, give its attempt a token, and write a log and a page."""
    engine = open_database(database_url(api.data.database))
    with engine.begin() as connection:
        epoch = claim_run(connection, run, 0)
        assert epoch == 1
        record_token(connection, run, epoch, token=token, token_id=f"id-{token}")
    engine.dispose()
    api.book.tokens[token] = ("project-main", RUN)
    api.book.groups["project-main"] = frozenset({"projects"})
    folder = RunFolder(open_objects(api.data), run, epoch)
    for file in (RunFile.LOG, RunFile.EXECUTED):
        folder.write(file, json.dumps(make_notebook()))
    return folder


CASES: list[tuple[str, str, Any]] = [
    ("GET", "releases/{release}", None),
    ("GET", "releases/{release}/notebook", None),
    ("GET", "releases/{release}/wheels/a.whl", None),
    ("GET", "jobs/{job}", None),
    ("GET", "jobs/{job}/plan", None),
    ("GET", "runs/{run}", None),
    ("GET", "runs/{run}/log", None),
    ("GET", "runs/{run}/files/executed.ipynb", None),
    ("GET", "runs?job={job}", None),
    ("POST", "jobs", {"name": "mine", "release": "{release}"}),
    ("POST", "jobs/{job}/pause", None),
    ("POST", "jobs/{job}/resume", None),
    ("POST", "jobs/{job}/runs", {}),
    ("POST", "runs/{run}/cancel", None),
    ("POST", "runs/{run}/retry", None),
    ("PUT", "releases/{release}/owner", {"owner": "project:project-main"}),
    ("PUT", "jobs/{job}/owner", {"owner": "project:project-main"}),
    ("POST", "releases/{release}/approve", {"notebook_digest": "d", "environment_digest": "e"}),
    ("POST", "releases/{release}/reject", None),
    ("GET", "releases/{release}/shares", None),
    ("PUT", "releases/{release}/shares/person:zoe", {"verb": "see"}),
    ("DELETE", "releases/{release}/shares/person:zoe", None),
    ("PUT", "releases/{release}/public", {"public": True}),
    ("GET", "jobs/{job}/shares", None),
    ("PUT", "jobs/{job}/shares/person:zoe", {"verb": "see"}),
    ("DELETE", "jobs/{job}/shares/person:zoe", None),
    ("PUT", "jobs/{job}/public", {"public": True}),
    ("DELETE", "jobs/{job}", None),
    ("DELETE", "releases/{release}", None),
]
"""Every route that names a release, a job or a run, but for those of run tokens."""

ELSEWHERE = {"releases", "jobs", "runs", "runs/counts"}
"""Lists and counts, whose contents another test compares."""


def fill(case: tuple[str, str, Any], names: dict[str, str]) -> dict[str, Any]:
    method, path, body = case
    filled = body and {
        key: value.format(**names) if isinstance(value, str) else value
        for key, value in body.items()
    }
    return {"method": method, "url": f"production/{path.format(**names)}", "json": filled}


def describe(answer: httpx.Response, names: dict[str, str]) -> tuple[int, str]:
    text = re.sub(r'"(instance|request_id)":\s*"[^"]*"', "", answer.text)
    for name in names.values():
        text = text.replace(name, "NAME")
    return answer.status_code, text


def test_every_route_of_production_has_its_case(api: ServedApi) -> None:
    prefix = f"{API_PREFIX}/production/"
    routes = {
        (method, route.path.removeprefix(prefix))
        for route in list_routes(api.app)
        if route.path.startswith(prefix) and "/attempts/" not in route.path
        for method in route.methods
    }
    left = {route for route in routes if route[1] not in ELSEWHERE}
    forms = {(method, re.sub(r"\{\w+\}", "*", path)) for method, path in left}
    tested = set()
    for method, path, _body in CASES:
        shown = path.partition("?")[0]
        shown = re.sub(r"\{\w+\}|a\.whl|executed\.ipynb|person:zoe", "*", shown)
        tested.add((method, shown))
    assert forms - tested == set()


def test_what_is_hidden_answers_as_what_does_not_exist(api: ServedApi, people: People) -> None:
    release = approve(people["ann"], propose(people["ann"], "project:lakes"))
    job = make_job(people["ann"], "secret-lakes", release)
    assert job["owner"] == "project:lakes"
    run = start(people["zoe"], "secret-lakes")
    begin(api, run, "token-of-run")
    hidden = {"release": release, "job": "secret-lakes", "run": run}
    missing = {"release": new_id(), "job": "never-there", "run": new_id()}
    before = people["keeper"].get("audit").json()["entries"]
    for case in CASES:
        answers = [
            describe(people["bob"].request(**fill(case, names)), names)
            for names in (hidden, missing)
        ]
        assert answers[0] == answers[1], case
        assert answers[0][0] == 404, case
    begun = people["bob"].get(f"production/runs/{run[:20]}")
    assert begun.status_code == 404
    by_name = {"name": "mine", "release": "water"}
    ask(people["bob"], "POST", "production/jobs", 404, json=by_name)
    assert people["keeper"].get("audit").json()["entries"] == before
    refused = {404, 403}
    for case in CASES:
        answer = people["zoe"].request(**fill(case, hidden))
        if "wheels" not in case[1]:  # there is none
            assert answer.status_code not in refused, (case, answer.text)


@pytest.mark.slow
def test_lists_and_counts_tell_only_what_their_reader_sees(people: People) -> None:
    release = approve(people["ann"], propose(people["ann"], "project:lakes"))
    own = approve(people["bob"], propose(people["bob"], "person:bob"))
    shared = approve(people["eve"], propose(people["eve"], None))
    for client, name, pinned in (("ann", "lakes", release), ("bob", "own", own),
                                 ("eve", "open", shared)):  # fmt: skip
        make_job(people[client], name, pinned)
    runs = {name: [start(people[client], name) for _ in range(3)]
            for client, name in (("ann", "lakes"), ("bob", "own"), ("eve", "open"))}  # fmt: skip
    for name, jobs in (
        ("zoe", ["lakes", "open"]), ("bob", ["open", "own"]), ("eve", ["open"]),
        ("keeper", ["lakes", "open", "own"]),
    ):  # fmt: skip
        client = people[name]
        listed = ask(client, "GET", "production/jobs", 200)["jobs"]
        assert [job["name"] for job in listed] == jobs
        pinned = {item["id"] for item in ask(client, "GET", "production/releases", 200)["releases"]}
        chosen = {"lakes": release, "own": own, "open": shared}
        assert pinned == {chosen[job] for job in jobs}
        expected = sorted((run for job in jobs for run in runs[job]), reverse=True)
        shown: list[str] = []
        while True:
            page = {"limit": 2, **({"before": shown[-1]} if shown else {})}
            found = ask(client, "GET", "production/runs", 200, params=page)["runs"]
            if not found:
                break
            shown += [run["id"] for run in found]
        assert shown == expected
        counts = ask(client, "GET", "production/runs/counts", 200)["counts"]
        assert counts["queued"] == 3 * len(jobs)
        of_own = ask(client, "GET", "production/runs/counts?job=own", 200)["counts"]
        assert of_own["queued"] == (3 if "own" in jobs else 0)
        queued = ask(client, "GET", "production/runs?status=queued&limit=1000", 200)["runs"]
        assert [run["id"] for run in queued] == expected


def test_work_is_given_only_to_those_for_whom_the_giver_speaks(people: People) -> None:
    body = {"name": "water", "notebook": make_notebook(), "owner": "person:bob"}
    answer = ask(people["ann"], "POST", "production/releases", 403, json=body)
    assert "project:lakes" in answer["remedy"]
    ask(people["ann"], "POST", "production/releases", 422, json={**body, "owner": "bob"})
    release = approve(people["ann"], propose(people["ann"], None))
    order = {"name": "lakes", "release": release, "owner": "person:bob"}
    ask(people["ann"], "POST", "production/jobs", 403, json=order)
    make_job(people["ann"], "lakes", release)
    run = start(people["ann"], "lakes")
    ask(people["bob"], "GET", f"production/runs/{run}", 200)
    other = {"owner": "person:bob"}
    for path in ("jobs/lakes", f"releases/{release}"):
        ask(people["ann"], "PUT", f"production/{path}/owner", 403, json=other)
        own = {"owner": "person:ann"}
        given = ask(people["ann"], "PUT", f"production/{path}/owner", 200, json=own)
        assert given["owner"] == "person:ann"
        ask(people["bob"], "GET", f"production/{path}", 404)
    ask(people["bob"], "GET", f"production/runs/{run}", 404)
    assert ask(people["ann"], "GET", f"production/runs/{run}", 200)["owner"] == "person:ann"
    ask(people["keeper"], "PUT", "production/jobs/lakes/owner", 200, json=other)
    ask(people["bob"], "GET", "production/jobs/lakes", 200)


def put(client: httpx.Client, name: str, owner: str) -> None:
    document = {**make_collection(name), "skerry:public": False, "skerry:owner": owner}
    ask(client, "PUT", f"stac/collections/{name}", 200, json=document)


def test_a_job_belongs_to_the_owner_of_its_collection(people: People) -> None:
    release = approve(people["ann"], propose(people["ann"], None))
    put(people["ann"], "bay", "person:ann")
    assert make_job(people["ann"], "bay", release)["owner"] == "person:ann"
    assert make_job(people["ann"], "tests", release, collection="sandbox-ann")["owner"] == (
        "person:ann"
    )
    assert make_job(people["ann"], "new", release)["owner"] == "project:project-main"
    order = {"name": "b", "release": release, "collection": "bay", "owner": "project:lakes"}
    refused = ask(people["ann"], "POST", "production/jobs", 403, json=order)
    assert refused["remedy"].endswith("skerry share bay project:lakes --change.")
    people["ann"].put("shares/bay/project:lakes", json={"verb": "change"})
    assert make_job(people["ann"], "b", release, **{
        key: order[key] for key in ("collection", "owner")
    })["owner"] == "project:lakes"  # fmt: skip
    people["ann"].delete("shares/bay/project:lakes")
    refused = ask(people["zoe"], "POST", "production/jobs/b/runs", 403, json={})
    assert "share bay" in refused["remedy"]
    refused = ask(people["ann"], "PUT", "production/jobs/bay/owner", 403, json={
        "owner": "project:lakes"
    })  # fmt: skip
    assert "share bay" in refused["remedy"]


def test_a_run_sees_what_its_owner_sees_and_no_more(api: ServedApi, people: People) -> None:
    put(people["ann"], "of-ann", "person:ann")
    put(people["ann"], "of-lakes", "project:lakes")
    put(people["bob"], "of-bob", "person:bob")
    put(people["bob"], "of-all", "project:project-main")
    release = approve(people["ann"], propose(people["ann"], None))
    make_job(people["ann"], "lakes", release, owner="project:lakes")
    make_job(people["bob"], "own", release, owner="person:bob")
    for starter, job, seen in (
        ("ann", "lakes", {"of-all", "of-lakes", "of-ann"}),  # she handed hers over, and starts it
        ("zoe", "lakes", {"of-all", "of-lakes"}),  # who starts it chooses the parameters
        ("bob", "own", {"of-all", "of-bob"}),
        ("keeper", "own", {"of-all", "of-bob"}),
    ):
        run = start(people[starter], job)
        token = f"token-of-{starter}"
        begin(api, run, token)
        with api.client(token) as client:
            listed = ask(client, "GET", "stac/collections", 200)["collections"]
            names = {item["id"] for item in listed}
            assert names == seen, (starter, job)
            for name in ("of-ann", "of-lakes", "of-bob", "of-all"):
                status = client.get(f"stac/collections/{name}").status_code
                assert status == (200 if name in seen else 404)
            assert client.get(f"production/runs/{run}").status_code == 403


def test_a_run_publishes_only_where_its_owner_may_write(api: ServedApi, people: People) -> None:
    release = approve(people["ann"], propose(people["ann"], None))
    make_job(people["ann"], "bay", release, owner="project:lakes")
    run = start(people["ann"], "bay")
    begin(api, run, "token-of-run")
    put(people["bob"], "bay", "person:bob")  # the name was free
    outputs = [{"output": "o", "digest": "d", "item": {"id": "o", "properties": {}}}]
    manifest = {"run": run, "epoch": 1, "outputs": [{"output": "o", "digest": "d"}]}
    body = {"outputs": outputs, "manifest": manifest}
    with api.client("token-of-run") as client:
        path = f"production/runs/{run}/attempts/1/publish"
        refused = ask(client, "POST", path, 422, json=body)
        assert "is not project:lakes's to change" in refused["detail"]
    shown = ask(people["zoe"], "GET", f"production/runs/{run}", 200)
    assert (shown["status"], shown["outputs"]) == ("running", [])
