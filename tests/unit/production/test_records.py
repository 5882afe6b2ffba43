"""The prefixes that records name: all of them, in order, few in memory at a time."""

import sqlite3
import tracemalloc
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, insert, select
from tests.fresh_database import fill_database
from tests.unit.production.moving.conftest import filled, job, objects, release

from skerry.catalog.tables import items
from skerry.production import records
from skerry.production.records import estimate_units, list_units
from skerry.storage.database import database_url, using_database
from skerry.storage.layout import DataFolder
from skerry.storage.object_folder import ObjectFolder

__all__ = ["filled", "job", "objects", "release"]


def add_item(connection: Connection, prefix: str, run: str | None = None) -> None:
    connection.execute(
        insert(items).values(
            collection="lakes", id=prefix, version=1, status="withdrawn", digest="d",
            prefix=prefix, begins=1, ends=2, owner="ada", document={}, run=run, output=prefix,
            created=1, updated=1,
        )
    )  # fmt: skip


@pytest.mark.usefixtures("filled")
@pytest.mark.parametrize("stopped", [True, False])
def test_a_list_goes_on_after_each_prefix(
    engine: Engine, data: DataFolder, monkeypatch: pytest.MonkeyPatch, *, stopped: bool
) -> None:
    store = ObjectFolder(data.objects)
    with engine.begin() as connection:
        run = connection.execute(select(items.c.run).where(items.c.run.is_not(None))).scalar_one()
        places = [f"imports/{name}/" for name in ("0", "a", "a-b", "a.b", "a0", "Ä", "zz")]
        for prefix in (*places, "published/imports/x/y/", f"runs/{run}/7/products/x/"):
            add_item(connection, prefix, run if prefix.startswith("runs/") else None)
        add_item(connection, "runs/unknown/1/products/x/", "unknown")

    def walk(after: str = "") -> list[str]:
        return list(list_units(engine.connect, store, stopped=stopped, after=after))

    whole = walk()
    assert whole == sorted(set(whole))
    assert {*places, "imports/first/", "published/imports/x/y/"} <= set(whole)
    assert "runs/unknown/1/products/x/" in whole
    own = [unit for unit in whole if unit.startswith(f"runs/{run}/")]
    assert all(
        not (second.startswith(first) or first.startswith(second))
        for first, second in pairwise(own)
    )
    assert [unit.count("/") for unit in own] == ([3] if stopped else [5, 5])
    with engine.connect() as connection:
        assert len(whole) <= estimate_units(connection) + 2
    monkeypatch.setattr(records, "_PAGE", 2)
    for number, unit in enumerate(whole):
        assert walk(unit) == whole[number + 1 :]


@pytest.mark.slow
def test_a_list_of_many_takes_little_memory(tmp_path: Path) -> None:
    """All of them would take 3 MB."""
    folder, count = DataFolder(tmp_path / "data"), 20_000
    folder.create()
    fill_database(folder)
    with using_database(database_url(folder.database), read_only=True) as engine:
        fill_items(folder, count)
        tracemalloc.start()
        try:
            assert sum(1 for _ in list_units(engine.connect, ObjectFolder(folder.objects))) == count
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 1_500_000


def fill_items(folder: DataFolder, count: int) -> None:
    """Write rows without their audit."""

    def rows() -> Iterator[tuple[object, ...]]:
        for number in range(count):
            yield (f"item-{number}", f"published/imports/{number:026d}/{number:026d}/")

    with closing(sqlite3.connect(folder.database, autocommit=False)) as connection:
        connection.execute(
            "INSERT INTO collections (id, document, public, created, updated)"
            " VALUES ('lakes', '{}', 0, 1, 1)"
        )
        connection.executemany(
            "INSERT INTO items (collection, id, version, status, digest, prefix, begins, ends,"
            " owner, document, created, updated)"
            " VALUES ('lakes', ?, 1, 'withdrawn', 'd', ?, 1, 2, 'ada', '{}', 1, 1)",
            rows(),
        )
        connection.commit()
