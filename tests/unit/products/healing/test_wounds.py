"""Wounds in every format and at every node: healed from what stands beside them, and reported."""

import json
import os
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import pytest
import xarray as xr
import zarr
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from tests.examples import examples

from skerry.core.errors import InvalidInputError
from skerry.products import open_product
from skerry.products.healing.items import bound, heal_item
from skerry.products.healing.wounds import Wounds
from skerry.products.metadata import open_metadata
from skerry.products.writing import write_product

pytestmark = pytest.mark.slow

SMALL = {
    "s2-l1c": 66, "s2-l2a": 300, "olci-efr": 66, "olci-err": 66, "slstr-rbt": 66, "s1-iw-grd": 66,
}  # fmt: skip
"""Simulated product type to an edge in pixels."""
BOX = [10.0, 50.0, 11.5, 51.0]
RING = [[10.0, 50.0], [11.5, 50.0], [11.5, 51.0], [10.0, 51.0], [10.0, 50.0]]
ITEM: dict[str, Any] = {
    "type": "Feature",
    "id": "a",
    "bbox": BOX,
    "geometry": {"type": "Polygon", "coordinates": [RING]},
    "properties": {
        "datetime": "2026-01-01T00:00:00Z", "start_datetime": "2026-01-01T00:00:00Z",
        "proj:code": "EPSG:32633",
    },
}  # fmt: skip
WRONG_BOX = [11.5, 50.0, 10.0, 51.0]
PACIFIC = [[179.0, 0.0], [-179.0, 0.0], [-179.0, 1.0], [179.0, 1.0], [179.0, 0.0]]
FORMS = ("eopf-zarr-v2", "eopf-zarr", "geozarr", "netcdf", "cog")


def heal(**changed: Any) -> tuple[dict[str, Any], Wounds]:
    item = deepcopy(ITEM)
    for key, value in changed.pop("properties", {}).items():
        if value == "absent":
            item["properties"].pop(key, None)
        else:
            item["properties"][key] = value
    wounds = Wounds()
    return heal_item(item | changed, wounds), wounds


@pytest.mark.parametrize(
    ("box", "healed"),
    [
        (WRONG_BOX, BOX),
        ([10.0, 51.0, 11.5, 50.0], BOX),
        ([11.5, 50.0, 0.0, 10.0, 51.0, 20.0], [10.0, 50.0, 0.0, 11.5, 51.0, 20.0]),
        ([10.0, 50.0, 20.0, 11.5, 51.0, 0.0], [10.0, 50.0, 0.0, 11.5, 51.0, 20.0]),
        (None, BOX), ("everywhere", BOX), ([1, 2, 3], BOX), ([10.0, 50.0, 11.5, "x"], BOX),
        ([10.0, 50.0, 11.5, float("nan")], BOX),
        (["10.0", "50.0", "11.5", "51.0"], BOX), (["11.5", "50.0", "10.0", "51.0"], BOX),
        ([50.0, 10.0, 51.0, 11.5], BOX), ([51.0, 10.0, 50.0, 11.5], BOX),
    ],
)  # fmt: skip
def test_a_box_is_healed_by_the_outline(box: Any, healed: list[float]) -> None:
    item, wounds = heal(bbox=box)
    assert item["bbox"] == healed
    assert list(wounds.healed) == ["bbox"]


@pytest.mark.parametrize(
    ("box", "ring"),
    [
        (BOX, RING), ([10.01, 50.01, 11.49, 51.0], RING), ([0.0, 0.0, 1.0, 1.0], RING),
        ([179.0, 0.0, -179.0, 1.0], PACIFIC),
        ([179.0, 0.0, -179.0, 1.0], [[x % 360, y] for x, y in PACIFIC]),
        ([179.0, 0.0, 5.0, -179.0, 1.0, 9.0], PACIFIC),
        ([-180.0, 70.0, 180.0, 90.0], [[-180.0, 70.0], [0.0, 70.0], [180.0, 70.0], [-180.0, 70.0]]),
    ],
)  # fmt: skip
def test_a_box_that_fits_or_says_something_else_stays(box: Any, ring: Any) -> None:
    item, wounds = heal(bbox=box, geometry={"type": "Polygon", "coordinates": [ring]})
    assert item["bbox"] == box
    assert not wounds.healed


