import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from shapely.geometry import Point, box

from skerry.client.login import Login
from skerry.client.searching import check_bbox, read_geometry, search
from skerry.client.session import Session
from skerry.core.errors import InvalidInputError

URL = "http://127.0.0.1:1"


def make_feature(name: str) -> dict[str, Any]:
    return {
        "type": "Feature", "stac_version": "1.1.0", "id": name, "collection": "s2",
        "geometry": {"type": "Point", "coordinates": [13.0, 54.0]}, "bbox": [13, 54, 13, 54],
        "properties": {"datetime": "2026-05-01T10:00:00Z"}, "assets": {}, "links": [],
    }  # fmt: skip


def make_session(pages: list[dict[str, Any]], seen: list[httpx.Request]) -> Session:
    answers = iter(pages)

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=next(answers))

    return Session(Login(url=URL, token="t"), transport=httpx.MockTransport(answer))


def test_pages_are_followed_until_there_are_enough() -> None:
    seen: list[httpx.Request] = []
    href = f"{URL}/services/api/stac/search"
    pages = [
        {
            "features": [make_feature("a"), make_feature("b")],
            "links": [
                {"rel": "next", "href": href, "method": "POST", "body": {"token": "2"},
                 "merge": True}
            ],
        },
        {
            "features": [make_feature("c"), make_feature("d")],
            "links": [{"rel": "next", "href": f"{href}?token=3", "method": "GET"}],
        },
        {"features": [make_feature("e")], "links": []},
    ]  # fmt: skip
    with make_session(pages, seen) as session:
        result = search(
            collections="s2", bbox=[13, 54, 15, 55], ids=("a",), session=session, limit=5,
            datetime=(datetime(2026, 5, 1, tzinfo=UTC), None),
        )  # fmt: skip
    assert [item.id for item in result] == ["a", "b", "c", "d", "e"]
    first, second = (json.loads(request.content) for request in seen[:2])
    assert first == {
        "collections": ["s2"],
        "bbox": [13.0, 54.0, 15.0, 55.0],
        "ids": ["a"],
        "datetime": "2026-05-01T00:00:00Z/..",
        "limit": 5,
    }
    assert second == first | {"token": "2"}
    assert (seen[2].method, seen[2].url.query) == ("GET", b"token=3")


def test_no_more_than_the_limit_comes_back() -> None:
    pages = [{"features": [make_feature("a"), make_feature("b")], "links": []}]
    with make_session(pages, []) as session:
        assert len(search(session=session, limit=1)) == 1
        for limit in (0, -1):
            with pytest.raises(InvalidInputError, match=str(limit)):
                search(session=session, limit=limit)


def test_a_next_page_outside_of_the_platform_is_not_followed() -> None:
    link = {"rel": "next", "href": "http://elsewhere.example/steal", "method": "GET"}
    with (
        make_session([{"features": [make_feature("a")], "links": [link]}], []) as session,
        pytest.raises(InvalidInputError, match="elsewhere"),
    ):
        search(session=session, limit=None)


@pytest.mark.parametrize(
    "bbox",
    [
        [0, 0, 1], [0, 0, 1, "x"], [0, -91, 1, 0], [0, 0, 181, 1], [0, 5, 1, 4],
        [float("nan"), 0, 1, 1], 5, [0, 0, float("inf"), 1],
    ],
)  # fmt: skip
def test_a_box_outside_of_the_world_is_refused(bbox: Any) -> None:
    with pytest.raises(InvalidInputError, match="bounding box"):
        check_bbox(bbox)


def test_a_box_across_the_antimeridian_passes() -> None:
    assert check_bbox([170, -20, -170, -10]) == [170.0, -20.0, -170.0, -10.0]


def test_a_geometry_comes_in_many_forms() -> None:
    area = box(0, 0, 1, 1)
    plain = read_geometry(area)
    feature = {"type": "Feature", "geometry": plain, "properties": {}}
    assert read_geometry(plain)["type"] == read_geometry(feature)["type"] == "Polygon"
    both = {"type": "FeatureCollection", "features": [feature, feature]}
    assert read_geometry(both)["type"] == "Polygon"
    assert read_geometry(Point(1, 2)) == {"type": "Point", "coordinates": (1.0, 2.0)}
    for bad in ("somewhere", {"type": "Circle"}, {"type": "Feature"}, 3):
        with pytest.raises(InvalidInputError):
            read_geometry(bad)
