"""The simulated place and its weather: coast, lake, plume, bloom, clouds and their shadows.

Land and water depend on the seed alone, so several days of one seed show one place; plume, bloom
and clouds depend on seed and day.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np
import numpy.typing as npt

from skerry.processors.masks import SceneClass

Field = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

NODATA_CORNER = 0.12
"""Legs of the corner without data (the swath's edge), as a fraction of the side."""
CLOUD_FRACTION = 0.08
CIRRUS_FRACTION = 0.03
SHADOW_SHIFT = 0.04
"""How far shadows fall from their clouds, as a fraction of the side."""


@dataclass(frozen=True)
class Landscape:
    """Fields on one square grid, ``(y, x)``.

    Attributes
    ----------
    water, cloud, cirrus, shadow, nodata
        Masks.
    vegetation
        Fraction of vegetation over soil, 0 to 1.
    turbidity, chlorophyll
        FNU and mg m-3, meaningful over water.
    """

    water: Mask
    cloud: Mask
    cirrus: Mask
    shadow: Mask
    nodata: Mask
    vegetation: Field
    turbidity: Field
    chlorophyll: Field

    def classify(self) -> npt.NDArray[np.uint8]:
        """Return the scene classes as Sen2Cor numbers them."""
        classes = np.where(
            self.water,
            SceneClass.WATER,
            np.where(self.vegetation > 0.45, SceneClass.VEGETATION, SceneClass.NOT_VEGETATED),  # noqa: PLR2004
        ).astype(np.uint8)
        classes[self.shadow] = SceneClass.CLOUD_SHADOW
        classes[self.cirrus] = SceneClass.THIN_CIRRUS
        classes[self.cloud] = SceneClass.CLOUD_HIGH_PROBABILITY
        classes[self.nodata] = SceneClass.NO_DATA
        return classes


def make_landscape(size: int, seed: int, day: date) -> Landscape:
    """Return the place `seed` on `day`, on a grid of `size` by `size` pixels."""
    place = np.random.default_rng([seed, 0])
    weather = np.random.default_rng([seed, 1, day.toordinal()])
    y, x = (axis.astype(np.float32) for axis in np.mgrid[0:size, 0:size] / np.float32(size))
    coast = 0.55 + 0.10 * _noise(size, 4, place) + 0.03 * _noise(size, 17, place)
    radius = np.hypot((x - 0.30) / 1.5, y - 0.82) + 0.015 * _noise(size, 11, place)
    lake = radius < 0.10  # noqa: PLR2004 -- a tenth of the side
    sea = y < coast
    cover = _fractal(size, 5, weather)
    cloud = cover > np.quantile(cover, 1 - CLOUD_FRACTION)
    cirrus = (cover > np.quantile(cover, 1 - CLOUD_FRACTION - CIRRUS_FRACTION)) & ~cloud
    shift = max(1, round(SHADOW_SHIFT * size))
    shadow = np.roll(cloud, (-shift, shift), (0, 1)) & ~cloud & ~cirrus
    mouth = 0.7 + 0.05 * place.uniform(-1, 1)
    turbidity, chlorophyll = _fill_sea(x, np.clip(coast - y, 0, None), y, mouth, weather)
    turbidity = np.where(lake, 6.0 + 4.0 * x, turbidity).astype(np.float32)
    chlorophyll = np.where(lake, 20.0 + 40.0 * (1 - y), chlorophyll).astype(np.float32)
    return Landscape(
        water=sea | lake,
        cloud=cloud,
        cirrus=cirrus,
        shadow=shadow,
        nodata=(1 - x) + y < NODATA_CORNER,
        vegetation=np.clip(0.6 + 0.9 * _fractal(size, 9, place), 0, 1),
        turbidity=turbidity,
        chlorophyll=chlorophyll,
    )


def _fill_sea(
    x: Field, distance: Field, y: Field, mouth: float, weather: np.random.Generator
) -> tuple[Field, Field]:
    """Return turbidity (a river plume, resuspension at the coast) and chlorophyll (a bloom)."""
    drift = 0.25 * weather.uniform(-1, 1)
    plume = np.exp(-distance / 0.12) * np.exp(-(((x - mouth - drift * distance) / 0.22) ** 2))
    turbidity = 1.2 + weather.uniform(15, 40) * plume + 3.0 * np.exp(-distance / 0.04)
    turbidity *= 1 + 0.15 * _noise(x.shape[0], 13, weather)
    centre = weather.uniform(0.15, 0.45, 2)
    bloom = np.exp(-(((x - centre[0]) / 0.18) ** 2) - ((y - centre[1]) / 0.10) ** 2)
    chlorophyll = 2.0 + weather.uniform(8, 30) * bloom + 4.0 * plume
    return turbidity.astype(np.float32), chlorophyll.astype(np.float32)


def _fractal(size: int, cells: int, generator: np.random.Generator) -> Field:
    """Return noise of four octaves, between -1 and 1."""
    octaves = range(4)
    total = sum(0.5**one * _noise(size, cells * 2**one, generator) for one in octaves)
    return np.asarray(total / sum(0.5**one for one in octaves), np.float32)


def _noise(size: int, cells: int, generator: np.random.Generator) -> Field:
    """Return smooth noise between -1 and 1: random nodes, interpolated with a smooth step."""
    nodes = generator.uniform(-1, 1, (cells + 1, cells + 1))
    position = (np.arange(size) + 0.5) / size * cells
    left = position.astype(int)
    step = position - left
    step = step * step * (3 - 2 * step)
    weights = np.zeros((size, cells + 1))
    weights[np.arange(size), left] = 1 - step
    weights[np.arange(size), left + 1] += step
    return (weights @ nodes @ weights.T).astype(np.float32)
