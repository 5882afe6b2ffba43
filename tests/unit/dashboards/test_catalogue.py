"""Items as the map page shows them."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.errors import InvalidInputError
from skerry.dashboards.catalogue import shorten_names, sort_newest_first
from skerry.dashboards.products import (
    WORLD,
    describe_product,
    link_export,
    link_map,
    link_tiles,
    parse_item_name,
)
from skerry.dashboards.templating import render


def make_item(**properties: Any) -> dict[str, Any]:
    variables = {"turbidity": {"long_name": "turbidity", "units": "FNU"}, "ndci": {}}
    return {
        "id": "t-1",
        "collection": "water",
        "bbox": [13.0, 54.0, 0.0, 14.0, 55.0, 10.0],
        "properties": {"datetime": "2026-05-01T10:30:00Z", "skerry:variables": variables}
        | properties,
        "assets": {
            "thumbnail": {"href": "http://127.0.0.1:8000/services/api/files/imports/a/t.png"}
        },
    }


def test_an_item_becomes_a_product():
    product = describe_product(make_item(**{"skerry:simulated": True, "proj:code": "EPSG:32633"}))
    assert product.simulated
    assert product.bbox == (13.0, 54.0, 14.0, 55.0)
    assert [variable.title for variable in product.variables] == ["Turbidity", "Ndci"]
    assert ("Coordinates", "EPSG:32633") in product.facts
    assert ("Data time", "2026-05-01 10:30:00 UTC") in product.facts
    assert product.thumbnail == "/services/api/files/imports/a/t.png"


def test_what_a_partial_product_lacks_is_among_its_facts() -> None:
    full, partial, single = (
        dict(describe_product(make_item(**{"skerry:missing": parts})).facts).get("Missing")
        for parts in ([], [f"r10m/b0{band}" for band in range(1, 6)], ["tile metadata"])
    )
    assert full is None
    assert partial == "r10m/b01, r10m/b02, r10m/b03 and 2 more"
    assert single == "tile metadata"


@pytest.mark.parametrize(
    "odd",
    [
        {"skerry:missing": "b04"},
        {"skerry:missing": [1, None, {}]},
        {"eo:cloud_cover": "lots"},
        {"eo:cloud_cover": []},
        {"instruments": "msi"},
        {"instruments": [1, None]},
        {"skerry:variables": ["b04"]},
        {"skerry:variables": {"b04": "red"}},
        {"datetime": None},
        {"title": {"de": "See"}},
    ],
)
def test_an_odd_item_that_is_stored_already_breaks_no_page(odd: dict[str, Any]) -> None:
    product = describe_product(make_item(**odd))
    assert product.item == "t-1"


def test_an_item_without_a_place_is_shown_without_one() -> None:
    item = make_item() | {"geometry": None, "assets": {"thumbnail": "t.png"}}
    del item["bbox"]
    product = describe_product(item)
    assert product.bbox[0] == -180.0
    assert "Extent" not in dict(product.facts)


def test_only_the_platforms_own_pictures_are_fetched():
    item = make_item()
    item["assets"]["thumbnail"]["href"] = "http://elsewhere.example/hub/api/user"
    assert describe_product(item).thumbnail == ""


def test_a_variable_that_is_not_there_is_not_another():
    product = describe_product(make_item())
    expected = product.find_variable("ndci")
    assert expected is not None
    assert expected.name == "ndci"
    assert product.find_variable("chlorophyll") is None


def test_true_colour_comes_first_where_the_item_has_the_bands():
    bands = {name: {"units": "1"} for name in ("b02", "b03", "b04", "scl")}
    product = describe_product(make_item(**{"skerry:variables": bands}))
    assert product.variables[0].name == "true_colour"
    del bands["b03"]
    product = describe_product(make_item(**{"skerry:variables": bands}))
    assert "true_colour" not in [variable.name for variable in product.variables]


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["S2A_MSIL2A_20260501_T33UVV", "S2A_MSIL2A_20260502_T33UVV"],
         ["…20260501_T33UVV", "…20260502_T33UVV"]),
        (["water-20260501", "chlorophyll-20260501"], ["water-20260501", "chlorophyll-20260501"]),
        (["S2A_MSIL2A_20260501"], ["S2A_MSIL2A_20260501"]),
        (["a-1", "a-2"], ["a-1", "a-2"]),
        (["long-name", "long-name-2"], ["…name", "…name-2"]),
        ([], []),
    ],
)  # fmt: skip
def test_names_are_cut_where_they_are_alike(names: list[str], shown: list[str]) -> None:
    assert shorten_names(names) == shown
    assert len(set(shown)) == len(shown)


def test_addresses():
    assert link_map("c", "i", "v") == "/services/dashboards/map?item=c/i&variable=v"
    assert link_export("c", "i", "v") == "/services/dashboards/export/c/i/v.tif"
    assert link_tiles("c", "i", "v") == "/services/maps/tiles/c/i/v"


@pytest.mark.parametrize("text", ["item", "a/b/c", "../x", "a/", "/b", "a/b?c", "<i>/b", "a/.."])
def test_names_from_the_address_are_checked(text: str):
    with pytest.raises(InvalidInputError):
        parse_item_name(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
PROPERTIES = (
    "title", "datetime", "start_datetime", "created", "instruments", "platform", "eo:cloud_cover",
    "processing:level", "proj:code", "skerry:status", "skerry:digest", "skerry:variables",
)  # fmt: skip


@given(
    properties=st.fixed_dictionaries({}, optional=dict.fromkeys(PROPERTIES, JSON)) | JSON,
    bbox=JSON,
    assets=JSON | st.fixed_dictionaries({"thumbnail": JSON}),
)
def test_no_odd_item_breaks_a_page(properties: Any, bbox: Any, assets: Any):
    item = {"id": "i", "collection": "c", "properties": properties, "bbox": bbox, "assets": assets}
    product = describe_product(item)
    html = render("facts.html", product=product, variable=None, permalink="", export="")
    html += render(
        "overview.html", prefix="", runs=None, jobs=None, counts=None, health=None,
        products=[(product, "")],
    )  # fmt: skip
    assert 'class="gallery"' in html


def test_what_an_odd_item_has_wrong_is_left_out():
    item = make_item(**{"eo:cloud_cover": "lots", "instruments": "msi", "skerry:variables": []})
    item["bbox"] = None
    product = describe_product(item)
    assert product.bbox == WORLD
    assert product.variables == ()
    assert not {"Cloud cover", "Instrument", "Extent"} & {name for name, _ in product.facts}


def test_items_are_sorted_by_their_instants_not_by_the_text_of_their_times():
    times = {
        "third": "2026-05-01T23:30:00+02:00",  # its text is the greatest of all
        "second": "2026-05-01T22:00:00Z",
        "first": "2026-05-01T22:00:00.5Z",  # '.' comes before 'Z'
        "no time": "soon",
    }
    items = [{"id": name, "properties": {"datetime": text}} for name, text in times.items()]
    period = {"datetime": None, "start_datetime": "2026-05-01T21:00:00Z",
              "end_datetime": "2026-05-02T00:00:00Z"}  # fmt: skip
    items.append({"id": "a period", "properties": period})
    ordered = [item["id"] for item in sort_newest_first(items)]
    assert ordered == ["first", "second", "third", "a period", "no time"]
