"""What the catalogue accepts; whatever it refuses, it names."""

from collections.abc import Callable
from typing import Any

import pytest
from tests.stac_documents import make_collection, make_item

from skerry.catalog.documents import check_collection, check_item, find_sibling
from skerry.core.errors import InvalidInputError, SkerryError

Change = Callable[[dict[str, Any]], object]


def nest(depth: int) -> list[Any]:
    """Return lists inside each other."""
    value: list[Any] = []
    for _ in range(depth - 1):
        value = [value]
    return value


def test_a_good_item_is_taken_apart() -> None:
    checked = check_item(make_item(), "lakes")
    assert checked.id == "scene"
    assert checked.prefix == "imports/scene/"
    assert checked.boxes == [(13.0, 54.0, 14.0, 55.0)]
    assert checked.span[0] == checked.span[1] == 1777631400000000
    assert checked.document["collection"] == "lakes"


def test_what_the_catalogue_writes_itself_is_not_taken_from_outside() -> None:
    item = make_item(created="2000-01-01T00:00:00Z", **{"skerry:status": "withdrawn"})
    item["links"] = [{"rel": "self", "href": "http://elsewhere/"}, {"rel": ["self"]}]
    document = check_item(item, "lakes").document
    assert "created" not in document["properties"]
    assert "skerry:status" not in document["properties"]
    assert document["links"] == []


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda entry: entry.update(id="../x"), "'../x'"),
        (lambda entry: entry.update(type="Thing"), "Thing"),
        (lambda entry: entry.pop("geometry"), "geometry"),
        (lambda entry: entry.update(collection="other"), "'other'"),
        (lambda entry: entry.update(assets={}), "no assets"),
        (lambda entry: entry["properties"].update(datetime="yesterday"), "yesterday"),
        (lambda entry: entry["properties"].update(datetime=None), "datetime"),
        (lambda entry: entry["properties"].pop("skerry:digest"), "skerry:digest"),
        (lambda entry: entry["properties"].update({"skerry:digest": "1e20" + "g" * 64}), "gggg"),
        (lambda entry: entry["properties"].update({"skerry:source_digest": 7}), "source_digest"),
        (lambda entry: entry["properties"].update({"skerry:prefix": "/etc/"}), "/etc"),
        (
            lambda entry: entry["properties"].update({"skerry:prefix": "imports/../x/"}),
            "imports/../x",
        ),
        (
            lambda entry: entry["assets"]["product"].update(href="imports/other/x"),
            "imports/other/x",
        ),
        (lambda entry: entry["assets"]["product"].update(href="/etc/passwd"), "/etc/passwd"),
        (lambda entry: entry["assets"]["product"].update(href="file:///etc/passwd"), "file:///etc"),
        (lambda entry: entry.update(links=[{"rel": "via", "href": "file:///etc"}]), "file:///etc"),
        (lambda entry: entry.update(links="x"), "links"),
        (lambda entry: entry.update(extra=[float("nan")]), "nan"),
        (lambda entry: entry["properties"].update(cover=float("inf")), "inf"),
        (lambda entry: entry["properties"].update(note="\ud800"), "ud800"),
        (lambda entry: entry["properties"].update({"skerry:variables": ["b04"]}), "b04"),
        (lambda entry: entry["properties"].update({"skerry:variables": {"b04": "/b04"}}), "/b04"),
        (
            lambda entry: entry["properties"].update(datetime="0001-01-01T00:00:00+14:00"),
            "calendar",
        ),
        (lambda entry: entry.update(geometry="here"), "here"),
        (lambda entry: entry["properties"].update({"eo:cloud_cover": "lots"}), "lots"),
        (lambda entry: entry["properties"].update({"eo:cloud_cover": 101}), "101"),
        (lambda entry: entry["properties"].update({"eo:cloud_cover": True}), "cloud_cover"),
        (lambda entry: entry["properties"].update(title=["Lake"]), "title"),
        (lambda entry: entry["properties"].update(instruments="msi"), "msi"),
        (lambda entry: entry["properties"].update(instruments=[1]), "instruments"),
        (lambda entry: entry["properties"].update(providers=[{"url": "x"}]), "providers"),
        (lambda entry: entry["properties"].update({"skerry:simulated": "no"}), "simulated"),
        (lambda entry: entry["properties"].update({"skerry:derived_from": "a/b"}), "a/b"),
        (
            lambda entry: entry["properties"]["skerry:variables"]["b04"].update(display_min="low"),
            "low",
        ),
        (
            lambda entry: entry["properties"]["skerry:variables"]["b04"].update(flag_values=["x"]),
            "flag_values",
        ),
        (
            lambda entry: entry["properties"]["skerry:variables"]["b04"].update(
                flag_values=[10**400]
            ),
            "flag_values",
        ),
        (lambda entry: entry["properties"]["skerry:variables"]["b04"].update(asset=[]), "asset"),
        (lambda entry: entry.update(extra=nest(120)), "100 lists"),
        (lambda entry: entry.update(bbox=[13, 54, 14, 95]), "95"),
        (
            lambda entry: entry["geometry"].update(
                coordinates=[[[0, 0], [2, 2], [2, 0], [0, 2], [0, 0]]]
            ),
            "Self-intersection",
        ),
        (
            lambda entry: entry["geometry"].update(
                coordinates=[[[0, 0], [200, 0], [200, 2], [0, 2], [0, 0]]]
            ),
            "200",
        ),
        (
            lambda entry: entry["geometry"].update(
                coordinates=[[[13, 54], [14, 1e308], [14, 55], [13, 55], [13, 54]]]
            ),
            "1e+308",
        ),
        (
            lambda entry: entry["properties"].update(
                start_datetime="2026-05-02T00:00:00Z", end_datetime="2026-05-01T00:00:00Z"
            ),
            "2026-05-02",
        ),
    ],
)
def test_a_bad_item_is_refused_by_name(change: Change, named: str) -> None:
    item = make_item()
    change(item)
    with pytest.raises(SkerryError) as caught:
        check_item(item, "lakes")
    assert isinstance(caught.value, InvalidInputError)
    assert named in caught.value.what
    assert caught.value.remedy


