"""Calibration and noise removal of Sentinel-1 GRD, by hand and around the closed loop."""

import dask
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from odc.geo.geobox import GeoBox
from pyproj import Geod

from skerry.core.errors import InvalidInputError
from skerry.processors.sar import backscatter, geolocation, incidence_angle
from skerry.processors.sar_tables import Table, read_place, read_table
from skerry.products import open_product
from skerry.products.regridding import regrid_swath
from skerry.simulate.sentinel_1.orbit import fly_over
from skerry.simulate.sentinel_1.product import simulate_s1_iw_grd

pytestmark = pytest.mark.slow

MEMBER = "S01SIWGRD_20260501T165159_0025_A350_0000_07A1B2_VV"
DIMS = ("azimuth_time", "ground_range")


def make_product(numbers, *, noise=((8.0, 8.0), (16.0, 16.0)), azimuth=None, performed="false"):
    """Return a product of 5 by 5 pixels: A of sigma is 2 to 6 over the samples."""
    lines, pixels = np.arange(5), np.arange(5)
    image = xr.Dataset(
        {"grd": (DIMS, np.asarray(numbers, np.uint16))},
        {"line": (DIMS[0], lines), "pixel": (DIMS[1], pixels)},
    )
    corners = {"line": (DIMS[0], [0, 4]), "pixel": (DIMS[1], [0, 4])}
    luts = {"sigma_nought": [2.0, 6.0], "beta_nought": [1.0, 1.0], "gamma": [4.0, 4.0]}
    tables = xr.Dataset({name: (DIMS, [item, item]) for name, item in luts.items()}, corners)
    nodes = {f"{MEMBER}/measurements": image, f"{MEMBER}/quality/calibration": tables}
    if noise is not None:
        pixel = {"line": (DIMS[0], [0, 4]), "pixel": (DIMS, [[0, 4], [0, 4]])}
        nodes[f"{MEMBER}/quality/noise_range"] = xr.Dataset(
            {"noise_range_lut": (DIMS, np.array(noise))}, pixel
        )
    if azimuth is not None:
        nodes[f"{MEMBER}/quality/noise_azimuth"] = azimuth
    tree = xr.DataTree.from_dict(nodes)
    tree[MEMBER].attrs["stac_discovery"] = {"thermalNoiseCorrectionPerformed": performed}
    tree.attrs["stac_discovery"] = {"properties": {"product:type": "S01SIWGRD"}}
    return tree


def two_blocks():
    """Return a factor of 1 in samples 0 to 2, of 1 to 3 over the lines in samples 3 and 4."""
    swaths = {"first_azimuth_time": [0, 0], "last_azimuth_time": [4, 4]}
    swaths |= {"first_range_sample": [0, 3], "last_range_sample": [2, 4]}
    return xr.Dataset(
        {"noise_azimuth_lut": (("swath", "azimuth_time"), [[1.0, 1.0, np.nan], [1.0, 2.0, 3.0]])},
        {
            "line": (("swath", "azimuth_time"), [[0, 4, -1], [0, 2, 4]]),
            "swath": ["IW1", "IW2"],
            **{name: ("swath", item) for name, item in swaths.items()},
        },
    )


def test_by_hand():
    """(DN^2 - noise) / A^2 with DN = 10: line 2 has noise 12, sample 2 has A = 4."""
    result = backscatter(make_product(np.full((5, 5), 10)))["sigma_nought_vv"]
    assert result.dtype == np.float32
    assert float(result[0, 0]) == pytest.approx((100 - 8) / 4)
    assert float(result[2, 2]) == pytest.approx((100 - 12) / 16)
    assert float(result[4, 4]) == pytest.approx((100 - 16) / 36)
    assert float(result[1, 3]) == pytest.approx((100 - 10) / 25)


def test_other_quantities_and_units_by_hand():
    product = make_product(np.full((5, 5), 10))
    beta = backscatter(product, quantity="beta", remove_noise=False)["beta_nought_vv"]
    gamma = backscatter(product, quantity="gamma", decibels=True)["gamma_nought_vv"]
    np.testing.assert_allclose(beta, 100.0)
    assert float(gamma[0, 0]) == pytest.approx(10 * np.log10(92 / 16), rel=1e-6)
    assert (beta.attrs["units"], gamma.attrs["units"]) == ("1", "dB")


def test_the_noise_over_azimuth_holds_within_its_block():
    result = backscatter(make_product(np.full((5, 5), 10), azimuth=two_blocks()), quantity="beta")
    values = result["beta_nought_vv"]
    assert float(values[2, 2]) == pytest.approx(100 - 12)
    assert float(values[2, 3]) == pytest.approx(100 - 12 * 2)
    assert float(values[3, 4]) == pytest.approx(100 - 14 * 2.5)
    assert float(values[4, 3]) == pytest.approx(100 - 16 * 3)