def test_a_box_without_outline_is_healed_where_it_is_clear() -> None:
    assert heal(bbox=WRONG_BOX, geometry=None)[0]["bbox"] == BOX
    assert heal(bbox=[50.0, 100.0, 51.0, 101.0], geometry=None)[0]["bbox"] == [
        100.0, 50.0, 101.0, 51.0,
    ]  # fmt: skip
    item, wounds = heal(bbox="here", geometry=None)
    assert "bbox" not in item
    assert list(wounds.unhealed) == ["bbox"]


def test_outlines_over_the_antimeridian_have_boxes_over_it() -> None:
    assert bound({"coordinates": [PACIFIC]}) == (179.0, 0.0, -179.0, 1.0)
    assert heal(bbox=None, geometry={"type": "Polygon", "coordinates": [PACIFIC]})[0]["bbox"] == [
        179.0, 0.0, -179.0, 1.0,
    ]  # fmt: skip


def test_rings_are_closed() -> None:
    for geometry in (
        {"type": "Polygon", "coordinates": [RING[:-1]]},
        {"type": "MultiPolygon", "coordinates": [[RING[:-1]], [RING]]},
    ):
        item, wounds = heal(geometry=geometry)
        rings = item["geometry"]["coordinates"]
        assert RING in (rings[0], rings[0][0])
        assert list(wounds.healed) == ["geometry"]


@pytest.mark.parametrize("absent", [None, "None", "null", "", "NaT"])
def test_a_time_that_says_none_is_the_middle(absent: str | None) -> None:
    given = {"datetime": absent, "end_datetime": "2026-01-01T00:00:10Z"}
    item, wounds = heal(properties=given)
    assert item["properties"]["datetime"] == "2026-01-01T00:00:05Z"
    assert list(wounds.healed) == ["datetime"]


def test_no_time_at_all_is_reported() -> None:
    item, wounds = heal(properties={"datetime": "None", "start_datetime": "None"})
    assert item["properties"]["datetime"] is None
    assert list(wounds.unhealed) == ["datetime"]


@pytest.mark.parametrize(
    ("code", "epsg"),
    [
        ("absent", 32633), (None, 32633), (None, "EPSG:32633"), ("absent", "32633"),
        (None, 32633.0), (32633, "absent"), ("32633", "absent"), ("epsg:32633", None),
    ],
)  # fmt: skip
def test_every_spelling_of_a_code_is_todays(code: Any, epsg: Any) -> None:
    item, wounds = heal(properties={"proj:code": code, "proj:epsg": epsg})
    assert item["properties"]["proj:code"] == "EPSG:32633"
    assert "proj:epsg" not in item["properties"]
    assert list(wounds.healed) == ["proj-code"]
    assert not wounds.unhealed


def test_equal_codes_are_not_a_wound() -> None:
    item, wounds = heal(properties={"proj:epsg": 32633})
    assert item["properties"]["proj:code"] == "EPSG:32633"
    assert "proj:epsg" not in item["properties"]
    assert not wounds.healed
    assert not wounds.unhealed


@pytest.mark.parametrize("wrong", [99999999, "EPSG:99999999", "somewhere", True, [32633]])
def test_a_code_that_is_none_is_reported(wrong: Any) -> None:
    _, wounds = heal(properties={"proj:code": "absent", "proj:epsg": wrong})
    assert "not a known reference system" in wounds.unhealed["proj-code"][0]


