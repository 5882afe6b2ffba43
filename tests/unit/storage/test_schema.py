"""The schema and its history on both databases."""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from tests.databases import KINDS, data, engine
from tests.older_schema import open_at

from skerry.catalog.spacetime import EARLIEST, HOUR_US, LATEST, name_boxes, select_overlapping
from skerry.core.settings import DATABASE_VARIABLE
from skerry.storage import migrate
from skerry.storage.columns import METADATA
from skerry.storage.database import find_database, open_database
from skerry.storage.layout import DataFolder

__all__ = ["data", "engine"]

TABLES = (
    "skerry.storage.tables", "skerry.catalog.tables", "skerry.production.tables",
    "skerry.budgets.tables", "skerry.projects.tables",
)  # fmt: skip


@pytest.fixture(params=KINDS)
def fresh(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DataFolder]:
    """Return a data folder whose database is empty."""
    folder = DataFolder(tmp_path / "data")
    folder.create()
    if request.param == "sqlite":
        yield folder
        return
    with request.getfixturevalue("postgresql").database("template0") as url:
        monkeypatch.setenv(DATABASE_VARIABLE, url)
        yield folder


def test_migrated_schema_is_the_declared_one(engine: Engine) -> None:
    for name in TABLES:
        import_module(name)

    def is_ours(_object: Any, name: str | None, _kind: str, _reflected: bool, _other: Any) -> bool:
        # the index of places is declared apart, see catalog.tables; the other one is PostGIS's
        return not (name or "").startswith("items_index") and name != "spatial_ref_sys"

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": is_ours, "compare_type": True}
        )
        changes = compare_metadata(context, METADATA)
    # comments are for those who read the code
    assert [change for change in changes if change[0][0] != "modify_comment"] == []


def test_times_of_older_databases_become_numbers_and_keep_their_checks(
    fresh: DataFolder,
) -> None:
    engine = open_at(find_database(fresh), "0005")
    job = (
        "INSERT INTO jobs (id, name, release_id, parameters, trigger, settled_until, collection,"
        " review, timeout_s, retries, created_by, created_at) VALUES ('j', 'j', 'r', '{}', 'clock',"
        " '2026-05-01T10:30:00.500000Z', 'c', 'none', 1, 0, 'a', '1969-12-31T23:59:59Z')"
    )
    attempt = (
        "INSERT INTO attempts VALUES ('a', :epoch, :status, NULL, NULL, NULL, NULL,"
        " '2026-05-01T00:00:00Z', :ended)"
    )
    run = (
        "INSERT INTO runs (id, job_id, job_name, release_id, occurrence, data_day, partition,"
        " parameters, collection, review, timeout_s, retries, status, generation, epoch,"
        " cancel_requested, progress_done, progress_total, created_by, created_at) VALUES"
        " ('a', 'j', 'j', 'r', 'o', '2026-05-01', '', '{}', 'c', 'none', 1, 0, 'queued', 0, 2,"
        " false, 0, 0, 'a', '2026-05-01T00:00:00Z')"
    )
    release = (
        "INSERT INTO releases VALUES ('r', 'r', 'approved', 'k', 'd', 'e', '{}', '{}', 'a',"
        " '2026-05-01T00:00:00Z', 'a', '2026-05-01T00:00:00Z', false)"
    )
    with engine.begin() as connection:
        connection.execute(text(release))
        connection.execute(text(job))
        connection.execute(text(run))
        for epoch, ended in ((1, None), (2, "2026-05-01T00:00:00.000001Z")):
            values = {"epoch": epoch, "ended": ended, "status": "failed"}
            connection.execute(text(attempt), values)
        connection.execute(
            text("INSERT INTO outputs VALUES ('a', 'o', 1, 'c', 'i', 'd', '2026-05-01T00:00:00Z')")
        )
    engine.dispose()

    migrate.upgrade(fresh)

    day = 1_777_593_600_000_000
    engine = open_database(find_database(fresh))
    with engine.begin() as connection:
        for query, expected in (
            ("SELECT proposed_at, decided_at FROM releases", [(day, day)]),
            ("SELECT settled_until, created_at FROM jobs", [(day + 37_800_500_000, -1_000_000)]),
            ("SELECT created_at, started_at, ended_at FROM runs", [(day, None, None)]),
            ("SELECT started_at, ended_at FROM attempts", [(day, None), (day, day + 1)]),
            ("SELECT published_at FROM outputs", [(day,)]),
            ("SELECT keep_days, keep_count FROM jobs", [(None, None)]),
            ("SELECT count(*) FROM upkeep", [(0,)]),
        ):
            assert [tuple(row) for row in connection.execute(text(query))] == expected
    for change in (
        "UPDATE releases SET status = 'x'", "UPDATE jobs SET trigger = 'x'",
        "UPDATE jobs SET review = 'x'", "UPDATE runs SET status = 'x'",
        "UPDATE attempts SET status = 'x'", "UPDATE jobs SET release_id = 'x'",
    ):  # fmt: skip
        with pytest.raises(IntegrityError), engine.begin() as connection:
            connection.execute(text(change))
    engine.dispose()


