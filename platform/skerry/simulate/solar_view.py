"""The reflectance of a scene in a solar band: one model for all optical sensors.

The ground, in light or shadow, is seen through the air (`atmosphere`), with light from its
surroundings and sun glint. Above it is cirrus, or a cloud with air above. A cloud or cirrus that
would reflect c without absorption lets ``1 - c`` through and reflects ``k c``, k being
`BandOptics.cloud`; over a layer that reflects r, all reflections between both counted::

    k c + (1 - c)^2 r / (1 - k c r)

Of the air below a cloud only the gases count. Cirrus is above all gases except ozone.
"""

from dataclasses import dataclass, replace

import numpy as np

from skerry.simulate.atmosphere import (
    STANDARD_PRESSURE_HPA,
    Air,
    Field,
    Geometry,
    blur_surroundings,
    cloud_reflectance,
    direct_transmittance,
    glint_reflectance,
    ozone_transmittance,
    path_reflectance,
    spherical_albedo,
    total_transmittance,
    vapour_transmittance,
)
from skerry.simulate.optics import BandOptics, model_reflectance
from skerry.simulate.scene import SIDE_KM, Mask, SceneFields

ADJACENCY_M = 1000.0
"""Distance over which the light of surroundings falls to 1 / e in the world's real lengths."""
LIT_FROM_THE_SIDE = 0.1
"""Part of the direct light that reaches a cloud's shadow."""
PRESSURE_ABOVE_CLOUD = 0.533
"""Pressure at a cloud's top over that at the ground: 5 km (U.S. Standard Atmosphere 1976)."""
VAPOUR_ABOVE_CLOUD = 0.02
"""Share of the vapour column above it: dry air, a fifth of saturation at 5 km and 255 K."""


