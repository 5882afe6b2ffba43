import math

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from skerry.products.packing import decode_numbers, encode_values, packing_of, unpack

PACKING = {"dtype": "uint16", "scale_factor": 1e-4, "add_offset": -0.1, "_FillValue": 0}


@given(arrays.arrays(np.uint16, st.integers(1, 50), elements=st.integers(0, 65534)))
def test_packed_numbers_survive_float32(numbers: npt.NDArray[np.uint16]) -> None:
    values = decode_numbers(numbers, scale=1e-4, offset=-0.1, missing=(0,))
    assert np.array_equal(encode_values(values, PACKING), numbers)


@given(arrays.arrays(np.float32, 20, elements=st.floats(-10, 10, width=32) | st.just(math.nan)))
def test_a_measurement_never_becomes_a_gap(values: npt.NDArray[np.float32]) -> None:
    assert np.array_equal(encode_values(values, PACKING) == 0, np.isnan(values))


def test_a_variable_without_packing_has_none() -> None:
    assert packing_of(xr.DataArray(np.zeros(3, np.float32))) is None
    assert packing_of(xr.DataArray(np.zeros(3, np.uint8))) is None


def test_unpacking_moves_the_packing_into_the_encoding() -> None:
    attrs = {"scale_factor": 0.001, "_FillValue": 0, "units": "cm"}
    values = unpack(xr.DataArray(np.array([0, 1500], np.uint16), dims="x", attrs=attrs))
    assert np.isnan(values[0])
    assert float(values[1]) == pytest.approx(1.5)
    assert values.attrs == {"units": "cm"}
    assert packing_of(values) == {
        "dtype": "uint16", "scale_factor": 0.001, "add_offset": 0.0, "_FillValue": 0,
    }  # fmt: skip