def test_collections_of_before_belong_to_the_platform_and_sandboxes_to_their_people(
    fresh: DataFolder,
) -> None:
    engine = open_at(find_database(fresh), "0012")
    insert = (
        "INSERT INTO collections (id, document, public, created, updated)"
        " VALUES (:id, '{}', false, 0, 0)"
    )
    with engine.begin() as connection:
        for name in ("lakes", "sandbox-ann", "sandbox-"):
            connection.execute(text(insert), {"id": name})
    engine.dispose()

    migrate.upgrade(fresh)

    engine = open_database(find_database(fresh))
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT id, owner FROM collections")).all()
        assert {row.id: row.owner for row in rows} == {
            "lakes": "project:project-main", "sandbox-ann": "person:ann",
            "sandbox-": "project:project-main",
        }  # fmt: skip
    engine.dispose()


def test_a_platform_that_has_a_name_keeps_it(fresh: DataFolder) -> None:
    engine = open_at(find_database(fresh), "0013")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO platform (id, created) VALUES ('own', 5)"))
        connection.execute(text("INSERT INTO workers (name, beats) VALUES ('a', 3)"))
    engine.dispose()

    migrate.upgrade(fresh)

    engine = open_database(find_database(fresh))
    with engine.begin() as connection:
        query = text("SELECT id, created, claimed_at FROM platform")
        assert [tuple(row) for row in connection.execute(query)] == [("own", 5, 5)]
        query = text("SELECT name, beats, seen_at FROM workers")
        assert [tuple(row) for row in connection.execute(query)] == [("a", 3, None)]
    engine.dispose()


def test_runs_of_before_name_no_request(fresh: DataFolder) -> None:
    engine = open_at(find_database(fresh), "0015")
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO releases (id, name, status, notebook_key, notebook_digest,"
                " environment_digest, environment, schema, proposed_by, proposed_at, self_approved)"
                " VALUES ('r', 'r', 'approved', 'k', 'd', 'e', '{}', '{}', 'a', 0, false)"
            )
        )
        connection.execute(
            text(
                "INSERT INTO runs (id, job_id, job_name, release_id, occurrence, data_day,"
                " partition, parameters, collection, review, timeout_s, retries, status,"
                " generation, epoch, cancel_requested, progress_done, progress_total, created_by,"
                " created_at) VALUES ('a', 'j', 'j', 'r', 'o', '2026-05-01', '', '{}', 'c', 'none',"
                " 1, 0, 'queued', 0, 0, false, 0, 0, 'a', 0)"
            )
        )
    engine.dispose()
    migrate.upgrade(fresh)
    engine = open_database(find_database(fresh))
    with engine.begin() as connection:
        assert list(connection.execute(text("SELECT id, request FROM runs"))) == [("a", None)]
    engine.dispose()


