"""From the scene to radiance at the satellite: the forward model of the simulated OLCI.

Water: inherent optical properties linear in what is in the water, reflectance after Lee et al.
(2002), Applied Optics 41, 5755, equations 1 and 2. Atmosphere: Rayleigh optical thickness after
Bodhaine et al. (1999), J. Atmos. Oceanic Technol. 16, 1854, equation 30; an aerosol by Angstrom's
law and the phase function of Henyey and Greenstein (1941); path reflectance of single scattering
(Hansen and Travis 1974, Space Sci. Rev. 16, 527), diffuse transmittance after Gordon and Clark
(1981), Applied Optics 20, 4175; spherical albedo of a Rayleigh atmosphere as in 6S (Vermote et al.
1997, IEEE TGRS 35, 675). Glint: Cox and Munk (1954), J. Opt. Soc. Am. 44, 838, without direction
of the wind. Clouds: a layer that reflects by its optical thickness in two streams (Meador and
Weaver 1980, J. Atmos. Sci. 37, 630), with everything else below it. Simplified where a simulation
may be: no polarisation, no reflected skylight, one aerosol height, gases above all the rest.

``rho = T_gas [R_c + (1 - R_c)^2 rho_b / (1 - R_c rho_b)]``, with R_c the reflectance of cloud and
``rho_b = rho_path + T_sun T_direct rho_glint + T_sun (T_direct rho + T_diffuse rho_env) / (1 - S
rho_env)``, rho_env the surroundings' mean reflectance, which light scattered on its way up brings
into the pixel (adjacency; Vermote et al. 1997). ``L = rho F0 cos(theta_sun) / pi``.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skerry.products.simulate.olci_bands import (
    ALGAE_BACKSCATTERING,
    GELBSTOFF_SLOPE,
    NON_ALGAL_443,
    NON_ALGAL_SLOPE,
    PARTICLES_560,
    PARTICLES_EXPONENT,
    WATER_500,
    WATER_EXPONENT,
    Band,
)
from skerry.products.simulate.scene import SceneFields

Field = npt.NDArray[np.floating]

AEROSOL_865, ANGSTROM, ASYMMETRY, AEROSOL_ALBEDO = 0.06, 1.2, 0.68, 0.97
ADJACENCY_KM = 1.0
"""Standard deviation of the surroundings' weights."""
OZONE_DU, VAPOUR = 330.0, 15.0
"""Columns: Dobson units, kg m-2."""
SHADED = 0.35
"""Part of the light that reaches the ground in a cloud's shadow."""
CLOUD_ASYMMETRY, CIRRUS_ASYMMETRY = 0.85, 0.78


@dataclass(frozen=True)
class Geometry:
    """Angles in degrees, arrays of the image's shape.

    Attributes
    ----------
    sza, oza
        Zenith of sun and satellite.
    azimuth
        Difference of their azimuths, 0 where the sun stands behind the satellite.
    """

    sza: Field
    oza: Field
    azimuth: Field

    @property
    def cos_sun(self) -> Field:
        """Cosine of the sun's zenith."""
        return np.asarray(np.cos(np.radians(self.sza)), np.float32)

    @property
    def cos_view(self) -> Field:
        """Cosine of the satellite's zenith."""
        return np.asarray(np.cos(np.radians(self.oza)), np.float32)

    def scattering_cosine(self) -> Field:
        """Return the cosine of the angle by which light is scattered once."""
        sines = np.sqrt((1 - self.cos_sun**2) * (1 - self.cos_view**2))
        return -self.cos_sun * self.cos_view - sines * np.cos(np.radians(self.azimuth))


def model_water(band: Band, scene: SceneFields) -> Field:
    """Return water-leaving reflectance ``pi Rrs``, 0 on land."""
    nm = band.centre_nm
    absorption = (
        band.water_absorption
        + band.phytoplankton_absorption * scene.chlorophyll
        + scene.tsm * np.float32(NON_ALGAL_443 * np.exp(-NON_ALGAL_SLOPE * (nm - 443)))
        + scene.cdom * np.float32(np.exp(-GELBSTOFF_SLOPE * (nm - 443)))
    )
    scattering = (
        WATER_500 * (500 / nm) ** WATER_EXPONENT
        + scene.tsm * np.float32(PARTICLES_560 * (560 / nm) ** PARTICLES_EXPONENT)
        + ALGAE_BACKSCATTERING * scene.chlorophyll
    )
    u = scattering / (absorption + scattering)
    below = 0.0895 * u + 0.1247 * u**2
    return np.where(scene.water, np.pi * 0.52 * below / (1 - 1.7 * below), 0).astype(np.float32)


def model_surface(band: Band, scene: SceneFields) -> Field:
    """Return what water, ice, soil and leaves reflect, less in shadows."""
    land = band.soil + (band.vegetation - band.soil) * scene.vegetation
    ice = 0.75 if band.centre_nm < 800 else 0.55  # noqa: PLR2004 -- nm; ice darkens in the infrared
    surface = np.where(scene.water, model_water(band, scene), land)
    surface = np.where(scene.ice, np.float32(ice), surface)
    return np.where(scene.shadow, SHADED * surface, surface).astype(np.float32)


