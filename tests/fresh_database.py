"""A new platform's database, copied from a migrated file: migrations run once, not in each test."""

import os
import sqlite3
import tempfile
from contextlib import closing
from functools import cache
from pathlib import Path

import pytest

from skerry.core.ids import new_id
from skerry.core.settings import DATABASE_VARIABLE
from skerry.storage.layout import DataFolder
from skerry.storage.migrate import upgrade


def fill_database(data: DataFolder) -> None:
    """Give a new data folder what `skerry.storage.migrate.upgrade` gives it.

    Where the database is on a server, `upgrade` does it.
    """
    if DATABASE_VARIABLE in os.environ:
        upgrade(data)
        return
    assert not data.database.exists()
    data.database.touch(0o600)
    data.database.write_bytes(_read_migrated())
    with closing(sqlite3.connect(data.database)) as connection, connection:
        connection.execute("UPDATE platform SET id = ?", [new_id()])  # each platform has its own


@cache
def _read_migrated() -> bytes:
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.delenv(DATABASE_VARIABLE, raising=False)
        data = DataFolder(Path(folder) / "data")
        data.create()
        upgrade(data)
        return data.database.read_bytes()