def test_two_codes_are_reported_and_decided_by_the_grids() -> None:
    item = deepcopy(ITEM)
    item["properties"]["proj:epsg"] = 32632
    for grids, code in (({"EPSG:32632"}, "EPSG:32632"), (set(), "EPSG:32633")):
        wounds = Wounds()
        healed = heal_item(item, wounds, "", lambda grids=grids: grids)
        assert healed["properties"]["proj:code"] == code
        assert list(wounds.healed or wounds.unhealed) == ["proj-code"]
        assert bool(wounds.healed) == bool(grids)


def make_tree(item: dict[str, Any]) -> xr.DataTree:
    grid = GeoBox((32, 32), Affine(10.0, 0, 399_960, 0, -10.0, 6_000_000), "EPSG:32633")
    values = np.arange(1024, dtype="f4").reshape(32, 32)
    data = xr.Dataset(
        dict.fromkeys(("b02", "b03"), (("y", "x"), values)),
        coords=xr_coords(grid, crs_coord_name="spatial_ref"),
    )
    for variable in data.data_vars.values():
        variable.encoding["grid_mapping"] = "spatial_ref"
    tree = xr.DataTree.from_dict({"/measurements": data}, name="a")
    member = {"stac_discovery": deepcopy(item), "note": "kept"}
    tree["measurements"].attrs = member
    tree.attrs = {"stac_discovery": item, "other_metadata": {}}
    return tree


def wound_names(tree: xr.DataTree, key: str = "healed") -> list[str]:
    lines = tree.attrs.get("other_metadata", {}).get(key, [])
    return sorted(line.partition(":")[0] for line in lines)


@pytest.mark.parametrize("form", FORMS)
def test_items_are_healed_in_every_format_and_at_every_node(tmp_path: Path, form: str) -> None:
    wounded = deepcopy(ITEM)
    wounded["bbox"] = WRONG_BOX
    wounded["geometry"]["coordinates"] = [RING[:-1]]
    wounded["properties"] |= {"datetime": "None", "proj:code": None, "proj:epsg": "EPSG:32633"}
    tree = make_tree(wounded)
    target = tmp_path / ("a.nc" if form == "netcdf" else "a.zarr")
    write_product(tree, target, form=form)
    result = open_product(target)
    assert wound_names(result)[-4:] == ["bbox", "datetime", "geometry", "proj-code"]
    for node in (result, result["measurements"]):
        item = node.attrs["stac_discovery"]
        assert item["bbox"] == BOX
        assert item["geometry"]["coordinates"] == [RING]
        assert item["properties"]["datetime"] == "2026-01-01T00:00:00Z"
        assert item["properties"]["proj:code"] == "EPSG:32633"


def test_units_of_other_profiles_are_found_in_netcdf(tmp_path: Path) -> None:
    tree = make_tree(ITEM)
    tree["measurements/b02"].attrs["data_units"] = "K"
    write_product(tree, tmp_path / "a.nc", form="netcdf")
    result = open_product(tmp_path / "a.nc")
    assert result["measurements/b02"].attrs == {"units": "K"}
    assert wound_names(result) == ["attribute-names"]


def write_zarr(place: Path, change: Callable[[zarr.Group], None], **properties: Any) -> xr.DataTree:
    """Write a sound product in Zarr 2 without consolidated metadata, change it and open it."""
    item = deepcopy(ITEM)
    write_product(make_tree(item), place / "a.zarr", form="eopf-zarr-v2")
    (place / "a.zarr/.zmetadata").unlink()
    root = zarr.open_group(place / "a.zarr", mode="r+", zarr_format=2)
    given = dict(root.attrs["stac_discovery"])  # type: ignore[call-overload]
    given["properties"] = {
        key: entry for key, entry in (given["properties"] | properties).items() if entry != "absent"
    }
    root.attrs["stac_discovery"] = given
    change(root)
    return open_product(place / "a.zarr")


