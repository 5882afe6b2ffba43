"""Tie points: known fields come back at every pixel, azimuths over their jump."""

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from skerry.processors.tie_points import (
    interpolate_tie_points,
    is_azimuth,
    locate_by_coordinates,
    locate_evenly,
)


def _image(rows: int, columns: int, chunks: int | None = None) -> xr.DataArray:
    data = np.zeros((rows, columns), np.float32)
    lazy = data if chunks is None else da.from_array(data, chunks=chunks)
    return xr.DataArray(lazy, dims=("rows", "columns"))


def _ties(values: np.ndarray, name: str = "sza") -> xr.DataArray:
    return xr.DataArray(values, dims=("tp_rows", "tp_columns"), name=name)


@given(st.integers(2, 6), st.integers(2, 6), st.integers(1, 16), st.integers(1, 64))
def test_a_plane_comes_back_at_the_centre_of_every_pixel(
    down: int, across: int, row_step: int, column_step: int
) -> None:
    """Tie points are at the centres of pixels, the first and the last included: no half pixel."""
    image = _image((down - 1) * row_step + 1, (across - 1) * column_step + 1)
    row, column = np.mgrid[: image.shape[0], : image.shape[1]]
    plane = 3.0 + 0.25 * row - 0.5 * column
    ties = _ties(plane[::row_step, ::column_step])
    result = interpolate_tie_points(ties, *locate_evenly(image, ties))
    np.testing.assert_allclose(result, plane, atol=1e-4)


@given(st.floats(0, 360), st.booleans())
def test_azimuths_turn_the_short_way(middle: float, signed: bool) -> None:
    """Between 350 and 10 degrees lies 0, not 180."""
    image, spread = _image(2, 9), np.linspace(-20, 20, 9)
    true = middle + np.vstack([spread, spread])
    wrap = (lambda a: (a + 180) % 360 - 180) if signed else (lambda a: a % 360)
    ties = _ties(wrap(true)[:, ::4], "oaa")
    result = interpolate_tie_points(ties, *locate_evenly(image, ties)).values
    away = (result - true + 180) % 360 - 180
    # Between directions 20 degrees apart a chord is off the arc by 0.1 degrees at most.
    assert np.abs(away).max() < 0.1
    assert result.min() >= -180
    assert result.max() <= 360


def test_lazily_and_beside_gaps() -> None:
    image = _image(5, 9, chunks=3)
    values = np.tile([10.0, 350.0, np.nan], (2, 1))
    for name in ("saa", "sza"):
        ties = _ties(values, name)
        result = interpolate_tie_points(ties, *locate_evenly(image, ties))
        assert result.chunks is not None
        assert result.dtype == np.float32
        assert np.isnan(result.values[:, 5:]).all()
    assert float(result[0, 2]) == pytest.approx(180.0), "zenith angles do not turn"


def test_a_plane_goes_on_for_a_step_off_the_tie_points_and_no_farther() -> None:
    tie = xr.DataArray([0.0, 5000.0], dims="t")
    at = xr.DataArray([-5010.0, -5000.0, -10.0, 10.0, 4990.0, 10_000.0, 10_010.0], dims="x")
    rows, columns = locate_by_coordinates(at.rename(x="y"), at, tie, tie)
    result = interpolate_tie_points(_ties(np.array([[0.0, 1.0], [2.0, 3.0]])), rows, columns).values
    plane = (at.values[:, None] * 2 + at.values[None, :]) / 5000
    inner = (slice(1, -1), slice(1, -1))
    np.testing.assert_allclose(result[inner], plane[inner], atol=1e-6)
    assert np.isnan(result[[0, -1]]).all()
    assert np.isnan(result[:, [0, -1]]).all()


def test_one_tie_point_is_not_continued() -> None:
    place = xr.DataArray([-0.25, 0.0, 0.25], dims="x")
    result = interpolate_tie_points(_ties(np.array([[5.0]])), place.rename(x="y"), place).values
    assert result[1, 1] == 5.0
    assert np.isfinite(result).sum() == 1


@pytest.mark.parametrize("signed", [False, True])
def test_azimuths_go_on_over_their_jump(signed: bool) -> None:
    """Half a step beyond 340 and 352 degrees lies 358, a step beyond 4."""
    east, west = (352.0, 340.0) if not signed else (-8.0, -20.0)
    places = xr.DataArray([-0.5, 1.5, 2.0], dims="x")
    actual = interpolate_tie_points(
        _ties(np.array([[west, east]] * 2), "saa"), xr.DataArray([0.5], dims="y"), places
    ).values[0]
    expected = np.array([334.0, 358.0, 364.0])
    away = (actual - expected + 180) % 360 - 180
    assert np.abs(away).max() < 0.5  # of a chord that goes on along 12 degrees
    lowest, highest = (-180, 180) if signed else (0, 360)
    assert actual.min() >= lowest
    assert actual.max() <= highest


@pytest.mark.parametrize(
    ("name", "standard", "expected"),
    [("solar_azimuth_tn", "", True), ("oaa", "", True), ("sza", "", False),
     ("a", "sensor_azimuth_angle", True), ("a", "solar_zenith_angle", False)],
)  # fmt: skip
def test_what_is_an_azimuth(name: str, standard: str, expected: bool) -> None:
    assert is_azimuth(xr.DataArray(0.0, name=name, attrs={"standard_name": standard})) == expected
