"""Both databases search through their indexes, as their own explanation of a search says."""

from typing import Any

import pytest
from sqlalchemy import Connection, insert, text
from tests.stac_documents import make_collection
from tests.viewers import MEMBER

from skerry.catalog.collections import put_collection
from skerry.catalog.search import _describe, parse_query
from skerry.catalog.spacetime import EARLIEST, HOUR_US, LATEST
from skerry.catalog.statements import name_values, write_statement
from skerry.catalog.tables import items, items_index
from skerry.core.time import count_microseconds, utc_now

MANY = 4000
SMALL, LARGE = [10, 40, 12, 42], [-180, -90, 180, 90]
MONTH = "2026-05-01T00:00:00Z/2026-05-31T00:00:00Z"


@pytest.fixture
def full(connection: Connection) -> Connection:
    """Return a transaction that has recorded items all over the world, one an hour."""
    put_collection(connection, make_collection("lakes"), "lakes", owner="alice")
    now = count_microseconds(utc_now())
    begins = [now - number * HOUR_US for number in range(MANY)]
    connection.execute(
        insert(items),
        [
            {
                "key": number, "collection": "lakes", "id": str(number), "version": 1,
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
    return connection


def explain(connection: Connection, **query: Any) -> str:
    search = parse_query(**query)
    statement = write_statement(_describe(search, None, viewer=MEMBER)).params(
        name_values(
            count=11, collections=None, ids=None, span=search.span, boxes=search.boxes,
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


@pytest.mark.parametrize("sortby", ["-created", "+created", "+datetime"])
def test_other_orders_go_through_an_index_too(full: Connection, sortby: str) -> None:
    plan = explain(full, sortby=[sortby])
    index = "ix_items_by_creation" if "created" in sortby else "ix_items_by_time"
    assert index in plan
    _check_nothing_is_sorted(plan)


def _check_nothing_is_sorted(plan: str) -> None:
    assert "Sort" not in plan
    assert "TEMP B-TREE" not in plan
