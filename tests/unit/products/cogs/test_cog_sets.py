"""Sets of COGs: what other readers see, and what is damaged."""

import json
import shutil
from pathlib import Path

import numpy as np
import pystac
import pytest
import rasterio
import rioxarray
import stackstac
import xarray as xr
import zarr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords
from shapely.geometry import shape
from tests.unit.products.small_trees import EVERYTHING, assemble

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.products import open_product, write_cog_set, write_geozarr
from skerry.products.outlines import bound_geometry
from skerry.products.pictures.footprints import footprint

BAND = "measurements/r10m/p2"


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return assemble(2, 600, 530, EVERYTHING | {"packings": [2], "plain": [], "chunks": (512, 512)})


@pytest.fixture(scope="module")
def written(tree: xr.DataTree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cogs") / "small"
    write_cog_set(tree, path)
    return path


@pytest.mark.slow
def test_rasterio_reads_it(tree: xr.DataTree, written: Path) -> None:
    with rasterio.open(written / f"{BAND}.tif") as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.overviews(1) == [2]
        assert (file.scales[0], file.offsets[0], file.nodata) == (1e-4, -0.1, 0)
        numbers = file.read(1)
        values = numbers * file.scales[0] + file.offsets[0]
        values[numbers == 0] = np.nan
        assert file.transform.to_gdal() == (399_960, 10, 0, 6_000_000, 0, -10)
    np.testing.assert_allclose(values, tree[BAND], rtol=1e-6)


def test_several_bands_are_one_file(tree: xr.DataTree, written: Path) -> None:
    with rasterio.open(written / "measurements/r10m/tci.tif") as file:
        assert file.count == 3
        assert np.array_equal(file.read(), tree["measurements/r10m/tci"])
        assert file.descriptions == ("tci 1", "tci 2", "tci 3")


def test_rioxarray_reads_it(tree: xr.DataTree, written: Path) -> None:
    with rioxarray.open_rasterio(written / f"{BAND}.tif", mask_and_scale=True) as found:
        np.testing.assert_allclose(found[0], tree[BAND], rtol=1e-5, atol=1e-7)
        assert found.rio.crs.to_epsg() == 32633


def test_stackstac_loads_the_item_to_our_values(tree: xr.DataTree, written: Path) -> None:
    item = pystac.Item.from_file(str(written / "item.json"))
    item.make_asset_hrefs_absolute()
    stack = stackstac.stack(
        [item], assets=["r10m-p2"], epsg=32633, resolution=10, rescale=True,
        fill_value=np.float64(np.nan), snap_bounds=False,
    )  # fmt: skip
    np.testing.assert_allclose(stack[0, 0].compute(), tree[BAND], rtol=1e-5)
    assert stack.x[0] == 399_960


def test_the_item_is_a_stac_item(written: Path) -> None:
    item = json.loads((written / "item.json").read_text())
    assert item["id"] == "small"
    assert item["properties"]["datetime"] == "2026-05-01T10:06:01Z"
    assert any("/raster/v1" in entry for entry in item["stac_extensions"])
    west, south, east, north = item["bbox"]
    assert 13 < west < east < 14
    assert 54 < south < north < 54.2
    asset = item["assets"]["r20m-p2"]
    assert asset["proj:shape"] == [300, 265]
    assert asset["raster:bands"] == [
        {"data_type": "uint16", "scale": 1e-4, "offset": -0.1, "nodata": 0.0, "unit": "1"}
    ]
    assert "/" not in "".join(item["assets"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("dtype", "fill"),
    [
        ("int64", -(2**63)), ("int64", 2**63 - 1), ("uint64", 2**64 - 1),
        ("int64", -(2**53) - 1), ("int64", -9999),
    ],
)  # fmt: skip
@pytest.mark.parametrize("bands", [1, 2])
def test_gdal_and_the_item_name_nodata_of_any_size(
    dtype: str, fill: int, bands: int, tmp_path: Path
) -> None:
    numbers = np.full((bands, 600, 40), fill, dtype)
    numbers[:, 5:300] = 2**60 + 1  # which float64 does not hold
    numbers[:, 300:310] = fill + (1 if fill < 0 else -1)
    grid = GeoBox((600, 40), Affine(10, 0, 4e5, 0, -10, 6e6), "EPSG:32633")
    data = xr.DataArray(numbers, dims=("band", "y", "x"), coords=xr_coords(grid), name="v")
    data = data[0] if bands == 1 else data
    data.encoding = {"_FillValue": fill}
    write_cog_set(data.to_dataset(), tmp_path / "p")
    item = json.loads((tmp_path / "p" / "item.json").read_text())
    assert [band["nodata"] for band in item["assets"]["v"]["raster:bands"]] == [fill] * bands
    with rasterio.open(tmp_path / "p" / "v.tif") as file:
        result = file.read(masked=True)
        np.testing.assert_array_equal(result.mask, numbers == fill)
        np.testing.assert_array_equal(result.data, numbers)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    with rasterio.open(tmp_path / "p" / "v.tif", overview_level=0) as file:
        assert (file.read(1)[160:] == fill).all()
    back = open_product(tmp_path / "p")["v"]
    np.testing.assert_array_equal(back, data)
    assert back.encoding["_FillValue"] == fill
    assert sorted(item.name for item in (tmp_path / "p").iterdir()) == ["item.json", "v.tif"]


@pytest.mark.parametrize(
    ("dtype", "fill", "classes"),
    [
        ("uint8", None, True), ("bool", None, True), ("int16", -1, True), ("uint16", 0, False),
        ("float32", None, False), ("float64", -999.0, False), ("int64", -(2**63), False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.slow
def test_overviews_are_those_of_geozarr(
    dtype: str, fill: float | None, classes: bool, bands: int, tmp_path: Path
) -> None:
    chance = np.random.default_rng(7)
    numbers = chance.integers(0, 4, (bands, 1101, 1290)).astype(dtype)
    if fill is not None:
        numbers[chance.random(numbers.shape) < 0.3] = fill
    elif numbers.dtype.kind == "f":
        numbers[chance.random(numbers.shape) < 0.3] = np.nan
    grid = GeoBox(numbers.shape[1:], Affine(10, 0, 4e5, 0, -10, 6e6), "EPSG:32633")
    data = xr.DataArray(numbers, dims=("band", "y", "x"), coords=xr_coords(grid), name="v")
    data = data[0] if bands == 1 else data
    data.encoding = {} if fill is None else {"_FillValue": fill}
    data.attrs = {"flag_values": [0, 1, 2, 3], "flag_meanings": "a b c d"} if classes else {}
    write_cog_set(data.to_dataset(), tmp_path / "cogs")
    write_geozarr(data.to_dataset(), tmp_path / "geo.zarr")
    levels = zarr.open_group(tmp_path / "geo.zarr", mode="r")
    with rasterio.open(tmp_path / "cogs" / "v.tif") as file:
        assert file.overviews(1) == [2, 4]
    for level in (0, 1):
        with rasterio.open(tmp_path / "cogs" / "v.tif", overview_level=level) as file:
            expected = levels[f"{level + 1}/v"]
            assert isinstance(expected, zarr.Array)
            np.testing.assert_array_equal(file.read().squeeze(), expected[...])


@pytest.mark.parametrize(
    ("crs", "box", "bbox", "kind"),
    [
        ("EPSG:4326", (179, 10, 182, 11), [179, 10, -178, 11], "MultiPolygon"),
        ("EPSG:4326", (0, -90, 360, 90), [-180, -90, 180, 90], "Polygon"),
        ("EPSG:4326", (200, 10, 210, 11), [-160, 10, -150, 11], "Polygon"),
        ("EPSG:4326", (10, 10, 12, 11), [10, 10, 12, 11], "Polygon"),
        ("EPSG:3832", (2_900_000, 0, 3_500_000, 600_000),
         [176.051, 0, -178.559, 5.418], "MultiPolygon"),
        ("EPSG:32660", (800_000, 7_000_000, 900_000, 7_100_000),
         [-177.0700, 62.9089, -174.8640, 63.8976], "Polygon"),
        ("EPSG:3413", (-100_000, -100_000, 100_000, 100_000), [-180, 88.6946, 180, 90], "Polygon"),
    ],
)  # fmt: skip
def test_outlines_are_cut_as_geojson_asks(
    crs: str, box: tuple[float, ...], bbox: list[float], kind: str, tmp_path: Path
) -> None:
    grid = GeoBox.from_bbox(box, crs, shape=(20, 20), tight=True)
    data = xr.Dataset(
        {"v": (("y", "x"), np.ones((20, 20), "f4"))}, coords=xr_coords(grid, always_yx=True)
    )
    write_cog_set(data, tmp_path / "p")
    item = json.loads((tmp_path / "p" / "item.json").read_text())
    assert item["bbox"] == pytest.approx(bbox, abs=1e-3)
    outlines = [item["geometry"], footprint(data)]
    for geometry in outlines:
        assert geometry["type"] == kind
        assert shape(geometry).is_valid
        assert bound_geometry(geometry) == pytest.approx(bbox, abs=1e-2)
    first, second = map(shape, outlines)
    assert first.symmetric_difference(second).area < 0.01 * first.area


def test_an_existing_folder_is_left_alone(tree: xr.DataTree, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with pytest.raises(ConflictError, match="/p"):
        write_cog_set(tree, tmp_path / "p")


@pytest.mark.parametrize(
    ("text", "what"),
    [("{", "not JSON"), ("[]", "describe"), ('{"skerry:groups": {}}', "describe")],
)
def test_a_damaged_item(text: str, what: str, written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "p")
    (tmp_path / "p" / "item.json").write_text(text)
    with pytest.raises(InvalidInputError, match=what):
        open_product(tmp_path / "p")


def test_an_absent_picture_is_listed(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "p")
    (tmp_path / "p" / f"{BAND}.tif").unlink()
    tree = open_product(tmp_path / "p")
    assert BAND in tree.attrs["other_metadata"]["missing"]
    assert "p2" not in tree["measurements/r10m"]


@pytest.mark.parametrize("damage", ["cut", "other"])
def test_a_damaged_picture_is_named(damage: str, written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "p")
    band = tmp_path / "p" / f"{BAND}.tif"
    data = band.read_bytes()
    band.unlink()
    if damage == "cut":
        band.write_bytes(data[: len(data) // 2])
    else:
        shutil.copy(tmp_path / "p" / "measurements/r20m/p2.tif", band)
    with pytest.raises(InvalidInputError, match=r"p2\.tif"):
        open_product(tmp_path / "p")[BAND].compute()


def test_an_item_does_not_lead_out(written: Path, tmp_path: Path) -> None:
    shutil.copytree(written, tmp_path / "p")
    item = tmp_path / "p" / "item.json"
    item.write_text(item.read_text().replace(f'"{BAND}"', '"../../secret/p2"'))
    with pytest.raises(InvalidInputError, match="secret"):
        open_product(tmp_path / "p")
