"""Packed numbers: every number comes back, and a measurement never becomes a gap."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from skerry.core.errors import InvalidInputError
from skerry.products import open_product, write_product
from skerry.products.coding.packing import (
    Packing,
    allow_gaps,
    find_packing,
    packing_of,
    values_type,
)

F4, F8, U2 = (np.dtype(name) for name in ("f4", "f8", "u2"))
REFLECTANCE = Packing(U2, F4, 1e-4, -0.1, (0,))


@given(arrays.arrays(np.uint16, st.integers(1, 50), elements=st.integers(0, 65535)))
def test_packed_numbers_survive_float32(numbers: npt.NDArray[np.uint16]) -> None:
    assert np.array_equal(REFLECTANCE.encode(REFLECTANCE.decode(numbers)), numbers)


@pytest.mark.parametrize("offset", [0.0, -0.1, 26.0, 273.15, 9999.0])
@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2"])
def test_values_come_back_whatever_the_offset(dtype: str, offset: float) -> None:
    limits = np.iinfo(dtype)
    numbers = np.arange(limits.min, limits.max + 1).astype(dtype)
    packing = Packing(np.dtype(dtype), F4, 1e-4, offset)
    values = packing.decode(numbers)
    assert np.array_equal(packing.decode(packing.encode(values)), values)


@given(arrays.arrays(np.float32, 20, elements=st.floats(-10, 10, width=32) | st.just(math.nan)))
def test_a_measurement_never_becomes_a_gap(values: npt.NDArray[np.float32]) -> None:
    numbers = REFLECTANCE.encode(values, saturate=True)
    assert np.array_equal(numbers == 0, np.isnan(values))


@pytest.mark.parametrize("missing", [(65535, 65534), (65534, 65535), (0, 1)])
def test_a_measurement_moves_past_all_missing_numbers(missing: tuple[int, ...]) -> None:
    packing = Packing(U2, F4, 1.0, 0.0, missing)
    assert not set(packing.encode(np.array(missing, np.float32)).tolist()) & set(missing)
    assert packing.encode(np.array([np.nan], np.float32)).tolist() == [missing[0]]


def test_a_float_that_is_the_fill_value_moves_to_its_neighbour() -> None:
    packing = Packing(F4, F4, missing=(0.0,))
    numbers = packing.encode(np.array([0.0, np.nan, 1.0], np.float32))
    assert numbers.tolist() == [pytest.approx(0.0, abs=1e-40), 0.0, 1.0]
    assert np.isnan(packing.decode(numbers)).tolist() == [False, True, False]


def test_values_beyond_the_range_become_its_ends_where_an_instrument_saturates() -> None:
    values = np.array([-np.inf, -5, 99, np.inf], np.float32)
    assert REFLECTANCE.encode(values, saturate=True).tolist() == [1, 1, 65535, 65535]


@pytest.mark.parametrize("value", [-np.inf, -0.11, 6.46, 200, np.inf])
def test_values_beyond_the_range_are_refused(value: float) -> None:
    values = np.array([0.2, np.nan, value], np.float32)
    with pytest.raises(InvalidInputError, match=r"holds those from -0\.1 to 6\.4535"):
        REFLECTANCE.encode(values)
    assert REFLECTANCE.encode(values[:2]).tolist() == [3000, 0]


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8"])
@pytest.mark.parametrize("values", ["f4", "f8"])
def test_both_ends_of_a_type_are_within_it(dtype: str, values: str) -> None:
    stored = np.dtype(dtype)
    limits = np.iinfo(stored)
    ends = np.array([limits.min, limits.max], stored)
    for scale, offset in ((0.001, -3.0), (7.0, 0.0), (1.0, None)):
        packing = Packing(stored, np.dtype(values), scale, offset)
        result = packing.encode(packing.decode(ends))
        np.testing.assert_allclose(result.astype(float), ends.astype(float), rtol=1e-6, atol=1)


@pytest.mark.parametrize("stored", ["i1", "u4", "i4", "i8", "u8"])
def test_ends_of_wide_types(stored: str) -> None:
    limits = np.iinfo(stored)
    packing = Packing(np.dtype(stored), F4, 1.0, None)
    numbers = packing.encode(np.array([-np.inf, np.inf], "f4"), saturate=True)
    assert int(numbers[0]) == limits.min
    assert int(numbers[1]) == pytest.approx(limits.max)
    assert int(numbers[1]) <= limits.max


def test_gaps_without_a_number_for_them_are_refused() -> None:
    packing = Packing(U2, F4, 0.01, name="b02")
    with pytest.raises(InvalidInputError, match="b02"):
        packing.encode(np.array([1.0, np.nan], np.float32))


@pytest.mark.parametrize(
    "encoding",
    [
        {},
        {"dtype": "u2"},
        {"dtype": "f4", "scale_factor": 2.0},
        {"_FillValue": math.nan},
        {"dtype": "u1", "_FillValue": math.nan},
        {"dtype": "u1", "_FillValue": -1},
    ],
)
def test_a_variable_without_packing_has_none(encoding: dict[str, Any]) -> None:
    values = xr.Variable("x", np.zeros(3, np.float32), {}, encoding)
    assert packing_of(values) is None
    assert packing_of(xr.Variable("x", np.zeros(3, np.uint8), {}, encoding)) is None


@pytest.mark.parametrize(
    ("stored", "attrs", "values"),
    [
        ("u2", {}, "u2"),
        ("u2", {"scale_factor": 0.1}, "f4"),
        ("i4", {"add_offset": 0.1}, "f8"),
        ("i4", {"_FillValue": -1}, "f8"),
        ("u1", {"_FillValue": 255, "flag_values": [1]}, "u1"),
        ("u1", {"_FillValue": 255, "flag_masks": [1]}, "u1"),
        ("u8", {"_FillValue": 2**64 - 1}, "u8"),
        ("f4", {"_FillValue": -1.0, "scale_factor": 2.0}, "f4"),
    ],
)
def test_types_of_values(stored: str, attrs: dict[str, Any], values: str) -> None:
    assert values_type(np.dtype(stored), attrs) == np.dtype(values)


@pytest.mark.parametrize("attrs", [{"scale_factor": 0.01}, {"add_offset": 5.0, "_FillValue": 7}])
def test_attributes_give_the_packing_back(attrs: dict[str, Any]) -> None:
    packing = find_packing(np.dtype("i2"), attrs)
    assert packing is not None
    assert packing.attrs == attrs


@pytest.mark.parametrize(
    ("stored", "fill"), [("uint8", 255), ("int16", -(2**15)), ("uint16", 2**16 - 1)]
)
def test_packing_without_a_fill_value_gets_one_where_values_are_masked(
    stored: str, fill: int
) -> None:
    packing = {"dtype": stored, "scale_factor": 0.5, "add_offset": 1.0}
    assert allow_gaps(packing, np.dtype("f4")) == packing | {"_FillValue": fill}
    named = packing | {"_FillValue": 0}
    assert allow_gaps(named, np.dtype("f4")) == named
    flags = {"dtype": stored}
    assert allow_gaps(flags, np.dtype(stored)) == flags


@pytest.mark.parametrize("form", ["netcdf", "eopf-zarr", "eopf-zarr-v2", "geozarr", "cog"])
@pytest.mark.parametrize("way", ["in place", "joined"])
def test_values_that_outgrew_their_packing_are_refused(way: str, form: Any, tmp_path: Path) -> None:
    """xarray keeps the packing of the first, and would write 6.45 for 200."""
    grid = GeoBox.from_bbox((400_000, 5_990_000, 400_200, 5_990_200), "EPSG:32633", resolution=10)
    band = xr.DataArray(
        np.full(grid.shape, 0.2, "f4"), dims=("y", "x"), coords=xr_coords(grid), name="b04"
    )
    packing = {"dtype": "uint16", "scale_factor": 1e-4, "add_offset": -0.1, "_FillValue": 0}
    band.encoding = packing
    if way == "in place":
        band[3, 4] = 200
    else:
        band = xr.concat([band, band * 1000], "time")
        assert band.encoding["scale_factor"] == 1e-4
    with pytest.raises(InvalidInputError, match=r"b04 has values from 0\.2 to 200, .* to 6\.4535"):
        write_product(band.to_dataset(), tmp_path / "p", form=form)
    assert not (tmp_path / "p").exists()
    del band.encoding["dtype"], band.encoding["scale_factor"], band.encoding["add_offset"]
    del band.encoding["_FillValue"]
    write_product(band.to_dataset(), tmp_path / "p", form=form)
    np.testing.assert_array_equal(open_product(tmp_path / "p")["b04"], band)
