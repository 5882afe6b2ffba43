"""satpy and ESA's CPM read a simulated Sentinel-1 product to the values that we read.

Both read it under the name without ``_SIM``, which their patterns do not know.
"""

import numpy as np
import pytest
import xarray as xr
from tests.peers.reference_process import Arrays, ReferenceProcess
from tests.peers.simulated_products import SIZES, SimulatedProducts

from skerry.processors.sar import backscatter, select_members

pytestmark = pytest.mark.peers

KIND = "s1-iw-grd"
ROUNDING = 3e-7
"""Relative: CPM and satpy read numbers as float32 where we read float64."""
MICROSECOND = np.timedelta64(1000, "ns")
DIFFERENT = {
    # A time in the annotation; CPM turns it into a truth value.
    "conditions/doppler_centroid/fine_dce_azimuth_start_time",
    "conditions/doppler_centroid/fine_dce_azimuth_stop_time",
}


@pytest.fixture(scope="module")
def ours(simulated: SimulatedProducts) -> xr.DataTree:
    return simulated.tree(KIND)


@pytest.fixture(scope="module")
def cpm(simulated: SimulatedProducts, reference: ReferenceProcess) -> Arrays:
    return reference.read_with_cpm(simulated.named_as_real(KIND))


@pytest.fixture(scope="module")
def satpy(simulated: SimulatedProducts, reference: ReferenceProcess) -> Arrays:
    return reference.ask("satpy_sentinel_1", "read", path=simulated.named_as_real(KIND))


def test_cpm_reads_the_same_variables(cpm: Arrays, ours: xr.DataTree) -> None:
    compared = 0
    for key in cpm:
        path, _, coordinate = key.partition("@")
        inner = path.partition("/")[2]
        if coordinate or inner in DIFFERENT or "/noise_azimuth/" in path:
            continue
        own, other = ours[path].to_numpy(), cpm[key]
        if other.dtype.kind == "M":
            assert np.abs(own - other).max() <= MICROSECOND, path
        elif other.dtype.kind == "U":
            np.testing.assert_array_equal(own, other)
        else:
            np.testing.assert_allclose(own, other, rtol=ROUNDING, err_msg=path)
        compared += 1
    assert compared == 2 * 41


def test_cpm_reads_the_same_azimuth_noise(cpm: Arrays, ours: xr.DataTree) -> None:
    for member in select_members(ours, []).values():
        noise = member["quality/noise_azimuth"].to_dataset()
        for swath in noise.swath.to_numpy():
            path = f"{member.name}/quality/noise_azimuth/{swath}/noise_azimuth_lut"
            swath_noise = noise.sel(swath=swath)
            np.testing.assert_array_equal(swath_noise.noise_azimuth_lut, cpm[path])
            np.testing.assert_array_equal(swath_noise.line, cpm[f"{path}@line"])
            assert swath_noise.last_range_sample == cpm[f"{path}@last_range_sample"]


def test_cpm_gives_the_image_the_same_coordinates(cpm: Arrays, ours: xr.DataTree) -> None:
    for member in select_members(ours, []).values():
        grd = member["measurements/grd"]
        path = f"{member.name}/measurements/grd"
        for name in ("line", "pixel", "ground_range"):
            np.testing.assert_array_equal(grd[name], cpm[f"{path}@{name}"])
        gap = np.abs(grd.azimuth_time.to_numpy() - cpm[f"{path}@azimuth_time"])
        assert gap.max() <= MICROSECOND


def test_satpy_calibrates_to_the_same_backscatter(satpy: Arrays, ours: xr.DataTree) -> None:
    """Linear units. satpy adds the annotation's ``absoluteCalibrationConstant``, 1, to DN^2."""
    for quantity, table in (("sigma", "sigma_nought"), ("beta", "beta_nought"), ("gamma", "gamma")):
        actual = backscatter(ours, quantity=quantity, negative="keep")
        for polarisation, member in select_members(ours, []).items():
            name = f"{quantity}_nought_{polarisation.lower()}"
            weakest = float(member[f"quality/calibration/{table}"].min())
            lut = member[f"quality/calibration/{table}"]
            pixels = np.arange(SIZES[KIND])
            square = np.interp(pixels, lut.pixel, lut.isel(azimuth_time=0)) ** 2
            expected = np.maximum(actual[name].to_numpy() + 1 / square, 0)
            # One per mille of a squared digital number; the noise here is some hundreds of them.
            np.testing.assert_allclose(
                satpy[name], expected, rtol=1e-5, atol=2e-3 / weakest**2, err_msg=name
            )


def test_satpy_locates_the_ground_control_points_where_we_do(
    satpy: Arrays, ours: xr.DataTree
) -> None:
    for polarisation, member in select_members(ours, []).items():
        points = member["conditions/gcp"].to_dataset()
        place = np.ix_(points.line.to_numpy(), points.pixel.to_numpy())
        for name in ("latitude", "longitude"):
            result = satpy[f"{name}_{polarisation.lower()}"][place]
            np.testing.assert_allclose(result, points[name], atol=1e-6)  # degrees: 0.1 m