@dataclass(frozen=True)
class SolarView:
    """One band under one sun.

    Attributes
    ----------
    optics
        What water, land and clouds look like in the band.
    geometry
        Directions, numbers or arrays that broadcast to the fields' shape.
    air
        The state of the atmosphere; above clouds are fixed parts of it, without aerosol.
    vapour
        Coefficient of `atmosphere.vapour_transmittance`.
    oxygen
        Optical depth of oxygen's lines at air mass 1; it grows with the root of the mass.
    """

    optics: BandOptics
    geometry: Geometry
    air: Air
    vapour: float = 0.0
    oxygen: float = 0.0

    def light_ground(self, fields: SceneFields) -> Field:
        """Return the reflectance of water, ice and land without glint, darker in shadows.

        A shadow keeps all light of the sky, and the share `LIT_FROM_THE_SIDE` of the sun's light.
        Its reflectance is relative to the full light outside of shadows.
        """
        optics = self.optics
        water = model_reflectance(optics, fields.turbidity, fields.chlorophyll, fields.cdom)
        land = optics.soil + (optics.vegetation - optics.soil) * fields.vegetation
        ground = np.where(fields.water, np.where(fields.ice, optics.ice, water), land)
        sun, wavelength = self.geometry.sun_cosine, optics.wavelength_nm
        direct = direct_transmittance(wavelength, self.air, sun)
        direct /= total_transmittance(wavelength, self.air, sun)
        return np.where(
            fields.shadow, ground * (1 - (1 - LIT_FROM_THE_SIDE) * direct), ground
        ).astype(np.float32)

    def look(self, ground: Field, around: Field, fields: SceneFields) -> Field:
        """Return the reflectance at the top of the atmosphere, without noise.

        Parameters
        ----------
        ground
            `light_ground` of the fields, ``(rows, columns)``.
        around
            `see_surroundings` of it, of the same shape.
        fields
            What is there, of the same shape.
        """
        wavelength = self.optics.wavelength_nm
        beam = direct_transmittance(wavelength, self.air, self.geometry.sun_cosine)
        beam = beam * direct_transmittance(wavelength, self.air, self.geometry.view_cosine)
        below = self.look_through_air(ground, around) + beam * mirror_sun(self.geometry, fields)
        reflectance = self.cover(fields.cirrus_optical_thickness, self.absorb_in_lines() * below)
        cloud = fields.cloud
        under = self._at(cloud)
        above = under.rise_above_cloud()
        lines = above.absorb_in_lines()
        lit = around[cloud] * under.absorb_in_lines() / lines
        top = above.cover(fields.cloud_optical_thickness[cloud], lit)
        reflectance[cloud] = lines * above.look_through_air(top, top)
        return np.asarray(self.absorb_in_ozone() * reflectance, np.float32)

    def rise_above_cloud(self) -> "SolarView":
        """Return this view for an object at the height of cloud tops."""
        air = replace(
            self.air,
            aerosol_550=0.0,
            water_cm=VAPOUR_ABOVE_CLOUD * self.air.water_cm,
            pressure_hpa=PRESSURE_ABOVE_CLOUD * self.air.pressure_hpa,
        )
        return replace(self, air=air)

    def absorb_in_lines(self) -> Field:
        """Return the transmittance of water vapour and oxygen on both ways.

        Strong lines absorb with the square root of the path (Goody and Yung 1989, Atmospheric
        Radiation, chapter 4).
        """
        masses = 1 / self.geometry.sun_cosine + 1 / self.geometry.view_cosine
        oxygen = np.exp(
            -self.oxygen * np.sqrt(masses * self.air.pressure_hpa / STANDARD_PRESSURE_HPA)
        )
        return np.asarray(
            oxygen * vapour_transmittance(self.vapour, self.air, self.geometry), np.float32
        )

    def absorb_in_ozone(self) -> Field:
        """Return the transmittance of ozone on both ways; the ozone is above all clouds."""
        return ozone_transmittance(self.optics.wavelength_nm, self.air, self.geometry)

    def look_through_air(self, below: Field, around: Field) -> Field:
        """Return the reflectance above the air over a surface, without absorption by gases."""
        wavelength, air = self.optics.wavelength_nm, self.air
        down = total_transmittance(wavelength, air, self.geometry.sun_cosine)
        up = total_transmittance(wavelength, air, self.geometry.view_cosine)
        straight = direct_transmittance(wavelength, air, self.geometry.view_cosine)
        reflectance = down * (straight * below + (up - straight) * around)
        reflectance /= 1 - spherical_albedo(wavelength, air) * around
        return np.asarray(
            path_reflectance(wavelength, air, self.geometry) + reflectance, np.float32
        )

    def cover(self, optical_thickness: Field, below: Field) -> Field:
        """Return the reflectance above a cloud or cirrus over a given reflectance."""
        layer = cloud_reflectance(optical_thickness)
        reflected = np.float32(self.optics.cloud) * layer
        return np.asarray(reflected + (1 - layer) ** 2 * below / (1 - reflected * below))

    def _at(self, places: Mask) -> "SolarView":
        angles = (
            np.broadcast_to(item, places.shape)[places] for item in vars(self.geometry).values()
        )
        return replace(self, geometry=Geometry(*angles))


def mirror_sun(geometry: Geometry, fields: SceneFields) -> Field:
    """Return the reflectance of sun glint on open water in sunlight, 0 elsewhere."""
    open_water = fields.water & ~fields.ice & ~fields.shadow
    return np.where(open_water, glint_reflectance(geometry, fields.wind_speed), np.float32(0))


def scale_adjacency(side_km: float) -> float:
    """Return the distance, m, over which surroundings' light falls to 1 / e in a landscape.

    This is `ADJACENCY_M`, scaled down for a model landscape.
    """
    return ADJACENCY_M * side_km / SIDE_KM


def see_surroundings(ground: Field, fields: SceneFields, pixel_m: float) -> Field:
    """Return the mean of the surroundings of each pixel of size `pixel_m`, ``(rows, columns)``."""
    return blur_surroundings(ground, pixel_m, scale_adjacency(fields.side_km))
