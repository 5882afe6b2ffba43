"""What Sentinel-2's MSI would measure over a scene, and what a correction makes of it.

Level-1C: the ground's reflectance through the atmosphere, with glint, clouds, adjacency and
noise. Level-2A: that, inverted as Sen2Cor does it over water: path and transmittances removed
with an aerosol that is known to 10 %, glint, adjacency, cirrus and noise left in.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from skerry.products.simulate.atmosphere import (
    Air,
    Field,
    Geometry,
    cloud_reflectance,
    direct_transmittance,
    glint_reflectance,
    ozone_transmittance,
    path_reflectance,
    sensor_noise,
    spherical_albedo,
    total_transmittance,
    vapour_transmittance,
)
from skerry.products.simulate.optics import model_reflectance
from skerry.products.simulate.scene import Mask, SceneFields
from skerry.products.simulate.sentinel_2_bands import Band

AIR = Air()
RETRIEVED_AEROSOL = 1.1
"""Aerosol optical thickness that the correction assumes, of the true one."""
ABOVE_CLOUD = Air(aerosol_550=0.0, ozone_du=AIR.ozone_du, water_cm=0.15, pressure_hpa=540.0)
"""The atmosphere above a cloud of 5 km."""
LIT_FROM_THE_SIDE = 0.1
"""Part of the direct light that reaches a cloud's shadow."""


@dataclass(frozen=True)
class Radiometry:
    """One band seen under one sun.

    Attributes
    ----------
    band
        The band.
    geometry
        Sun as numbers, view as numbers or rows of one value a column.
    """

    band: Band
    geometry: Geometry

    def reflect_ground(self, fields: SceneFields) -> Field:
        """Return the reflectance of water, ice and land, without glint."""
        optics = self.band.optics
        water = model_reflectance(optics, fields.tsm, fields.chlorophyll, fields.cdom)
        land = optics.soil + (optics.vegetation - optics.soil) * fields.vegetation
        dry = np.where(fields.ice, optics.ice, land)
        return np.where(fields.water & ~fields.ice, water, dry).astype(np.float32)

    def look(self, ground: Field, surroundings: Field, fields: SceneFields) -> Field:
        """Return the reflectance at the top of the atmosphere, without noise."""
        wavelength = self.band.centre_nm
        sun, view = self.geometry.sun_cosine, self.geometry.view_cosine
        down = total_transmittance(wavelength, AIR, sun)
        beam = direct_transmittance(wavelength, AIR, sun)
        up = total_transmittance(wavelength, AIR, view)
        straight = direct_transmittance(wavelength, AIR, view)
        shade = LIT_FROM_THE_SIDE + (1 - LIT_FROM_THE_SIDE) * (1 - beam / down)
        lit = np.where(fields.shadow, ground * shade, ground)
        bounced = 1 - spherical_albedo(wavelength, AIR) * surroundings
        seen = down * (straight * lit + (up - straight) * surroundings) / bounced
        glint = glint_reflectance(self.geometry, fields.wind_speed) * beam * straight
        seen += np.where(fields.water & ~fields.ice & ~fields.shadow, glint, 0)
        clear = self._absorb(AIR) * (path_reflectance(wavelength, AIR, self.geometry) + seen)
        return np.asarray(self._cover(clear, fields), np.float32)

    def _cover(self, clear: Field, fields: SceneFields) -> Field:
        """Lay cirrus and clouds over what is seen without them."""
        wavelength = self.band.centre_nm
        ice = cloud_reflectance(fields.cirrus_optical_thickness)
        below_cirrus = ice + clear * (1 - ice) ** 2
        water = self.band.optics.cloud * cloud_reflectance(fields.cloud_optical_thickness)
        sun, view = self.geometry.sun_cosine, self.geometry.view_cosine
        through = total_transmittance(wavelength, ABOVE_CLOUD, sun) * total_transmittance(
            wavelength, ABOVE_CLOUD, view
        )
        above = path_reflectance(wavelength, ABOVE_CLOUD, self.geometry)
        cloudy = self._absorb(ABOVE_CLOUD) * (above + through * water)
        return np.asarray(np.where(fields.cloud, cloudy, below_cirrus), np.float32)

    def _absorb(self, air: Air) -> Field:
        ozone = ozone_transmittance(self.band.centre_nm, air, self.geometry)
        return np.asarray(
            ozone * vapour_transmittance(self.band.vapour, air, self.geometry), np.float32
        )

    def add_noise(self, reflectance: Field, generator: np.random.Generator) -> Field:
        """Return what the sensor reads of a reflectance at the top of the atmosphere."""
        reference = self.band.reference_reflectance(float(self.geometry.sun_cosine))
        noise = sensor_noise(reflectance, reference, self.band.signal_to_noise, generator)
        return np.asarray(reflectance + noise, np.float32)

    def correct(self, measured: Field, cloud: Mask) -> Field:
        """Return the surface reflectance that an atmospheric correction over land finds.

        Like Sen2Cor it knows how much water vapour is above every pixel.
        """
        wavelength = self.band.centre_nm
        air = replace(AIR, aerosol_550=RETRIEVED_AEROSOL * AIR.aerosol_550)
        sun, view = self.geometry.sun_cosine, self.geometry.view_cosine
        through = total_transmittance(wavelength, air, sun) * total_transmittance(
            wavelength, air, view
        )
        path = path_reflectance(wavelength, air, self.geometry)
        absorbed = np.where(cloud, self._absorb(ABOVE_CLOUD), self._absorb(air))
        raised = (measured / absorbed - path) / through
        return np.asarray(raised / (1 + spherical_albedo(wavelength, air) * raised), np.float32)


def classify(fields: SceneFields) -> npt.NDArray[np.uint8]:
    """Return the scene classes, numbered as in Level-2A products, without gaps."""
    from skerry.processors.masks import SceneClass

    ground = np.where(fields.vegetation > 0.45, SceneClass.VEGETATION, SceneClass.NOT_VEGETATED)  # noqa: PLR2004
    classes = np.where(fields.water, SceneClass.WATER, ground).astype(np.uint8)
    classes[fields.ice] = SceneClass.SNOW_OR_ICE
    classes[fields.shadow] = SceneClass.CLOUD_SHADOW
    classes[fields.cirrus] = SceneClass.THIN_CIRRUS
    classes[fields.cloud] = SceneClass.CLOUD_HIGH_PROBABILITY
    return classes
