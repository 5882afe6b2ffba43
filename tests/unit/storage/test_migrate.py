"""The schema: made, kept in step with the declared tables, copied before a change, never newer."""

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError
from tests.older_schema import open_at

from skerry.core.errors import ConflictError
from skerry.storage import migrate
from skerry.storage.database import database_url, open_database
from skerry.storage.layout import DataFolder

RELEASE = (
    "INSERT INTO releases VALUES"
    " ('r', 'r', 'approved', 'k', 'd', 'e', '{}', '{}', 'a', '2026-05-01T00:00:00Z',"
    " 'a', '2026-05-01T00:00:00Z', 0)"
)
RUN = (
    "INSERT INTO runs VALUES (:id, 'j', 'j', 'r', :id, '', '{}', 'c', :review, 1, 0, 'succeeded',"
    " 1, 1, 1, 0, 0, 0, NULL, NULL, 'a', '2026-05-01T00:00:00Z', NULL, NULL)"
)
COLLECTION = (
    "INSERT INTO collections (id, document, public, created, updated) VALUES ('c', '{}', 0, 0, 0)"
)
ITEM = (
    "INSERT INTO items (key, collection, id, version, status, digest, prefix, begins, ends, run,"
    " output, owner, document, created, updated) VALUES"
    " (:key, 'c', :id, :version, :status, 'd', :prefix, 0, 3600000000, :run, :output, 'o',"
    " :document, 0, 0)"
)
"""Rows of the second revision."""


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    return folder


@pytest.fixture
def engine(data: DataFolder) -> Iterator[Engine]:
    migrate.upgrade(data)
    engine = open_database(database_url(data.database))
    yield engine
    engine.dispose()


def _list_copies(data: DataFolder) -> list[Path]:
    return list(data.state.glob("*.bak"))


def test_an_empty_folder_needs_no_copy_and_a_second_upgrade_changes_nothing(
    data: DataFolder,
) -> None:
    assert migrate.upgrade(data) is None
    before = data.database.read_bytes()
    assert migrate.upgrade(data) is None
    assert data.database.read_bytes() == before
    assert _list_copies(data) == []
    assert data.database.stat().st_mode & 0o077 == 0


def test_an_older_database_is_copied_aside_and_keeps_its_rows(data: DataFolder) -> None:
    engine = open_at(database_url(data.database), "0001")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO deletions VALUES ('imports/a/', 1)"))
    engine.dispose()

    copy = migrate.upgrade(data)

    assert copy is not None
    assert _list_copies(data) == [copy]
    assert ".0001." in copy.name
    assert copy.stat().st_mode & 0o077 == 0
    for path, revision in ((copy, "0001"), (data.database, migrate_head())):
        database = sqlite3.connect(path)
        assert database.execute("SELECT prefix FROM deletions").fetchall() == [("imports/a/",)]
        assert database.execute("SELECT version_num FROM alembic_version").fetchone()[0] == revision
        database.close()


