"""Simulate the measurement of Sentinel-2's MSI over a scene, and its atmospheric correction.

Level-1C is the scene in `solar_view`, with noise. Level-2A is its correction as Sen2Cor does it
over water: path and transmittances are removed with an aerosol that is known to 10 %; glint,
adjacency, cirrus and noise stay.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from skerry.simulate.atmosphere import (
    Air,
    Field,
    Geometry,
    path_reflectance,
    sensor_noise,
    spherical_albedo,
    total_transmittance,
)
from skerry.simulate.scene import Mask, SceneFields
from skerry.simulate.sentinel_2.bands import Band
from skerry.simulate.solar_view import SolarView

AIR = Air()
RETRIEVED_AEROSOL = 1.1
"""Aerosol optical thickness that the correction assumes, as a share of the true thickness."""


@dataclass(frozen=True)
class Radiometry:
    """A band with the directions of sun and view.

    Attributes
    ----------
    band
        The band.
    geometry
        The sun's angles as numbers; view angles as numbers or as rows with one value for each
        column.
    """

    band: Band
    geometry: Geometry

    @property
    def view(self) -> SolarView:
        """The band's view without noise."""
        return SolarView(self.band.optics, self.geometry, AIR, self.band.vapour)

    def add_noise(self, reflectance: Field, generator: np.random.Generator) -> Field:
        """Return the sensor's noisy reading of a reflectance at the top of the atmosphere."""
        reference = self.band.reference_reflectance(float(self.geometry.sun_cosine))
        noise = sensor_noise(reflectance, reference, self.band.signal_to_noise, generator)
        return np.asarray(reflectance + noise, np.float32)

    def correct(self, measured: Field, cloud: Mask) -> Field:
        """Return the surface reflectance that an atmospheric correction over land finds.

        Like Sen2Cor the correction knows the water vapour above every pixel.
        """
        wavelength = self.band.centre_nm
        air = replace(AIR, aerosol_550=RETRIEVED_AEROSOL * AIR.aerosol_550)
        sun, view = self.geometry.sun_cosine, self.geometry.view_cosine
        through = total_transmittance(wavelength, air, sun) * total_transmittance(
            wavelength, air, view
        )
        path = path_reflectance(wavelength, air, self.geometry)
        above = self.view.rise_above_cloud()
        absorbed = np.where(cloud, above.absorb_in_lines(), self.view.absorb_in_lines())
        raised = (measured / (absorbed * self.view.absorb_in_ozone()) - path) / through
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