def set_attributes(root: zarr.Group, name: str, **given: Any) -> None:
    array: Any = root[f"measurements/{name}"]
    attrs = {key: item for key, item in array.attrs.items() if key != "grid_mapping"}
    for key in ("_eopf_attrs", "_cf_attrs"):
        if isinstance(attrs.get(key), dict):
            attrs[key] = {item: attrs[key][item] for item in attrs[key] if item != "grid_mapping"}
    array.attrs.put(attrs | given)


def without_mapping(**given: Any) -> Callable[[zarr.Group], None]:
    """Remove the grid mapping and what names it; give the bands attributes instead."""

    def change(root: zarr.Group) -> None:
        del root["measurements/spatial_ref"]
        for name in ("b02", "b03"):
            set_attributes(root, name, **given)

    return change


def test_a_grid_mapping_comes_from_the_item(tmp_path: Path) -> None:
    result = write_zarr(tmp_path, without_mapping())
    assert wound_names(result) == ["grid-mapping"]
    data = result["measurements"].to_dataset()
    assert "UTM zone 33N" in data["spatial_ref"].attrs["crs_wkt"]
    assert data["b02"].encoding["grid_mapping"] == "spatial_ref"


def test_a_grid_mapping_that_is_not_there_is_replaced(tmp_path: Path) -> None:
    result = write_zarr(tmp_path, without_mapping(grid_mapping="crs"))
    assert wound_names(result) == ["grid-mapping"]
    assert result["measurements/b02"].encoding["grid_mapping"] == "spatial_ref"

    def change(root: zarr.Group) -> None:
        set_attributes(root, "b02", grid_mapping="crs")

    (tmp_path / "b").mkdir()
    result = write_zarr(tmp_path / "b", change)
    assert wound_names(result) == ["grid-mapping"]
    assert result["measurements/b02"].encoding["grid_mapping"] == "spatial_ref"


def test_a_grid_mapping_that_is_not_there_is_replaced_in_netcdf(tmp_path: Path) -> None:
    write_product(make_tree(ITEM), tmp_path / "a.nc", form="netcdf")
    with h5py.File(tmp_path / "a.nc", "a") as file:
        del file["measurements/spatial_ref"]
    result = open_product(tmp_path / "a.nc")
    assert wound_names(result) == ["grid-mapping"]
    assert "spatial_ref" in result["measurements"].coords


def test_two_codes_in_a_group_are_reported(tmp_path: Path) -> None:
    def change(root: zarr.Group) -> None:
        without_mapping(**{"proj:epsg": 32633})(root)
        set_attributes(root, "b03", **{"proj:epsg": 32632})

    result = write_zarr(tmp_path, change)
    (message,) = result.attrs["other_metadata"]["unhealed"]
    assert message == "grid-mapping: /measurements names several systems: EPSG:32632, EPSG:32633"


def test_a_code_that_is_none_gives_way_to_the_item(tmp_path: Path) -> None:
    result = write_zarr(tmp_path, without_mapping(**{"proj:epsg": 99999999}))
    assert wound_names(result) == wound_names(result, "unhealed") == ["grid-mapping"]
    assert "spatial_ref" in result["measurements"].coords


def test_nothing_that_names_a_system_is_reported(tmp_path: Path) -> None:
    properties = {"proj:code": "absent", "proj:epsg": "absent", "product:type": "S02MSIL2A"}
    result = write_zarr(tmp_path, without_mapping(grid_mapping="crs"), **properties)
    assert wound_names(result, "unhealed") == ["grid-mapping"]
    assert "spatial_ref" not in result["measurements"].coords


def test_two_codes_of_the_item_are_decided_by_the_grid(tmp_path: Path) -> None:
    for number, code in enumerate((32632, 32633)):
        place = tmp_path / str(number)
        place.mkdir()
        properties = {"proj:code": "EPSG:32632", "proj:epsg": 32633}
        if code == 32632:
            properties = {"proj:code": "EPSG:32633", "proj:epsg": 32632}
        result = write_zarr(place, lambda root: None, **properties)
        assert result.attrs["stac_discovery"]["properties"]["proj:code"] == "EPSG:32633"
        assert wound_names(result) == ["proj-code"]


