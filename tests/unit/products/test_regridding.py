"""Grids made here; fields that are known functions of place must come back at each place."""

from pathlib import Path
from typing import Any

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from skerry.core.errors import InvalidInputError
from skerry.products import open_product, write_product
from skerry.products.grids import grid_of
from skerry.products.regridding import regrid_product, regrid_raster, regrid_swath
from skerry.products.swath_blocks import locate_pixels

FINE = GeoBox.from_bbox((399960, 5990000, 402360, 5992400), "EPSG:32633", resolution=10)
COARSE = FINE.zoom_out(2)
TARGET = GeoBox.from_bbox((300000, 5900000, 360000, 5960000), "EPSG:32633", resolution=300)


def _raster(grid: GeoBox, values: Any, **attrs: Any) -> xr.Dataset:
    array = da.from_array(np.asarray(values), chunks=64)
    data = xr.DataArray(array, dims=("y", "x"), coords=xr_coords(grid), attrs=attrs)
    return xr.Dataset({"v": data})


def test_means_of_four_pixels_without_the_gaps() -> None:
    rng = np.random.default_rng(1)
    values = rng.random(FINE.shape, np.float32)
    values[10:12, 20:22] = np.nan
    values[0, 0] = np.nan
    actual = regrid_raster(_raster(FINE, values, units="1"), COARSE)["v"]
    assert actual.chunks is not None
    blocks = values.reshape(COARSE.shape[0], 2, COARSE.shape[1], 2)
    with np.errstate(invalid="ignore"):
        count = np.isfinite(blocks).sum(axis=(1, 3))
        expected = np.nansum(blocks, axis=(1, 3)) / np.where(count, count, np.nan)
    np.testing.assert_allclose(actual.values, expected, rtol=1e-5)
    assert np.isnan(actual.values[5, 10])
    assert actual.dtype == np.float32
    assert actual.attrs["units"] == "1"
    assert actual.odc.geobox == COARSE


def test_classes_become_the_most_frequent_one_and_bits_the_nearest() -> None:
    classes = np.zeros(FINE.shape, np.uint8)
    classes[0:2, 0:2] = [[6, 6], [6, 9]]
    result = regrid_raster(
        _raster(FINE, classes, flag_values=[0, 6, 9], flag_meanings="a b c"), COARSE
    )["v"]
    assert result.dtype == np.uint8
    assert result.values[0, 0] == 6
    bits = regrid_raster(_raster(FINE, classes, flag_masks=[1, 2], flag_meanings="a b"), COARSE)
    assert set(np.unique(bits["v"].values)) <= {0, 6, 9}


def test_a_plane_keeps_its_place_in_finer_pixels() -> None:
    y, x = np.meshgrid(xr_coords(COARSE)["y"], xr_coords(COARSE)["x"], indexing="ij")
    plane = ((x - 399960) / 10 + (y - 5990000) / 20).astype("f4")
    actual = regrid_raster(_raster(COARSE, plane), FINE)["v"].values
    y, x = np.meshgrid(xr_coords(FINE)["y"], xr_coords(FINE)["x"], indexing="ij")
    expected = (x - 399960) / 10 + (y - 5990000) / 20
    inner = (slice(2, -2), slice(2, -2))
    np.testing.assert_allclose(actual[inner], expected[inner], atol=1e-3)


def test_gaps_do_not_spread_in_finer_pixels() -> None:
    values = np.ones(COARSE.shape, "f4")
    values[30, 40] = np.nan
    result = regrid_raster(_raster(COARSE, values), FINE)["v"].values
    assert np.isnan(result[60:62, 80:82]).all()
    assert np.isnan(result).sum() == 4


@pytest.mark.parametrize("method", ["nearest", "linear"])
def test_a_measurement_that_equals_the_packing_s_fill_value_stays(method: Any) -> None:
    values = np.full(COARSE.shape, 0.2, "f4")
    values[30, 40] = 0.0
    data = _raster(COARSE, values)
    data["v"].encoding = {"_FillValue": 0, "dtype": "uint16", "scale_factor": 1e-4}
    target = GeoBox.from_bbox((400000, 5990010, 402300, 5992300), COARSE.crs, resolution=15)
    result = regrid_raster(data, target, method=method)["v"]
    assert np.isfinite(result.values).all()
    assert float(result.min()) < 0.2
    assert result.encoding["_FillValue"] == 0


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("method", ["nearest", "linear", None])
def test_values_do_not_spread_to_finer_pixels_around(method: Any, lazy: bool) -> None:
    source = GeoBox.from_bbox((0, 0, 180, 120), "EPSG:32633", resolution=60)
    around = GeoBox.from_bbox((-60, -60, 240, 180), "EPSG:32633", resolution=20)
    data = _raster(source, np.ones(source.shape, "f4"))
    result = regrid_raster(data if lazy else data.compute(), around, method=method)["v"].values
    assert np.isfinite(result[3:9, 3:12]).all()
    assert np.isfinite(result).sum() == 6 * 9


