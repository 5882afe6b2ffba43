"""The thermal forward model, and what a simulated SLSTR product says of the scene's truth."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from skerry.products import open_product
from skerry.simulate.scene import Scene
from skerry.simulate.slstr import thermal
from skerry.simulate.slstr.grids import EARTH_M, Swath
from skerry.simulate.slstr.product import simulate_slstr_rbt
from skerry.simulate.slstr.thermal import (
    CHANNELS,
    invert_planck,
    model_temperature,
    planck,
    water_emissivity,
)

pytestmark = pytest.mark.long


def test_planck_integrates_to_stefan_and_boltzmann() -> None:
    wavelengths = np.geomspace(0.5, 2000, 20_001)
    radiance = np.array([float(planck(wavelength, 290.0)) for wavelength in wavelengths])
    assert np.trapezoid(radiance, wavelengths) == pytest.approx(
        5.670374419e-8 * 290.0**4 / np.pi, rel=1e-3
    )


def test_planck_peaks_where_wien_says() -> None:
    wavelengths = np.linspace(5, 15, 10_001)
    radiance = [float(planck(wavelength, 300.0)) for wavelength in wavelengths]
    assert wavelengths[int(np.argmax(radiance))] == pytest.approx(2897.771955 / 300.0, abs=2e-3)


@given(st.floats(180, 350), st.sampled_from(sorted(CHANNELS)))
def test_the_inverse_of_planck(temperature: float, name: str) -> None:
    wavelength = CHANNELS[name].wavelength_um
    assert float(invert_planck(wavelength, planck(wavelength, temperature))) == pytest.approx(
        temperature, abs=1e-6
    )


@pytest.mark.parametrize("name", sorted(CHANNELS))
def test_emissivity_of_flat_water(name: str) -> None:
    """Looked at from above by the textbook's formula; it falls to nothing at the horizon."""
    channel = CHANNELS[name]
    n, k = channel.refraction, channel.extinction
    mirrored = ((n - 1) ** 2 + k**2) / ((n + 1) ** 2 + k**2)
    assert float(water_emissivity(channel, 0)) == pytest.approx(1 - mirrored, abs=1e-12)
    falling = water_emissivity(channel, np.arange(0, 90, 5))
    assert np.all(np.diff(falling) <= 1e-4)
    assert float(water_emissivity(channel, 89.99)) < 0.02
    assert 0.94 < float(water_emissivity(channel, 55)) < 0.985


HALE_QUERRY = {3.7: (1.374, 0.0036), 3.8: (1.364, 0.0034), 10.5: (1.185, 0.0662),
               11.0: (1.153, 0.0968), 12.0: (1.111, 0.199), 12.5: (1.123, 0.259)}  # fmt: skip
"""Wavelength, um, to the refractive index of water and its imaginary part: the paper's table I."""


@pytest.mark.parametrize("name", ["s7", "s8", "s9"])
def test_refractive_index_of_water(name: str) -> None:
    channel = CHANNELS[name]
    real, imaginary = zip(*HALE_QUERRY.values(), strict=True)
    for actual, table in ((channel.refraction, real), (channel.extinction, imaginary)):
        expected = np.interp(channel.wavelength_um, list(HALE_QUERRY), table)
        assert actual == pytest.approx(expected, rel=0.02)


def _invert(wavelength_um: float, part: float, kelvin: float) -> float:
    """Return the temperature of a part of a black body's light, by c2."""
    c2 = 14387.768775  # um K, CODATA 2018
    exponent = np.expm1(c2 / (wavelength_um * kelvin)) / part
    return float(c2 / (wavelength_um * np.log1p(exponent)))


def _see(name: str, vapour: float, view: float = 0.0, sun: float = 90.0, **what: Any) -> float:
    """Return the brightness temperature of a sea of 290 K, or of what is named instead."""
    fields = Scene(1, date(2026, 5, 1)).sample(np.full((1, 1), 14.0), np.full((1, 1), 54.6))
    kind = {"water": True, "ice": False, "surface_temperature": 290.0,
            "cloud_optical_thickness": 0.0, "cirrus_optical_thickness": 0.0,
            "cloud_top_temperature": np.nan} | what  # fmt: skip
    fields = replace(fields, **{key: np.full((1, 1), item) for key, item in kind.items()})
    angles = (np.full((1, 1), item) for item in (view, sun, vapour))
    return float(model_temperature(CHANNELS[name], fields, *angles)[0, 0])