def test_coordinates_come_from_the_transform_of_the_arrays(tmp_path: Path) -> None:
    def change(root: zarr.Group) -> None:
        given = {
            "proj:transform": [10.0, 0.0, 399_960, 0.0, -10.0, 6_000_000],
            "proj:shape": [32, 32], "proj:epsg": 32633,
        }  # fmt: skip
        without_mapping(**given)(root)
        for axis in ("x", "y"):
            del root[f"measurements/{axis}"]

    result = write_zarr(tmp_path, change)
    assert wound_names(result) == ["coordinates", "grid-mapping"]
    sound = make_tree(ITEM)["measurements"]
    for axis in ("x", "y"):
        np.testing.assert_array_equal(result["measurements"][axis], sound[axis])


def test_a_transform_of_another_shape_places_nothing(tmp_path: Path) -> None:
    def change(root: zarr.Group) -> None:
        given = {"proj:transform": [10.0, 0, 399_960, 0, -10.0, 6_000_000], "proj:shape": [64, 64]}
        for name in ("b02", "b03"):
            set_attributes(root, name, grid_mapping="spatial_ref", **given)
        del root["measurements/x"]

    result = write_zarr(tmp_path, change)
    assert "x" not in result["measurements"].coords
    assert result.attrs["other_metadata"]["missing"] == ["measurements/x"]


DAMAGES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "stac_discovery": lambda attrs: attrs.update(stac_discovery=[1]),
    "stac_discovery/properties": lambda attrs: attrs["stac_discovery"].update(properties="x"),
    "other_metadata": lambda attrs: attrs.update(other_metadata="x"),
    "processing_history": lambda attrs: attrs.update(processing_history=5),
}


@pytest.mark.parametrize("what", DAMAGES)
@pytest.mark.parametrize("form", ["zarr", "netcdf", "cog"])
def test_attributes_that_are_not_objects_are_left_out(tmp_path: Path, what: str, form: str) -> None:
    attrs = dict(make_tree(deepcopy(ITEM)).attrs)
    DAMAGES[what](attrs)
    result = open_with(attrs, tmp_path, form)
    (message,) = result.attrs["other_metadata"]["unhealed"]
    assert message.startswith(f"attributes: /{what} is not an object and was left out: ")
    assert "b02" in result["measurements"].data_vars


def open_with(attrs: Any, place: Path, form: str) -> xr.DataTree:
    """Open a product in whose root the attributes are these."""
    tree = make_tree(deepcopy(ITEM))
    target = place / ("a.nc" if form == "netcdf" else form)
    if not target.exists():
        write_product(tree, target, form="eopf-zarr" if form == "zarr" else form)
    if form == "netcdf":
        with h5py.File(target, "a") as file:
            for key in list(file.attrs):
                if key not in ("_NCProperties", "Conventions", "_NCCoordinates"):
                    del file.attrs[key]
            for key, value in attrs.items():
                file.attrs[key] = json.dumps(value)
            file.attrs["json_attributes"] = " ".join(attrs)
    elif form == "cog":
        item = json.loads((target / "item.json").read_text())
        item["skerry:groups"]["/"] = attrs
        (target / "item.json").write_text(json.dumps(item))
    else:
        document = json.loads((target / "zarr.json").read_text())
        document["attributes"] = attrs
        (target / "zarr.json").write_text(json.dumps(document))
    return open_product(target)


