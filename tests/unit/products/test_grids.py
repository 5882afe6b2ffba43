"""Places after xarray's selecting, against what rasterio and rioxarray read of what is written."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import rioxarray  # noqa: F401 -- registers the accessor
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from skerry.pipelines.cogs import write_raster
from skerry.products import open_product, write_product
from skerry.products.grids import grid_of, renew_place

FORMS = {"netcdf": "a.nc", "eopf-zarr": "a.zarr", "geozarr": "b.zarr", "cog": "a.cogs"}
CHOICES: dict[str, dict[str, Any]] = {
    "all": {},
    "a part": {"y": slice(10, 40), "x": slice(30, 50)},
    "every second": {"y": slice(None, None, 2), "x": slice(1, None, 2)},
    "south first": {"y": slice(None, None, -1)},
    "one pixel": {"y": slice(5, 6), "x": slice(7, 8)},
}
TRANSFORM = Affine(10, 0, 399_960, 0, -10, 6_000_000)


@pytest.fixture
def raster() -> xr.Dataset:
    """Return a raster whose attributes say its place three times."""
    grid = GeoBox((60, 80), TRANSFORM, "EPSG:32633")
    data = xr.Dataset(
        {"v": (("y", "x"), np.arange(4800, dtype=np.int32).reshape(60, 80))},
        coords=dict(xr_coords(grid, crs_coord_name="spatial_ref")),
    )
    data["v"].attrs |= {"proj:transform": list(TRANSFORM)[:6], "proj:shape": [60, 80],
                        "proj:bbox": list(grid.boundingbox.bbox)}  # fmt: skip
    data["spatial_ref"].attrs["GeoTransform"] = "399960 10 0 6000000 0 -10"
    return data


def read_elsewhere(path: Path, form: str) -> tuple[np.ndarray, Affine]:
    """Return numbers and transform as GDAL and rioxarray have them."""
    if form in ("netcdf", "cog"):
        name = f"netcdf:{path}:v" if form == "netcdf" else str(path / "v.tif")
        with rasterio.open(name) as file:
            return file.read(1), file.transform
    group = "0" if form == "geozarr" else None
    result = xr.open_zarr(path, group=group, consolidated=False, decode_coords="all")["v"]
    return result.to_numpy(), result.rio.transform(recalc=form == "geozarr")


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("form", FORMS)
def test_what_was_selected_stays_at_its_place(
    raster: xr.Dataset, tmp_path: Path, form: str, choice: str
) -> None:
    part = raster.isel(CHOICES[choice])
    path = tmp_path / FORMS[form]
    write_product(xr.DataTree(part), path, form=form)
    numbers, transform = read_elsewhere(path, form)
    rows, columns = np.indices(numbers.shape)
    x, y = transform * (columns + 0.5, rows + 0.5)
    places = {"x": (("row", "column"), x), "y": (("row", "column"), y)}
    same = part["v"].sel({axis: xr.Variable(*place) for axis, place in places.items()},
                         method="nearest", tolerance=0.01)  # fmt: skip
    np.testing.assert_array_equal(numbers, same)
    back = open_product(path)["v"].sel(y=part["y"], x=part["x"])
    np.testing.assert_array_equal(back, part["v"])


def test_attributes_that_are_right_stay_as_they_are(raster: xr.Dataset) -> None:
    same = renew_place(raster)
    xr.testing.assert_identical(same, raster)
    assert same["v"].attrs == raster["v"].attrs
    part = raster.isel(y=slice(10, 40))
    renewed = renew_place(part)
    assert renewed["v"].attrs["proj:shape"] == [30, 80]
    assert renewed["v"].attrs["proj:transform"][5] == 5_999_900
    assert renewed["v"].attrs["proj:bbox"] == [399_960, 5_999_600, 400_760, 5_999_900]
    assert renewed["spatial_ref"].attrs["GeoTransform"].split()[3] == "5999900.0"
    assert part["v"].attrs["proj:shape"] == [60, 80]  # which belongs to the caller


def test_a_cog_of_rows_that_run_north_is_described_as_it_is_written(
    raster: xr.Dataset, tmp_path: Path
) -> None:
    fields = write_raster(raster["v"].isel(y=slice(None, None, -1)), tmp_path / "v.tif", title="")
    with rasterio.open(tmp_path / "v.tif") as file:
        assert fields["proj:transform"][:6] == list(file.transform)[:6]
        np.testing.assert_array_equal(file.read(1), raster["v"])


@pytest.mark.parametrize("form", ["geozarr", "cog"])
def test_degrees_in_float32_span_the_whole_earth(tmp_path: Path, form: str) -> None:
    columns, rows = np.arange(3600), np.arange(1800)
    data = xr.Dataset(
        {"v": (("y", "x"), np.zeros((1800, 3600), np.uint8))},
        coords={
            "y": ("y", (89.95 - rows * 0.1).astype(np.float32), {"units": "degrees_north"}),
            "x": ("x", (columns * 0.1 - 179.95).astype(np.float32), {"units": "degrees_east"}),
        },
    ).odc.assign_crs("EPSG:4326")
    path = tmp_path / FORMS[form]
    write_product(xr.DataTree(data), path, form=form)
    box = grid_of(open_product(path).to_dataset()).boundingbox
    np.testing.assert_allclose(box.bbox, (-180, -90, 180, 90), atol=1e-4)
