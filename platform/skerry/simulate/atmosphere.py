"""The atmosphere between sensor and ground in the solar range: a forward model for simulations.

Reflectance at the top of the atmosphere over a surface of reflectance ``rho`` in surroundings of
mean reflectance ``env`` (Tanre et al. 1981, Applied Optics 20, 3676; Vermote et al. 1997, IEEE
TGRS 35, 675, equations 2 and 5)::

    rho_toa = t_gas (rho_path + t_sun (t_direct rho + t_diffuse env) / (1 - s env)) + clouds, glint

with all orders of scattering by molecules in the path, and one order by aerosol. Everything is a
function of wavelength, so that any sensor of this range can use it. Not modelled: light scattered
by aerosol more than once, or by aerosol and molecules both (which makes hazy air some percent too
dark in the blue), the sphericity of the Earth (sun or view beyond 75 degrees), absorption lines.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

Field = npt.NDArray[np.float32]
Number = npt.ArrayLike

STANDARD_PRESSURE_HPA = 1013.25
ANISOTROPY = 2 * (1 - 0.0279) / (2 + 0.0279)
"""Anisotropy of scattering by molecules with a depolarisation of 0.0279 (Young 1980, Applied Optics
19, 3427); 1 is Rayleigh's own phase function."""
HIGHER_ORDERS = (
    (0.33243832, -0.06777104), (0.16285370, 0.001577425), (-0.30924818, -0.01240906),
    (-0.10324388, 0.03241678), (0.11493334, -0.03503695),
)  # fmt: skip
"""Light scattered by molecules more than once, of the mean over azimuth: numbers of the paper that
`molecular_reflectance` names; a test finds that they keep the energy."""
ASYMMETRY = 0.72
"""Henyey-Greenstein asymmetry of a maritime aerosol at medium humidity."""
SINGLE_SCATTERING_ALBEDO = 0.97
CLOUD_ASYMMETRY = 0.85
"""Asymmetry of water droplets (Hansen and Travis 1974, Space Science Reviews 16, 527)."""
FRESNEL_INDEX = 1.34
"""Refractive index of sea water in the visible."""
OZONE_TABLE_NM = (400, 443, 490, 510, 560, 600, 620, 665, 709, 754, 779, 865, 1000)
OZONE_TABLE = (0.0, 0.0032, 0.0213, 0.041, 0.104, 0.125, 0.109, 0.0505, 0.0197, 0.0096, 0.0077,
               0.0022, 0.0)  # fmt: skip
"""Absorption of ozone per atm cm: the Chappuis band, rounded from Anderson et al. (1993,
Geophysical Research Letters 20, 1579)."""


@dataclass(frozen=True)
class Air:
    """The state of the atmosphere.

    Attributes
    ----------
    aerosol_550
        Aerosol optical thickness at 550 nm.
    angstrom
        Its Angstrom exponent.
    ozone_du
        Total column of ozone, Dobson units.
    water_cm
        Total column of water vapour, cm (10 kg m-2).
    pressure_hpa
        At the surface.
    """

    aerosol_550: float = 0.12
    angstrom: float = 1.2
    ozone_du: float = 330.0
    water_cm: float = 1.5
    pressure_hpa: float = STANDARD_PRESSURE_HPA


@dataclass(frozen=True)
class Geometry:
    """Directions of sun and sensor as seen from the ground, degrees, numbers or arrays."""

    sun_zenith: Number
    sun_azimuth: Number
    view_zenith: Number
    view_azimuth: Number

    @property
    def sun_cosine(self) -> Field:
        """Cosine of the sun's zenith angle, at least 0.05."""
        return _cosine(self.sun_zenith)

    @property
    def view_cosine(self) -> Field:
        """Cosine of the view zenith angle, at least 0.05."""
        return _cosine(self.view_zenith)

    @property
    def relative_azimuth(self) -> Field:
        """View azimuth minus sun azimuth, radians."""
        difference = np.asarray(self.view_azimuth) - np.asarray(self.sun_azimuth)
        return np.asarray(np.radians(difference), np.float32)

    @property
    def scattering_cosine(self) -> Field:
        """Cosine of the angle by which light turns from the sun's beam to the sensor."""
        sines = np.sin(np.radians(self.sun_zenith)) * np.sin(np.radians(self.view_zenith))
        return np.asarray(
            -self.sun_cosine * self.view_cosine - sines * np.cos(self.relative_azimuth), np.float32
        )


