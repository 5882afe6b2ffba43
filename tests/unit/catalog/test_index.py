"""Both databases search through their indexes, as their own explanation of a search says."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text
from tests.databases import KINDS, making_database, opening_database
from tests.stac_documents import make_collection
from tests.viewers import MEMBER

from skerry.catalog import search
from skerry.catalog.collections import put_collection
from skerry.catalog.search import _describe, _plan, parse_query
from skerry.catalog.sight import list_visible
from skerry.catalog.spacetime import EARLIEST, HOUR_US, LATEST
from skerry.catalog.statements import Way, name_values, write_statement
from skerry.catalog.tables import items, items_index
from skerry.core.ownership import KEEPER, PLATFORM_OWNER, Viewer
from skerry.core.time import count_microseconds, utc_now

# SQLAlchemy 2.1.0 warns of the NULLs of a statement that is written out to be explained.
pytestmark = pytest.mark.filterwarnings("ignore:Bound parameter:sqlalchemy.exc.SAWarning")
MANY = 4000
SMALL, LARGE = [10, 40, 12, 42], [-180, -90, 180, 90]
MONTH = "2026-05-01T00:00:00Z/2026-05-31T00:00:00Z"


@pytest.fixture(scope="module", params=KINDS)
def full(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Connection]:
    """Return a transaction that has recorded items all over the world; tests only read there."""
    folder = tmp_path_factory.mktemp("full") / "data"
    with (
        making_database(request, folder) as data,
        opening_database(data) as engine,
        engine.begin() as connection,
    ):
        record_many(connection)
        yield connection


def record_many(connection: Connection) -> None:
    """Record items all over the world, one an hour."""
    for name, owner in (("lakes", PLATFORM_OWNER), ("hidden", "person:zoe")):
        document = make_collection(name, public=False)
        put_collection(connection, document, name, owner="alice", belongs_to=owner)
    now = count_microseconds(utc_now())
    begins = [now - number * HOUR_US for number in range(MANY)]
    connection.execute(
        insert(items),
        [
            {
                "key": number, "id": str(number), "version": 1,
                "collection": "hidden" if number % 9 else "lakes",
                "status": "published", "digest": "d", "prefix": f"imports/{number}/",
                "begins": begins[number], "ends": begins[number], "owner": "alice",
                "document": {}, "created": now, "updated": now,
            }
            for number in range(MANY)
        ],
    )  # fmt: skip
    connection.execute(
        insert(items_index),
        [
            {
                "id": 2 * number, "west": number * 7 % 359 - 180, "east": number * 7 % 359 - 179,
                "south": number * 3 % 179 - 90, "north": number * 3 % 179 - 89, "item": number,
                "first_hour": begins[number] / HOUR_US, "last_hour": begins[number] / HOUR_US,
            }
            for number in range(MANY)
        ],
    )  # fmt: skip
    if connection.dialect.name == "postgresql":  # its server counts rows after a while
        connection.execute(text("ANALYZE"))


def explain(connection: Connection, *, viewer: Viewer = KEEPER, **query: Any) -> str:
    asked = parse_query(**query)
    visible = list_visible(connection, viewer, asked.collections)
    way, window = next(iter(_plan(connection, asked, visible)))
    statement = write_statement(_describe(asked, visible, way, window, viewer=viewer)).params(
        name_values(
            count=11, visible=visible, ids=None, span=asked.span, boxes=asked.boxes,
            window=(EARLIEST, LATEST), place=None,
        )
    )  # fmt: skip
    written = statement.compile(connection.engine, compile_kwargs={"literal_binds": True})
    sqlite = connection.dialect.name == "sqlite"
    explanation_query = f"{'EXPLAIN QUERY PLAN' if sqlite else 'EXPLAIN'} {written}"
    return "\n".join(str(row[-1]) for row in connection.exec_driver_sql(explanation_query))


@pytest.mark.parametrize("more", [{}, {"datetime": MONTH}])
def test_a_small_area_is_looked_up_in_the_spatial_index(
    full: Connection, more: dict[str, str]
) -> None:
    plan = explain(full, bbox=SMALL, **more)
    if full.dialect.name == "sqlite":  # B0D1B2D3B4D5: each of six numbers narrows the R*Tree
        assert "SCAN items_index VIRTUAL TABLE INDEX 2:B0D1B2D3B4D5" in plan
        assert "SEARCH items USING INTEGER PRIMARY KEY" in plan
    else:
        assert "ix_items_index_place" in plan
        [condition] = [line for line in plan.splitlines() if "Index Cond:" in line and "&&" in line]
        assert condition.count("&&") == 3  # months, box and hours narrow the search in the index
        assert "Seq Scan on items" not in plan


@pytest.mark.parametrize("query", [{"bbox": LARGE}, {"datetime": MONTH}, {}])
def test_all_other_searches_go_through_the_items_newest_first(
    full: Connection, query: dict[str, Any]
) -> None:
    plan = explain(full, **query)
    assert "ix_items_by_time" in plan
    _check_nothing_is_sorted(plan)


@pytest.mark.parametrize("query", [{"bbox": LARGE}, {"datetime": "2020-01-01T00:00:00Z/.."}, {}])
def test_a_viewer_goes_through_the_collections_that_they_see(
    full: Connection, query: dict[str, Any]
) -> None:
    plan = explain(full, viewer=MEMBER, **query)
    assert "ix_items_by_collection_and_time" in plan
    assert "ix_items_by_time" not in plan


def test_a_place_with_more_items_than_the_viewer_has_is_left_for_their_collections(
    full: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "_MANY", 0)
    query = parse_query(bbox=[-80, -45, 90, 45])
    ways = {}
    for viewer in (MEMBER, KEEPER):
        visible = list_visible(full, viewer, None)
        ways[viewer] = [(way, window.ends) for way, window in _plan(full, query, visible)]
    own, all_items = ways[MEMBER], ways[KEEPER]
    assert [way for way, _ in own] == [Way.PLACE, Way.PLACE, Way.COLLECTIONS]
    assert {way for way, _ in all_items} == {Way.PLACE}
    assert [end for _, end in own] == [end for _, end in all_items[:3]]


@pytest.mark.parametrize("sortby", ["-created", "+created", "+datetime"])
def test_other_orders_go_through_an_index_too(full: Connection, sortby: str) -> None:
    plan = explain(full, sortby=[sortby])
    index = "ix_items_by_creation" if "created" in sortby else "ix_items_by_time"
    assert index in plan
    _check_nothing_is_sorted(plan)


def _check_nothing_is_sorted(plan: str) -> None:
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan
