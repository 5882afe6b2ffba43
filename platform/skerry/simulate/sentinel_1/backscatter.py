"""A forward model of the scene's echo in a C-band radar, and of the receiver's noise.

Sea and lakes, co-polarised: the form of the CMOD models (Stoffelen and Anderson 1997, JGR 102,
5767, equation 1), ``sigma = B0 (1 + B1 cos(phi) + B2 cos(2 phi))^1.6``, ``B0`` a power of wind
speed that falls with the incidence angle. The coefficients are our own, rounded; they are not fit
to retrieve wind. From 5 to 15 m s-1 and 30 to 45 degrees they are within 3 dB of CMOD5.N (Hersbach
2008, ECMWF Technical Memorandum 554); light winds are too dark, across the wind by up to 6 dB at 2
m s-1. Cross-polarised: ``0.580 U - 35.652`` dB whatever angle and direction (the relation C-2PO:
Zhang and Perrie 2012, Bulletin of the American Meteorological Society 93, 531, its numbers not
checked against the print; within 0.4 dB of the line of Vachon and Wolfe 2011, IEEE GRSL 8, 456, as
that is quoted). Land: a volume of leaves over soil, ``sigma = gamma cos(incidence)``, with typical
levels (Ulaby and Dobson 1989, Handbook of Radar Scattering Statistics for Terrain). Clouds are
transparent.

Speckle: intensity has a gamma distribution of `LOOKS` equivalent looks around the sum of signal
and thermal noise (Goodman 1976, JOSA 66, 1145); pixels are independent, unlike real ones.
"""

import numpy as np
import numpy.typing as npt

from skerry.simulate.noise import Field
from skerry.simulate.scene import SceneFields

LOOKS = 4.4
"""Equivalent number of looks of IW GRDH (S1-RS-MDA-52-7440, product performance)."""
CO_POLARISED = ("VV", "HH")
SHELTER = 0.6
"""Wind speed over lakes as a fraction of that over the sea."""
UPWIND, CROSSWIND = 0.1, 0.35
"""B1 and B2."""
SMALLEST_NESZ_DB, NESZ_RISE_DB = -29.0, 5.0
"""Noise at the middle of a sub-swath and how much higher at its edges; the mission's requirement
is -22 dB (S1-RS-MDA-52-7440)."""
SCALLOPING = 0.25
"""Noise at a burst's edges divided by that at its middle, minus 1."""


def model_sigma(
    fields: SceneFields, incidence: Field, wind_angle: float, polarisation: str
) -> Field:
    """Return sigma nought without noise and speckle, linear.

    Parameters
    ----------
    fields
        The scene.
    incidence
        Degrees, of the fields' shape.
    wind_angle
        Between the look direction and where the wind comes from, radians.
    polarisation
        VV, VH, HH or HV.
    """
    wind = np.where(fields.lake, SHELTER * fields.wind_speed, fields.wind_speed)
    co_polarised = polarisation in CO_POLARISED
    sea = _co_polarised_sea(wind, incidence, wind_angle) if co_polarised else 0.580 * wind - 35.652
    lowest, rise = (-13.0, 5.0) if co_polarised else (-21.0, 6.5)
    gamma = lowest + rise * fields.vegetation
    land = gamma + 10 * np.log10(np.cos(np.radians(incidence)))
    ice = np.full_like(land, -12.0 if co_polarised else -22.0)
    decibels = np.where(fields.ice, ice, np.where(fields.water, sea, land))
    return np.asarray(10 ** (decibels / 10), np.float32)


def _co_polarised_sea(wind: Field, incidence: Field, wind_angle: float) -> Field:
    tilt = incidence - 30.0
    level = -10.0 - 0.55 * tilt + 10 * (1.5 + 0.025 * tilt) * np.log10(wind / 10.0)
    shape = 1 + UPWIND * np.cos(wind_angle) + CROSSWIND * np.cos(2 * wind_angle)
    return np.asarray(level + 16 * np.log10(shape), np.float32)


def model_nesz(place: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the noise equivalent sigma nought, linear, at the middle of a burst.

    Parameters
    ----------
    place
        Across a sub-swath, -1 at its near edge and 1 at its far edge.
    """
    return np.asarray(10 ** ((SMALLEST_NESZ_DB + NESZ_RISE_DB * place**2) / 10))


def model_scalloping(phase: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the noise's factor along a burst: 1 at its middle (phase 0.5), higher at the edges."""
    return np.asarray(1 + SCALLOPING * (2 * np.mod(phase, 1.0) - 1) ** 2)


def draw_numbers(power: Field, generator: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Return digital numbers: amplitudes of speckled intensity.

    Parameters
    ----------
    power
        Mean of signal and noise, in squared digital numbers.
    generator
        Source of random numbers.
    """
    intensity = generator.gamma(LOOKS, np.maximum(power, 0) / LOOKS)
    return np.clip(np.rint(np.sqrt(intensity)), 1, 65535).astype(np.uint16)
