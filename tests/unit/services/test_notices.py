"""What everybody is told of the platform, and the end-to-end run over HTTP: who may, what stays."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update
from tests.served_api import ServedApi, serve_api, serve_people
from tests.stac_documents import make_collection

from skerry.core.scopes import OPERATOR, REVIEWER, SCIENTIST
from skerry.core.time import format_time, parse_time, utc_now
from skerry.production import notices
from skerry.production.tables import jobs, releases, runs
from skerry.storage.database import database_url, open_database

SOON = utc_now().replace(microsecond=0) + timedelta(hours=1)
PLANNED = {
    "begins": format_time(SOON), "ends": format_time(SOON + timedelta(hours=1)),
    "text": "New version; runs go on.",
}  # fmt: skip


@pytest.fixture
def team(api: ServedApi) -> Iterator[dict[str, httpx.Client]]:
    roles = {"op": OPERATOR, "sci": SCIENTIST, "rev": REVIEWER}
    with serve_people(api, roles) as people:
        yield people


def count_rows(api: ServedApi, table: Any) -> int:
    engine = open_database(database_url(api.data.database))
    try:
        with engine.connect() as connection:
            return int(connection.execute(select(func.count()).select_from(table)).scalar_one())
    finally:
        engine.dispose()


def test_an_operator_announces_maintenance_and_everybody_reads_it(team: Any) -> None:
    for name in ("nobody", "sci", "rev"):
        expected = 401 if name == "nobody" else 403
        assert team[name].put("platform/maintenance", json=PLANNED).status_code == expected
        assert team[name].delete("platform/maintenance").status_code == expected
    assert team["op"].put("platform/maintenance", json=PLANNED).status_code == 200
    told = team["nobody"].get("platform/notices").json()
    assert told["maintenance"] == PLANNED
    later = PLANNED | {"text": "Later."}
    team["op"].put("platform/maintenance", json=later).raise_for_status()
    assert team["nobody"].get("platform/notices").json()["maintenance"]["text"] == "Later."
    assert team["op"].delete("platform/maintenance").status_code == 204
    assert team["nobody"].get("platform/notices").json()["maintenance"] is None
    assert team["op"].delete("platform/maintenance").status_code == 404


def test_maintenance_that_is_over_is_told_no_more(
    team: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    team["op"].put("platform/maintenance", json=PLANNED).raise_for_status()
    assert team["nobody"].get("platform/notices").json()["maintenance"] is not None
    monkeypatch.setattr(notices, "utc_now", lambda: parse_time(PLANNED["ends"]))
    assert team["nobody"].get("platform/notices").json()["maintenance"] is None
    team["op"].delete("platform/maintenance").raise_for_status()


def test_maintenance_of_the_past_is_refused_and_what_was_announced_stays(team: Any) -> None:
    team["op"].put("platform/maintenance", json=PLANNED).raise_for_status()
    over = PLANNED | {"begins": "2026-01-01T00:00:00Z", "ends": "2026-01-01T01:00:00Z"}
    refused = team["op"].put("platform/maintenance", json=over)
    assert refused.status_code == 422
    assert "ended at 2026-01-01T01:00:00Z" in refused.json()["detail"]
    told = team["nobody"].get("platform/notices").json()["maintenance"]
    assert told["ends"] == PLANNED["ends"]


def test_maintenance_that_ends_before_it_begins_is_refused_in_words(team: Any) -> None:
    turned = PLANNED | {"ends": PLANNED["begins"]}
    refused = team["op"].put("platform/maintenance", json=turned).json()
    assert refused["detail"] == "Maintenance must end after it begins."


@pytest.mark.parametrize(
    "change",
    [
        {"ends": PLANNED["begins"]}, {"text": "  "}, {"text": "x" * 501}, {"begins": "tomorrow"},
        {"begins": "2026-12-01T20:00:00"}, {"more": 1},
        # a page could show neither of them in every time zone
        {"begins": "0001-01-01T00:00:00+14:00"}, {"ends": "9999-12-31T23:59:59-14:00"},
    ],
)  # fmt: skip
def test_maintenance_that_cannot_be_is_refused(team: Any, change: dict[str, Any]) -> None:
    answer = team["op"].put("platform/maintenance", json=PLANNED | change)
    assert answer.status_code == 422
    assert answer.json()["remedy"]


def test_an_end_to_end_run_needs_no_approver_and_leaves_nothing(api: ServedApi, team: Any) -> None:
    for name, expected in (("nobody", 401), ("sci", 403), ("rev", 403)):
        assert team[name].post("platform/end-to-end").status_code == expected
    started = team["op"].post("platform/end-to-end")
    assert started.status_code == 201
    name, run = started.json()["name"], started.json()["run"]
    assert started.json()["has_gateway"] is False
    assert team["op"].get(f"production/runs/{run}").json()["status"] == "queued"
    release = team["op"].get(f"production/jobs/{name}").json()
    assert release["policy"]["review"] == "required", "its product stays preliminary"
    well = {"succeeded": True, "seconds": 4.2}
    end = f"platform/end-to-end/{name}/end"
    assert team["sci"].post(end, json=well).status_code == 403
    under_way = team["op"].post(end, json=well)
    assert under_way.status_code == 409
    assert team["nobody"].get("platform/notices").json()["end_to_end"] is None
    team["op"].post(f"production/runs/{run}/cancel").raise_for_status()
    assert team["op"].post(end, json=well).status_code == 204
    last = team["nobody"].get("platform/notices").json()["end_to_end"]
    assert last["seconds"] == 4.2
    for table in (jobs, runs, releases):
        assert count_rows(api, table) == 0
    assert not list(api.data.objects.glob("releases/*"))
    assert team["op"].post(end, json=well).status_code == 404


def test_a_run_that_failed_is_not_recorded_as_a_success(team: Any) -> None:
    before = team["nobody"].get("platform/notices").json()["end_to_end"]
    started = team["op"].post("platform/end-to-end").json()
    team["op"].post(f"production/runs/{started['run']}/cancel").raise_for_status()
    failed = {"succeeded": False, "seconds": 300}
    end = f"platform/end-to-end/{started['name']}/end"
    team["op"].post(end, json=failed).raise_for_status()
    assert team["nobody"].get("platform/notices").json()["end_to_end"] == before


def test_it_removes_nothing_but_its_own(api: ServedApi, team: Any) -> None:
    """A job of somebody's that has such a name is none of it."""
    started = team["op"].post("platform/end-to-end").json()
    engine = open_database(database_url(api.data.database))
    with engine.begin() as connection:
        connection.execute(update(releases).values(proposed_by="mallory"))
    engine.dispose()
    team["op"].post(f"production/runs/{started['run']}/cancel").raise_for_status()
    end = f"platform/end-to-end/{started['name']}/end"
    answer = team["op"].post(end, json={"succeeded": True, "seconds": 1})
    assert answer.status_code == 404
    assert count_rows(api, jobs) == 1


