"""The schema: made, kept in step with the declared tables, copied before a change, never newer."""

import sqlite3
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from skerry.core.errors import ConflictError
from skerry.storage import migrate
from skerry.storage.database import METADATA, database_url, open_database
from skerry.storage.layout import DataFolder

TABLES = ("skerry.storage.tables", "skerry.catalog.tables", "skerry.production.tables")


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


def test_migrated_schema_is_the_declared_one(engine: Engine) -> None:
    for name in TABLES:
        import_module(name)

    def is_ours(_object: Any, name: str | None, _kind: str, _reflected: bool, _other: Any) -> bool:
        return not (name or "").startswith("items_index")  # virtual, see catalog.tables

    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"include_object": is_ours, "compare_type": True}
        )
        assert compare_metadata(context, METADATA) == []


def test_an_empty_folder_needs_no_copy_and_a_second_upgrade_changes_nothing(
    data: DataFolder,
) -> None:
    migrate.upgrade(data)
    before = data.database.read_bytes()
    migrate.upgrade(data)
    assert data.database.read_bytes() == before
    assert _list_copies(data) == []
    assert data.database.stat().st_mode & 0o077 == 0


def test_an_older_database_is_copied_aside_and_keeps_its_rows(data: DataFolder) -> None:
    config = migrate._configure()
    engine = open_database(database_url(data.database))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO deletions VALUES ('imports/a/', 1)"))
    engine.dispose()

    migrate.upgrade(data)

    (copy,) = _list_copies(data)
    assert ".0001." in copy.name
    assert copy.stat().st_mode & 0o077 == 0
    for path, revision in ((copy, "0001"), (data.database, migrate_head())):
        database = sqlite3.connect(path)
        assert database.execute("SELECT prefix FROM deletions").fetchall() == [("imports/a/",)]
        assert database.execute("SELECT version_num FROM alembic_version").fetchone()[0] == revision
        database.close()


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
        connection.execute(text("INSERT INTO collections VALUES ('c', '{}', 0, 0, 0)"))
        connection.execute(insert, {"id": "one"})
    with pytest.raises(IntegrityError, match=r"items\.run, items\.output"), engine.begin() as again:
        again.execute(insert, {"id": "two"})
