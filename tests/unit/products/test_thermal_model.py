"""The thermal forward model, and what a simulated SLSTR product says of the scene's truth."""

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from skerry.products import open_product
from skerry.products.simulate.slstr import simulate_slstr_rbt
from skerry.products.simulate.slstr_grids import EARTH_M, Swath
from skerry.products.simulate.thermal import CHANNELS, invert_planck, planck, water_emissivity


def test_planck_integrates_to_stefan_and_boltzmann() -> None:
    wavelengths = np.geomspace(0.5, 2000, 20_001)
    radiance = np.array([float(planck(one, 290.0)) for one in wavelengths])
    assert np.trapezoid(radiance, wavelengths) == pytest.approx(
        5.670374419e-8 * 290.0**4 / np.pi, rel=1e-3
    )


def test_planck_peaks_where_wien_says() -> None:
    wavelengths = np.linspace(5, 15, 10_001)
    radiance = [float(planck(one, 300.0)) for one in wavelengths]
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


def test_the_swath_keeps_distances() -> None:
    """Along and across the track by the haversine, to a metre in a kilometre."""
    from datetime import UTC, datetime

    swath = Swath(240, datetime(2026, 5, 1, 9, 31, tzinfo=UTC))
    longitude, latitude = (np.radians(one) for one in swath.locate(*swath.positions("in")))
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
    found = eleven + slope * (eleven - twelve) + offset
    error = (found - sea)[bottom]
    assert 0.5 < slope < 4.0
    assert np.sqrt(np.mean(error**2)) < 0.25


def test_two_days_of_one_seed_show_one_place(product: Path, truth: xr.Dataset) -> None:
    later = simulate_slstr_rbt(product.parent, size=200, seed=2, day="2026-05-02")
    with xr.open_dataset(later.with_name(f"{later.stem}.truth.nc")) as other:
        np.testing.assert_array_equal(other["land"], truth["land"])
        assert not np.array_equal(other["cloud"], truth["cloud"])
