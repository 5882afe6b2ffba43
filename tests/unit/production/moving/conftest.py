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
from tests.unit.production.conftest import job, release
from tests.unit.production.test_backups import filled, read_rows
from tests.unit.production.test_runs import objects

from skerry.core.errors import ConflictError
from skerry.production.moving.move import Move, Moved
from skerry.production.moving.places import Place, find_place
from skerry.production.moving.signs import check_stopped
from skerry.production.records import platform_tables
from skerry.storage.database import using_database
from skerry.storage.layout import DataFolder
from skerry.storage.objects import Objects
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


def read_records(place: Place) -> dict[str, list[dict[str, Any]]]:
    """Return all rows of all tables, but for what moves tell of themselves."""
    tables = [table for table in platform_tables() if table is not platform]
    with using_database(place.database, read_only=True) as engine:
        return read_rows(engine, tables, of="platform/move/")


def read_bytes(objects: Objects) -> dict[str, bytes | None]:
    """Return the content of each file of a platform in a store."""
    return {
        file.key: objects.read(file.key)
        for family in ("imports/", "runs/", "releases/", "environments/")
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