@pytest.mark.parametrize("name", ["s7", "s8", "s9"])
def test_limits_of_the_thermal_model(name: str) -> None:
    """No air: the surface's emission alone. Opaque air: its own temperature. Clouds: their tops."""
    channel = CHANNELS[name]
    wavelength = channel.wavelength_um
    sea = float(water_emissivity(channel, 40.0))
    assert _see(name, 0.0, 40.0) == pytest.approx(_invert(wavelength, sea, 290.0), abs=1e-6)
    land, ice = (_see(name, 0.0, water=item, ice=item) for item in (False, True))
    assert land == pytest.approx(_invert(wavelength, 0.97, 290.0), abs=1e-6)
    assert ice == pytest.approx(_invert(wavelength, 0.985, 290.0), abs=1e-6)
    assert _see(name, 1e6) == pytest.approx(278.0, abs=1e-6)
    cloud = _see(name, 20.0, cloud_optical_thickness=30.0, cloud_top_temperature=250.0)
    assert cloud == pytest.approx(250.0, abs=1e-6)
    cold = {"cirrus_optical_thickness": 1e3, "cloud_top_temperature": 225.0}
    assert _see(name, 20.0, **cold) == pytest.approx(225.0, abs=1e-6)
    thin = _see(name, 20.0, **(cold | {"cirrus_optical_thickness": 0.3}))
    assert 225.0 < thin < _see(name, 20.0) < 290.0


@pytest.mark.parametrize(("name", "kelvin"), [("s7", 0.3), ("s8", 1.0), ("s9", 1.6)])
def test_vapour_cools_by_what_the_channels_say(name: str, kelvin: float) -> None:
    """And attenuation grows linearly with a little vapour, as McMillin's theory has it."""
    dry = _see(name, 0.0)
    assert dry - _see(name, 20.0) == pytest.approx(kelvin, abs=0.25)
    little, twice = (dry - _see(name, item) for item in (5.0, 10.0))
    assert twice == pytest.approx(2 * little, rel=0.05)