def test_a_platform_without_a_name_gets_one(fresh: DataFolder) -> None:
    open_at(find_database(fresh), "0013").dispose()
    migrate.upgrade(fresh)
    engine = open_database(find_database(fresh))
    with engine.begin() as connection:
        (row,) = connection.execute(text("SELECT id, claimed_at FROM platform"))
        assert len(row.id) > 20
        assert row.claimed_at is None, "its object store has no mark yet"
    engine.dispose()


def test_work_of_before_belongs_to_the_owner_of_its_collection(fresh: DataFolder) -> None:
    engine = open_at(find_database(fresh), "0014")
    release = (
        "INSERT INTO releases (id, name, status, notebook_key, notebook_digest,"
        " environment_digest, environment, schema, proposed_by, proposed_at, self_approved)"
        " VALUES ('r', 'r', 'approved', 'k', 'd', 'e', '{}', '{}', 'ann', 0, false)"
    )
    collection = (
        "INSERT INTO collections (id, document, public, owner, created, updated)"
        " VALUES ('bay', '{}', false, 'project:lakes', 0, 0)"
    )
    job = (
        "INSERT INTO jobs (id, name, release_id, parameters, trigger, collection, review,"
        " timeout_s, retries, created_by, created_at) VALUES (:name, :name, 'r', '{}', 'manual',"
        " :name, 'none', 1, 0, 'ann', 0)"
    )
    run = (
        "INSERT INTO runs (id, job_id, job_name, release_id, occurrence, data_day, partition,"
        " parameters, collection, review, timeout_s, retries, status, generation, epoch,"
        " cancel_requested, progress_done, progress_total, created_by, created_at) VALUES"
        " (:name, :name, :name, 'r', 'o', '2026-05-01', '', '{}', :name, 'none', 1, 0, 'queued',"
        " 0, 2, false, 0, 0, 'ann', 0)"
    )
    names = ("bay", "new", "sandbox-ann")
    with engine.begin() as connection:
        for statement in (release, collection):
            connection.execute(text(statement))
        for name in names:
            connection.execute(text(job), {"name": name})
            connection.execute(text(run), {"name": name})
    engine.dispose()

    migrate.upgrade(fresh)

    engine = open_database(find_database(fresh))
    with engine.begin() as connection:
        for table in ("jobs", "runs"):
            query = text(f"SELECT owner FROM {table} ORDER BY id")  # noqa: S608
            owners = [row.owner for row in connection.execute(query)]
            assert owners == ["project:lakes", "project:project-main", "person:ann"]
        for table in ("jobs", "releases"):  # what was private stays so
            query = text(f"SELECT DISTINCT public FROM {table}")  # noqa: S608
            assert not any(row.public for row in connection.execute(query))
        assert connection.scalar(text("SELECT owner FROM releases")) == "project:project-main"
    engine.dispose()


def test_shares_of_names_that_the_hub_writes_otherwise_become_those_of_the_person(
    fresh: DataFolder,
) -> None:
    engine = open_at(find_database(fresh), "0019")
    holders = {
        "a": ["person:Ada", "project:Lakes"], "b": ["person:Ada", "person:ada"],
        "c": ["person:ADA", "person:Ada", "person:bob"],
    }  # fmt: skip
    with engine.begin() as connection:
        for name, given in holders.items():
            connection.execute(
                text(
                    "INSERT INTO collections (id, document, public, created, updated)"
                    " VALUES (:name, '{}', false, 0, 0)"
                ),
                {"name": name},
            )
            for holder in given:
                share = (
                    "INSERT INTO shares (collection, holder, verb) VALUES (:name, :holder, 'see')"
                )
                connection.execute(text(share), {"name": name, "holder": holder})
    engine.dispose()

    migrate.upgrade(fresh)

    engine = open_database(find_database(fresh))
    with engine.begin() as connection:
        query = text("SELECT collection, holder FROM shares ORDER BY collection, holder")
        assert [tuple(row) for row in connection.execute(query)] == [
            ("a", "person:ada"), ("a", "project:Lakes"), ("b", "person:ada"),
            ("c", "person:ada"), ("c", "person:bob"),
        ]  # fmt: skip
    engine.dispose()