JUNK = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.text("aE:3/-_", max_size=6)
    | st.floats(allow_nan=False, allow_infinity=False, width=32),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=8,
)  # fmt: skip
PLACES = (
    ("stac_discovery",), ("stac_discovery", "bbox"), ("stac_discovery", "geometry"),
    ("stac_discovery", "geometry", "coordinates"), ("stac_discovery", "geometry", "type"),
    ("stac_discovery", "properties"), ("stac_discovery", "properties", "datetime"),
    ("stac_discovery", "properties", "start_datetime"),
    ("stac_discovery", "properties", "proj:code"), ("stac_discovery", "properties", "proj:epsg"),
    ("stac_discovery", "properties", "product:type"),
    ("stac_discovery", "properties", "sar:polarizations"), ("stac_discovery", "assets"),
    ("other_metadata",), ("other_metadata", "missing"), ("other_metadata", "healed"),
    ("other_metadata", "unhealed"), ("other_metadata", "mapping"), ("processing_history",),
    ("processing_history", "skerry"), ("json_types",), ("multiscales",),
)  # fmt: skip


@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    junk=st.lists(st.tuples(st.sampled_from(PLACES), JUNK), min_size=1, max_size=3),
    form=st.sampled_from(["zarr", "cog"]),
)
def test_no_attribute_of_the_root_can_break_the_reader(
    tmp_path: Path, junk: list[tuple[tuple[str, ...], Any]], form: str
) -> None:
    attrs: Any = deepcopy(dict(make_tree(ITEM).attrs))
    for keys, value in junk:
        place = attrs
        for key in keys[:-1]:
            if not isinstance(place.get(key), dict):
                place[key] = {}
            place = place[key]
        place[keys[-1]] = value
    try:
        result = open_with(attrs, tmp_path, form)
    except InvalidInputError:
        return
    assert isinstance(result.attrs.get("stac_discovery") or {}, dict)
    assert "b02" in result["measurements"].data_vars


def test_a_cog_in_no_known_system_is_refused(tmp_path: Path) -> None:
    write_product(make_tree(ITEM), tmp_path / "a", form="cog")
    item = json.loads((tmp_path / "a/item.json").read_text())
    for entry in item["assets"].values():
        entry["proj:code"] = "EPSG:99999999"
    (tmp_path / "a/item.json").write_text(json.dumps(item))
    with pytest.raises(InvalidInputError, match="does not describe a set of COGs"):
        open_product(tmp_path / "a")


def test_multiscales_of_another_convention_are_not_levels(tmp_path: Path) -> None:
    for number, said in enumerate(("x", [{"version": "0.4", "datasets": [{"path": "0"}]}])):
        place = tmp_path / str(number)
        place.mkdir()

        def change(root: zarr.Group, said: Any = said) -> None:
            root["measurements"].attrs["multiscales"] = said

        assert "b02" in write_zarr(place, change)["measurements"].data_vars


@pytest.mark.parametrize("kind", SMALL)
def test_items_of_a_safe_need_no_healing(simulated: Callable[..., Path], kind: str) -> None:
    tree = open_product(simulated(kind, size=SMALL[kind]))
    wounds = Wounds()
    items = {
        node.path: node.attrs["stac_discovery"]
        for node in tree.subtree
        if "stac_discovery" in node.attrs
    }
    assert items
    for path, item in items.items():
        assert heal_item(item, wounds, path) == item
        assert item["geometry"]["type"] in ("Polygon", "MultiPolygon")
        assert len(item["bbox"]) == 4
        assert item["properties"]["datetime"]
    assert wounds.healed == wounds.unhealed == {}


@pytest.mark.real_data
def test_members_of_a_real_product_are_healed() -> None:
    (file,) = (Path(os.environ["SKERRY_REAL_DATA"]) / "eopf/s1").glob("*.json")
    tree = open_metadata(file)
    assert wound_names(tree) == ["bbox", "datetime", "geometry"]
    for node in (tree, *tree.children.values()):
        item = node.attrs["stac_discovery"]
        west, south, east, north = item["bbox"]
        assert west < east
        assert south < north
        assert item["properties"]["datetime"] == "2024-11-24T18:03:07.263668Z"
        (ring,) = item["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
