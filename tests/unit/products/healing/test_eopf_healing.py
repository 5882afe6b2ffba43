"""Wounds of real products: healed at opening, each reported by its name."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from pyproj import CRS

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.products.healing.wounds import WOUNDS
from skerry.products.metadata import open_metadata
from skerry.products.zarr_opening import open_zarr_product

SQUARE = [[[10.0, 50.0], [11.0, 50.0], [11.0, 51.0], [10.0, 51.0], [10.0, 50.0]]]
SOUND: dict[str, Any] = {
    "bbox": [10.0, 50.0, 11.0, 51.0],
    "geometry": {"type": "Polygon", "coordinates": SQUARE},
    "properties": {"datetime": "2026-01-01T00:00:00Z", "proj:code": "EPSG:32633"},
}


def write_wounded(place: Path, item: dict[str, Any], **attrs: Any) -> None:
    root = zarr.open_group(place, mode="w", zarr_format=2)
    root.attrs["stac_discovery"] = item
    group = root.require_group("measurements")
    given = {"_ARRAY_DIMENSIONS": ["y", "x"], **attrs}
    for name, dims in (("b02", None), ("x", ["x"]), ("y", ["y"])):
        shape = (4, 4) if dims is None else (4,)
        array = group.create_array(name, shape=shape, dtype="<f8", chunks=shape)
        array[...] = np.arange(np.prod(shape)).reshape(shape)
        array.attrs.update(given if dims is None else {"_ARRAY_DIMENSIONS": dims})
    if not any(key.startswith("proj:") for key in attrs):
        reference = group.create_array("spatial_ref", shape=(), dtype="<i8")
        reference.attrs.update({"_ARRAY_DIMENSIONS": [], "crs_wkt": CRS(32633).to_wkt()})


def open_wounded(place: Path, item: dict[str, Any], **attrs: Any) -> Any:
    write_wounded(place / "a.zarr", item, **attrs)
    tree = open_zarr_product(place / "a.zarr")
    healed = tree.attrs.get("other_metadata", {}).get("healed", [])
    return tree, sorted(entry.partition(":")[0] for entry in healed)


def change(**properties: Any) -> dict[str, Any]:
    both = {**SOUND["properties"], **properties}
    return SOUND | {"properties": {key: item for key, item in both.items() if item != "absent"}}


def test_a_sound_product_has_no_wound(tmp_path: Path) -> None:
    tree, healed = open_wounded(tmp_path, SOUND, units="1")
    assert healed == []
    assert tree.attrs["stac_discovery"] == SOUND


def test_a_reversed_box_is_turned(tmp_path: Path) -> None:
    tree, healed = open_wounded(tmp_path, SOUND | {"bbox": [11.0, 50.0, 10.0, 51.0]})
    assert healed == ["bbox"]
    assert tree.attrs["stac_discovery"]["bbox"] == [10.0, 50.0, 11.0, 51.0]


def test_a_box_over_the_antimeridian_is_right(tmp_path: Path) -> None:
    ring = [[[179.0, 0.0], [-179.0, 0.0], [-179.0, 1.0], [179.0, 0.0]]]
    item = SOUND | {
        "bbox": [179.0, 0.0, -179.0, 1.0],
        "geometry": {"type": "Polygon", "coordinates": ring},
    }
    tree, healed = open_wounded(tmp_path, item)
    assert healed == []
    assert tree.attrs["stac_discovery"]["bbox"] == [179.0, 0.0, -179.0, 1.0]


@pytest.mark.parametrize(
    ("end", "expected"),
    # The first as the real Sentinel-1 item among the EOPF samples has it.
    [("2024-11-24T18:03:19.762879Z", "2024-11-24T18:03:07.263668Z"),
     ("null", "2024-11-24T18:02:54.764458Z")],
)  # fmt: skip
def test_a_missing_time_becomes_the_middle(tmp_path: Path, end: str, expected: str) -> None:
    item = change(datetime=None, start_datetime="2024-11-24T18:02:54.764458Z", end_datetime=end)
    tree, healed = open_wounded(tmp_path, item)
    assert healed == ["datetime"]
    assert tree.attrs["stac_discovery"]["properties"]["datetime"] == expected


@pytest.mark.parametrize("absent", [None, "null", ""])
def test_a_missing_time_comes_from_the_start(tmp_path: Path, absent: str | None) -> None:
    item = change(datetime=absent, start_datetime="2026-02-02T00:00:00Z")
    tree, healed = open_wounded(tmp_path, item)
    assert healed == ["datetime"]
    assert tree.attrs["stac_discovery"]["properties"]["datetime"] == "2026-02-02T00:00:00Z"


def test_an_old_projection_code_is_spelled_as_today(tmp_path: Path) -> None:
    item = change(**{"proj:code": "absent", "proj:epsg": 32633})
    tree, healed = open_wounded(tmp_path, item)
    assert healed == ["proj-code"]
    properties = tree.attrs["stac_discovery"]["properties"]
    assert properties["proj:code"] == "EPSG:32633"
    assert "proj:epsg" not in properties


@pytest.mark.parametrize("named", [{"proj:epsg": 32633}, {"proj:code": "EPSG:32633"}])
def test_a_grid_mapping_comes_from_the_variables(tmp_path: Path, named: dict[str, Any]) -> None:
    tree, healed = open_wounded(tmp_path, SOUND, **named)
    assert healed == ["grid-mapping"]
    data = tree["measurements"].to_dataset()
    assert "UTM zone 33N" in data["spatial_ref"].attrs["crs_wkt"]
    assert data["b02"].encoding["grid_mapping"] == "spatial_ref"


@pytest.mark.parametrize("name", ["unit", "data_units"])
def test_units_of_other_profiles_are_units(tmp_path: Path, name: str) -> None:
    tree, healed = open_wounded(tmp_path, SOUND, **{name: "K"})
    assert healed == ["attribute-names"]
    assert tree["measurements/b02"].attrs == {"units": "K"}


def test_every_wound_has_a_test() -> None:
    folder = Path(__file__).parents[1]
    text = "".join(path.read_text() for path in folder.rglob("test_*.py"))
    assert all(f'"{item}"' in text or f'"{item}: ' in text for item in WOUNDS)


def test_metadata_open_without_values(tmp_path: Path) -> None:
    document = {
        "metadata": {
            ".zgroup": {"zarr_format": 2},
            "measurements/x/.zarray": {
                "zarr_format": 2, "shape": [3], "chunks": [3], "dtype": "<u2", "order": "C",
                "compressor": None, "fill_value": 0, "filters": None,
            },
            "measurements/x/.zattrs": {"_ARRAY_DIMENSIONS": ["x"]},
        }
    }  # fmt: skip
    (tmp_path / "a.json").write_text(json.dumps(document))
    tree = open_metadata(tmp_path / "a.json")
    assert tree["measurements/x"].shape == (3,)
    with pytest.raises(NotFoundError, match="Only the metadata are here"):
        tree["measurements/x"].compute()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"metadata": 1}'])
def test_other_json_is_not_metadata(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text)
    with pytest.raises(InvalidInputError, match="holds no Zarr metadata"):
        open_metadata(tmp_path / "a.json")


EXPECTED = {  # arrays in the file; one spatial_ref more in each group that lacked one
    "S1A_IW_GRDH": 192, "S2A_MSIL2A": 149, "S2B_MSIL1C": 106, "S03OLCEFR": 137, "S03SLSRBT": 921,
}  # fmt: skip


@pytest.mark.real_data
@pytest.mark.parametrize("name", EXPECTED)
def test_real_metadata_open(name: str) -> None:
    folder = Path(os.environ["SKERRY_REAL_DATA"]) / "eopf"
    (file,) = folder.glob(f"*/{name}*.json")
    tree = open_metadata(file)
    arrays = [
        variable
        for node in tree.subtree
        for variable in node.variables
        if variable != "spatial_ref"
    ]
    assert len(arrays) == EXPECTED[name]
    assert tree.attrs["other_metadata"]["healed"][0]
    west, south, east, north = tree.attrs["stac_discovery"]["bbox"]
    assert west < east
    assert south < north
