"""A filled platform on either database, and places to move it to."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine
from tests.databases import data, engine
from tests.object_stores import opened_bucket
from tests.platform_process import wait_until
from tests.postgresql_server import PostgresqlServer
from tests.stac_documents import make_item
from tests.unit.production.conftest import job, release
from tests.unit.production.test_backups import filled, read_rows
from tests.unit.production.test_runs import objects

from skerry.catalog.decisions import withdraw_version
from skerry.catalog.deletions import finish_deletions
from skerry.catalog.registration import register_item
from skerry.catalog.settling import settling
from skerry.core.errors import ConflictError
from skerry.core.settings import DATABASE_VARIABLE
from skerry.models.grants import Purpose
from skerry.production.moving.move import Move, Moved
from skerry.production.moving.places import Place, find_place
from skerry.production.moving.signs import check_stopped
from skerry.production.records import FAMILIES, platform_tables
from skerry.storage.database import using_database
from skerry.storage.grants import create_grant
from skerry.storage.layout import DataFolder
from skerry.storage.migrate import check_usable
from skerry.storage.objects import Objects
from skerry.storage.platform_mark import check_store
from skerry.storage.recording import Actor, writing
from skerry.storage.tables import platform

__all__ = ["data", "engine", "filled", "job", "objects", "release"]


@pytest.fixture
def stopped(data: DataFolder, engine: Engine, filled: None) -> Place:
    """Return the place of a filled platform of which nothing is at work."""
    engine.dispose()
    place = find_place(data)
    wait_until(lambda: not is_at_work(place), 20, "the sessions have ended")
    return place


@pytest.fixture
def server(request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
    """Give what makes a new database at the server, without tables."""
    with ExitStack() as stack:

        def make(template: str = "template0") -> str:
            postgresql: PostgresqlServer = request.getfixturevalue("postgresql")
            return stack.enter_context(postgresql.database(template))

        yield make


@pytest.fixture
def bucket(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    with opened_bucket(request.getfixturevalue("s3"), monkeypatch) as address:
        yield address


def is_at_work(place: Place) -> bool:
    try:
        check_stopped(place)
    except ConflictError:
        return True
    return False


def move(place: Place, database: str | Path | None, objects: str | Path | None) -> Moved:
    """Carry out a move as the command does."""
    names = [None if name is None else str(name) for name in (database, objects)]
    return Move.plan(place.data, *names).carry_out()


def register(place: Place, name: str) -> str:
    """Register an import of ada's as the api does; return where its bytes stay."""
    ada, objects = Actor("ada"), place.objects
    with using_database(place.database) as engine:
        with writing(engine, ada) as connection:
            grant = create_grant(connection, Purpose.IMPORT, ada.name)
        item = make_item(name, prefix=grant.prefix)
        for asset in item["assets"].values():
            objects.write(asset["href"], name.encode())
        digest = objects.digest(grant.prefix)
        item["properties"]["skerry:digest"] = digest
        moved = settling(engine, objects, ada, lambda _: [(grant.prefix, str(digest))])
        with moved as homes, writing(engine, ada) as connection:
            stored, _ = register_item(
                connection, item, "lakes", owner=ada.name, objects=objects, homes=homes
            )
    return stored.prefix


def withdraw(place: Place, name: str, *, delete_bytes: bool = False, finish: bool = True) -> None:
    """Withdraw an item of lakes as the api does, or as one that is killed before bytes go."""
    ada = Actor("ada")
    with using_database(place.database) as engine:
        with writing(engine, ada) as connection:
            withdraw_version(
                connection, "lakes", name, 1, by=ada.name, reason="wrong calibration",
                delete_bytes=delete_bytes,
            )  # fmt: skip
        if finish:
            finish_deletions(engine, place.objects)


def settle(place: Place, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Set what the end of a move says; return where the platform is now."""
    for name, value in place.list_settings().items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, place.database if name == DATABASE_VARIABLE else value)
    now = find_place(place.data)
    check_usable(now.data, writing=True)
    check_store(now.data)
    return now


def read_records(place: Place) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables, but for what moves tell of themselves."""
    tables = [table for table in platform_tables() if table is not platform]
    with using_database(place.database, read_only=True) as engine:
        return read_rows(engine, tables, of="platform/move/")


def read_bytes(objects: Objects) -> dict[str, bytes | None]:
    """Return the content of each file of a platform in a store."""
    return {
        file.key: objects.read(file.key)
        for family in FAMILIES
        for file in objects.list_files(family)
    }


def read_folder(root: Path) -> dict[str, bytes]:
    """Return the content of each file of a data folder; not of its locks, which name processes.

    The index beside a SQLite journal is a part of the memory of those who read it.
    """
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name != "lock" and not path.name.endswith("-shm")
    }
