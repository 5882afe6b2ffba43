"""Fixtures of tests that hold on both databases: a migrated one, in a data folder of its own.

A ``conftest.py`` imports them. Each test that asks for `data` runs twice.
"""

from collections.abc import Iterator
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


@pytest.fixture(params=KINDS)
def data(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    if request.param == "sqlite":
        monkeypatch.delenv(DATABASE_VARIABLE, raising=False)
        fill_database(folder)
        yield folder
        return
    with request.getfixturevalue("postgresql").database() as url:
        monkeypatch.setenv(DATABASE_VARIABLE, url)
        yield folder


@pytest.fixture
def engine(data: DataFolder) -> Iterator[Engine]:
    opened = open_database(find_database(data))
    OBJECTS[opened] = ObjectFolder(data.objects)
    try:
        yield opened
        check_audit(opened)
    finally:
        opened.dispose()


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    """Return one writing transaction that the test shares with nobody."""
    with engine.begin() as connection:
        yield connection
