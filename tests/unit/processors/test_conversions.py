"""Conversions against values worked by hand and published ones, on tiny trees made here."""

from datetime import date

import dask.array as da
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from skerry.core.errors import InvalidInputError
from skerry.processors.conversions import read_distance_factor
from skerry.processors.planck import brightness_temperature, planck_radiance
from skerry.processors.reflectance import (
    radiance_to_reflectance,
    reflectance_to_radiance,
    sun_distance_factor,
)
from skerry.processors.registry import get_processor


def _line(*values: float) -> xr.DataArray:
    return xr.DataArray(np.array(values, np.float32), dims="x")


@pytest.mark.parametrize(
    ("kelvin", "wavelength_um", "watts"),
    [
        # Tables of black body radiance: 2 h c^2 / lambda^5 / (exp(h c / lambda k T) - 1).
        (300.0, 10.0, 9.924),
        (300.0, 11.0, 9.573),
        (5778.0, 0.5, 2.637e7),  # the sun, 0.5 um: 2.63e7 W m-2 sr-1 um-1
    ],
)
def test_radiance_of_black_bodies(kelvin: float, wavelength_um: float, watts: float) -> None:
    result = planck_radiance(_line(kelvin), wavelength_um=wavelength_um)
    assert float(result[0]) == pytest.approx(watts, rel=3e-3)
    assert result.attrs["units"] == "W m-2 sr-1 um-1"


def test_wiens_law_holds() -> None:
    """The wavelength of most radiance is 2897.77 um K over the temperature (CODATA)."""
    lengths = np.linspace(8.0, 12.0, 4001)
    curve = [
        float(planck_radiance(_line(300.0), wavelength_um=length)[0]) for length in lengths[::20]
    ]
    assert lengths[::20][int(np.argmax(curve))] == pytest.approx(2897.772 / 300, abs=0.05)


@given(st.floats(180, 350), st.sampled_from([3.742, 10.854, 12.0225]))
def test_temperature_is_the_inverse(kelvin: float, wavelength_um: float) -> None:
    radiance = planck_radiance(_line(kelvin), wavelength_um=wavelength_um)
    result = brightness_temperature(radiance, wavelength_um=wavelength_um)
    assert float(result[0]) == pytest.approx(kelvin, abs=1e-3)


@pytest.mark.parametrize("wrong", [np.nan, 0.0, -1.0, np.inf])
def test_a_wavelength_that_is_none_is_refused(wrong: float) -> None:
    with pytest.raises(InvalidInputError, match="wavelength"):
        planck_radiance(_line(300.0), wavelength_um=wrong)
    with pytest.raises(InvalidInputError, match="wavelength"):
        brightness_temperature(_line(9.0), wavelength_um=wrong)


def test_no_radiance_has_no_temperature() -> None:
    assert np.isnan(brightness_temperature(_line(0, -1, np.nan), wavelength_um=11)).all()
    assert np.isnan(planck_radiance(_line(0, -1, np.nan), wavelength_um=11)).all()


@pytest.mark.parametrize(
    ("day", "factor", "within"),
    [
        # U in the metadata of real products: S2A_MSIL2A_20221005T115411_N0400_R023_T29UNU,
        # S2B_MSIL1C_20250113T103309_N0511_R108_T32TLQ, S2A_MSIL2A_20251008T100041_N0511_R122.
        (date(2022, 10, 5), 0.998456468000941, 5e-6),
        (date(2025, 1, 13), 1.03411047670495, 5e-6),
        (date(2025, 10, 8), 1.00019034041899, 5e-5),
    ],
)
def test_the_suns_distance_as_esa_has_it(day: date, factor: float, within: float) -> None:
    assert sun_distance_factor(day) == pytest.approx(factor, abs=within)


@pytest.mark.parametrize("month", range(1, 13))
def test_the_suns_distance_through_the_year(month: int) -> None:
    """Against the Astronomical Almanac's low-precision formula (section C, the sun's distance)."""
    day = date(2025, month, 15)
    anomaly = np.radians(357.528 + 0.9856003 * (day - date(2000, 1, 1)).days)
    distance = 1.00014 - 0.01671 * np.cos(anomaly) - 0.00014 * np.cos(2 * anomaly)
    assert sun_distance_factor(day) == pytest.approx(distance**-2, abs=3e-3)


def test_a_white_surface_under_the_sun() -> None:
    """A Lambertian reflector sends back E0 cos(theta) / pi."""
    radiance = _line(1000 * np.cos(np.radians(60)) / np.pi)
    assert float(radiance_to_reflectance(radiance, _line(60.0), 1000.0)[0]) == pytest.approx(1.0)
    reflectance = radiance_to_reflectance(radiance, _line(60.0), 1000.0, distance_factor=1.03)
    assert float(reflectance[0]) == pytest.approx(1 / 1.03)


def test_night_gaps_and_wrong_factors() -> None:
    dark = radiance_to_reflectance(_line(1, 1, np.nan), _line(89.0, 120.0, 30.0), 1500.0)
    assert np.isnan(dark).all()
    with pytest.raises(InvalidInputError, match="distance"):
        radiance_to_reflectance(_line(1), _line(1), 1.0, distance_factor=np.nan)


