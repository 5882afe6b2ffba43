"""From the scene to radiance at the satellite: the forward model of the simulated OLCI.

The model is `solar_view`, with absorption by oxygen. ``L = rho F0 cos(sun zenith) / pi``.
"""

import numpy as np
import numpy.typing as npt

from skerry.simulate.atmosphere import Air, Geometry
from skerry.simulate.olci.bands import Band
from skerry.simulate.optics import model_reflectance
from skerry.simulate.scene import SceneFields
from skerry.simulate.solar_view import SolarView, see_surroundings

Field = npt.NDArray[np.float32]

AIR = Air()


def model_water(band: Band, scene: SceneFields) -> Field:
    """Return water-leaving reflectance ``pi Rrs``, 0 on land."""
    water = model_reflectance(band.optics, scene.turbidity, scene.chlorophyll, scene.cdom)
    return np.where(scene.water, water, np.float32(0))


def model_toa_reflectance(
    band: Band, scene: SceneFields, geometry: Geometry, pixel_m: float
) -> Field:
    """Return reflectance at the top of the atmosphere, ``pi L / (F0 cos(sun zenith))``.

    Parameters
    ----------
    band
        The band.
    scene
        Fields of ground and sky, ``(rows, columns)``.
    geometry
        Angles on the same grid.
    pixel_m
        Size of a pixel, which adjacency depends on.
    """
    view = SolarView(band.optics, geometry, AIR, band.vapour, band.oxygen)
    ground = view.light_ground(scene)
    return view.look(ground, see_surroundings(ground, scene, pixel_m), scene)