@pytest.mark.parametrize("method", ["mean", "mode"])
def test_finer_pixels_have_no_mean(method: Any) -> None:
    data = _raster(COARSE, np.ones(COARSE.shape, "f4"))
    with pytest.raises(InvalidInputError, match=rf"'{method}' is for pixels as large .* 0.5 times"):
        regrid_raster(data, FINE, method=method)
    result = regrid_raster(data, COARSE.pad(2), method=method)["v"].values
    assert np.isfinite(result).sum() == COARSE.shape[0] * COARSE.shape[1]


def test_rasters_in_another_reference_system() -> None:
    longitude, latitude = locate_pixels(FINE)
    box = (longitude.min(), latitude.min(), longitude.max(), latitude.max())
    target = GeoBox.from_bbox(box, "EPSG:4326", resolution=0.0005)
    result = regrid_raster(_raster(FINE, longitude), target, method="linear")["v"]
    there, _ = locate_pixels(target)
    finite = np.isfinite(result.values)
    assert finite.mean() > 0.5
    pixel_degrees = 10 / (111_195 * np.cos(np.radians(54.05)))
    errors = np.abs(result.values - there)[finite] / pixel_degrees
    assert np.quantile(errors, 0.95) < 0.05
    assert errors.max() < 0.6, "at the edges: the last pixel's value"


@pytest.mark.parametrize("form", ["netcdf", "eopf-zarr", "geozarr", "cog"])
@pytest.mark.parametrize("kind", ["warped", "repeated", "missed", "swath"])
def test_a_grid_in_degrees_can_be_written_and_read_back(
    kind: str, form: Any, swath: xr.Dataset, tmp_path: Path
) -> None:
    target = GeoBox.from_bbox((13.3, 53.85, 13.5, 53.95), "EPSG:4326", resolution=0.002)
    if kind == "swath":
        result = regrid_swath(swath[["field"]], target)
    elif kind == "warped":
        result = regrid_raster(_raster(TARGET, np.indices(TARGET.shape)[1].astype("f4")), target)
    else:
        coarse = target.zoom_out(2) if kind == "repeated" else FINE
        data = _raster(FINE, np.indices(FINE.shape)[0].astype("u2"))
        if kind == "repeated":
            data = xr.Dataset(
                {"v": (("y", "x"), np.indices(coarse.shape)[0].astype("u2"))},
                coords=xr_coords(coarse, always_yx=True),
            )
        result = regrid_raster(data, target, method="nearest")
    name = next(iter(result))
    assert result[name].dims == ("y", "x")
    write_product(result, tmp_path / "p", form=form)
    back = open_product(tmp_path / "p").to_dataset()
    assert grid_of(back).boundingbox.bbox == pytest.approx(target.boundingbox.bbox, abs=1e-9)
    np.testing.assert_array_equal(back[name], result[name])


@pytest.mark.parametrize("lazy", [False, True])
@pytest.mark.parametrize("west", [0.0, 14.0])
def test_a_raster_elsewhere_gives_an_empty_grid(west: float, lazy: bool) -> None:
    """As a swath does: mosaics are made of scenes that miss some of their grids."""
    source = GeoBox.from_bbox((400_000, 5_998_800, 401_200, 6_000_000), "EPSG:32633", resolution=20)
    numbers = np.ones((2, *source.shape))
    data = xr.Dataset(
        {
            "red": (("band", "y", "x"), numbers, {"units": "1"}),
            "classes": (("y", "x"), numbers[0].astype(np.uint8)),
        },
        coords=xr_coords(source) | {"band": [1, 2]},
    )
    grid = GeoBox.from_bbox((west, 53.9, west + 1, 54), "EPSG:4326", resolution=0.01)
    result = regrid_raster(data.chunk({"x": 30}) if lazy else data, grid)
    assert (result["red"].chunks is not None) == lazy
    assert result["red"].shape == (2, *grid.shape)
    assert result["red"].attrs["units"] == "1"
    assert result["red"].isnull().all()
    assert result["classes"].dtype == np.uint8
    assert (result["classes"] == 0).all()


@pytest.mark.parametrize("target", [None, "EPSG:4326", GeoBox((3, 4), Affine.identity(), None)])
def test_what_is_not_a_grid_is_refused(target: Any) -> None:
    with pytest.raises(InvalidInputError, match="not a grid on Earth"):
        regrid_raster(xr.Dataset(), target)