@given(st.floats(0.001, 1.2), st.floats(0, 80), st.floats(80, 2000))
def test_there_and_back(reflectance: float, zenith: float, irradiance: float) -> None:
    radiance = reflectance_to_radiance(_line(reflectance), _line(zenith), irradiance)
    back = radiance_to_reflectance(radiance, _line(zenith), irradiance)
    assert float(back[0]) == pytest.approx(reflectance, rel=1e-5)


def _tree(kind: str, groups: dict[str, xr.Dataset], **properties: object) -> xr.DataTree:
    tree = xr.DataTree.from_dict(groups, name="SIMULATED")
    tree.attrs["stac_discovery"] = {"properties": {"product:type": kind, **properties}}
    return tree


@pytest.fixture
def olci() -> xr.DataTree:
    rows, columns = 5, 129
    latitude = xr.DataArray(np.zeros((rows, columns)), dims=("rows", "columns"))
    radiance = da.full((rows, columns), 50.0, dtype="float32", chunks=(2, 64))
    detector = np.tile(np.arange(columns) // 65, (rows, 1)).astype(float)
    detector[0, 0] = np.nan
    return _tree(
        "S03OLCEFR",
        {
            "/measurements": xr.Dataset(
                {"oa08_radiance": (("rows", "columns"), radiance)}, coords={"latitude": latitude}
            ),
            "/conditions/image": xr.Dataset({"detector_index": (("rows", "columns"), detector)}),
            "/conditions/instrument": xr.Dataset(
                {"solar_flux": (("bands", "detectors"), np.full((21, 2), [1500.0, 1600.0]))}
            ),
            "/conditions/geometry": xr.Dataset(
                {"sza": (("tp_rows", "tp_columns"), np.tile([20.0, 40.0, 50.0], (rows, 1)))}
            ),
        },
    )


def test_olci_takes_each_pixels_detector_and_angle(olci: xr.DataTree) -> None:
    result = get_processor("olci-reflectance").apply(olci)["oa08_reflectance"]
    assert result.chunks == ((2, 2, 1), (64, 64, 1))
    assert "latitude" in result.coords
    values = result.compute().to_numpy()
    for column, zenith, flux in [(64, 40.0, 1500.0), (32, 30.0, 1500.0), (96, 45.0, 1600.0),
                                 (128, 50.0, 1600.0)]:  # fmt: skip
        expected = np.pi * 50 / (flux * np.cos(np.radians(zenith)))
        assert values[3, column] == pytest.approx(expected, rel=1e-5), column
    assert np.isnan(values[0, 0]), "a pixel without a detector has no reflectance"


def test_olci_refuses_bands_that_are_not_there(olci: xr.DataTree) -> None:
    process = get_processor("olci-reflectance").apply
    with pytest.raises(InvalidInputError, match="no band 'b04'"):
        process(olci, bands=["b04"])
    with pytest.raises(InvalidInputError, match="no measurements/oa01_radiance"):
        process(olci, bands=["oa01"])


def test_sentinel_2_radiance_by_the_products_irradiance() -> None:
    grid = {"y": 5000 - 20 * np.arange(6) - 10.0, "x": 20 * np.arange(4) + 10.0}
    tie = {"angle": ["zenith", "azimuth"], "y": [5000.0, 0.0], "x": [0.0, 5000.0]}
    angles = np.array([[[30.0, 40.0], [50.0, 60.0]], [[0.0, 0.0], [0.0, 0.0]]])
    tree = _tree(
        "S02MSIL1C",
        {
            "/measurements/reflectance/r20m": xr.Dataset(
                {"b05": (("y", "x"), np.full((6, 4), 0.1, np.float32))}, coords=grid
            ),
            "/conditions/geometry": xr.Dataset(
                {"sun_angles": (("angle", "y", "x"), angles)}, coords=tie
            ),
        },
        bands=[{"name": "b05", "solar_illumination": 1425.78}],
        datetime="2025-01-13T10:33:09Z",
    )
    tree.attrs["other_metadata"] = {
        "reflectance_correction_factor_from_the_Sun-Earth_distance_variation": "1.0341"
    }
    actual = get_processor("s2-radiance").apply(tree)["b05_radiance"]
    zenith = 30 + 10 * 30 / 5000 + 20 * 50 / 5000  # column 1: x 30, row 2: 50 m below the first
    expected = 0.1 * 1425.78 * 1.0341 * np.cos(np.radians(zenith)) / np.pi
    assert float(actual[2, 1]) == pytest.approx(expected, rel=1e-5)
    assert actual.attrs["units"] == "mW m-2 sr-1 nm-1"
    with pytest.raises(InvalidInputError, match="has no bands"):
        get_processor("s2-radiance").apply(tree, resolution="r10m")
    with pytest.raises(InvalidInputError, match="one of r10m, r20m, r60m"):
        get_processor("s2-radiance").apply(tree, resolution="r30m")
    with pytest.raises(InvalidInputError, match=r"'S02MSIL1C'.*S03OLCEFR"):
        get_processor("olci-reflectance").apply(tree)


@pytest.mark.parametrize(
    ("properties", "day"),
    [
        ({"datetime": "2025-01-13T23:30:00-02:00"}, date(2025, 1, 14)),
        ({"datetime": "null", "start_datetime": "2025-01-13T10:33:09Z"}, date(2025, 1, 13)),
    ],
)
def test_a_product_without_the_factor_takes_that_of_its_day(
    properties: dict[str, str], day: date
) -> None:
    tree = _tree("S02MSIL1C", {}, **properties)
    assert read_distance_factor(tree) == sun_distance_factor(day)
    with pytest.raises(InvalidInputError, match="when it was taken: 'null'"):
        read_distance_factor(_tree("S02MSIL1C", {}, datetime="null"))


@pytest.fixture
def slstr() -> xr.DataTree:
    y, x = np.meshgrid(np.arange(4) * 500.0, np.arange(6) * 500.0 - 1000, indexing="ij")
    tie_y, tie_x = np.meshgrid(np.arange(3) * 1000.0, np.arange(3) * 16000.0 - 16000, indexing="ij")
    zenith = 40 + tie_x / 16000 + tie_y / 1000
    return _tree(
        "S03SLSRBT",
        {
            "/measurements/anadir": xr.Dataset(
                {"s3_radiance_an": (("rows", "columns"), np.full((4, 6), 30.0, np.float32))},
                coords={"x": (("rows", "columns"), x), "y": (("rows", "columns"), y)},
            ),
            "/measurements/inadir": xr.Dataset(
                {"s8_bt_in": (("rows", "columns"), np.full((2, 3), 300.0, np.float32))}
            ),
            "/conditions/geometry_tn": xr.Dataset(
                {
                    "solar_zenith_tn": (("rows", "columns"), zenith),
                    "x": (("rows", "columns"), tie_x),
                    "y": (("rows", "columns"), tie_y),
                }
            ),
            "/conditions/instrument/anadir/s3": xr.Dataset(
                {"s3_solar_irradiance_an": ("detectors", [955.0, 956.0, 957.0, 958.0])}
            ),
            "/conditions/instrument/inadir/s8": xr.Dataset(
                {"s8_band_centre_in": ("detectors", [10.0e-6, 10.0e-6])}
            ),
        },
    )


def test_slstr_takes_angles_by_coordinates(slstr: xr.DataTree) -> None:
    actual = get_processor("slstr-reflectance").apply(slstr)["s3_reflectance_an"]
    zenith = 40 + 500 / 16000 + 1500 / 1000  # row 3, column 3
    expected = np.pi * 30 / (956.5 * np.cos(np.radians(zenith)))
    assert float(actual[3, 3]) == pytest.approx(expected, rel=1e-5)
    raised = get_processor("slstr-reflectance").apply(slstr, radiance_factors={"s3": 1.1})
    assert float(raised["s3_reflectance_an"][3, 3]) == pytest.approx(1.1 * expected, rel=1e-5)
    with pytest.raises(InvalidInputError, match=r"'S5', which is not a solar band.*s1, s2"):
        get_processor("slstr-reflectance").apply(slstr, radiance_factors={"S5": 1.1})
    with pytest.raises(InvalidInputError, match="no bands in measurements/aoblique"):
        get_processor("slstr-reflectance").apply(slstr, view="oblique")


def test_slstr_radiance_of_a_temperature(slstr: xr.DataTree) -> None:
    result = get_processor("slstr-thermal-radiance").apply(slstr)["s8_radiance_in"]
    assert float(result[0, 0]) == pytest.approx(9.924, rel=1e-3)


def test_fire_channels_are_reached_on_their_own_grids(slstr: xr.DataTree) -> None:
    process = get_processor("slstr-thermal-radiance").apply
    groups = {
        "measurements/inadir": {"f2_bt_in": slstr["measurements/inadir/s8_bt_in"] * 0 + 300},
        "measurements/fnadir": {"f1_bt_fn": (("rows", "columns"), np.full((3, 3), 300.0))},
        "conditions/instrument/inadir/f2": {"f2_band_centre_in": ("detectors", [10.0e-6])},
        "conditions/instrument/fnadir/f1": {"f1_band_centre_fn": ("detectors", [11.0e-6])},
    }
    for path, variables in groups.items():
        known = slstr[path].to_dataset() if f"/{path}" in slstr.groups else xr.Dataset()
        slstr[path] = known.assign(variables)
    every = process(slstr)
    assert list(every.data_vars) == ["f2_radiance_in", "s8_radiance_in"]
    assert float(every["f2_radiance_in"][0, 0]) == pytest.approx(9.924, rel=1e-3)
    fire = process(slstr, bands=["f1"])["f1_radiance_fn"]
    assert fire.shape == (3, 3)
    assert float(fire[0, 0]) == pytest.approx(9.573, rel=1e-3)
    with pytest.raises(InvalidInputError, match=r"another grid.*f1 alone"):
        process(slstr, bands=["s8", "f1"])
    with pytest.raises(InvalidInputError, match=r"no thermal band 's3'.*s7, s8, s9, f2"):
        process(slstr, bands=["s3"])
