"""Radiance at the top of the atmosphere in SLSTR's solar channels.

The model is `solar_view`. In S4 water vapour hides the ground.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from skerry.simulate.atmosphere import Air, Geometry
from skerry.simulate.optics import BandOptics
from skerry.simulate.scene import SceneFields
from skerry.simulate.solar_view import SolarView, mirror_sun, see_surroundings

Field = npt.NDArray[np.float32]

NOISE_REFERENCE, NOISE_RATIO = 0.1, 200.0
"""Signal-to-noise ratio at a reflectance: typical, close to the requirement for its bands."""
GLINT_REFLECTANCE = 0.03
"""Glint reflectance above this value is flagged."""


@dataclass(frozen=True)
class SolarChannel:
    """A solar channel.

    Attributes
    ----------
    optics
        Optical coefficients of water, land and cloud in the channel.
    irradiance
        Solar irradiance at 1 AU, mW m-2 nm-1.
    vapour
        Absorption by water vapour as `atmosphere.vapour_transmittance` takes it.
    bandwidth_nm
        Full width at half maximum.
    """

    optics: BandOptics
    irradiance: float
    vapour: float
    bandwidth_nm: float


CHANNELS = {
    "s1": SolarChannel(
        BandOptics(554.27, 0.0596, 0.0076, 0.070, 0.13, 1.0, 0.75), 1837.0, 0.0, 19.26
    ),
    "s2": SolarChannel(
        BandOptics(659.47, 0.4100, 0.0125, 0.040, 0.17, 1.0, 0.70), 1526.0, 0.003, 19.25
    ),
    "s3": SolarChannel(
        BandOptics(868.0, 4.8000, 0.0000, 0.410, 0.27, 1.0, 0.48), 956.0, 0.001, 20.6
    ),
    "s4": SolarChannel(
        BandOptics(1374.8, 480.00, 0.0000, 0.300, 0.31, 0.9, 0.10), 366.0, 3.0, 20.8
    ),
    "s5": SolarChannel(
        BandOptics(1613.4, 670.00, 0.0000, 0.210, 0.33, 0.7, 0.04), 248.0, 0.003, 60.68
    ),
    "s6": SolarChannel(
        BandOptics(2255.7, 2300.0, 0.0000, 0.100, 0.26, 0.5, 0.03), 78.3, 0.02, 50.15
    ),
}
"""Channels by their names in EOPF products. Wavelengths and widths are from product
manifests, irradiance is rounded from quality files."""


def model_radiance(
    channel: SolarChannel,
    fields: SceneFields,
    geometry: Geometry,
    air: Air,
    *,
    distance: float,
    pixel_m: float,
) -> Field:
    """Return the radiance at the top of the atmosphere, mW m-2 sr-1 nm-1, without noise.

    Parameters
    ----------
    channel
        The channel.
    fields, geometry
        The scene's fields and the directions; arrays of one shape ``(rows, columns)``.
    air
        The state of the atmosphere.
    distance
        (mean distance of the sun / distance)^2.
    pixel_m
        Size of pixels, for the light of their surroundings.
    """
    view = SolarView(channel.optics, geometry, air, channel.vapour)
    ground = view.light_ground(fields)
    reflectance = view.look(ground, see_surroundings(ground, fields, pixel_m), fields)
    return to_radiance(channel, reflectance, geometry, distance)


def to_radiance(
    channel: SolarChannel, reflectance: Field, geometry: Geometry, distance: float
) -> Field:
    """Return radiance, mW m-2 sr-1 nm-1, of a reflectance at the top of the atmosphere."""
    light = geometry.sun_cosine * channel.irradiance * distance / np.pi
    return np.asarray(reflectance * light, np.float32)


def find_glint(fields: SceneFields, geometry: Geometry) -> npt.NDArray[np.bool_]:
    """Return a mask of sun glint on water."""
    return np.asarray(mirror_sun(geometry, fields) > GLINT_REFLECTANCE)