def test_what_is_not_a_raster_or_method_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="not a georeferenced raster"):
        regrid_raster(xr.Dataset({"v": (("y", "x"), np.ones((2, 2)))}), FINE)
    with pytest.raises(InvalidInputError, match="'cubic' is unknown"):
        regrid_raster(_raster(FINE, np.ones(FINE.shape)), COARSE, method="cubic")
    with pytest.raises(InvalidInputError, match="no 2-D latitude"):
        regrid_swath(xr.Dataset({"v": (("y", "x"), np.ones((2, 2)))}), FINE)


@pytest.fixture(scope="module")
def swath() -> xr.Dataset:
    """An orbit's swath of about 300 m pixels, turned by 12 degrees, wider at its edges."""
    rows, columns = np.meshgrid(np.arange(300.0), np.arange(320.0), indexing="ij")
    across = (columns - 160) * 300 * (1 + ((columns - 160) / 500) ** 2)
    along = rows * 300
    turn = np.radians(12)
    east = across * np.cos(turn) - along * np.sin(turn)
    south = across * np.sin(turn) + along * np.cos(turn)
    latitude = 53.85 - south / 111_195
    longitude = 12.4 + east / (111_195 * np.cos(np.radians(latitude)))
    latitude, longitude = (da.from_array(item, chunks=(97, 101)) for item in (latitude, longitude))
    dims = ("rows", "columns")
    flags = da.from_array((columns.astype("u4") % 2) * 4 + 1, chunks=(97, 101))
    data = xr.Dataset(
        {
            "field": (dims, (longitude * 3 - latitude * 2).astype("f4"), {"units": "K"}),
            "flags": (dims, flags, {"flag_masks": [1, 4], "flag_meanings": "a b"}),
        },
        coords={"latitude": (dims, latitude), "longitude": (dims, longitude)},
    )
    data["field"].encoding = {"dtype": "int16", "scale_factor": 0.01, "_FillValue": -32768}
    return data


def _error_pixels(found: np.ndarray, degrees_per_pixel: float = 300 / 111_195) -> np.ndarray:
    """How far values of the field are off, as pixels in the direction that changes it most."""
    longitude, latitude = locate_pixels(TARGET)
    slope = np.hypot(3 / np.cos(np.radians(53.5)), 2)
    return np.abs(found - (longitude * 3 - latitude * 2)) / (slope * degrees_per_pixel)


def test_linear_finds_a_field_within_a_fiftieth_of_a_pixel(swath: xr.Dataset) -> None:
    result = regrid_swath(swath, TARGET, chunk=64)
    assert result["field"].chunks is not None
    assert result["field"].encoding["scale_factor"] == 0.01
    assert result["field"].attrs["units"] == "K"
    assert result["field"].odc.geobox == TARGET
    errors = _error_pixels(result["field"].values)
    finite = np.isfinite(errors)
    assert finite.mean() > 0.9
    assert errors[finite].max() < 0.6, "at the edges: the nearest pixel's value"
    inner = np.zeros_like(finite)
    inner[8:-8, 8:-8] = True
    assert np.quantile(errors[finite & inner], 0.99) < 0.02


@pytest.mark.slow
def test_nearest_takes_the_nearest(swath: xr.Dataset) -> None:
    result = regrid_swath(swath[["field", "flags"]], TARGET, method="nearest", chunk=77)
    longitude, latitude = locate_pixels(TARGET)
    for row, column in [(5, 5), (100, 150), (199, 0), (63, 64)]:
        distance = np.hypot(
            (swath["longitude"].values - longitude[row, column]) * np.cos(np.radians(53.5)),
            swath["latitude"].values - latitude[row, column],
        )
        place = np.unravel_index(distance.argmin(), distance.shape)
        if distance.min() * 111_195 < 200:
            assert result["field"].values[row, column] == swath["field"].values[place]
            assert result["flags"].values[row, column] == swath["flags"].values[place]
    assert set(np.unique(result["flags"].values)) <= {0, 1, 5}, "flags are never mixed"
    errors = _error_pixels(result["field"].values)
    assert np.nanmax(errors) < 0.8


@pytest.mark.slow
def test_chunks_make_no_difference(swath: xr.Dataset) -> None:
    one = regrid_swath(swath[["field"]], TARGET, chunk=1000)["field"].values
    many = regrid_swath(swath[["field"]], TARGET, chunk=41)["field"].values
    np.testing.assert_array_equal(one, many)


