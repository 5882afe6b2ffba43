"""Search, held against a brute-force reading of every item with shapely."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import shapely
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from shapely.geometry import box, shape
from sqlalchemy import Connection, update
from tests.examples import examples
from tests.stac_documents import insert_written, make_collection, make_item
from tests.viewers import MEMBER, choose_viewer

from skerry.catalog import search, windows
from skerry.catalog.collections import put_collection
from skerry.catalog.items import StoredItem
from skerry.catalog.search import parse_query, search_items
from skerry.catalog.spacetime import parse_interval, split_bbox
from skerry.catalog.tables import items
from skerry.core.errors import InvalidInputError
from skerry.core.time import format_time

START = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING = 1000
LIMITS = ("_MOST_COLLECTIONS", "_FEW_ITEMS", "_MANY")
# each collection in order, all items of the collections, all items in order; by place or without
WAYS = [
    (32, 20_000, 500), (32, 20_000, -1), (1, 20_000, 500), (1, 20_000, -1), (1, 0, 500), (1, 0, -1)
]  # fmt: skip

# halves are exact in the index's 32-bit floats, thirds are not: both kinds of edge are met
degrees = st.one_of(
    st.integers(-20, 20).map(lambda n: n * 9.0 if abs(n) <= 10 else n / 2),
    st.floats(-90, 90, width=64),
)
hours = st.integers(0, 96)
orders = st.lists(
    st.sampled_from(["datetime", "created"]).flatmap(
        lambda name: st.sampled_from([f"+{name}", f"-{name}", name])
    ),
    max_size=2,
    unique_by=lambda text: text.strip("+-"),
)


@st.composite
def boxes(draw: st.DrawFn) -> tuple[float, float, float, float]:
    west, east = sorted((draw(degrees) * 2, draw(degrees) * 2))
    south, north = sorted((draw(degrees), draw(degrees)))
    # never a line along the pole or the antimeridian
    return min(west, 179.5), min(south, 89.5), min(180.0, east + 0.5), min(90.0, north + 0.5)


@st.composite
def searches(draw: st.DrawFn) -> dict[str, Any]:
    query: dict[str, Any] = {}
    if draw(st.booleans()):
        west, south, east, north = draw(boxes())
        query["bbox"] = [east, south, west, north] if draw(st.booleans()) else [
            west, south, east, north,
        ]  # fmt: skip
    elif draw(st.booleans()):
        points = [(draw(degrees), draw(degrees)) for _ in range(3)]
        area = shapely.convex_hull(shapely.MultiPoint(points)).buffer(0.25)
        area = area.intersection(box(-180, -90, 180, 90))
        query["intersects"] = shapely.geometry.mapping(area)
    if draw(st.booleans()):
        first, last = sorted((draw(hours), draw(hours)))
        ends = [format_time(START + timedelta(hours=hour)) for hour in (first, last)]
        form = draw(st.sampled_from(["{0}", "{0}/{1}", "../{1}", "{0}/.."]))
        query["datetime"] = form.format(*ends)
    if draw(st.booleans()):
        query["collections"] = draw(st.lists(st.sampled_from(["a", "b", "c"])))
    if draw(st.booleans()):
        query["ids"] = [f"item{n}" for n in draw(st.lists(st.integers(0, 12)))]
    query["sortby"] = draw(orders)
    return query


def _fits(item: StoredItem, query: dict[str, Any]) -> bool:
    area = None
    if "bbox" in query:
        area = shapely.union_all([box(*entry) for entry in split_bbox(query["bbox"])])
    elif "intersects" in query:
        area = shape(query["intersects"])
    begins, ends = parse_interval(query.get("datetime", "../2999-01-01T00:00:00Z"))
    return (
        (area is None or area.intersects(shape(item.document["geometry"])))
        and begins <= item.begins <= ends
        and item.collection in query.get("collections", [item.collection])
        and item.id in query.get("ids", [item.id])
    )


@pytest.fixture
def catalogue(connection: Connection) -> Connection:
    for name, public in (("a", True), ("b", True), ("c", False)):
        put_collection(connection, make_collection(name, public=public), name, owner="alice")
    return connection


def _insert(connection: Connection, number: int, area: Any, hour: int) -> StoredItem:
    collection = "abc"[number % 3]
    when = format_time(START + timedelta(hours=hour))
    item = make_item(f"item{number}", bbox=area, datetime=when)
    return insert_written(
        connection, item, collection=collection, status="published", owner="alice"
    )


@pytest.mark.slow
@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    places=st.lists(st.tuples(boxes(), hours), max_size=12),
    queries=st.lists(searches(), min_size=1, max_size=8),
    limit=st.integers(1, 5),
    private=st.booleans(),
    narrow=st.booleans(),
    ways=st.sampled_from(WAYS),
)
def test_search_agrees_with_reading_everything(
    catalogue: Connection, places: Any, queries: Any, limit: int, private: bool, narrow: bool,
    ways: tuple[int, int, float],
) -> None:  # fmt: skip
    with (
        pytest.MonkeyPatch.context() as patch,
        closing(catalogue.begin_nested()),  # rolled back, so that no example sees another's items
    ):
        patch.setattr(windows, "_FRESH_S", -1.0)
        for name, value in zip(LIMITS, ways, strict=True):
            patch.setattr(search, name, value)
        if narrow:  # as in a catalogue with many more items
            patch.setattr(windows, "_FEW", 0.0)
            patch.setattr(windows, "_EXPECTED", 1e-4)
        _check_against_reading_everything(catalogue, places, queries, limit, private=private)


def _place(item: StoredItem, sortby: list[str]) -> tuple[int, ...]:
    """Return numbers by which items are in order, as their own documents say the times."""
    names = [entry.strip("+-") for entry in sortby] or ["datetime"]
    signs = [-1 if entry.startswith("-") else 1 for entry in sortby] or [-1]
    times = {"datetime": item.begins, "created": item.created}
    values = [sign * times[name] for name, sign in zip(names, signs, strict=True)]
    return (*values, signs[-1] * item.key)


def _check_against_reading_everything(
    catalogue: Connection, places: Any, queries: Any, limit: int, *, private: bool
) -> None:
    stored = [_insert(catalogue, n, area, hour) for n, (area, hour) in enumerate(places)]
    for query in queries:
        expected = [
            item
            for item in stored
            if (private or (item.public and item.status == "published")) and _fits(item, query)
        ]
        expected.sort(key=lambda item, query=query: _place(item, query["sortby"]))
        actual: list[StoredItem] = []
        token = None
        while True:
            asked = parse_query(**query, limit=limit, token=token)
            page = search_items(catalogue, asked, viewer=choose_viewer(private=private))
            assert len(page.items) <= limit
            actual += page.items
            token = page.next_token
            if token is None:
                break
        assert actual == expected


def test_pages_are_stable_while_items_are_registered(catalogue: Connection) -> None:
    for number in range(6):
        _insert(catalogue, number * 3, (0, 0, 1, 1), hour=5)
    first = search_items(catalogue, parse_query(limit=3), viewer=MEMBER)
    for number, hour in ((20, 5), (23, 9), (26, 1)):
        _insert(catalogue, number, (0, 0, 1, 1), hour)
    rest = search_items(catalogue, parse_query(limit=10, token=first.next_token), viewer=MEMBER)
    ids = [item.id for item in (*first.items, *rest.items)]
    assert ids[:6] == ["item15", "item12", "item9", "item6", "item3", "item0"]
    assert len(ids) == len(set(ids))


def test_newest_registrations_come_first_whatever_their_data_say(catalogue: Connection) -> None:
    for number, (hour, created) in enumerate(((9, 3), (5, 1), (7, 3), (1, 2))):
        item = _insert(catalogue, number * 3, (0, 0, 1, 1), hour)
        changed = update(items).where(items.c.key == item.key).values(created=created)
        catalogue.execute(changed)
    for sortby, expected in (
        (["-created"], [6, 0, 9, 3]),
        (["properties.created"], [3, 9, 0, 6]),
        ([{"field": "created", "direction": "desc"}, {"field": "datetime", "direction": "asc"}],
         [6, 0, 9, 3]),
        (["-created", "-datetime"], [0, 6, 9, 3]),
        (["+datetime"], [9, 3, 6, 0]),
    ):  # fmt: skip
        names, token = [], None
        for _ in expected:
            query = parse_query(limit=1, sortby=sortby, token=token)
            page = search_items(catalogue, query, viewer=MEMBER)
            names += [item.id for item in page.items]
            token = page.next_token
        assert names == [f"item{number}" for number in expected]
        assert token is None


@pytest.mark.parametrize("name", ["ids", "collections"])
def test_none_of_no_names_is_found(catalogue: Connection, name: str) -> None:
    """A list that turned out empty must not give everything."""
    _insert(catalogue, 0, (0, 0, 1, 1), hour=0)
    empty: dict[str, Any] = {name: []}
    assert search_items(catalogue, parse_query(**empty), viewer=MEMBER).items == []
    left_out: dict[str, Any] = {name: None}
    assert len(search_items(catalogue, parse_query(**left_out), viewer=MEMBER).items) == 1


def test_a_box_across_the_antimeridian_finds_both_sides(catalogue: Connection) -> None:
    _insert(catalogue, 0, (175, -5, 179, 5), hour=0)
    _insert(catalogue, 3, (-179, -5, -175, 5), hour=1)
    _insert(catalogue, 6, (0, -5, 5, 5), hour=2)
    page = search_items(catalogue, parse_query(bbox=[170, -10, -170, 10]), viewer=MEMBER)
    assert [item.id for item in page.items] == ["item3", "item0"]


def test_the_exact_geometry_decides_not_its_box(catalogue: Connection) -> None:
    item = make_item("triangle", bbox=(0, 0, 10, 10))
    item["geometry"] = {"type": "Polygon", "coordinates": [[[0, 0], [10, 0], [0, 10], [0, 0]]]}
    insert_written(catalogue, item, collection="a", status="published", owner="alice")
    corner = parse_query(bbox=[9, 9, 10, 10])
    assert search_items(catalogue, corner, viewer=MEMBER).items == []
    inside = parse_query(bbox=[1, 1, 2, 2])
    assert len(search_items(catalogue, inside, viewer=MEMBER).items) == 1


def test_an_item_of_days_is_found_by_any_of_its_hours(catalogue: Connection) -> None:
    item = make_item(
        "composite", start_datetime="2026-01-01T00:00:00Z", end_datetime="2026-01-10T00:00:00Z"
    )
    item["properties"]["datetime"] = None
    insert_written(catalogue, item, collection="a", status="published", owner="alice")
    for when, count in (
        ("2026-01-05T12:00:00Z", 1),
        ("2026-01-10T00:00:00Z/..", 1),
        ("2026-01-10T00:00:00.000001Z/..", 0),
        ("../2025-12-31T23:59:59Z", 0),
    ):
        query = parse_query(datetime=when, bbox=[-180, -90, 180, 90])
        assert len(search_items(catalogue, query, viewer=MEMBER).items) == count


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ({"bbox": [1, 2, 3]}, "[1, 2, 3]"),
        ({"bbox": [-181, 0, 0, 1]}, "-181"),
        ({"bbox": [0, 0, 181, 1]}, "181"),
        ({"bbox": [0, 5, 1, 4]}, "south above"),
        ({"bbox": [0, -91, 1, 4]}, "-91"),
        ({"bbox": [0, float("nan"), 1, 4]}, "nan"),
        ({"bbox": [0, 0, 1, 1], "intersects": {}}, "Both"),
        ({"intersects": {"type": "Polygon"}}, "Polygon"),
        ({"intersects": {"type": "Point", "coordinates": [200, 0]}}, "200"),
        ({"datetime": "soon"}, "'soon'"),
        ({"datetime": "../.."}, "'../..'"),
        ({"datetime": "2026-02-01T00:00:00Z/2026-01-01T00:00:00Z"}, "ends before"),
        ({"limit": 0}, "limit is 0"),
        ({"token": "!!"}, "'!!'"),
        ({"token": "W10"}, "'W10'"),
        ({"token": "WzFlNDAwLDFd"}, "WzFlNDAwLDFd"),  # [1e400,1]
        ({"token": "WzEsOTk5OTk5OTk5OTk5OTk5OTk5OTld"}, "WzEsOTk5"),  # [1,99999999999999999999]
        ({"sortby": ["-cloud"]}, "'cloud'"),
        ({"sortby": [{"field": "properties.eo:cloud_cover", "direction": "asc"}]}, "'eo:cloud"),
        ({"sortby": ["-created", "created"]}, "'created' twice"),
        ({"sortby": ["+"]}, "''"),
        ({"sortby": ["-created"], "token": "WyItZGF0ZXRpbWUiLDEsMV0"}, "sorted by -created"),
        ({"ids": ["a"] * 10_001}, "ids has 10001"),
        ({"datetime": "9999-12-31T23:59:59-14:00"}, "9999-12-31"),
    ],
)
def test_a_bad_search_is_refused_by_name(query: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        parse_query(**query)
    assert named in caught.value.what
    assert caught.value.remedy


def test_heights_are_passed_over_and_pages_are_bounded() -> None:
    query = parse_query(bbox=[0, 0, -10, 1, 1, 10], limit=99999)
    assert query.boxes == ((0, 0, 1, 1),)
    assert query.limit == EVERYTHING
