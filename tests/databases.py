"""Fixtures of tests that hold on both databases: a migrated one, in a data folder of its own.

A ``conftest.py`` imports them. Each test that asks for `data` runs twice.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine
from tests.audit_replay import check_audit
from tests.fresh_database import fill_database
from tests.stac_documents import OBJECTS

from skerry.core.settings import DATABASE_VARIABLE
from skerry.storage.database import find_database, open_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_folder import ObjectFolder

KINDS = ("sqlite", pytest.param("postgresql", marks=pytest.mark.postgresql))


@contextmanager
def making_database(request: pytest.FixtureRequest, folder: Path) -> Iterator[DataFolder]:
    """Give a new data folder with the kind of database that is the fixture's parameter."""
    data = DataFolder(folder)
    data.create()
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "sqlite":
            patch.delenv(DATABASE_VARIABLE, raising=False)
            fill_database(data)
            yield data
            return
        with request.getfixturevalue("postgresql").database() as url:
            patch.setenv(DATABASE_VARIABLE, url)
            yield data


@contextmanager
def opening_database(data: DataFolder) -> Iterator[Engine]:
    """Give a folder's database; when the block ends, its audit must tell what it holds."""
    opened = open_database(find_database(data))
    OBJECTS[opened] = ObjectFolder(data.objects)
    try:
        yield opened
        check_audit(opened)
    finally:
        opened.dispose()


@pytest.fixture(params=KINDS)
def data(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DataFolder]:
    with making_database(request, tmp_path / "data") as data:
        yield data


@pytest.fixture
def engine(data: DataFolder) -> Iterator[Engine]:
    with opening_database(data) as opened:
        yield opened


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """Return one writing transaction that the test shares with nobody."""
    with engine.begin() as connection:
        yield connection