def test_what_a_preliminary_rerun_hid_is_published_again(data: DataFolder) -> None:
    engine = open_at(database_url(data.database), "0002")
    document = {
        "geometry": {
            "type": "MultiPolygon",
            "coordinates": [
                [[[179, 1], [180, 1], [180, 2], [179, 2], [179, 1]]],
                [[[-180, 1], [-178, 1], [-178, 2], [-180, 2], [-180, 1]]],
            ],
        },
        "bbox": [179, 1, -178, 2],
        "properties": {},
    }
    rows = [
        # a published product, hidden by two preliminary reruns
        ("hidden", 1, "superseded", None), ("hidden", 2, "superseded", "review"),
        ("hidden", 3, "preliminary", "review"),
        # never published, published as before, and published anew
        ("waiting", 1, "superseded", "review"), ("waiting", 2, "preliminary", "review"),
        ("plain", 1, "published", "free"),
        ("anew", 1, "superseded", "free"), ("anew", 2, "published", "free"),
    ]  # fmt: skip
    with engine.begin() as connection:
        connection.exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        connection.execute(text(COLLECTION))
        connection.execute(text(RELEASE))
        for review in ("none", "required"):
            connection.execute(
                text(RUN), {"id": "free" if review == "none" else "review", "review": review}
            )
        for key, (name, version, status, run) in enumerate(rows, start=1):
            connection.execute(
                text(ITEM),
                {
                    "key": key, "id": name, "version": version, "status": status, "run": run,
                    "prefix": f"p{key}/", "output": str(key), "document": json.dumps(document),
                },
            )  # fmt: skip
            if status != "superseded":
                connection.execute(
                    text("INSERT INTO items_index VALUES (:id, 1, 2, 1, 2, 0, 1, :key)"),
                    {"id": 2 * key, "key": key},
                )
    engine.dispose()

    migrate.upgrade(data)

    database = sqlite3.connect(data.database)
    actual = database.execute("SELECT id, version, status FROM items ORDER BY key").fetchall()
    expected = [(name, version, status) for name, version, status, _ in rows]
    expected[0] = ("hidden", 1, "published")
    assert actual == expected
    boxes = database.execute(
        "SELECT west, east, south, north, item FROM items_index WHERE item = 1 ORDER BY id"
    ).fetchall()
    assert boxes == [(179.0, 180.0, 1.0, 2.0, 1), (-180.0, -178.0, 1.0, 2.0, 1)]
    database.close()