@pytest.mark.parametrize(
    ("negative", "expected"), [("zero", 0.0), ("nan", np.nan), ("keep", (1 - 8) / 4)]
)
def test_power_below_the_noise(negative, expected):
    product = make_product(np.ones((5, 5)))
    actual = backscatter(product, negative=negative)["sigma_nought_vv"]
    np.testing.assert_allclose(actual[0, 0], expected)
    assert np.isnan(backscatter(product, negative=negative, decibels=True).to_array()).all()


def test_no_measurement_stays_none():
    numbers = np.full((5, 5), 10)
    numbers[1, 1] = 0
    for negative in ("zero", "keep", "nan"):
        result = backscatter(make_product(numbers), negative=negative)["sigma_nought_vv"]
        assert np.isnan(result).to_numpy().sum() == 1


def test_a_part_of_the_image_has_the_same_values():
    product = make_product(
        np.arange(10, 35).reshape(5, 5), azimuth=two_blocks(), noise=((8.0, 4.0), (16.0, 2.0))
    )
    full = backscatter(product)["sigma_nought_vv"]
    part = product.copy()
    image = product[f"{MEMBER}/measurements"].to_dataset()
    for rows, columns in ((slice(1, 4), slice(3, 5)), (slice(None, None, 2), slice(1, None, 2))):
        cut = image.isel(azimuth_time=rows, ground_range=columns)
        part[f"{MEMBER}/measurements"] = xr.DataTree(cut)
        result = backscatter(part)["sigma_nought_vv"]
        np.testing.assert_allclose(result, full[rows, columns], rtol=1e-6)


def test_it_is_lazy_and_its_chunks_do_not_matter():
    product = make_product(np.arange(10, 35).reshape(5, 5), azimuth=two_blocks())
    full = backscatter(product)["sigma_nought_vv"]
    image = product[f"{MEMBER}/measurements"].to_dataset()
    image["grd"] = image["grd"].variable.chunk(azimuth_time=2, ground_range=3)
    product[f"{MEMBER}/measurements"] = xr.DataTree(image)

    def refuse(*_: object, **__: object):
        raise AssertionError("computed")

    with dask.config.set(scheduler=refuse):
        result = backscatter(product)["sigma_nought_vv"]
    assert result.chunks == ((2, 2, 1), (3, 2))
    np.testing.assert_array_equal(result, full)


def test_what_cannot_be_done_is_refused():
    numbers = np.full((5, 5), 10)
    for product, reason in (
        (make_product(numbers, noise=None), "no noise table"),
        (make_product(numbers, performed="true"), "already removed"),
    ):
        with pytest.raises(InvalidInputError, match=reason):
            backscatter(product)
        assert "sigma_nought_vv" in backscatter(product, remove_noise=False)
    with pytest.raises(InvalidInputError, match="VH"):
        backscatter(make_product(numbers), polarisations=["VH"])
    with pytest.raises(InvalidInputError, match="quantity"):
        backscatter(make_product(numbers), quantity="alpha")
    with pytest.raises(InvalidInputError, match="polarisation"):
        backscatter(xr.DataTree())


@given(
    st.lists(st.integers(0, 1000), min_size=2, max_size=6, unique=True),
    st.lists(st.integers(0, 1000), min_size=2, max_size=6, unique=True),
    st.tuples(*[st.floats(-10, 10)] * 3),
)
def test_a_plane_is_interpolated_exactly(lines, pixels, plane):
    """Bilinear interpolation has no error for a + b line + c pixel, inside of the table."""
    lines, pixels = np.sort(np.array(lines, float)), np.sort(np.array(pixels, float))
    a, b, c = plane
    rows = tuple(a + b * line + c * pixels for line in lines)
    table = Table(lines, (pixels,) * len(lines), rows)
    line = np.linspace(lines[0], lines[-1], 7)
    pixel = np.linspace(pixels[0], pixels[-1], 5)
    expected = a + b * line[:, None] + c * pixel
    np.testing.assert_allclose(table.at(line[:, None], pixel), expected, rtol=1e-5, atol=2e-2)


def test_the_edge_of_a_table_goes_on():
    table = Table(np.array([2.0, 4.0]), (np.array([1.0, 3.0]),) * 2, (np.array([5.0, 7.0]),) * 2)
    np.testing.assert_allclose(table.at(np.array([0, 9]), np.array([0, 9])), [[5, 7], [5, 7]])


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    path = simulate_s1_iw_grd(tmp_path_factory.mktemp("s1"), size=300, seed=1)
    truth = xr.open_dataset(path.with_name(f"{path.stem}.truth.nc"), engine="h5netcdf").load()
    return open_product(path), truth


