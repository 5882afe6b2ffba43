"""GDAL, xarray and rioxarray, no code of ours in between, read the Zarr that we write."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import rasterio
import rioxarray  # noqa: F401 -- makes .rio
import xarray as xr
from tests.peers.comparison import check_values, list_variables
from tests.peers.simulated_products import SimulatedProducts

from skerry.products import write_product

pytestmark = pytest.mark.peers

GROUP = "measurements/reflectance/r20m"
FORMS = {
    "eopf-zarr-v2 of cpm-2.8": ("eopf-zarr-v2", "cpm-2.8"),
    "eopf-zarr-v2 of 2025": ("eopf-zarr-v2", "2025"),
    "eopf-zarr of cpm-2.8": ("eopf-zarr", "cpm-2.8"),
    "eopf-zarr of 2025": ("eopf-zarr", "2025"),
    "geozarr": ("geozarr", None),
}


@pytest.fixture(scope="module", params=FORMS)
def written(
    request: pytest.FixtureRequest,
    simulated: SimulatedProducts,
    tmp_path_factory: pytest.TempPathFactory,
) -> tuple[Path, str]:
    """Return the store, and the group in it that holds the 20 m bands in full resolution."""
    form, profile = FORMS[request.param]
    place = tmp_path_factory.mktemp("written") / "product.zarr"
    write_product(simulated.tree("s2-l2a"), place, form=form, profile=profile)
    return place, f"{GROUP}/0" if form == "geozarr" else GROUP


@pytest.fixture(scope="module")
def band(simulated: SimulatedProducts) -> xr.DataArray:
    return simulated.tree("s2-l2a")[f"{GROUP}/b05"].load()


def unpack(numbers: npt.NDArray, scale: float, offset: float, fill: float) -> npt.NDArray:
    return np.where(numbers == fill, np.nan, numbers * scale + offset)


def test_xarray_decodes_our_values(written: tuple[Path, str], band: xr.DataArray) -> None:
    place, group = written
    with xr.open_dataset(place, group=group, engine="zarr", decode_coords="all") as found:
        check_values(found["b05"].to_numpy(), band, "b05")
        np.testing.assert_array_equal(found["x"], band["x"])
        np.testing.assert_array_equal(found["y"], band["y"])


LEFT_OUT = {
    *(f"/quality/l2a_quicklook/r{item}m" for item in (10, 20, 60)), "/quality/probability/r60m",
}  # fmt: skip
"""What `cpm-2.8` has not."""


def test_xarray_opens_the_whole_tree(
    request: pytest.FixtureRequest, written: tuple[Path, str], simulated: SimulatedProducts
) -> None:
    """Every group with all its variables and their dimensions; GeoZarr's in its level 0."""
    form = request.node.callspec.params["written"]
    compared = 0
    with xr.open_datatree(written[0], engine="zarr") as found:
        for node in simulated.tree("s2-l2a").subtree:
            ours = node.to_dataset(inherit=False)
            if not ours.data_vars or (form.endswith("cpm-2.8") and node.path in LEFT_OUT):
                assert node.path not in found.groups or not found[node.path].data_vars
                continue
            levels = form == "geozarr" and {"y", "x"} <= set(ours.dims) and "spatial_ref" in ours
            theirs = found[f"{node.path}/0" if levels else node.path].to_dataset()
            assert set(ours.data_vars) <= set(theirs.variables), node.path
            for name, item in ours.data_vars.items():
                assert theirs[name].dims == item.dims, f"{node.path}/{name}"
                assert theirs[name].shape == item.shape, f"{node.path}/{name}"
                compared += 1
            if levels:
                layout = found[node.path].attrs["multiscales"]["layout"]
                names = [item["asset"] for item in layout]
                assert (
                    sorted(found[node.path].children)
                    == names
                    == [str(i) for i in range(len(names))]
                )
    lost = 5 if form.endswith("cpm-2.8") else 0
    assert compared == len(list_variables(simulated.tree("s2-l2a"))) - lost


def test_rioxarray_places_it(written: tuple[Path, str], band: xr.DataArray) -> None:
    place, group = written
    with xr.open_dataset(place, group=group, engine="zarr", decode_coords="all") as found:
        assert found["b05"].rio.crs.to_epsg() == 32633
        west, north = float(band.x[0]) - 10, float(band.y[0]) + 10
        size = 20.0 * len(band.x)
        assert found["b05"].rio.bounds() == (west, north - size, west + size, north)


def test_gdal_reads_our_values(written: tuple[Path, str], band: xr.DataArray) -> None:
    place, group = written
    with rasterio.open(f'ZARR:"{place}":/{group}/b05') as found:
        numbers = found.read(1)
        values = unpack(numbers, found.scales[0], found.offsets[0], found.nodata)
        assert found.crs.to_epsg() == 32633
        assert found.transform.to_gdal() == (
            float(band.x[0]) - 10, 20, 0, float(band.y[0]) + 10, 0, -20,
        )  # fmt: skip
    check_values(values, band, "b05")