def test_a_job_of_its_release_names_no_collection_that_is_removed(
    api: ServedApi, team: Any
) -> None:
    """An operator sees the release, and may make a job with the name of another's collection."""
    scenes = make_collection("scenes")
    team["sci"].put("stac/collections/scenes", json=scenes).raise_for_status()
    started = team["op"].post("platform/end-to-end").json()
    team["op"].post(f"production/runs/{started['run']}/cancel").raise_for_status()
    [release] = team["op"].get("production/releases").json()["releases"]
    order = {"name": "scenes", "release": release["id"], "collection": "others"}
    team["op"].post("production/jobs", json=order).raise_for_status()
    own = f"production/jobs/{started['name']}"
    team["op"].delete(own, params={"history": True}).raise_for_status()
    failed = {"succeeded": False, "seconds": 1}
    answer = team["op"].post("platform/end-to-end/scenes/end", json=failed)
    assert answer.status_code == 404
    engine = open_database(database_url(api.data.database))
    with engine.begin() as connection:  # nor when it is taken for what an old one left
        connection.execute(update(jobs).values(created_at=utc_now() - timedelta(hours=2)))
    engine.dispose()
    team["op"].post("platform/end-to-end").raise_for_status()
    team["sci"].get("stac/collections/scenes").raise_for_status()
    team["op"].get("production/jobs/scenes").raise_for_status()


def test_what_a_forgotten_one_left_goes_with_the_next(api: ServedApi, team: Any) -> None:
    forgotten = team["op"].post("platform/end-to-end").json()
    team["op"].post(f"production/runs/{forgotten['run']}/cancel").raise_for_status()
    recent = team["op"].post("platform/end-to-end").json()
    assert count_rows(api, jobs) == 2, "it is too young to be forgotten"
    engine = open_database(database_url(api.data.database))
    with engine.begin() as connection:
        old = utc_now() - timedelta(hours=2)
        is_old = jobs.c.name == forgotten["name"]
        connection.execute(update(jobs).where(is_old).values(created_at=old))
    engine.dispose()
    team["op"].post("platform/end-to-end").raise_for_status()
    names = {job["name"] for job in team["op"].get("production/jobs").json()["jobs"]}
    assert forgotten["name"] not in names
    assert recent["name"] in names
    assert len(names) == 2


def test_it_goes_where_nobody_may_approve_their_own(tmp_path: Any) -> None:
    with (
        serve_api(tmp_path / "team", self_approval=False) as api,
        serve_people(api, {"op": OPERATOR}) as people,
    ):
        assert people["op"].post("platform/end-to-end").status_code == 201
