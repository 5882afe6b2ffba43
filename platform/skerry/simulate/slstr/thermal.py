"""The radiance in a thermal channel: a forward model, independent of any retrieval.

The surface emits ``e(v) B(T)``. A one-layer atmosphere absorbs a part of it and emits too::

    L = t e B(T_surface) + (1 - t) B(T_air) + t (1 - e) (1 - t) B(T_air),   t = exp(-k W / cos v)

with ``v`` the view's zenith angle and ``W`` the column of water vapour: attenuation that grows
linearly with the absorber's amount is what split-window theory assumes (McMillin 1975: Estimation
of sea surface temperatures from two infrared window measurements with different absorption.
J. Geophys. Res. 80(36), 5113). Clouds above emit too; cirrus is half transparent.

``B`` is Planck's law at the channel's central wavelength (constants: CODATA 2018); ``e`` of water
follows from Fresnel's equations for the complex refractive index of water (Hale and Querry 1973:
Optical constants of water in the 200-nm to 200-um wavelength region. Applied Optics 12(3), 555,
table I, rounded), so that an oblique view sees a darker sea. Waves are neglected.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skerry.simulate.scene import SceneFields

Field = npt.NDArray[np.float64]

PLANCK_J_S = 6.62607015e-34
LIGHT_M_S = 299_792_458.0
BOLTZMANN_J_K = 1.380649e-23
LAND_EMISSIVITY, ICE_EMISSIVITY = 0.97, 0.985
AIR_COOLER_K = 12.0
"""How much colder the absorbing layer is than the air at the ground."""
CIRRUS_INFRARED = 0.5
"""Absorption optical depth of ice clouds in the window over their extinction in the visible."""
SUN_K, SUN_STERADIAN = 5772.0, 6.794e-5
"""Effective temperature of the sun (IAU 2015 resolution B3) and its solid angle at 1 AU."""


@dataclass(frozen=True)
class ThermalChannel:
    """A thermal channel.

    Attributes
    ----------
    wavelength_um
        Centre.
    vapour_absorption
        k, m2 kg-1; chosen so that 20 kg m-2 cool a nadir view by about 0.3, 1.0 and 1.6 K at 3.7,
        11 and 12 um.
    refraction, extinction
        Complex refractive index of water.
    land, cloud
        Reflectance of sunlight; it matters only at 3.7 um.
    bandwidth_um
        Full width at half maximum.
    noise_k
        Standard deviation of the noise of a pixel, K.
    """

    wavelength_um: float
    vapour_absorption: float
    refraction: float
    extinction: float
    land: float
    cloud: float
    bandwidth_um: float
    noise_k: float


_MIDDLE = {"refraction": 1.371, "extinction": 0.0035, "land": 0.03, "cloud": 0.06,
           "bandwidth_um": 0.398}  # fmt: skip
_ELEVEN = {"refraction": 1.162, "extinction": 0.088, "land": 0.0, "cloud": 0.0,
           "bandwidth_um": 0.776}  # fmt: skip
CHANNELS = {
    "s7": ThermalChannel(3.742, 0.0013, noise_k=0.05, **_MIDDLE),
    "s8": ThermalChannel(10.854, 0.0045, noise_k=0.02, **_ELEVEN),
    "s9": ThermalChannel(12.0225, 0.0075, 1.111, 0.201, 0.0, 0.0, 0.905, 0.025),
    "f1": ThermalChannel(3.742, 0.0013, noise_k=0.3, **_MIDDLE),
    "f2": ThermalChannel(10.854, 0.0045, noise_k=0.1, **_ELEVEN),
}
"""Channels of SLSTR by their names in EOPF products; wavelengths from its product manifests."""


def planck(wavelength_um: float, temperature: npt.ArrayLike) -> Field:
    """Return spectral radiance of a black body, W m-2 sr-1 um-1.

    Parameters
    ----------
    wavelength_um
        Wavelength.
    temperature
        K, any shape.
    """
    metre = wavelength_um * 1e-6
    ratio = PLANCK_J_S * LIGHT_M_S / (metre * BOLTZMANN_J_K * np.asarray(temperature, np.float64))
    per_metre = 2 * PLANCK_J_S * LIGHT_M_S**2 / metre**5 / np.expm1(ratio)
    return np.asarray(per_metre * 1e-6)


def invert_planck(wavelength_um: float, radiance: npt.ArrayLike) -> Field:
    """Return the temperature, K, of a black body with this radiance, W m-2 sr-1 um-1."""
    metre = wavelength_um * 1e-6
    per_metre = np.asarray(radiance, np.float64) * 1e6
    ratio = np.log1p(2 * PLANCK_J_S * LIGHT_M_S**2 / metre**5 / per_metre)
    return np.asarray(PLANCK_J_S * LIGHT_M_S / (metre * BOLTZMANN_J_K * ratio))


def water_emissivity(channel: ThermalChannel, view_zenith: npt.ArrayLike) -> Field:
    """Return the emissivity of flat water, by Fresnel's equations.

    Parameters
    ----------
    channel
        Channel, for its refractive index.
    view_zenith
        Degrees, any shape.
    """
    index = channel.refraction + 1j * channel.extinction
    cosine = np.cos(np.radians(np.asarray(view_zenith, np.float64)))
    inside = np.sqrt(1 - (1 - cosine**2) / index**2)
    across = (cosine - index * inside) / (cosine + index * inside)
    along = (index * cosine - inside) / (index * cosine + inside)
    return np.asarray(1 - (np.abs(across) ** 2 + np.abs(along) ** 2) / 2)


def model_temperature(
    channel: ThermalChannel,
    fields: SceneFields,
    view_zenith: npt.NDArray[np.float64],
    sun_zenith: npt.NDArray[np.float64],
    vapour: npt.NDArray[np.float64],
) -> Field:
    """Return the brightness temperature at the top of the atmosphere, K, without noise.

    Parameters
    ----------
    channel
        The channel.
    fields
        What is on the ground and above it.
    view_zenith, sun_zenith
        Degrees, arrays of the fields' shape.
    vapour
        Column of water vapour, kg m-2, of the same shape.
    """
    slant = np.cos(np.radians(view_zenith))
    emissivity = np.where(fields.water, water_emissivity(channel, view_zenith), LAND_EMISSIVITY)
    emissivity = np.where(fields.ice, ICE_EMISSIVITY, emissivity)
    clear = np.exp(-channel.vapour_absorption * vapour / slant)
    air = planck(channel.wavelength_um, fields.surface_temperature - AIR_COOLER_K)
    surface = emissivity * planck(channel.wavelength_um, fields.surface_temperature)
    surface += (1 - emissivity) * (1 - clear) * air
    surface += _reflect_sun(channel, np.where(fields.water, 0.0, channel.land), sun_zenith) * clear
    radiance = clear * surface + (1 - clear) * air
    top = np.where(np.isnan(fields.cloud_top_temperature), 250.0, fields.cloud_top_temperature)
    bright = planck(channel.wavelength_um, top)
    transmittance = np.exp(-CIRRUS_INFRARED * fields.cirrus_optical_thickness / slant)
    radiance = transmittance * radiance + (1 - transmittance) * bright
    cloudy = bright + _reflect_sun(channel, channel.cloud, sun_zenith)
    return invert_planck(channel.wavelength_um, np.where(fields.cloud, cloudy, radiance))


def _reflect_sun(channel: ThermalChannel, albedo: npt.ArrayLike, sun_zenith: Field) -> Field:
    height = np.clip(np.cos(np.radians(sun_zenith)), 0, None)
    irradiance = planck(channel.wavelength_um, SUN_K) * SUN_STERADIAN
    return np.asarray(np.asarray(albedo) * irradiance * height / np.pi)
