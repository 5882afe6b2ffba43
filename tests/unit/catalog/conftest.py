"""A migrated database in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine

from skerry.storage.database import database_url, open_database
from skerry.storage.layout import DataFolder
from skerry.storage.migrate import upgrade
from skerry.storage.objects import ObjectFolder


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    upgrade(folder)
    return folder


@pytest.fixture
def objects(data: DataFolder) -> ObjectFolder:
    return ObjectFolder(data.objects)


@pytest.fixture
def engine(data: DataFolder) -> Iterator[Engine]:
    engine = open_database(database_url(data.database))
    yield engine
    engine.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """Return one writing transaction that the test shares with nobody."""
    with engine.begin() as connection:
        yield connection
