"""The audit over HTTP: every route that changes something leaves an entry that tells who."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.audit_replay import check_audit
from tests.served_api import TOKENS, ServedApi, serve_api
from tests.stac_documents import make_collection, make_item, write_bytes
from tests.unit.production.conftest import make_notebook
from tests.unit.production.test_http import claim, own_seen
from tests.unit.services.test_courses import PROFILES
from tests.unit.services.test_courses import order as course_order

from skerry.core.time import format_time, utc_now
from skerry.services import projects
from skerry.storage.database import find_database, open_database, reading
from skerry.storage.recording import shorten_token
from skerry.storage.tables import audit

CHANGING = {"post", "put", "patch", "delete"}
NO_CHANGE = {
    "post_search": "a search by POST only reads",
    "sign_addresses": "it signs under a grant that is recorded",
    "list_granted_files": "it only lists",
    "renew_access": "it gives credentials for a grant that is recorded",
    "reserve_start": "what is held and used is counted in tables of its own, for months",
    "end_start": "as reserve_start",
    "delete_cluster": "tests/integration/production/test_clusters.py does it with a real gateway",
}


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedApi]:
    """Return an api that knows a profile of its hub, which has no groups."""
    monkeypatch.setenv("SKERRY_PROFILES", PROFILES)
    monkeypatch.setattr(projects, "knows_group", lambda _hub, _name: False)
    with serve_api(tmp_path / "data") as served:
        yield served


class Caller:
    """Sends requests as several holders of tokens; holds each change to its entries."""

    def __init__(self, api: ServedApi, clients: dict[str, httpx.Client]) -> None:
        self.seen: set[str] = set()
        self._api = api
        self._clients = clients
        self._engine = open_database(find_database(api.data), read_only=True)

    def send(self, method: str, path: str, *, by: str = "alice-token", **content: Any) -> Any:
        """Return the answer of a change that succeeds."""
        answer = self._clients[by].request(method, path, **content)
        assert answer.is_success, answer.text
        operation = self._api.described._find(method, answer.request.url.path)
        assert operation is not None
        self.seen.add(operation["operationId"])
        with reading(self._engine) as connection:
            mine = audit.c.request == answer.headers["X-Request-ID"]
            entries = connection.execute(select(audit).where(mine)).mappings().all()
        who = (TOKENS[by][0], shorten_token(by))
        assert entries, f"{operation['operationId']} changed something and left no entry"
        assert {(entry["who"], entry["token"]) for entry in entries} == {who}
        return answer.json() if answer.content else None

    def close(self) -> None:
        self._engine.dispose()


def list_changing(document: dict[str, Any]) -> set[str]:
    return {
        operation["operationId"]
        for methods in document["paths"].values()
        for method, operation in methods.items()
        if method in CHANGING and operation["operationId"] not in NO_CHANGE
    }


def change_catalogue(api: ServedApi, caller: Caller) -> None:
    for name in ("lakes", "empty"):
        caller.send("PUT", f"stac/collections/{name}", json=make_collection(name))
    for verb in ("see", "change"):
        caller.send("PUT", "shares/lakes/person:ann", json={"verb": verb})
    caller.send("DELETE", "shares/lakes/person:ann")
    caller.send("PUT", "shares/empty/person:ann", json={"verb": "see"})
    caller.send("DELETE", "stac/collections/empty")
    grant = caller.send("POST", "grants", json={"mode": "write", "purpose": "import"})
    caller.send("DELETE", f"grants/{grant['id']}")
    grant = caller.send("POST", "grants", json={"mode": "write", "purpose": "import"})
    item = make_item(prefix=grant["prefix"])
    write_bytes(api.data.objects, item)
    caller.send("POST", "stac/collections/lakes/items", json=item)
    caller.send("DELETE", "stac/collections/lakes/items/scene")


def change_production(api: ServedApi, caller: Caller) -> None:
    proposal = {"name": "water", "notebook": make_notebook()}
    first, second = (caller.send("POST", "production/releases", json=proposal) for _ in "ab")
    release = f"production/releases/{first['id']}"
    caller.send("POST", f"{release}/approve", json=own_seen(first))
    caller.send("POST", f"production/releases/{second['id']}/reject")
    order = {"name": "lakes", "release": "water", "policy": {"review": "required"}}
    caller.send("POST", "production/jobs", json=order)
    for path in ("jobs/lakes", f"releases/{first['id']}"):
        caller.send("PUT", f"production/{path}/owner", json={"owner": "person:alice"})
        caller.send("PUT", f"production/{path}/shares/person:bob", json={"verb": "see"})
        caller.send("DELETE", f"production/{path}/shares/person:bob")
        caller.send("PUT", f"production/{path}/public", json={"public": True})
    caller.send("POST", "production/jobs/lakes/pause")
    caller.send("POST", "production/jobs/lakes/resume")
    run = caller.send("POST", "production/jobs/lakes/runs", json={})["id"]
    caller.send("POST", f"production/runs/{run}/cancel")
    caller.send("POST", f"production/runs/{run}/retry")
    run = caller.send("POST", "production/jobs/lakes/runs", json={})["id"]
    publish_run(api, caller, run)
    order |= {"name": "short"}
    caller.send("POST", "production/jobs", json=order)
    caller.send("DELETE", "production/jobs/short")
    caller.send("DELETE", f"production/releases/{second['id']}")


def change_budgets(caller: Caller) -> None:
    caller.send("PUT", "budgets/person:alice", json={"core_hours": 100})
    caller.send("DELETE", "budgets/person:alice")
    caller.send("PUT", "capacity", json={"cores": 20, "memory_gib": 40})
    caller.send("POST", "courses", json=course_order(seats=1))
    caller.send("DELETE", "courses/sar")


def change_projects(caller: Caller) -> None:
    order = {"name": "rivers", "title": "Rivers", "owner": "person:alice"}
    caller.send("POST", "projects", json=order)
    changed = {"title": "All rivers", "listed": True, "last_day": None}
    caller.send("PUT", "projects/rivers", json=changed)
    asked = {"role": "reader", "reason": "I look at lakes"}
    caller.send("POST", "projects/rivers/requests", by="bob-token", json=asked)
    caller.send("POST", "projects/rivers/requests/person:bob", json={"grant": True})
    caller.send("PUT", "projects/rivers/members/person:bob", json={"role": "member"})
    caller.send("DELETE", "projects/rivers/members/person:bob")


def change_platform(caller: Caller) -> None:
    soon = utc_now() + timedelta(hours=1)
    times = {"begins": format_time(soon), "ends": format_time(soon + timedelta(hours=1))}
    caller.send("PUT", "platform/maintenance", json={"text": "New disks.", **times})
    caller.send("DELETE", "platform/maintenance")
    started = caller.send("POST", "platform/end-to-end")
    caller.send("POST", f"production/runs/{started['run']}/cancel")
    ended = {"succeeded": True, "seconds": 3.0}
    caller.send("POST", f"platform/end-to-end/{started['name']}/end", json=ended)


def publish_run(api: ServedApi, caller: Caller, run: str) -> None:
    attempt = f"production/runs/{run}/attempts/{claim(api, run)}"
    progress = {"done": 1, "total": 3, "cell": "x"}
    caller.send("POST", f"{attempt}/progress", by="run-token", json=progress)
    item = make_item(prefix=f"runs/{run}/1/products/t/")
    write_bytes(api.data.objects, item)
    digest = item["properties"]["skerry:digest"]
    outputs = [{"output": "t", "digest": digest}]
    body = {
        "outputs": [{**outputs[0], "item": item}],
        "manifest": {"run": run, "epoch": 1, "outputs": outputs},
    }
    caller.send("POST", f"{attempt}/publish", by="run-token", json=body)
    version = "stac/collections/lakes/items/t-20260501T103000Z/versions/1"
    caller.send("POST", f"{version}/publish")
    caller.send("POST", f"{version}/withdraw", json={"reason": "wrong calibration"})


@pytest.mark.slow
def test_every_route_that_changes_something_leaves_an_entry(api: ServedApi) -> None:
    with ExitStack() as stack:
        clients = {token: stack.enter_context(api.client(token)) for token in TOKENS}
        caller = Caller(api, clients)
        stack.callback(caller.close)
        change_catalogue(api, caller)
        change_production(api, caller)
        change_budgets(caller)
        change_projects(caller)
        change_platform(caller)
        assert caller.seen == list_changing(api.app.openapi())
        told = clients["alice-token"].get("audit", params={"limit": 1000})
    assert "alice-token" not in told.text
    assert "run-token" not in told.text
    engine = open_database(find_database(api.data), read_only=True)
    check_audit(engine)
    engine.dispose()


def test_the_audit_is_for_operators_alone(api: ServedApi) -> None:
    for token, status in (
        (None, 401), ("reader-token", 403), ("nothing-token", 403), ("run-token", 403),
        ("alice-token", 200),
    ):  # fmt: skip
        with api.client(token) as client:
            assert client.get("audit").status_code == status


def test_entries_are_asked_for_by_actor_thing_and_time_in_pages(api: ServedApi) -> None:
    with api.client("alice-token") as alice, api.client("bob-token") as bob:
        for client, names in ((alice, ("a", "b")), (bob, ("c",))):
            for name in names:
                client.put(f"stac/collections/{name}", json=make_collection(name))

        def ask(**conditions: Any) -> list[str]:
            answer = alice.get("audit", params=conditions)
            assert answer.status_code == 200, answer.text
            return [entry["what"] for entry in answer.json()["entries"]]

        assert ask() == ["collection/c", "collection/b", "collection/a"]
        assert ask(who="alice") == ["collection/b", "collection/a"]
        assert ask(what="collection/a") == ["collection/a"]
        assert ask(what="job") == []
        newest = alice.get("audit", params={"limit": 1}).json()["entries"][0]
        assert ask(since=newest["at"]) == ["collection/c"]
        assert ask(before=newest["number"], limit=1) == ["collection/b"]
        assert re.fullmatch("[0-9a-f]{12}", newest["token"])
        for wrong in ({"since": "2026-05-01"}, {"since": "x"}, {"limit": 0}, {"before": 0}):
            assert alice.get("audit", params=wrong).status_code == 422
        assert alice.get("audit", params={"from": 1}).status_code == 400
