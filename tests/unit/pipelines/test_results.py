"""The STAC item of a processor's result."""

import xarray as xr
from shapely.geometry import box, mapping, shape

from skerry.pipelines.results import describe_result
from skerry.processors.registry import get_processor


def source(name: str, geometry: dict | None) -> xr.DataTree:
    item = {"id": name, "geometry": geometry, "properties": {"datetime": "2026-05-01T10:00:00Z"}}
    return xr.DataTree(name=name, dataset=xr.Dataset(attrs={"stac_discovery": item}))


def describe(*geometries: dict | None) -> dict:
    sources = [source(f"s{at}", geometry) for at, geometry in enumerate(geometries)]
    processor = get_processor("flag-mask")
    return describe_result(xr.Dataset(), processor, {}, sources, name="r").attrs["stac_discovery"]


def test_the_bbox_of_sources_on_both_sides_of_the_antimeridian_crosses_it():
    item = describe(mapping(box(178, 63, 180, 64)), mapping(box(-180, 63, -179, 65)))
    assert item["bbox"] == [178, 63, -179, 65]
    assert shape(item["geometry"]).area == 4


def test_a_result_of_sources_without_a_place_has_none():
    for geometries in ([], [None], [{"type": "Polygon", "coordinates": []}]):
        item = describe(*geometries)
        assert item["geometry"] is None
        assert "bbox" not in item


def test_the_time_of_a_result_is_that_of_its_latest_source_in_utc():
    """Texts of times sort wrongly in other zones and with fractions; "null" is none."""
    properties = [
        {"datetime": "2026-05-01T11:30:00+02:00"},
        {"datetime": "2026-05-01T10:00:00.500Z"},
        {"datetime": "2026-05-01T10:00:00Z"},
        {"datetime": "null", "start_datetime": "2026-05-01T09:00:00Z",
         "end_datetime": "2026-05-01T09:03:00Z"},
    ]  # fmt: skip
    sources = [
        xr.DataTree(xr.Dataset(attrs={"stac_discovery": {"id": "s", "properties": item}}))
        for item in properties
    ]
    tree = describe_result(xr.Dataset(), get_processor("flag-mask"), {}, sources, name="r")
    result = tree.attrs["stac_discovery"]["properties"]
    assert result["datetime"] == "2026-05-01T10:00:00.500000Z"
    assert result["start_datetime"] == "2026-05-01T09:00:00Z"
    assert result["end_datetime"] == "2026-05-01T10:00:00.500000Z"