def test_imports_of_older_folders_get_both_digests(data: DataFolder) -> None:
    engine = open_at(database_url(data.database), "0004")
    document = {
        "properties": {"skerry:digest": "source"},
        "assets": {"product": {"file:checksum": "bytes"}},
    }
    with engine.begin() as connection:
        connection.execute(text(COLLECTION))
        for key, prefix in enumerate(("imports/a/", "runs/a/1/products/t/"), start=1):
            connection.execute(
                text(ITEM),
                {
                    "key": key, "id": prefix, "version": 1, "status": "published", "run": None,
                    "prefix": prefix, "output": None, "document": json.dumps(document),
                },
            )  # fmt: skip
    engine.dispose()

    migrate.upgrade(data)

    database = sqlite3.connect(data.database)
    rows = database.execute("SELECT digest, document FROM items ORDER BY key").fetchall()
    database.close()
    assert [(digest, json.loads(text)["properties"]) for digest, text in rows] == [
        ("bytes", {"skerry:digest": "bytes", "skerry:source_digest": "source"}),
        ("d", {"skerry:digest": "source"}),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("status", ["published", "preliminary"])
def test_one_version_of_an_item_has_each_of_the_two_statuses(engine: Engine, status: str) -> None:
    insert = (
        "INSERT INTO items (collection, id, version, status, digest, prefix, begins, ends, owner,"
        " document, created, updated) VALUES"
        " ('c', 'a', :version, :status, 'd', :version, 0, 0, 'o', '{}', 0, 0)"
    )
    with engine.begin() as connection:
        connection.execute(text(COLLECTION))
        for version, other in enumerate(("published", "preliminary", "withdrawn", "withdrawn")):
            connection.execute(text(insert), {"version": version, "status": other})
    with pytest.raises(IntegrityError, match=r"items\.id"), engine.begin() as connection:
        connection.execute(text(insert), {"version": 9, "status": status})


def migrate_head() -> str:
    from alembic.script import ScriptDirectory

    head = ScriptDirectory.from_config(migrate._configure()).get_current_head()
    assert head is not None
    return head


def test_a_newer_database_is_refused_and_left_alone(data: DataFolder) -> None:
    migrate.upgrade(data)
    engine = open_database(database_url(data.database))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()

    with pytest.raises(ConflictError) as caught:
        migrate.upgrade(data)

    assert "9999" in caught.value.what
    assert migrate_head() in caught.value.what
    assert _list_copies(data) == []


def test_a_run_publishes_an_output_once(engine: Engine) -> None:
    insert = text(
        "INSERT INTO items (collection, id, version, status, digest, prefix, begins, ends, run,"
        " output, owner, document, created, updated) VALUES"
        " ('c', :id, 1, 'published', 'd', :id, 0, 0, 'r', 'o', 'a', '{}', 0, 0)"
    )
    with engine.begin() as connection:
        connection.execute(text(COLLECTION))
        connection.execute(insert, {"id": "one"})
    with pytest.raises(IntegrityError, match=r"items\.run, items\.output"), engine.begin() as again:
        again.execute(insert, {"id": "two"})


def test_runs_keep_their_attempts_and_learn_their_data_day(data: DataFolder) -> None:
    engine = open_at(database_url(data.database), "0003")
    with engine.begin() as connection:
        connection.execute(text(RELEASE))
        connection.execute(text(RUN), {"id": "clock/2026-05-01T05:00:00Z", "review": "none"})
        connection.execute(
            text(
                "INSERT INTO attempts VALUES ('clock/2026-05-01T05:00:00Z', 1, 'published', NULL,"
                " NULL, NULL, NULL, '2026-05-01T00:00:00Z', '2026-05-01T00:00:00Z')"
            )
        )
    engine.dispose()
    migrate.upgrade(data)
    engine = open_database(database_url(data.database))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT data_day FROM runs")).scalar() == "2026-05-01"
        assert connection.execute(text("SELECT count(*) FROM attempts")).scalar() == 1
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    engine.dispose()


def test_a_clocks_older_runs_get_the_day_in_its_own_time_zone(data: DataFolder) -> None:
    engine = open_at(database_url(data.database), "0003")
    job = (
        "INSERT INTO jobs VALUES (:id, :id, 'r', '{}', 'clock', '30 0 * * *', :zone,"
        " '2026-05-01T00:00:00Z', 'c', 'none', 1, 0, 'a', '2026-05-01T00:00:00Z')"
    )
    tick = "clock/2026-06-20T22:30:00Z"
    with engine.begin() as connection:
        connection.execute(text(RELEASE))
        for name, zone in (("berlin", "Europe/Berlin"), ("utc", "UTC"), ("gone", "No/Such")):
            connection.execute(text(job), {"id": name, "zone": zone})
            connection.execute(text(RUN), {"id": name, "review": "none"})
            connection.execute(
                text("UPDATE runs SET job_id = :job, occurrence = :tick WHERE id = :job"),
                {"job": name, "tick": tick},
            )
    engine.dispose()

    migrate.upgrade(data)

    database = sqlite3.connect(data.database)
    result = dict(database.execute("SELECT id, data_day FROM runs").fetchall())
    database.close()
    assert result == {"berlin": "2026-06-21", "utc": "2026-06-20", "gone": "2026-06-20"}


def test_words_in_parameters_of_jobs_become_expressions(data: DataFolder) -> None:
    engine = open_at(database_url(data.database), "0003")
    job = (
        "INSERT INTO jobs VALUES ('j', 'j', 'r', :parameters, 'manual', NULL, NULL, NULL, 'c',"
        " 'none', 1, 0, 'a', '2026-05-01T00:00:00Z')"
    )
    parameters = {"day": "{data_day-1}", "all": ["{data_day} {data_day+20}", {"at": "{tick}"}, 3]}
    with engine.begin() as connection:
        connection.execute(text(RELEASE))
        connection.execute(text(job), {"parameters": json.dumps(parameters)})
    engine.dispose()

    migrate.upgrade(data)

    database = sqlite3.connect(data.database)
    [[stored]] = database.execute("SELECT parameters FROM jobs").fetchall()
    database.close()
    assert json.loads(stored) == {
        "day": "{{ day - 1d }}",
        "all": ["{{ day }} {{ day + 20d }}", {"at": "{{ tick }}"}, 3],
    }
