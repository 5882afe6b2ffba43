import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.errors import InvalidInputError
from skerry.processors.cloud_masks import (
    PixelClass,
    _coarsen,
    add_shadows,
    classify_msi,
    smear_mask,
)
from skerry.processors.registry import get_processor

SPECTRA = {
    # Typical reflectance at the top of the atmosphere: blue, green, red, nir, 1.6, 2.2, 1.4 um.
    PixelClass.CLOUD: [0.50, 0.50, 0.52, 0.55, 0.45, 0.35, 0.002],
    PixelClass.SNOW_ICE: [0.75, 0.74, 0.73, 0.70, 0.08, 0.05, 0.001],
    PixelClass.WATER: [0.12, 0.08, 0.05, 0.02, 0.005, 0.003, 0.001],
    PixelClass.LAND: [0.10, 0.09, 0.06, 0.35, 0.20, 0.10, 0.001],
    PixelClass.CIRRUS: [0.12, 0.12, 0.09, 0.37, 0.22, 0.12, 0.030],
    PixelClass.NO_DATA: [np.nan, 0.09, 0.06, 0.35, 0.20, 0.10, 0.001],
}


@pytest.mark.parametrize("expected", list(SPECTRA))
def test_spectra_of_each_class(expected: PixelClass) -> None:
    bands = [np.full((1, 1), item, np.float32) for item in SPECTRA[expected]]
    assert classify_msi(*bands)[0, 0] == expected


@given(st.integers(-12, 12), st.integers(-12, 12))
def test_a_smeared_point_is_a_line(down: int, right: int) -> None:
    mask = np.zeros((41, 41), bool)
    mask[20, 20] = True
    result = smear_mask(mask, down, right)
    assert result[20, 20]
    rows, columns = np.nonzero(result)
    ends = np.hypot(rows - 20 - down, columns - 20 - right)
    assert ends.min() <= 2
    length = max(np.hypot(down, right), 1.0)
    away = np.abs((rows - 20) * right - (columns - 20) * down) / length
    assert away.max() <= 2 or not (down or right), "on the line, rounded"
    assert np.hypot(rows - 20, columns - 20).max() <= length + 2


@pytest.mark.parametrize("chunks", [None, 7])
def test_shadows_fall_away_from_the_sun_on_dark_land(chunks: int | None) -> None:
    grid = {"y": -20.0 * np.arange(40), "x": 20.0 * np.arange(40)}
    classes = np.full((40, 40), PixelClass.LAND, np.uint8)
    classes[20, 20] = PixelClass.CLOUD
    nir = np.full((40, 40), 0.05, np.float32)
    nir[16, 20] = 0.4
    first = xr.DataArray(classes, dims=("y", "x"), coords=grid)
    second = xr.DataArray(nir, dims=("y", "x"), coords=grid)
    if chunks:
        first, second = first.chunk(chunks), second.chunk(chunks)
    # The sun in the south at 45 degrees: a cloud of 200 m throws its shadow 10 pixels north.
    result = add_shadows(first, second, 45.0, 180.0, 200.0)
    assert (result.chunks is not None) == bool(chunks)
    column = result.values[:, 20]
    assert np.flatnonzero(column == PixelClass.CLOUD_SHADOW).tolist() == [
        10, 11, 12, 13, 14, 15, 17, 18, 19,
    ]  # fmt: skip
    assert (result.values == PixelClass.CLOUD_SHADOW).sum() == 9


def _product(fill: float) -> xr.DataTree:
    groups = {}
    for grid, step, names in [("r10m", 1, ("b02", "b03", "b04", "b08")),
                              ("r20m", 2, ("b11", "b12")), ("r60m", 6, ("b10",))]:  # fmt: skip
        size = 12 // step
        place = {axis: 10.0 * step * (np.arange(size) + 0.5) * sign
                 for axis, sign in (("y", -1), ("x", 1))}  # fmt: skip
        band = da.full((size, size), fill, dtype="f4", chunks=4)
        groups[f"/measurements/reflectance/{grid}"] = xr.Dataset(
            dict.fromkeys(names, (("y", "x"), band)), coords=place
        )
    groups["/conditions/geometry"] = xr.Dataset(
        {"mean_sun_angles": ("angle", [40.0, 160.0])}, coords={"angle": ["zenith", "azimuth"]}
    )
    tree = xr.DataTree.from_dict(groups, name="L1C_SIM")
    tree.attrs["stac_discovery"] = {"properties": {"product:type": "S02MSIL1C"}}
    return tree


def test_products_without_data_or_all_cloud() -> None:
    mask = get_processor("s2-cloud-mask")
    empty = mask.apply(_product(np.nan))["pixel_class"]
    assert (empty.values == PixelClass.NO_DATA).all()
    assert empty.shape == (6, 6)
    assert empty.dtype == np.uint8
    cloudy = mask.apply(_product(0.5), cirrus_reflectance=0.1)["pixel_class"]
    assert (cloudy.values == PixelClass.CLOUD).all()


def test_a_missing_band_is_named() -> None:
    tree = _product(0.1).filter(lambda node: node.name != "r60m")
    tree.attrs, tree.name = _product(0.1).attrs, "L1C_SIM"
    with pytest.raises(InvalidInputError, match="L1C_SIM has no measurements/reflectance/r60m/b10"):
        get_processor("s2-cloud-mask").apply(tree)
    with pytest.raises(InvalidInputError, match=r"'cloud_height_m'.*at most 15000"):
        get_processor("s2-cloud-mask").apply(_product(0.1), cloud_height_m=1e6)


def test_resolutions_meet_at_the_centres_of_pixels() -> None:
    """A plane, averaged from 10 to 20 m, is that plane at the centres of 20 m: no half pixel."""
    fine, coarse = (
        xr.DataArray(
            np.add.outer(-step * (np.arange(size) + 0.5), 0.25 * step * (np.arange(size) + 0.5)),
            dims=("y", "x"),
            coords={"y": -step * (np.arange(size) + 0.5), "x": step * (np.arange(size) + 0.5)},
        )
        for step, size in ((10.0, 12), (20.0, 6))
    )
    result = _coarsen(fine, coarse)
    np.testing.assert_allclose(result, coarse, atol=1e-9)
    np.testing.assert_array_equal(result["x"], coarse["x"])


def test_cirrus_of_60_m_lies_over_its_nine_pixels_of_20_m() -> None:
    tree = _product(0.1)
    place = tree["measurements/reflectance/r60m"]
    place["b10"] = place["b10"].copy(data=np.array([[0.0, 0.1], [0.0, 0.0]], np.float32))
    actual = get_processor("s2-cloud-mask").apply(tree, cloud_height_m=0)["pixel_class"].values
    expected = np.zeros((6, 6), bool)
    expected[:3, 3:] = True
    np.testing.assert_array_equal(actual == PixelClass.CIRRUS, expected)