def _cosine(zenith: Number) -> Field:
    cosine = np.cos(np.radians(np.asarray(zenith, np.float32)))
    return np.asarray(np.maximum(cosine, 0.05), np.float32)


def rayleigh_thickness(wavelength_nm: float, pressure_hpa: float) -> float:
    """Return the optical thickness of air molecules (Hansen and Travis 1974, equation 2.30)."""
    inverse = (1000.0 / wavelength_nm) ** 2
    thickness = 0.008569 * inverse**2 * (1 + 0.0113 * inverse + 0.00013 * inverse**2)
    return thickness * pressure_hpa / STANDARD_PRESSURE_HPA


def aerosol_thickness(wavelength_nm: float, air: Air) -> float:
    """Return the aerosol's optical thickness (Angstrom's law)."""
    return float(air.aerosol_550 * (wavelength_nm / 550.0) ** -air.angstrom)


def path_reflectance(wavelength_nm: float, air: Air, geometry: Geometry) -> Field:
    """Return the reflectance of air and aerosol above a black surface.

    All orders of scattering for molecules, and single scattering for the aerosol above them:
    ``P tau_s (1 - exp(-tau m)) / (4 tau m mu_s mu_v)`` with ``m = 1 / mu_s + 1 / mu_v`` and the
    thickness tau of both (Liou 2002, An Introduction to Atmospheric Radiation, chapter 6).
    """
    molecules = rayleigh_thickness(wavelength_nm, air.pressure_hpa)
    aerosol = aerosol_thickness(wavelength_nm, air)
    sun, view = geometry.sun_cosine, geometry.view_cosine
    masses = 1 / sun + 1 / view
    total = molecules + aerosol
    escaped = (1 - np.exp(-total * masses)) / (total * masses)
    hazy = SINGLE_SCATTERING_ALBEDO * aerosol * _henyey_greenstein(geometry.scattering_cosine)
    hazy *= escaped / (4 * sun * view)
    return np.asarray(molecular_reflectance(molecules, geometry) + hazy, np.float32)


def molecular_reflectance(thickness: float, geometry: Geometry) -> Field:
    """Return the reflectance of molecules alone, all orders of scattering, polarisation included.

    E. F. Vermote, D. Tanre (1992): Analytical expressions for radiative properties of planar
    Rayleigh scattering media, including polarization contributions. Journal of Quantitative
    Spectroscopy and Radiative Transfer 47(4), 305-314: single scattering in a series of cosines
    of the azimuth, each term with a correction for the higher orders.

    Parameters
    ----------
    thickness
        Optical thickness, greater than 0, up to about 0.7.
    geometry
        Directions.
    """
    sun, view = (
        np.asarray(item, np.float64) for item in (geometry.sun_cosine, geometry.view_cosine)
    )
    sine_sun, sine_view = np.sqrt(1 - sun**2), np.sqrt(1 - view**2)
    # Terms of the phase function's series of cosines of the azimuth's multiples.
    terms = (
        1 + ANISOTROPY * (3 * sun**2 - 1) * (3 * view**2 - 1) / 8,
        0.75 * ANISOTROPY * sun * view * sine_sun * sine_view,
        0.1875 * ANISOTROPY * (sine_sun * sine_view) ** 2,
    )
    once = (1 - np.exp(-thickness * (1 / sun + 1 / view))) / (4 * (sun + view))
    again = (1 - np.exp(-thickness / sun)) * (1 - np.exp(-thickness / view))
    log = np.log(thickness)
    ones = np.ones_like(sun * view)
    shapes = (ones, sun + view, sun * view, sun**2 + view**2, (sun * view) ** 2)
    mean = np.zeros_like(ones)
    for (constant, slope), shape in zip(HIGHER_ORDERS, shapes, strict=True):
        mean += (constant + slope * log) * shape
    corrections: tuple[Any, ...] = (
        mean,
        0.19666292 - 0.05439061 * log,
        0.14545937 - 0.02910845 * log,
    )
    azimuth = geometry.relative_azimuth
    weights: tuple[Any, ...] = (1.0, 2 * np.cos(azimuth), 2 * np.cos(2 * azimuth))
    reflectance = np.zeros(np.broadcast_shapes(ones.shape, azimuth.shape))
    for term, more, weight in zip(terms, corrections, weights, strict=True):
        reflectance += weight * term * (once + again * more)
    return np.asarray(reflectance, np.float32)


