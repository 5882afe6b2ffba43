"""Rows go from either database into either database as they are, and their counters go on."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, delete, insert, select, text, update
from sqlalchemy.exc import DatabaseError
from tests.databases import KINDS

from skerry.catalog.tables import collections, items, items_index
from skerry.core.errors import ConflictError
from skerry.core.time import utc_now
from skerry.production.tables import upkeep
from skerry.storage.copying import compare_rows, copy_rows
from skerry.storage.database import database_url, open_database, reading
from skerry.storage.database_urls import parse_database_url
from skerry.storage.migrate import create_schema
from skerry.storage.recording import note_event, writing
from skerry.storage.tables import audit, audit_archives

TABLES = [upkeep, collections, items, items_index, audit_archives, audit]

BOX = {
    "west": -13.123456789, "east": 54.987654321, "south": 0.1, "north": 2.0,
    "first_hour": 493_210.4, "last_hour": 493_210.7,
}  # fmt: skip
"""Most of these numbers need more than 32 bits."""

Make = Callable[[str], Engine]


@pytest.fixture
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Make]:
    """Give what makes an empty database of a kind."""
    with ExitStack() as stack:

        def make(kind: str) -> Engine:
            if kind == "sqlite":
                engine = open_database(database_url(tmp_path / f"{len(list(tmp_path.iterdir()))}"))
                create_schema(engine)
            else:
                url = stack.enter_context(request.getfixturevalue("postgresql").database())
                engine = open_database(parse_database_url(url))
            stack.callback(engine.dispose)
            return engine

        yield make


@pytest.fixture(params=KINDS)
def source(request: pytest.FixtureRequest, make: Make) -> Engine:
    """Return a database with rows of all kinds of values."""
    engine = make(request.param)
    with engine.begin() as connection:
        fill(connection)
    return engine


@pytest.fixture(params=KINDS)
def target(request: pytest.FixtureRequest, make: Make) -> Engine:
    return make(request.param)


def fill(connection: Connection) -> None:
    connection.execute(
        insert(collections).values(
            id="lakes", document={"b": [1, 2.5, None], "a": "\N{SNOWMAN}"}, public=True, created=1,
            updated=2**60,
        )
    )  # fmt: skip
    for number in range(4):
        put(connection, f"item {number}")
    connection.execute(delete(items).where(items.c.id == "item 3"))
    connection.execute(insert(items_index).values(id=2, item=1, **BOX))
    connection.execute(insert(upkeep).values(task="old", begun_at=utc_now(), report=None))
    missing = text("UPDATE upkeep SET report = NULL")
    connection.execute(insert(upkeep).values(task="new", begun_at=utc_now(), report={"a": 1}))
    connection.execute(missing)
    connection.execute(insert(upkeep).values(task="null", begun_at=utc_now(), report=None))


def put(connection: Connection, name: str) -> int:
    row = insert(items).values(
        collection="lakes", id=name, version=1, status="published", digest="d", prefix=name,
        begins=1, ends=2, owner="ada", document={"id": name}, created=1, updated=1,
    )  # fmt: skip
    return int(connection.execute(row).inserted_primary_key[0])  # type: ignore[index]


def copy(source: Engine, target: Engine) -> dict[str, int]:
    with reading(source) as there, writing(target, None) as here:
        copied = copy_rows(there, here, TABLES)
        assert compare_rows(there, here, TABLES) == copied
    return copied


def ask(engine: Engine, query: Any) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(query)]


def test_rows_are_the_same_in_both(source: Engine, target: Engine) -> None:
    counts = copy(source, target)
    assert counts["items"] == 3
    for table in TABLES:
        if table is items_index:
            continue
        assert sorted(ask(target, select(table)), key=repr) == sorted(
            ask(source, select(table)), key=repr
        )
    order = text("SELECT CAST(document AS TEXT) FROM collections")
    assert ask(target, order) == ask(source, order) == [
        ('{"b": [1, 2.5, null], "a": "\\u2603"}',)
    ]  # fmt: skip
    empty = text("SELECT task FROM upkeep WHERE report IS NULL ORDER BY task")
    assert ask(target, empty) == [("new",), ("old",)]


def test_boxes_of_the_index_cover_what_they_covered(source: Engine, target: Engine) -> None:
    copy(source, target)
    [box] = ask(target, select(*(items_index.c[name] for name in BOX)))
    there = dict(zip(BOX, box, strict=True))
    assert there == pytest.approx(BOX, rel=2**-22)
    for low, high in (("west", "east"), ("south", "north"), ("first_hour", "last_hour")):
        assert there[low] <= BOX[low] < BOX[high] <= there[high]


def test_a_moved_box_is_noticed(source: Engine, target: Engine) -> None:
    copy(source, target)
    with target.begin() as connection:
        connection.execute(delete(items_index))
        moved = {**BOX, "east": BOX["east"] + 0.001}
        connection.execute(insert(items_index).values(id=2, item=1, **moved))
    with (
        pytest.raises(ConflictError, match="rows of the table items_index"),
        reading(source) as there,
        reading(target) as here,
    ):
        compare_rows(there, here, TABLES)


@pytest.mark.slow
def test_a_key_is_not_given_again_though_its_row_is_gone(source: Engine, target: Engine) -> None:
    copy(source, target)
    with target.begin() as connection:
        assert put(connection, "next") == 5


@pytest.mark.slow
def test_a_counter_goes_on_where_all_rows_are_gone(make: Make, target: Engine) -> None:
    source = make("sqlite")
    with source.begin() as connection:
        for number in range(3):
            note_event(connection, "cluster/a", "ended", {"number": number})
        connection.execute(
            insert(audit_archives).values(
                first=1, last=3, entries=3, digest="d", at=utc_now(), who="ada"
            )
        )
        connection.execute(delete(audit))
    assert copy(source, target)["audit"] == 0
    with target.begin() as connection:
        note_event(connection, "cluster/a", "ended", {})
    assert ask(target, select(audit.c.number)) == [(4,)]
    with pytest.raises(DatabaseError, match="append-only"), target.begin() as connection:
        connection.execute(delete(audit))


@pytest.mark.slow
def test_an_empty_database_counts_from_the_start(make: Make, target: Engine) -> None:
    copy(make("sqlite"), target)
    with target.begin() as connection:
        note_event(connection, "cluster/a", "ended", {})
    assert ask(target, select(audit.c.number)) == [(1,)]


@pytest.mark.slow
def test_a_change_after_the_copy_is_noticed(source: Engine, target: Engine) -> None:
    copy(source, target)
    with source.begin() as connection:
        connection.execute(
            update(items).where(items.c.id == "item 1").values(document={"id": "other"})
        )
    with (
        pytest.raises(ConflictError, match=r"rows of the table items after the first 0"),
        reading(source) as there,
        reading(target) as here,
    ):
        compare_rows(there, here, TABLES)


@pytest.mark.slow
def test_nothing_is_copied_over_rows(source: Engine, target: Engine) -> None:
    copy(source, target)
    with pytest.raises(ConflictError, match="not empty: the table upkeep has 3 rows"):
        copy(source, target)
