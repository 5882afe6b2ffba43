"""Planck's law: the radiance of a black body, and its inverse, the temperature.

Source: M. Planck (1901): Ueber das Gesetz der Energieverteilung im Normalspectrum. Annalen der
Physik 309 (3), 553-563; constants: CODATA 2018, exact since the SI of 2019 (BIPM, The International
System of Units, 9th edition, section 2.2).
"""

from typing import Final

import numpy as np
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.processors.pixels import Floats, map_pixels

PLANCK_J_S: Final = 6.62607015e-34
LIGHT_M_S: Final = 299792458.0
BOLTZMANN_J_K: Final = 1.380649e-23

C1: Final = 2 * PLANCK_J_S * LIGHT_M_S**2 * 1e24
"""First radiation constant for radiance, W m-2 sr-1 um4."""
C2_UM_K: Final = PLANCK_J_S * LIGHT_M_S / BOLTZMANN_J_K * 1e6
"""Second radiation constant, um K."""

_LONGEST_UM = 1000.0


def planck_radiance(temperature: xr.DataArray, *, wavelength_um: float) -> xr.DataArray:
    """Compute a black body's spectral radiance ``c1 / (lambda^5 (exp(c2 / (lambda T)) - 1))``.

    Parameters
    ----------
    temperature
        K, NaN = no data.
    wavelength_um
        Wavelength in vacuum, for a band its central one. Treating a band as one wavelength costs
        up to some tenths of a kelvin for bands of 1 um; differences between near temperatures
        hardly suffer.

    Returns
    -------
    xarray.DataArray
        W m-2 sr-1 um-1 (equal in number to mW m-2 sr-1 nm-1), float32, NaN where the temperature
        is NaN or not positive; as lazy as the input.

    Raises
    ------
    InvalidInputError
        If the wavelength is not a length of light: a positive number below 1000.
    """
    _check_wavelength(wavelength_um)

    def radiate(kelvin: Floats) -> Floats:
        usable = np.where(kelvin > 0, kelvin, np.nan).astype(np.float64)
        with np.errstate(over="ignore"):  # the exponential of very cold bodies: radiance 0
            return C1 / (wavelength_um**5 * np.expm1(C2_UM_K / (wavelength_um * usable)))

    return map_pixels(
        radiate,
        temperature,
        name="radiance",
        attrs={
            "long_name": f"black body radiance at {wavelength_um:g} um",
            "standard_name": "toa_upwelling_spectral_radiance",
            "units": "W m-2 sr-1 um-1",
        },
    )


def brightness_temperature(radiance: xr.DataArray, *, wavelength_um: float) -> xr.DataArray:
    """Compute the temperature of the black body that has a radiance: the inverse of Planck's law.

    Parameters
    ----------
    radiance
        W m-2 sr-1 um-1 (equal in number to mW m-2 sr-1 nm-1), NaN = no data.
    wavelength_um
        Wavelength in vacuum, for a band its central one; see `planck_radiance`.

    Returns
    -------
    xarray.DataArray
        K, float32, NaN where the radiance is NaN or not positive; as lazy as the input.

    Raises
    ------
    InvalidInputError
        If the wavelength is not a length of light: a positive number below 1000.
    """
    _check_wavelength(wavelength_um)

    def invert(watts: Floats) -> Floats:
        usable = np.where(watts > 0, watts, np.nan).astype(np.float64)
        return C2_UM_K / (wavelength_um * np.log1p(C1 / (wavelength_um**5 * usable)))

    return map_pixels(
        invert,
        radiance,
        name="brightness_temperature",
        attrs={
            "long_name": f"brightness temperature at {wavelength_um:g} um",
            "standard_name": "toa_brightness_temperature",
            "units": "K",
            "display_min": 270.0,
            "display_max": 300.0,
            "colormap": "inferno",
        },
    )


def _check_wavelength(wavelength_um: float) -> None:
    if not 0 < wavelength_um < _LONGEST_UM:  # false for NaN too
        raise InvalidInputError(
            f"The wavelength is {wavelength_um} um.",
            remedy=f"Give micrometres, greater than 0 and less than {_LONGEST_UM:g}.",
        )
