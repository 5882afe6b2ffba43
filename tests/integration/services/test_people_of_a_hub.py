"""Several people of a real hub, two of them in a group, each with a token of their own."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.integration.services.team_hub import TWIN, TeamHub, serve_team_hub
from tests.served_api import ServedApi, bind_free_port, make_hub_access, serve_api, serve_in_thread
from tests.stac_documents import insert_written, make_collection, make_item
from tests.unit.production.conftest import make_notebook
from tests.unit.services.test_versions_http import TILE, write_product

from skerry.client.login import Login
from skerry.client.production import count_runs, list_runs
from skerry.client.session import Session
from skerry.core.errors import NotFoundError
from skerry.core.settings import MAPS_PREFIX, ServiceSettings
from skerry.dashboards.board import read_jobs
from skerry.dashboards.catalogue import (
    list_collections,
    read_latest,
    read_product,
    read_selection,
)
from skerry.models.versions import VersionStatus
from skerry.production.epochs import claim_run, record_token
from skerry.production.tokens import TokenMinter
from skerry.services.maps import create_maps
from skerry.storage.database import database_url, open_database

pytestmark = pytest.mark.long

COLLECTIONS = {
    "of-ann": "person:ann",
    "of-lakes": "project:lakes",
    "of-all": "project:project-main",
}
SEEN = {
    "ann": {"of-ann", "of-lakes", "of-all"},
    "zoe": {"of-lakes", "of-all"},
    "bob": {"of-all"},
    "olga": set(COLLECTIONS),
}


@dataclass
class Team:
    """A served api and maps, the hub that knows the people, and a client for each person."""

    hub: TeamHub
    api: ServedApi
    maps: str
    people: dict[str, httpx.Client]

    def draw(self, name: str, path: str) -> httpx.Response:
        """Return what a person gets of the maps."""
        token = self.people[name].headers.get("Authorization")
        headers = {"Authorization": token} if token else {}
        return httpx.get(f"{self.maps}/{path}", headers=headers, trust_env=False, timeout=30)


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    folder = tmp_path_factory.mktemp("team")
    with ExitStack() as stack:
        hub = stack.enter_context(serve_team_hub(folder))
        api = stack.enter_context(serve_api(folder / "data", hub.api))
        listening, url = bind_free_port()
        settings = ServiceSettings(
            data=api.data.root, public_url=url, port=listening.getsockname()[1]
        )
        maps = create_maps(settings, hub=make_hub_access("maps", hub.api))
        stack.enter_context(serve_in_thread(maps, listening))
        people = {name: stack.enter_context(api.client(hub.mint(name))) for name in SEEN}
        people["nobody"] = stack.enter_context(api.client(None))
        team = Team(hub, api, f"{url}{MAPS_PREFIX}", people)
        _fill(team)
        yield team


def _fill(team: Team) -> None:
    """Give each owner a collection with a product, a release, a job and a run."""
    makers = {"of-ann": "ann", "of-lakes": "ann", "of-all": "bob"}
    engine = open_database(database_url(team.api.data.database))
    for name, owner in COLLECTIONS.items():
        client = team.people[makers[name]]
        document = {**make_collection(name), "skerry:owner": owner}
        assert client.put(f"stac/collections/{name}", json=document).status_code == 200
        prefix = f"imports/{name}/"
        write_product(team.api.data.objects / prefix / "product.zarr", 7)
        item = make_item("scene", bbox=(13.0, 44.0, 14.0, 45.0), prefix=prefix, **{
            "skerry:variables": {"b04": {"path": "b04", "display_min": 0, "display_max": 255}}
        })  # fmt: skip
        with engine.begin() as connection:
            insert_written(
                connection, item, collection=name, status=VersionStatus.PUBLISHED, owner="ann"
            )
        body = {"name": name, "notebook": make_notebook(), "owner": owner}
        release = ask(client, "POST", "production/releases", 201, json=body)
        seen = {part: release[part] for part in ("notebook_digest", "environment_digest")}
        path = f"production/releases/{release['id']}/approve"
        ask(client, "POST", path, 200, json={"self": True, **seen})
        ask(client, "POST", "production/jobs", 201, json={"name": name, "release": name})
        ask(client, "POST", f"production/jobs/{name}/runs", 201, json={})
    engine.dispose()


def ask(client: httpx.Client, method: str, path: str, status: int, **content: Any) -> Any:
    answer = client.request(method, path, **content)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


def test_the_hub_tells_services_the_groups_of_a_token_s_holder(team: Team) -> None:
    for name, groups in (("ann", ["lakes"]), ("zoe", ["lakes"]), ("bob", [])):
        token = team.people[name].headers["Authorization"].removeprefix("Bearer ")
        facts = team.hub.describe(token)
        assert (facts["name"], facts["groups"]) == (name, groups)


@pytest.mark.parametrize("name", [*SEEN, "nobody"])
def test_each_person_reads_what_is_theirs_their_project_s_or_the_platform_s(
    team: Team, name: str
) -> None:
    client, seen = team.people[name], SEEN.get(name, set())
    listed = ask(client, "GET", "stac/collections", 200)["collections"]
    assert {item["id"] for item in listed} == seen
    found = ask(client, "GET", "stac/search", 200)["features"]
    assert {item["collection"] for item in found} == seen
    for collection in COLLECTIONS:
        is_seen = collection in seen
        refused = 401 if name == "nobody" else 404
        for path in (
            f"stac/collections/{collection}",
            f"stac/collections/{collection}/items/scene",
            f"files/imports/{collection}/product.zarr/zarr.json",
        ):
            assert client.get(path).status_code == (200 if is_seen else refused), path
        body = {"mode": "read", "collection": collection, "item": "scene"}
        assert client.post("grants", json=body).status_code == (201 if is_seen else refused)
        for path in (TILE, "tilejson.json", "legend.png", "point.json?lat=44.5&lon=13.5"):
            shown = team.draw(name, f"tiles/{collection}/scene/b04/{path}")
            assert shown.status_code == (200 if is_seen else refused), path


@pytest.mark.parametrize("name", list(SEEN))
def test_each_person_sees_and_changes_the_same_releases_jobs_and_runs(
    team: Team, name: str
) -> None:
    client, seen = team.people[name], SEEN[name]
    for kind, title in (("releases", "name"), ("jobs", "name"), ("runs", "job")):
        listed = ask(client, "GET", f"production/{kind}", 200)[kind]
        assert {entry[title] for entry in listed} == seen, kind
    runs = {
        entry["job"]: entry["id"]
        for entry in ask(team.people["olga"], "GET", "production/runs", 200)["runs"]
    }
    for job, run in runs.items():
        status = 200 if job in seen else 404
        ask(client, "GET", f"production/releases/{job}", status)
        ask(client, "GET", f"production/jobs/{job}", status)
        ask(client, "GET", f"production/runs/{run}", status)
        ask(client, "POST", f"production/jobs/{job}/pause", status)
        ask(client, "POST", f"production/jobs/{job}/resume", status)
        order = {"idempotency_key": "same"}
        started = client.post(f"production/jobs/{job}/runs", json=order).status_code
        assert started in ({200, 201} if job in seen else {404})


def test_nobody_gives_to_a_project_that_is_not_theirs(team: Team) -> None:
    body = {"name": "own", "notebook": make_notebook(), "owner": "project:lakes"}
    refused = ask(team.people["bob"], "POST", "production/releases", 403, json=body)
    assert refused["remedy"] == "Choose one of: person:bob, project:project-main."
    document = {**make_collection("new"), "skerry:owner": "project:lakes"}
    ask(team.people["bob"], "PUT", "stac/collections/new", 403, json=document)
    opened = {**make_collection("of-all"), "skerry:public": True}
    refused = ask(team.people["bob"], "PUT", "stac/collections/of-all", 403, json=opened)
    assert "custom:skerry:catalog:publicise" in refused["detail"]


def test_a_run_s_token_of_the_hub_speaks_for_the_owner_of_its_run(team: Team) -> None:
    engine = open_database(database_url(team.api.data.database))
    listed = ask(team.people["olga"], "GET", "production/runs?status=queued", 200)["runs"]
    runs = {entry["job"]: entry["id"] for entry in listed}
    tokens = {}
    for job in ("of-lakes", "of-all"):
        with closing(TokenMinter(team.hub.api, team.hub.worker)) as minter:
            minted = minter.mint(note="test", life_s=300)
        with engine.begin() as connection:
            epoch = claim_run(connection, runs[job], 0)
            assert epoch is not None
            record_token(connection, runs[job], epoch, token=minted.token, token_id=minted.id)
        tokens[job] = minted.token
    engine.dispose()
    # Ann made and started the job of the lakes, and so handed over what she sees
    for job, other, seen in (("of-lakes", "of-all", "ann"), ("of-all", "of-lakes", "bob")):
        with team.api.client(tokens[job]) as client:
            listed = ask(client, "GET", "stac/collections", 200)["collections"]
            assert {item["id"] for item in listed} == SEEN[seen]
            write = {"mode": "write", "purpose": "run", "epoch": 1}
            grant = ask(client, "POST", "grants", 201, json={**write, "run": runs[job]})
            ask(client, "POST", "grants", 403, json={**write, "run": runs[other]})
            attempt = f"production/runs/{runs[other]}/attempts/1"
            ask(client, "GET", f"{attempt}/order", 403)
            report = {"done": 1, "total": 1}
            ask(client, "POST", f"{attempt}/progress", 403, json=report)
            ask(client, "GET", f"production/runs/{runs[other]}", 403)
        with team.api.client(tokens[other]) as client:
            ask(client, "POST", f"grants/{grant['id']}/access", 403)


def test_a_service_that_is_called_like_a_person_does_not_speak_for_her(team: Team) -> None:
    facts = team.hub.describe(TWIN)
    assert (facts["kind"], facts["name"]) == ("service", "ann")
    with team.api.client(TWIN) as twin:
        listed = ask(twin, "GET", "stac/collections", 200)["collections"]
        assert {item["id"] for item in listed} == {"of-all"}
        for kind, key in (("jobs", "name"), ("runs", "job")):
            shown = ask(twin, "GET", f"production/{kind}", 200)[kind]
            assert {entry[key] for entry in shown} == {"of-all"}
        document = make_collection("sandbox-ann")
        ask(twin, "PUT", "stac/collections/sandbox-ann", 403, json=document)
        body = {"name": "of-twin", "notebook": make_notebook(), "owner": "person:ann"}
        ask(twin, "POST", "production/releases", 403, json=body)
        release = ask(twin, "POST", "production/releases", 201, json=body | {
            "owner": "service:ann"
        })  # fmt: skip
        assert release["proposed_by"] == "service:ann"
        own = f"production/releases/{release['id']}"
        ask(team.people["ann"], "GET", own, 404)
        grant = ask(twin, "POST", "grants", 201, json={"mode": "write", "purpose": "import"})
        ask(team.people["ann"], "DELETE", f"grants/{grant['id']}", 404)
        ask(twin, "DELETE", f"grants/{grant['id']}", 204)
    given = ask(team.people["ann"], "PUT", "shares/of-ann/service:ann", 200, json={})
    assert given["shares"] == [{"holder": "service:ann", "verb": "see"}]
    with team.api.client(TWIN) as twin:
        ask(twin, "GET", "stac/collections/of-ann", 200)
        ask(team.people["ann"], "DELETE", "shares/of-ann/service:ann", 204)
        ask(twin, "GET", "stac/collections/of-ann", 404)


@pytest.mark.parametrize(
    ("holder", "kept"),
    [
        ("person:bob", "person:bob"),
        ("person:Bob", "person:bob"),
        ("project:lakes", "project:lakes"),
        ("project:project-main", "project:project-main"),
        ("person:nobody-of-this-name", None),
        ("person:lakes", None),
        ("project:Lakes", None),
        ("project:bob", None),
        ("service:bob", None),
        ("person:a/b", None),
    ],
)
def test_things_are_given_only_to_those_whom_the_hub_knows(
    team: Team, holder: str, kept: str | None
) -> None:
    for path in ("shares/of-ann", "production/jobs/of-ann/shares"):
        own = f"{path}/{holder.replace('/', '%2F')}"
        if kept is None:
            answer = team.people["ann"].put(own, json={})
            assert answer.status_code in {404, 422}, answer.text
            assert ask(team.people["ann"], "GET", path, 200)["shares"] == []
            # who may not give learns of nobody
            assert team.people["zoe"].put(own, json={}).status_code == 404
            continue
        given = ask(team.people["ann"], "PUT", own, 200, json={})
        assert given == {"shares": [{"holder": kept, "verb": "see"}], "remark": ""}
        ask(team.people["ann"], "DELETE", own, 204)
        assert ask(team.people["ann"], "GET", path, 200)["shares"] == []


@pytest.mark.parametrize("name", list(SEEN))
def test_dashboards_show_each_person_what_is_theirs(team: Team, name: str) -> None:
    """What the pages read, with the token of a person of the hub, as they read it."""
    token = team.people[name].headers["Authorization"].removeprefix("Bearer ")
    seen, hidden = SEEN[name], set(COLLECTIONS) - SEEN[name]
    with Session(Login(url=team.api.url, token=token, user=name)) as session:
        assert set(list_collections(session).values()) == seen
        newest = {product.collection for product in read_latest(session)}
        assert newest == seen
        assert {row.name for row in read_jobs(session, prefix="/")} == seen
        counts = count_runs(session)
        shown = list_runs(session)
        assert {run.job for run in shown} == seen
        assert sum(counts.values()) == len(shown)
        for collection in hidden:  # chosen by a link of somebody else
            with pytest.raises(NotFoundError):
                read_product(session, collection, "scene")
            with pytest.raises(NotFoundError):
                read_selection(session, collection)