@pytest.mark.parametrize("name", ["s7", "s8", "s9"])
def test_a_closed_cavity_is_black(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kirchhoff: air as warm as the sea takes nothing but what a mirrored cold sky leaves out."""
    monkeypatch.setattr(thermal, "AIR_COOLER_K", 0.0)
    channel = CHANNELS[name]
    dark = 1 - float(water_emissivity(channel, 0.0))
    clear = np.exp(-channel.vapour_absorption * 30.0)
    expected = _invert(channel.wavelength_um, 1 - dark * clear**2, 290.0)
    assert _see(name, 30.0) == pytest.approx(expected, abs=1e-6)
    assert _see(name, 1e5) == pytest.approx(290.0, abs=1e-6)


def test_the_sun_shines_with_the_solar_constant() -> None:
    """IAU 2015 resolution B3: 1361 W m-2; so it warms land by day at 3.7 um alone."""
    wavelengths = np.geomspace(0.1, 1000, 20_001)
    light = np.array([float(planck(wavelength, thermal.SUN_K)) for wavelength in wavelengths])
    total = np.trapezoid(light, wavelengths) * thermal.SUN_STERADIAN
    assert total == pytest.approx(1361.0, rel=1e-3)
    for name, by_day in (("s7", True), ("s8", False)):
        warmer = _see(name, 20.0, sun=30.0, water=False) - _see(name, 20.0, water=False)
        assert (warmer > 1.0) is by_day
        assert _see(name, 20.0, sun=30.0) == _see(name, 20.0), "no glint on the sea"


def test_the_swath_keeps_distances() -> None:
    """Along and across the track by the haversine, to a metre in a kilometre."""
    from datetime import UTC, datetime

    swath = Swath(240, datetime(2026, 5, 1, 9, 31, tzinfo=UTC))
    longitude, latitude = (np.radians(item) for item in swath.locate(*swath.positions("in")))
    for axis in (0, 1):
        half = np.sin(np.diff(latitude, axis=axis) / 2) ** 2
        pair = np.cos(latitude.take(range(119), axis)) * np.cos(latitude.take(range(1, 120), axis))
        half += pair * np.sin(np.diff(longitude, axis=axis) / 2) ** 2
        metres = 2 * EARTH_M * np.arcsin(np.sqrt(half))
        np.testing.assert_allclose(metres, 1000.0, atol=1.0)


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate_slstr_rbt(tmp_path_factory.mktemp("warm"), size=200, seed=2)


@pytest.fixture(scope="module")
def tree(product: Path) -> xr.DataTree:
    return open_product(product)


@pytest.fixture(scope="module")
def truth(product: Path) -> xr.Dataset:
    with xr.open_dataset(product.with_name(f"{product.stem}.truth.nc")) as data:
        return data.load()


def test_flags_tell_the_truth(tree: xr.DataTree, truth: xr.Dataset) -> None:
    cloud = tree["quality/inadir/cloud_in"].values
    confidence = tree["quality/inadir/confidence_in"].values
    np.testing.assert_array_equal((cloud & 128) > 0, truth["cloud"] == 1)
    np.testing.assert_array_equal((cloud & 256) > 0, truth["cirrus"] == 1)
    np.testing.assert_array_equal((confidence & 8) > 0, truth["land"] == 1)
    np.testing.assert_array_equal(((confidence & 2) | (confidence & 16)) > 0, truth["land"] == 0)
    assert 0 < (truth["cloud"] == 1).mean() < 0.5
    assert 0.1 < truth["land"].mean() < 0.9
    unfilled = np.isnan(tree["measurements/inadir/s8_bt_in"]).values
    np.testing.assert_array_equal((confidence & 32) > 0, unfilled)
    np.testing.assert_array_equal(tree["quality/inadir/s8_exception_in"] == 128, unfilled)


def test_the_air_cools_and_the_oblique_view_cools_more(
    tree: xr.DataTree, truth: xr.Dataset
) -> None:
    nadir, oblique = tree["measurements/inadir"], tree["measurements/ioblique"]
    first = int(np.argmax(nadir["x"][0].values == float(oblique["x"][0, 0])))
    inside = slice(first, first + oblique.sizes["columns"])
    sea = truth["sea_surface_temperature"]
    clear = np.isfinite(sea) & (truth["cloud"] == 0) & (truth["cirrus"] == 0)
    fall = {
        name: float((sea - nadir[f"{name}_bt_in"]).where(clear).mean()) for name in ("s8", "s9")
    }
    assert 0.5 < fall["s8"] < 2.5
    assert fall["s8"] + 0.3 < fall["s9"] < 4.0
    seen = clear[:, inside].values
    difference = nadir["s8_bt_in"].values[:, inside] - oblique["s8_bt_io"].values
    assert 0.5 < np.nanmean(difference[seen]) < 3.0


def test_a_split_window_fitted_here_finds_the_sea(tree: xr.DataTree, truth: xr.Dataset) -> None:
    """McMillin's form, T11 + c (T11 - T12) + d, fitted to a half, tried on the other: RMSE."""
    image = tree["measurements/inadir"]
    eleven, twelve = (image[f"{name}_bt_in"].values for name in ("s8", "s9"))
    sea = truth["sea_surface_temperature"].values
    clear = np.isfinite(sea) & np.isfinite(eleven) & (truth["cloud"].values == 0)
    clear &= truth["cirrus"].values == 0
    top = clear & (np.arange(sea.shape[0])[:, None] % 2 == 0)
    bottom = clear & ~top
    slope, offset = np.polyfit((eleven - twelve)[top], (sea - eleven)[top], 1)
    result = eleven + slope * (eleven - twelve) + offset
    error = (result - sea)[bottom]
    assert 0.5 < slope < 4.0
    assert np.sqrt(np.mean(error**2)) < 0.25


def test_two_days_of_one_seed_show_one_place(product: Path, truth: xr.Dataset) -> None:
    later = simulate_slstr_rbt(product.parent, size=200, seed=2, day="2026-05-02")
    with xr.open_dataset(later.with_name(f"{later.stem}.truth.nc")) as other:
        np.testing.assert_array_equal(other["land"], truth["land"])
        assert not np.array_equal(other["cloud"], truth["cloud"])