def test_older_versions_learn_when_they_were_published_as_far_as_that_is_known(
    fresh: DataFolder,
) -> None:
    engine = open_at(find_database(fresh), "0016")
    release = (
        "INSERT INTO releases (id, name, status, notebook_key, notebook_digest,"
        " environment_digest, environment, schema, proposed_by, proposed_at, self_approved)"
        " VALUES ('r', 'r', 'approved', 'k', 'd', 'e', '{}', '{}', 'a', 0, false)"
    )
    run = (
        "INSERT INTO runs (id, job_id, job_name, release_id, occurrence, data_day, partition,"
        " parameters, collection, review, timeout_s, retries, status, generation, epoch,"
        " cancel_requested, progress_done, progress_total, created_by, created_at) VALUES"
        " (:review, 'j', 'j', 'r', :review, '2026-05-01', '', '{}', 'c', :review, 1, 0,"
        " 'succeeded', 0, 1, false, 0, 0, 'a', 0)"
    )
    item = (
        "INSERT INTO items (collection, id, version, status, digest, prefix, begins, ends, run,"
        " output, owner, document, created, updated) VALUES ('c', :id, 1, :status, 'd', :prefix,"
        " 0, 0, :run, :id, 'o', '{}', 5, 9)"
    )
    # id, status, run: when it was published
    expected = {
        ("import", "withdrawn", None): 5,
        ("free", "withdrawn", "none"): 5,
        ("free-old", "superseded", "none"): 5,
        ("reviewed", "published", "required"): 9,
        ("reviewed-gone", "withdrawn", "required"): None,
        ("waiting", "preliminary", "required"): None,
    }
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO collections (id, document, public, created, updated)"
                " VALUES ('c', '{}', false, 0, 0)"
            )
        )
        connection.execute(text(release))
        for review in ("none", "required"):
            connection.execute(text(run), {"review": review})
        for name, status, review in expected:
            values = {"id": name, "status": status, "prefix": f"{name}/", "run": review}
            connection.execute(text(item), values)
    engine.dispose()

    migrate.upgrade(fresh)

    engine = open_database(find_database(fresh))
    with engine.begin() as connection:
        query = "SELECT id, status, run, published, reason, bytes_deleted FROM items"
        rows = connection.execute(text(query)).all()
        assert {tuple(row[:3]): row.published for row in rows} == expected
        assert {(row.reason, row.bytes_deleted) for row in rows} == {(None, None)}
    engine.dispose()


def test_places_of_older_items_are_found_after_the_index_is_made_anew(fresh: DataFolder) -> None:
    engine = open_at(find_database(fresh), "0017")
    hours = {1: (0, 0), 2: (719.5, 720.5), 3: (-17_000_000, 70_000_000), 4: (1440, 1441)}
    with engine.begin() as connection:
        for item, (first, last) in hours.items():
            connection.execute(
                text("INSERT INTO items_index VALUES (:id, 1, 2, 3, 4, :first, :last, :item)"),
                {"id": 2 * item, "first": first, "last": last, "item": item},
            )
    engine.dispose()

    migrate.upgrade(fresh)

    opened = open_database(find_database(fresh))
    with opened.connect() as connection:
        for span, expected in (
            ((720 * HOUR_US, 720 * HOUR_US), {2, 3}),
            ((-HOUR_US, 0), {1, 3}),
            ((EARLIEST, LATEST), {1, 2, 3, 4}),
        ):
            for box, found in (((2, 4, 5, 5), expected), ((2.1, 0, 3, 9), set())):
                names = name_boxes([box], span)
                assert set(connection.scalars(select_overlapping(1), names)) == found
    opened.dispose()