def test_gaps_stay_where_they_are(swath: xr.Dataset) -> None:
    holed = swath.copy()
    hole = np.zeros(swath["field"].shape, bool)
    hole[100:140, 100:140] = True
    holed["field"] = swath["field"].where(~xr.DataArray(hole, dims=("rows", "columns")))
    full = regrid_swath(swath[["field"]], TARGET, method="nearest")["field"].values
    for method in ("nearest", "linear"):
        result = regrid_swath(holed[["field"]], TARGET, method=method)["field"].values
        lost = np.isnan(result) & np.isfinite(full)
        assert 1200 < lost.sum() < 2000, method
        assert np.isfinite(result[~lost & np.isfinite(full)]).all()
    wrong = holed.assign(field=xr.where(hole, -9999.0, swath["field"]).astype("f4"))
    masked = wrong["field"].where(wrong["field"] > -9000)
    result = regrid_swath(holed.assign(field=masked)[["field"]], TARGET)["field"].values
    assert np.nanmin(result) > -200, "no fill value is mixed in"


def test_a_swath_elsewhere_gives_an_empty_grid(swath: xr.Dataset) -> None:
    far = GeoBox.from_bbox((-60, -10, -59, -9), "EPSG:4326", resolution=0.1)
    result = regrid_swath(swath, far)
    assert np.isnan(result["field"].values).all()
    assert (result["flags"].values == 0).all()
    assert result["flags"].dtype == np.uint32


@pytest.mark.parametrize("radius_m", [0, -1, np.nan])
def test_a_radius_that_is_none_is_refused(swath: xr.Dataset, radius_m: float) -> None:
    with pytest.raises(InvalidInputError, match="radius"):
        regrid_swath(swath, TARGET, radius_m=radius_m)


def test_across_the_antimeridian() -> None:
    longitude = np.tile(np.linspace(179.5, 180.5, 101), (101, 1))
    longitude = np.where(longitude > 180, longitude - 360, longitude)
    latitude = np.tile(np.linspace(0.5, -0.5, 101)[:, None], (1, 101))
    dims = ("rows", "columns")
    data = xr.Dataset(
        {"field": (dims, (latitude * 7).astype("f4"))},
        coords={"latitude": (dims, latitude), "longitude": (dims, longitude)},
    )
    grid = GeoBox.from_bbox((179.8, -0.2, 180.2, 0.2), "EPSG:4326", resolution=0.01)
    result = regrid_swath(data, grid)["field"].values
    _, there = locate_pixels(grid)
    np.testing.assert_allclose(result, there * 7, atol=7 * 0.01 * 0.02)


@pytest.mark.slow
def test_memory_is_that_of_blocks(swath: xr.Dataset) -> None:
    """A block reads a window of the swath, not the swath."""
    read = []

    def load(block: np.ndarray, block_info: Any = None) -> np.ndarray:
        read.append(block_info[0]["chunk-location"])
        return block

    lazy = da.map_blocks(load, swath["field"].data.rechunk(20), meta=np.empty((0, 0), "f4"))
    data = swath[["field"]].assign(field=(("rows", "columns"), lazy))
    result = regrid_swath(data, TARGET, chunk=40)["field"]
    read.clear()
    result[0:40, 0:40].compute(scheduler="synchronous")
    assert 0 < len(set(read)) < 60  # of 240


def test_tie_points_are_interpolated_first(swath: xr.Dataset) -> None:
    """What is linear in the columns is the same at every 29th column as at all of them."""
    columns = np.tile(np.arange(320.0), (300, 1))
    image = swath.assign(field=(("rows", "columns"), columns))
    ties = xr.DataArray(columns[:, ::29], dims=("tp_rows", "tp_columns"), name="sza")
    tree = xr.DataTree.from_dict(
        {"/measurements": image, "/conditions/geometry": xr.Dataset({"sza": ties})}
    )
    tree.attrs = {"title": "SIMULATED swath", "other_metadata": {"simulated": True}}
    result = regrid_product(tree, TARGET, ["measurements/field", "conditions/geometry/sza"])
    assert result.attrs == {"title": "SIMULATED swath", "simulated": True}
    np.testing.assert_allclose(result["sza"].values, result["field"].values, atol=1e-3)
    with pytest.raises(InvalidInputError, match="nothing to regrid: 'measurements/field'"):
        regrid_product(tree, TARGET, "measurements/field")
    with pytest.raises(InvalidInputError, match="no measurements/nothing"):
        regrid_product(tree, TARGET, ["measurements/nothing"])
    odd = xr.DataTree.from_dict(
        {"/measurements": swath, "/other": xr.Dataset({"odd": (("a", "b"), np.ones((3, 3)))})}
    )
    with pytest.raises(InvalidInputError, match="neither on the grid"):
        regrid_product(odd, TARGET, ["measurements/field", "other/odd"])
