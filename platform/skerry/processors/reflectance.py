"""Radiance and reflectance at the top of the atmosphere.

``rho = pi L / (E0 U cos(theta))``, with radiance L, the sun's irradiance E0 in the band, U =
(mean distance of the sun / distance of the day)^2, and the sun's zenith angle theta.

Source: Sentinel-2 Products Specification Document (S2-PDGS-TAS-DI-PSD), Level-1C radiometry;
Sentinel-3 OLCI Level-1 ATBD (S3-ACRI-ATBD) and Product Data Format Specification, whose solar
flux and irradiance tables are those of the day already (U = 1).
"""

from datetime import date
from typing import Final

import numpy as np
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.processors.pixels import Floats, map_pixels

ECCENTRICITY: Final = 0.01673
"""Eccentricity of the earth's orbit in the Sentinel-2 specification."""
MEAN_MOTION: Final = 0.0172
"""Mean motion, radians per day, as the specification rounds it."""
FIRST_DAY: Final = date(1950, 1, 1)
"""Day from which the specification counts."""
LOWEST_COSINE: Final = 0.0349
"""Cosine of 88 degrees: reflectance is meaningless if the sun is lower."""

_RADIANCE = {
    "standard_name": "toa_upwelling_spectral_radiance",
    "units": "mW m-2 sr-1 nm-1",
}
_REFLECTANCE = {
    "standard_name": "toa_bidirectional_reflectance",
    "units": "1",
    "display_min": 0.0,
    "display_max": 0.4,
    "colormap": "gray",
}


def sun_distance_factor(day: date) -> float:
    """Return U = 1 / d^2, with the sun's distance d in astronomical units.

    ``d = 1 - 0.01673 cos(0.0172 (t - 2))`` with the days t since 1950-01-01 (Sentinel-2 Products
    Specification Document, Level-1C radiometry: "Julian day"). It is what ESA's processing takes,
    to 0.00005 in real products of 2022 and 2025, and so what brings back the irradiance in them.
    The rounded mean motion has run four days late since 1950: the true factor is up to 0.003 off
    in spring and autumn.
    """
    days = (day - FIRST_DAY).days
    return float((1 - ECCENTRICITY * np.cos(MEAN_MOTION * (days - 2))) ** -2)


def radiance_to_reflectance(
    radiance: xr.DataArray,
    sun_zenith: xr.DataArray,
    solar_irradiance: xr.DataArray | float,
    *,
    distance_factor: float = 1.0,
) -> xr.DataArray:
    """Compute reflectance at the top of the atmosphere.

    Parameters
    ----------
    radiance
        mW m-2 sr-1 nm-1, NaN = no data.
    sun_zenith
        Degrees, on the same grid.
    solar_irradiance
        mW m-2 nm-1: one number, or one for each pixel (OLCI: of its detector).
    distance_factor
        U for an irradiance at the mean distance, 1 for one of the day.

    Returns
    -------
    xarray.DataArray
        Dimensionless, float32, NaN where an input is, the irradiance is not positive, or the sun
        is lower than 2 degrees; as lazy as the inputs.
    """
    factor = np.pi / _check_factor(distance_factor)

    def convert(radiance: Floats, zenith: Floats, irradiance: Floats) -> Floats:
        return radiance * factor / _illumination(zenith, irradiance)

    attrs = {"long_name": "reflectance at the top of the atmosphere", **_REFLECTANCE}
    irradiance = _as_array(solar_irradiance)
    return map_pixels(convert, radiance, sun_zenith, irradiance, name="reflectance", attrs=attrs)


def reflectance_to_radiance(
    reflectance: xr.DataArray,
    sun_zenith: xr.DataArray,
    solar_irradiance: xr.DataArray | float,
    *,
    distance_factor: float = 1.0,
) -> xr.DataArray:
    """Compute radiance from reflectance at the top of the atmosphere.

    The inverse of `radiance_to_reflectance`, with the same parameters.

    Returns
    -------
    xarray.DataArray
        mW m-2 sr-1 nm-1, float32, NaN where `radiance_to_reflectance` has NaN.
    """
    factor = _check_factor(distance_factor) / np.pi

    def convert(reflectance: Floats, zenith: Floats, irradiance: Floats) -> Floats:
        return reflectance * factor * _illumination(zenith, irradiance)

    attrs = {"long_name": "radiance at the top of the atmosphere", **_RADIANCE}
    irradiance = _as_array(solar_irradiance)
    return map_pixels(convert, reflectance, sun_zenith, irradiance, name="radiance", attrs=attrs)


def _illumination(zenith: Floats, irradiance: Floats) -> Floats:
    """Return irradiance on a horizontal surface, NaN where there is (almost) none."""
    cosine = np.cos(np.radians(zenith))
    lit = (cosine > LOWEST_COSINE) & (irradiance > 0)
    return np.where(lit, cosine * irradiance, np.nan).astype(np.float32)


def _check_factor(distance_factor: float) -> float:
    if not 0.9 < distance_factor < 1.1:  # noqa: PLR2004 -- the orbit allows 0.967 to 1.035
        raise InvalidInputError(
            f"The factor of the sun's distance is {distance_factor}.",
            remedy="Give the squared ratio of mean distance and distance, 0.967 to 1.035.",
        )
    return distance_factor


def _as_array(value: xr.DataArray | float) -> xr.DataArray:
    return value if isinstance(value, xr.DataArray) else xr.DataArray(np.float32(value))