def _henyey_greenstein(turn: Field) -> Field:
    """Return the phase function (Henyey and Greenstein 1941, Astrophysical Journal 93, 70)."""
    g = ASYMMETRY
    return np.asarray((1 - g**2) / (1 + g**2 - 2 * g * turn) ** 1.5, np.float32)


def direct_transmittance(wavelength_nm: float, air: Air, cosine: Field) -> Field:
    """Return the part of a beam that air and aerosol neither scatter nor absorb."""
    total = rayleigh_thickness(wavelength_nm, air.pressure_hpa)
    total += aerosol_thickness(wavelength_nm, air)
    return np.asarray(np.exp(-total / cosine), np.float32)


def total_transmittance(wavelength_nm: float, air: Air, cosine: Field) -> Field:
    """Return direct and diffuse transmittance together: light scattered forward arrives too.

    Molecules ``((2/3 + mu) + (2/3 - mu) exp(-tau / mu)) / (4/3 + tau)`` (Vermote and Tanre 1992,
    as for `molecular_reflectance`), so that no light is lost between both; aerosol
    ``exp(-(1 - w F) tau / mu)`` (Gordon et al. 1983, Applied Optics 22, 20), with the forward
    fraction ``F = (1 + g) / 2``.
    """
    molecules = rayleigh_thickness(wavelength_nm, air.pressure_hpa)
    aerosol = aerosol_thickness(wavelength_nm, air)
    scattered_back = 1 - SINGLE_SCATTERING_ALBEDO * (1 + ASYMMETRY) / 2
    transmittance = (2 / 3 + cosine) + (2 / 3 - cosine) * np.exp(-molecules / cosine)
    transmittance *= np.exp(-scattered_back * aerosol / cosine) / (4 / 3 + molecules)
    return np.asarray(transmittance, np.float32)


def spherical_albedo(wavelength_nm: float, air: Air) -> float:
    """Return the share of the ground's light that the atmosphere sends back down.

    Molecules exactly, ``(3 t - E3(t) (4 + 2 t) + 2 exp(-t)) / (4 + 3 t)`` (Vermote et al. 1997,
    6S user guide, CSALBR); aerosol by its backward fraction.
    """
    t = rayleigh_thickness(wavelength_nm, air.pressure_hpa)
    molecules = (3 * t - _exponential_integral(t) * (4 + 2 * t) + 2 * np.exp(-t)) / (4 + 3 * t)
    aerosol = aerosol_thickness(wavelength_nm, air) * SINGLE_SCATTERING_ALBEDO
    return float(molecules + (1 - ASYMMETRY) / 2 * aerosol)


def _exponential_integral(t: float) -> float:
    """Return E3(t), the integral of mu exp(-t / mu) for mu from 0 to 1, by Gauss's formula."""
    nodes, weights = _list_gauss_nodes()
    mu = (nodes + 1) / 2
    return float(np.sum(weights / 2 * mu * np.exp(-t / mu)))


@cache
def _list_gauss_nodes() -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return nodes and weights: finding them takes longer than all else of a band's albedo."""
    return np.polynomial.legendre.leggauss(64)


def ozone_transmittance(wavelength_nm: float, air: Air, geometry: Geometry) -> Field:
    """Return the transmittance of ozone on both ways."""
    absorption = float(np.interp(wavelength_nm, OZONE_TABLE_NM, OZONE_TABLE, 0.0, 0.0))
    masses = 1 / geometry.sun_cosine + 1 / geometry.view_cosine
    return np.asarray(np.exp(-absorption * air.ozone_du / 1000 * masses), np.float32)