def model_glint(geometry: Geometry, wind_speed: Field) -> Field:
    """Return the reflectance of sun glint on a wavy sea."""
    cos_sun, cos_view = geometry.cos_sun, geometry.cos_view
    mirror = np.sqrt((1 - geometry.scattering_cosine()) / 2)  # cosine of incidence on the facet
    tilt = (cos_sun + cos_view) / (2 * mirror)
    slope = 1 / tilt**2 - 1
    variance = 0.003 + 0.00512 * wind_speed
    chance = np.exp(-slope / variance) / (np.pi * variance)
    fresnel = 0.02 + 0.98 * (1 - mirror) ** 5
    return np.asarray(np.pi * fresnel * chance / (4 * cos_sun * cos_view * tilt**4), np.float32)


def rayleigh_thickness(nm: float) -> float:
    """Return the optical thickness of Rayleigh scattering at sea level."""
    square = (nm / 1000) ** 2
    return float(
        0.0021520
        * (1.0455996 - 341.29061 / square - 0.90230850 * square)
        / (1 + 0.0027059889 / square - 85.968563 * square)
    )


def model_reflectance(band: Band, scene: SceneFields, geometry: Geometry, pixel_km: float) -> Field:
    """Return reflectance at the top of the atmosphere, ``pi L / (F0 cos(theta_sun))``.

    Parameters
    ----------
    band
        The band.
    scene
        What is on the ground and in the sky, ``(rows, columns)``.
    geometry
        Angles on the same grid.
    pixel_km
        Size of a pixel, which adjacency depends on.
    """
    rayleigh = rayleigh_thickness(band.centre_nm)
    aerosol = AEROSOL_865 * (865 / band.centre_nm) ** ANGSTROM
    cos_sun, cos_view = geometry.cos_sun, geometry.cos_view
    surface = model_surface(band, scene)
    around = _blur(surface, ADJACENCY_KM / pixel_km)
    lost = 0.52 * rayleigh + 0.16 * aerosol
    down = np.exp(-lost / cos_sun)
    direct = np.exp(-(rayleigh + aerosol) / cos_view)
    diffuse = np.exp(-lost / cos_view) - direct
    glint = np.where(scene.water & ~scene.ice, model_glint(geometry, scene.wind_speed), 0)
    below = (
        _path_reflectance(rayleigh, aerosol, geometry)
        + np.exp(-(rayleigh + aerosol) / cos_sun) * direct * glint
        + down * (direct * surface + diffuse * around) / (1 - _albedo(rayleigh) * around)
    )
    layer = _cloud_reflectance(scene)
    seen = layer + (1 - layer) ** 2 * below / (1 - layer * below)
    return np.asarray(_gas_transmittance(band, scene, cos_sun, cos_view) * seen, np.float32)


def _path_reflectance(rayleigh: float, aerosol: float, geometry: Geometry) -> Field:
    cosine = geometry.scattering_cosine()
    of_gas = 0.75 * (1 + cosine**2)
    of_aerosol = (1 - ASYMMETRY**2) / (1 + ASYMMETRY**2 - 2 * ASYMMETRY * cosine) ** 1.5
    cos_sun, cos_view = geometry.cos_sun, geometry.cos_view
    thickness = rayleigh + aerosol
    phase = (rayleigh * of_gas + AEROSOL_ALBEDO * aerosol * of_aerosol) / thickness
    lit = 1 - np.exp(-thickness * (1 / cos_sun + 1 / cos_view))
    return np.asarray(phase * lit / (4 * (cos_sun + cos_view)), np.float32)


def _blur(values: Field, deviation: float) -> Field:
    """Return the mean of the surroundings, weighted by a Gauss curve; edges go on outside."""
    reach = int(np.ceil(3 * deviation))
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation) ** 2)
    weights = (weights / weights.sum()).astype(np.float32)
    for axis in (0, 1):
        length = values.shape[axis]
        padding = [(reach, reach) if one == axis else (0, 0) for one in (0, 1)]
        padded = np.pad(values, padding, mode="edge")
        moved = (padded.take(range(k, k + length), axis) for k in range(2 * reach + 1))
        values = sum(
            (w * one for w, one in zip(weights, moved, strict=True)), np.zeros_like(values)
        )
    return values


def _albedo(rayleigh: float) -> float:
    # The exponential integral E3 by the trapezoidal rule: smooth, and no library is needed.
    t = np.linspace(1e-6, 1, 2001)
    third = float(np.trapezoid(t * np.exp(-rayleigh / t), t))
    terms = 3 * rayleigh - third * (4 + 2 * rayleigh) + 2 * np.exp(-rayleigh)
    return float(terms / (4 + 3 * rayleigh))


def _cloud_reflectance(scene: SceneFields) -> Field:
    thick = (1 - CLOUD_ASYMMETRY) * scene.cloud_optical_thickness
    thick = thick + (1 - CIRRUS_ASYMMETRY) * scene.cirrus_optical_thickness
    return np.asarray(thick / (2 + thick), np.float32)


def _gas_transmittance(band: Band, scene: SceneFields, cos_sun: Field, cos_view: Field) -> Field:
    """Return the transmittance of ozone, oxygen and water vapour; most is above a cloud's top."""
    mass = 1 / cos_sun + 1 / cos_view
    above = np.where(scene.cloud, np.float32(0.6), np.float32(1))
    vapour = np.where(scene.cloud, np.float32(0.2), np.float32(1)) * VAPOUR
    lines = band.oxygen * np.sqrt(mass * above) + band.vapour * np.sqrt(mass * vapour)
    return np.asarray(np.exp(-band.ozone * OZONE_DU / 1000 * mass - lines), np.float32)