@pytest.mark.parametrize("polarisation", ["vv", "vh"])
@pytest.mark.parametrize("surface", ["water", "land"])
def test_the_truth_comes_back(scene, polarisation, surface):
    """Closed loop: bias of the mean below 0.1 dB (VH over water, far below the noise: 0.3 dB).

    Spread: speckle of 4.4 looks has a relative deviation of 4.4^-0.5, of signal and noise.
    """
    product, truth = scene
    result = backscatter(product, negative="keep")[f"sigma_nought_{polarisation}"].to_numpy()
    noisy = backscatter(product, remove_noise=False)[f"sigma_nought_{polarisation}"].to_numpy()
    where = truth.water.to_numpy() == (surface == "water")
    sigma = truth[f"sigma_nought_{polarisation}"].to_numpy()
    bias = 10 * np.log10(result[where].mean() / sigma[where].mean())
    assert abs(bias) < (0.3 if (polarisation, surface) == ("vh", "water") else 0.1)
    mean_power = sigma + (noisy - result)
    spread = np.sqrt(np.mean(((result - sigma)[where] / mean_power[where]) ** 2))
    assert spread == pytest.approx(4.4**-0.5, rel=0.03)


def test_noise_left_in_is_seen(scene):
    """The check above can fail: VH over water without noise removal is several dB too bright."""
    product, truth = scene
    noisy = backscatter(product, remove_noise=False)["sigma_nought_vh"].to_numpy()
    where = truth.water.to_numpy()
    bias = 10 * np.log10(noisy[where].mean() / truth.sigma_nought_vh.to_numpy()[where].mean())
    assert bias > 3


def test_the_incidence_angle_comes_back(scene):
    product, truth = scene
    result = incidence_angle(product)
    assert result.chunks is not None
    np.testing.assert_allclose(result, truth.incidence_angle, atol=1e-3)


def test_gamma_is_sigma_over_the_cosine(scene):
    product, _ = scene
    sigma = backscatter(product, negative="keep")["sigma_nought_vv"]
    gamma = backscatter(product, negative="keep", quantity="gamma")["gamma_nought_vv"]
    cosine = np.cos(np.radians(incidence_angle(product)))
    np.testing.assert_allclose(gamma, sigma / cosine, rtol=1e-4)


def test_pixels_lie_where_the_simulator_put_them(scene):
    product, truth = scene
    result = geolocation(product)
    assert result.latitude.chunks is not None
    for name in ("latitude", "longitude"):
        # The truth is kept as float32: 4e-6 degrees at 54, half a metre.
        np.testing.assert_allclose(result[name], truth[name], atol=4e-6)


def test_a_full_swath_is_located_to_a_fifth_of_a_pixel():
    """With control points as far apart as in a full product, 18 by 12 km; angles do worse."""
    image = fly_over(
        14.3, 53.65, lines=16_000, samples=25_000, spacing_m=10.0, centre_incidence=0.684
    )
    line, pixel = np.linspace(0, 15_999, 10).round(), np.linspace(0, 24_999, 21).round()
    points = image.see(line[:, None], pixel)
    grid = {"latitude": (DIMS, points.latitude), "longitude": (DIMS, points.longitude)}
    member = xr.DataTree.from_dict(
        {"conditions/gcp": xr.Dataset(grid, {"line": (DIMS[0], line), "pixel": (DIMS[1], pixel)})}
    )
    between = np.array([900.0, 7100.0, 15_100.0]), np.array([600.0, 11_900.0, 24_400.0])
    x, y, z = read_place(member).at(*between)
    truth = image.see(between[0][:, None], between[1])
    longitude, latitude = np.degrees(np.arctan2(y, x)), np.degrees(np.arctan2(z, np.hypot(x, y)))
    angles = [read_table(member, f"conditions/gcp/{name}") for name in ("longitude", "latitude")]
    linear = [angle.at(*between, np.float64) for angle in angles]
    geod = Geod(ellps="WGS84")
    _, _, miss = geod.inv(longitude, latitude, truth.longitude, truth.latitude)
    _, _, miss_of_angles = geod.inv(*linear, truth.longitude, truth.latitude)
    assert np.max(miss) < 2.0  # metres
    assert np.max(miss_of_angles) > 2 * np.max(miss)


def test_a_geocoded_image_has_its_values_in_place(scene):
    """What is brought to a grid is the longitude itself: it must be the grid's."""
    product, truth = scene
    place = geolocation(product)
    swath = xr.Dataset({"east": (DIMS, truth.longitude.to_numpy())}, place.data_vars)
    middle = 14.305, 53.655
    grid = GeoBox.from_bbox((middle[0], middle[1], middle[0] + 0.01, middle[1] + 0.005),
                            "EPSG:4326", resolution=0.0002)  # fmt: skip
    result = regrid_swath(swath.chunk(), grid)["east"].compute()
    assert result.notnull().mean() > 0.9
    miss = (result - result[result.dims[1]]) * 111_195 * np.cos(np.radians(middle[1]))
    assert float(np.abs(miss).max()) < 2.0  # metres