def vapour_transmittance(coefficient: float, air: Air, geometry: Geometry) -> Field:
    """Return the transmittance of water vapour on both ways, ``exp(-k (w m)^0.6)``.

    The power law between the linear and the square root regime of a band of lines (Rahman and
    Dedieu 1994, SMAC, International Journal of Remote Sensing 15, 123, use such a law).

    Parameters
    ----------
    coefficient
        k of the band.
    air
        For the column of water vapour.
    geometry
        For the air mass.
    """
    masses = 1 / geometry.sun_cosine + 1 / geometry.view_cosine
    return np.asarray(np.exp(-coefficient * (air.water_cm * masses) ** 0.6), np.float32)


def glint_reflectance(geometry: Geometry, wind_speed: Number) -> Field:
    """Return the reflectance of sun glint on a sea that wind makes rough.

    Cox and Munk (1954, Journal of the Optical Society of America 44, 838): slopes are normally
    distributed with variance 0.003 + 0.00512 W in all directions.
    """
    sun, view = geometry.sun_cosine, geometry.view_cosine
    variance = 0.003 + 0.00512 * np.asarray(wind_speed, np.float32)
    twice = np.clip(-geometry.scattering_cosine, -1, 1)  # cosine of twice the incidence angle
    incidence = np.sqrt((1 + twice) / 2)
    tilt = np.clip((sun + view) / (2 * incidence), 0.05, 1)
    density = np.exp(-(1 / tilt**2 - 1) / variance) / (np.pi * variance)
    mirrored = fresnel_reflectance(incidence)
    return np.asarray(np.pi * mirrored * density / (4 * sun * view * tilt**4), np.float32)


def fresnel_reflectance(cosine: Field) -> Field:
    """Return the unpolarised reflectance of water for light coming in at this angle."""
    inside = np.sqrt(1 - (1 - cosine**2) / FRESNEL_INDEX**2)
    across = (cosine - FRESNEL_INDEX * inside) / (cosine + FRESNEL_INDEX * inside)
    along = (inside - FRESNEL_INDEX * cosine) / (inside + FRESNEL_INDEX * cosine)
    return np.asarray((across**2 + along**2) / 2, np.float32)


def cloud_reflectance(optical_thickness: Number) -> Field:
    """Return the reflectance of a water cloud without absorption, ``t' / (2 + t')``.

    Two streams, ``t' = (1 - g) t`` (Bohren 1987, American Journal of Physics 55, 524).
    """
    scaled = (1 - CLOUD_ASYMMETRY) * np.asarray(optical_thickness, np.float32)
    return np.asarray(scaled / (2 + scaled), np.float32)


def blur_surroundings(field: Field, pixel_m: float, scale_m: float = 1000.0) -> Field:
    """Return the mean of a field's surroundings, weighted by ``exp(-distance / scale)``.

    The shape of the environment function of molecules and aerosol together (Santer and
    Schmechtig 2000, Applied Optics 39, 361). The field is mirrored at its edges.

    Parameters
    ----------
    field
        ``(y, x)``.
    pixel_m
        Size of its pixels.
    scale_m
        Distance over which the weight falls to 1 / e.
    """
    reach = min(int(np.ceil(4 * scale_m / pixel_m)), min(field.shape) - 1)
    if reach < 1:
        return field
    padded = np.pad(field, reach, mode="symmetric")
    rows, columns = (np.minimum(np.arange(n), n - np.arange(n)) for n in padded.shape)
    distance = np.hypot(rows[:, None], columns[None, :]) * pixel_m
    kernel = np.where(distance <= reach * pixel_m, np.exp(-distance / scale_m), 0.0)
    kernel /= kernel.sum()
    blurred = np.fft.irfft2(np.fft.rfft2(padded) * np.fft.rfft2(kernel), padded.shape)
    return np.asarray(blurred[reach:-reach, reach:-reach], np.float32)


def sensor_noise(
    reflectance: Field, reference: float, ratio: float, generator: np.random.Generator
) -> Field:
    """Return noise of zero mean: standard deviation ``reference / ratio`` at `reference`.

    Photon noise: it grows with the square root of the signal.
    """
    amplitude = np.sqrt(np.clip(reflectance, 0, None) * reference) / ratio
    noise = amplitude * generator.standard_normal(reflectance.shape, np.float32)
    return np.asarray(noise, np.float32)