def test_an_item_across_the_antimeridian_has_a_box_on_each_side() -> None:
    item = make_item(bbox=(170, -10, -170, 10))
    item["geometry"] = {
        "type": "MultiPolygon",
        "coordinates": [
            [[[170, -10], [180, -10], [180, 10], [170, 10], [170, -10]]],
            [[[-180, -10], [-170, -10], [-170, 10], [-180, 10], [-180, -10]]],
        ],
    }
    boxes = check_item(item, "lakes").boxes
    assert boxes == [(170, -10, 180, 10), (-180, -10, -170, 10)]


def test_an_outline_that_is_not_cut_at_the_antimeridian_is_refused() -> None:
    """Its bbox says where the data are; as it is drawn, it lies on the other side of the Earth."""
    item = make_item(bbox=(179.25, -30, -178, -28))
    ring = [[179.25, -30], [-178, -30], [-178, -28], [179.25, -28], [179.25, -30]]
    item["geometry"] = {"type": "Polygon", "coordinates": [ring]}
    with pytest.raises(InvalidInputError, match=r"longitude -178 to 179\.25.*across") as caught:
        check_item(item, "lakes")
    assert "Cut the geometry in two" in caught.value.remedy


@pytest.mark.parametrize("east", [-180.0, -179.5])
def test_an_outline_that_ends_before_the_antimeridian_is_kept(east: float) -> None:
    item = make_item(bbox=(170, -10, 180, 10))
    item["bbox"] = [170, -10, east, 10]
    assert check_item(item, "lakes").boxes == [(170, -10, 180, 10)]


def test_an_item_without_place_is_kept() -> None:
    item = make_item()
    item["geometry"] = None
    del item["bbox"]
    assert check_item(item, "lakes").boxes == []


def test_links_to_other_items_are_kept() -> None:
    item = make_item()
    item["links"] = [{"rel": "derived_from", "href": "../../lakes/items/before"}]
    assert check_item(item, "lakes").document["links"] == item["links"]
    assert find_sibling("../../lakes/items/before") == ("lakes", "before")
    assert find_sibling("../../../lakes/items/before") is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda item: item.update(id="other"), "'other'"),
        (lambda item: item.pop("extent"), "extent"),
        (lambda item: item.update({"skerry:public": "yes"}), "'yes'"),
        (lambda item: item.update(summaries={"gsd": [float("nan")]}), "nan"),
        (lambda item: item["extent"]["spatial"].update(bbox=[[0, 50, 1, 40]]), "50"),
        (lambda item: item["extent"]["spatial"].update(bbox=[[-190, 0, 1, 40]]), "-190"),
    ],
)
def test_a_bad_collection_is_refused_by_name(change: Change, named: str) -> None:
    collection = make_collection()
    change(collection)
    with pytest.raises(InvalidInputError) as caught:
        check_collection(collection, "lakes")
    assert named in caught.value.what


def test_collections_are_not_public_unless_made_so() -> None:
    collection = make_collection()
    del collection["skerry:public"]
    assert check_collection(collection, "lakes")[1] is False
