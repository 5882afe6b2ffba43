"""The water's reflectance against other laboratories' tables and other authors' formulas."""

from dataclasses import replace

import numpy as np
import pytest

from skerry.simulate import optics
from skerry.simulate.olci.bands import BANDS as OLCI_BANDS
from skerry.simulate.optics import BAND_OPTICS, BandOptics, model_reflectance
from skerry.simulate.slstr.solar_channels import CHANNELS

SMITH_BAKER = [(400, 0.0076), (440, 0.0049), (490, 0.0031), (510, 0.0026), (560, 0.0018),
               (600, 0.0014)]  # fmt: skip
"""Scattering of pure sea water, m-1: Smith and Baker 1981, Applied Optics 20, 177, table I."""
HALE_QUERRY = {600: 1.09e-8, 650: 1.64e-8, 675: 2.23e-8, 700: 3.35e-8, 750: 1.56e-7, 775: 1.48e-7,
               825: 1.82e-7, 850: 2.93e-7, 875: 3.91e-7, 900: 4.86e-7, 1000: 2.89e-6,
               1600: 8.55e-5}  # fmt: skip
"""Imaginary refractive index of water: Hale and Querry 1973, Applied Optics 12, 555, table I; here
for 0.6 to 1.6 um, by other measurements than those that the model's coefficients come from."""
ALL_BANDS = [*BAND_OPTICS.values(), *(item.optics for item in OLCI_BANDS),
             *(item.optics for item in CHANNELS.values())]  # fmt: skip


def _reflect(band: BandOptics, turbidity: float, chlorophyll: float, cdom: float) -> float:
    inside = (np.asarray(item, np.float32) for item in (turbidity, chlorophyll, cdom))
    return float(model_reflectance(band, *inside))


def test_water_that_only_scatters() -> None:
    """u = 1: ``pi 0.52 r / (1 - 1.7 r)`` with r the sum of both coefficients."""
    clear = BandOptics(500.0, 0.0, 0.0, 0.0, 0.0, 1.0)
    assert _reflect(clear, 0.0, 0.0, 0.0) == pytest.approx(0.5503, abs=1e-4)


@pytest.mark.parametrize("name", ["B01", "B03", "B04", "B05", "B8A"])
@pytest.mark.parametrize("inside", [(1.2, 2.0, 0.25), (30.0, 10.0, 0.7), (8.0, 40.0, 0.8)])
def test_the_quasi_analytical_algorithm_goes_back(
    name: str, inside: tuple[float, float, float]
) -> None:
    """Equations 1 and 3 of Lee et al. 2002 as printed, which invert the model, give u."""
    band = BAND_OPTICS[name]
    above = _reflect(band, *inside) / np.pi
    below = above / (0.52 + 1.7 * above)
    u = (-0.0895 + np.sqrt(0.0895**2 + 4 * 0.1247 * below)) / (2 * 0.1247)
    turbidity, chlorophyll, cdom = inside
    shift = band.wavelength_nm - 443
    backward = 0.5 * 0.00288 * (500 / band.wavelength_nm) ** 4.32 + 6e-4 * chlorophyll
    backward += 0.022 * 0.5 * (560 / band.wavelength_nm) ** 0.7 * turbidity
    absorbed = band.water_absorption + band.phytoplankton_absorption * chlorophyll
    absorbed += 0.041 * np.exp(-0.0123 * shift) * turbidity + cdom * np.exp(-0.018 * shift)
    assert u == pytest.approx(backward / (absorbed + backward), rel=1e-3)


@pytest.mark.parametrize("u", [0.01, 0.05, 0.1, 0.2, 0.3])
def test_another_formula_for_the_reflectance(u: float) -> None:
    """Gordon et al. 1988 (JGR 93, 10909): 0.0949 u + 0.0794 u^2; through the surface 0.54 of it."""
    backward = 0.00288 / 2
    band = BandOptics(500.0, backward * (1 / u - 1), 0.0, 0.0, 0.0, 1.0)
    gordon = np.pi * 0.54 * (0.0949 * u + 0.0794 * u**2)
    assert _reflect(band, 0.0, 0.0, 0.0) == pytest.approx(gordon, rel=0.13)


@pytest.mark.parametrize(("wavelength", "scattering"), SMITH_BAKER)
def test_pure_water_sends_half_of_what_it_scatters_back(
    wavelength: float, scattering: float
) -> None:
    result = optics.WATER_BACKSCATTERING_500 * (500 / wavelength) ** optics.WATER_EXPONENT
    assert result == pytest.approx(scattering / 2, rel=0.07)


@pytest.mark.parametrize("band", ALL_BANDS, ids=lambda item: f"{item.wavelength_nm:g}")
def test_absorption_of_pure_water(band: BandOptics) -> None:
    """``4 pi k / wavelength`` of Hale and Querry within 30 %; steep slopes left out."""
    wavelength = band.wavelength_nm
    near = min(HALE_QUERRY, key=lambda item: abs(item - wavelength))
    steep = 690 < wavelength < 745 or wavelength > 890
    if abs(near - wavelength) <= 15 and (near == 1600 or not steep):
        places = list(HALE_QUERRY)
        index = np.exp(np.interp(wavelength, places, np.log(list(HALE_QUERRY.values()))))
        expected = 4e9 * np.pi * index / wavelength
        assert band.water_absorption == pytest.approx(expected, rel=0.3)
    if wavelength > 900:
        assert _reflect(band, 45.0, 60.0, 1.0) < 0.06, "black but for the most turbid water"
    if wavelength > 1300:
        assert _reflect(band, 45.0, 60.0, 1.0) < 1e-3


@pytest.mark.parametrize("wavelength", [490.0, 510.0, 560.0, 665.0, 620.0])
def test_all_sensors_have_the_same_water(wavelength: float) -> None:
    result = [_reflect(item, 5.0, 5.0, 0.3) for item in ALL_BANDS
             if abs(item.wavelength_nm - wavelength) < 6]  # fmt: skip
    assert np.ptp(result) < 0.1 * max(result)


def test_phytoplankton_absorbs_as_at_2_to_3_milligrams() -> None:
    """Bricaud et al. 1995 at 440 nm: 0.0403 C^-0.332; the model has one value for all C."""
    result = BAND_OPTICS["B01"].phytoplankton_absorption
    assert result == pytest.approx(0.0403 * 2.0**-0.332, rel=0.1)
    assert result > 2.0 * 0.0403 * 30.0**-0.332, "blooms absorb too much, as the page says"


def test_what_is_in_the_water_changes_it_where_it_should() -> None:
    calm = (2.0, 2.0, 0.3)
    for name, band in BAND_OPTICS.items():
        assert _reflect(band, 10.0, 2.0, 0.3) > _reflect(band, *calm), name
        assert _reflect(band, 2.0, 2.0, 0.9) <= _reflect(band, *calm), name
    algae = {name: _reflect(item, 2.0, 20.0, 0.3) / _reflect(item, *calm)
             for name, item in BAND_OPTICS.items()}  # fmt: skip
    assert algae["B01"] < 1 < algae["B05"]
    assert algae["B04"] < algae["B05"]
    assert _reflect(replace(BAND_OPTICS["B04"], water_absorption=1e9), *calm) < 1e-9
