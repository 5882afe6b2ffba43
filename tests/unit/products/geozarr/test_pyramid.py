import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from odc.geo.geobox import GeoBox

from skerry.products.coding.pyramid import Rule, halve, list_levels, rule_for

SHAPES = arrays.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=9)
MISSING = 0


def _naive_cells(numbers: npt.NDArray[np.generic]) -> dict[tuple[int, ...], list[float]]:
    """Sort every pixel into its cell, one by one."""
    cells: dict[tuple[int, ...], list[float]] = {}
    for place in np.ndindex(numbers.shape):
        *leading, row, column = place
        cells.setdefault((*leading, row // 2, column // 2), []).append(numbers[place].item())
    return cells


@given(
    arrays.arrays(
        np.float32,
        SHAPES,
        elements=st.one_of(st.just(math.nan), st.floats(-1e6, 1e6, width=32)),
    )
)
def test_floats_become_the_mean_of_the_valid_pixels(numbers: npt.NDArray[np.float32]) -> None:
    half = halve(numbers, Rule.MEAN, math.nan)
    for cell, pixels in _naive_cells(numbers).items():
        valid = [pixel for pixel in pixels if not math.isnan(pixel)]
        if not valid:
            assert math.isnan(half[cell])
            continue
        mean = math.fsum(valid) / len(valid)
        assert half[cell] == pytest.approx(mean, rel=1e-5, abs=1e-5 * max(map(abs, valid)))
        assert min(valid) - 0.5 <= half[cell] <= max(valid) + 0.5


@given(
    arrays.arrays(np.float32, SHAPES, elements=st.sampled_from([-999, math.nan, 4, 7.5, 0, -3])),
    st.sampled_from([-999.0, 0.0]),
)
def test_floats_with_a_number_for_no_data_leave_it_out_of_means(
    numbers: npt.NDArray[np.float32], missing: float
) -> None:
    half = halve(numbers, Rule.MEAN, missing)
    for cell, pixels in _naive_cells(numbers).items():
        valid = [pixel for pixel in pixels if not math.isnan(pixel) and pixel != missing]
        if not valid:
            assert half[cell] == missing
            continue
        assert half[cell] != missing
        assert half[cell] == pytest.approx(sum(valid) / len(valid), rel=1e-6, abs=1e-30)


@given(
    st.sampled_from([np.int64, np.uint64]).flatmap(
        lambda dtype: arrays.arrays(
            dtype, SHAPES, elements=st.integers(2**62 - 3, 2**62 + 3) | st.just(5)
        )
    ),
    st.sampled_from([None, 5]),
)
def test_means_of_large_integers_are_exact(
    numbers: npt.NDArray[np.int64], missing: int | None
) -> None:
    half = halve(numbers, Rule.MEAN, missing)
    for cell, pixels in _naive_cells(numbers).items():
        valid = [int(pixel) for pixel in pixels if pixel != missing]
        expected = round(Fraction(sum(valid), len(valid))) if valid else missing
        assert half[cell] == expected


@given(arrays.arrays(np.uint16, SHAPES))
def test_packed_numbers_become_the_rounded_mean_and_never_a_false_gap(
    numbers: npt.NDArray[np.uint16],
) -> None:
    half = halve(numbers, Rule.MEAN, MISSING)
    assert half.dtype == np.uint16
    for cell, pixels in _naive_cells(numbers).items():
        valid = [pixel for pixel in pixels if pixel != MISSING]
        if not valid:
            assert half[cell] == MISSING
            continue
        assert half[cell] != MISSING
        assert half[cell] == pytest.approx(sum(valid) / len(valid), abs=0.51)


@given(arrays.arrays(np.uint8, SHAPES, elements=st.integers(0, 4)))
def test_classes_become_the_most_frequent_one(numbers: npt.NDArray[np.uint8]) -> None:
    half = halve(numbers, Rule.MODE, None)
    for cell, pixels in _naive_cells(numbers).items():
        votes = {pixel: pixels.count(pixel) for pixel in pixels}
        assert votes[half[cell].item()] == max(votes.values())


@given(SHAPES, st.integers(1, 65535))
def test_a_constant_stays_itself_and_sizes_round_up(shape: tuple[int, ...], value: int) -> None:
    numbers = np.full(shape, value, np.uint16)
    for rule in Rule:
        half = halve(numbers, rule, MISSING)
        assert half.shape == (*shape[:-2], math.ceil(shape[-2] / 2), math.ceil(shape[-1] / 2))
        assert (half == value).all()


def test_rounding_never_lands_on_the_missing_number() -> None:
    numbers = np.array([[4, 6], [4, 6]], np.uint8)
    assert halve(numbers, Rule.MEAN, 5.0).item() == 6


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_levels_share_the_corner_and_double_the_step(height: int, width: int) -> None:
    grid = GeoBox((height, width), Affine(10.0, 0, 399_960.0, 0, -10.0, 6_000_000.0), "EPSG:32633")
    levels = list_levels(grid)
    assert max(levels[-1].shape) <= 256
    for number, level in enumerate(levels):
        factor = 2**number
        assert tuple(level.shape) == (math.ceil(height / factor), math.ceil(width / factor))
        step = 10.0 * factor
        assert tuple(level.affine[:6]) == (step, 0.0, 399_960.0, 0.0, -step, 6_000_000.0)


def test_classes_and_flags_are_not_averaged() -> None:
    plain = xr.DataArray(np.zeros((2, 2)))
    assert rule_for(plain) is Rule.MEAN
    assert rule_for(plain.assign_attrs(flag_values=[0, 1])) is Rule.MODE
    assert rule_for(plain.assign_attrs(flag_masks=[1, 2])) is Rule.MODE
    assert rule_for(plain.astype(bool)) is Rule.MODE
