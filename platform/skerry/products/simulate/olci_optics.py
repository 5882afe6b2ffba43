"""From the scene to radiance at the satellite: the forward model of the simulated OLCI.

Water, atmosphere, glint and clouds as in `optics` and `atmosphere`. On top of them oxygen's
absorption, and clouds as a layer over everything else::

    rho = t_gas (c + (1 - c)^2 below / (1 - c below))

with c the reflectance of the cloud and ``below`` what would be seen without it. Of oxygen and
vapour a part is above a cloud's top. ``L = rho F0 cos(sun zenith) / pi``.
"""

import numpy as np
import numpy.typing as npt

from skerry.products.simulate.atmosphere import (
    Air,
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
from skerry.products.simulate.olci_bands import Band
from skerry.products.simulate.optics import model_reflectance
from skerry.products.simulate.scene import SceneFields

Field = npt.NDArray[np.float32]

AIR = Air()
SHADED = 0.35
"""Part of the light that reaches the ground in a cloud's shadow."""
OXYGEN_ABOVE_CLOUD, VAPOUR_ABOVE_CLOUD = 0.6, 0.2


def model_water(band: Band, scene: SceneFields) -> Field:
    """Return water-leaving reflectance ``pi Rrs``, 0 on land."""
    water = model_reflectance(band.optics, scene.turbidity, scene.chlorophyll, scene.cdom)
    return np.where(scene.water, water, np.float32(0))


def model_surface(band: Band, scene: SceneFields) -> Field:
    """Return what water, ice, soil and leaves reflect, less in shadows."""
    optics = band.optics
    land = optics.soil + (optics.vegetation - optics.soil) * scene.vegetation
    surface = np.where(scene.water, model_water(band, scene), land)
    surface = np.where(scene.ice, np.float32(optics.ice), surface)
    return np.where(scene.shadow, SHADED * surface, surface).astype(np.float32)


def model_glint(geometry: Geometry, scene: SceneFields) -> Field:
    """Return the sun's glitter on open water, 0 elsewhere."""
    open_water = scene.water & ~scene.ice
    return np.where(open_water, glint_reflectance(geometry, scene.wind_speed), np.float32(0))


def model_toa_reflectance(
    band: Band, scene: SceneFields, geometry: Geometry, pixel_m: float
) -> Field:
    """Return reflectance at the top of the atmosphere, ``pi L / (F0 cos(sun zenith))``.

    Parameters
    ----------
    band
        The band.
    scene
        What is on the ground and in the sky, ``(rows, columns)``.
    geometry
        Angles on the same grid.
    pixel_m
        Size of a pixel, which adjacency depends on.
    """
    nm = band.centre_nm
    surface = model_surface(band, scene)
    around = blur_surroundings(surface, pixel_m)
    sun, view = geometry.sun_cosine, geometry.view_cosine
    direct = direct_transmittance(nm, AIR, view)
    diffuse = total_transmittance(nm, AIR, view) - direct
    lit = total_transmittance(nm, AIR, sun) / (1 - spherical_albedo(nm, AIR) * around)
    below = (
        path_reflectance(nm, AIR, geometry)
        + lit * (direct * surface + diffuse * around)
        + direct_transmittance(nm, AIR, sun) * direct * model_glint(geometry, scene)
    )
    layer = cloud_reflectance(scene.cloud_optical_thickness + scene.cirrus_optical_thickness)
    seen = layer + (1 - layer) ** 2 * below / (1 - layer * below)
    return np.asarray(_gas_transmittance(band, scene, geometry) * seen, np.float32)


def _gas_transmittance(band: Band, scene: SceneFields, geometry: Geometry) -> Field:
    masses = 1 / geometry.sun_cosine + 1 / geometry.view_cosine
    above = np.where(scene.cloud, np.float32(OXYGEN_ABOVE_CLOUD), np.float32(1))
    oxygen = np.exp(-band.oxygen * np.sqrt(masses * above))
    low, high = (
        vapour_transmittance(band.vapour, Air(water_cm=AIR.water_cm * part), geometry)
        for part in (1.0, VAPOUR_ABOVE_CLOUD)
    )
    vapour = np.where(scene.cloud, high, low)
    return np.asarray(ozone_transmittance(band.centre_nm, AIR, geometry) * oxygen * vapour)
