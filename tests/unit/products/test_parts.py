"""What xarray's indexing chooses of a lazily opened product is what it chooses of its values."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from skerry.products import open_product, write_product

FORMS = {
    "netcdf": "a.nc", "eopf-zarr": "a.zarr", "eopf-zarr-v2": "b.zarr", "geozarr": "c.zarr",
    "cog": "a.cogs",
}  # fmt: skip
CHOICES: dict[str, dict[str, Any]] = {
    "one pixel": {"y": 3, "x": 4},
    "a row": {"y": -1},
    "a column": {"x": 0},
    "every second": {"x": slice(None, None, 2), "y": slice(1, None, 3)},
    "backwards": {"y": slice(None, None, -1)},
    "backwards in steps": {"x": slice(50, 10, -7), "y": 5},
    "a list": {"x": [7, 3, 3]},
    "nothing": {"x": slice(5, 5)},
    "a band": {"band": 1},
    "bands backwards": {"band": slice(None, None, -2), "x": slice(3, 9)},
}


@pytest.fixture(scope="module")
def rasters() -> xr.Dataset:
    grid = GeoBox((61, 83), Affine(10, 0, 399_960, 0, -10, 6_000_000), "EPSG:32633")
    values = np.arange(3 * 61 * 83, dtype=np.int32).reshape(3, 61, 83)
    data = {"v": (("y", "x"), values[0]), "b": (("band", "y", "x"), values)}
    return xr.Dataset(data, coords=dict(xr_coords(grid, crs_coord_name="spatial_ref")))


@pytest.fixture(scope="module")
def folder(rasters: xr.Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parts")
    for form, name in FORMS.items():
        write_product(xr.DataTree(rasters), folder / name, form=form)
    return folder


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("form", FORMS)
def test_a_part_is_that_of_the_values(
    rasters: xr.Dataset, folder: Path, form: str, choice: str
) -> None:
    product = open_product(folder / FORMS[form])
    for name, values in rasters.data_vars.items():
        selected = {key: item for key, item in CHOICES[choice].items() if key in values.dims}
        part = product[str(name)].isel(selected)
        np.testing.assert_array_equal(part.data.compute(), values.isel(selected))
