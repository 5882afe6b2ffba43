"""The numbers in the files of a simulated Sentinel-2 product, rendered strip by strip."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pyproj import Transformer

from skerry.core.progress import Progress
from skerry.products.pictures.quicklook import BRIGHTEST, GAMMA
from skerry.simulate.atmosphere import Field, Geometry
from skerry.simulate.scene import Mask, Scene, SceneFields
from skerry.simulate.sentinel_2.bands import BANDS, L2A_BANDS, Band, native_bands
from skerry.simulate.sentinel_2.names import CRS, LEFT_M, TOP_M
from skerry.simulate.sentinel_2.radiometry import (
    AIR,
    RETRIEVED_AEROSOL,
    Radiometry,
    classify,
)
from skerry.simulate.solar_view import scale_adjacency, see_surroundings
from skerry.simulate.sun import solar_position

OFFSET = 1000
QUANTIFICATION = 10_000
STRIP_PIXELS = 2**19
"""About this many pixels are rendered at a time: some hundred megabytes of fields."""
DETECTORS = (5, 6, 7, 8)
"""Number of detectors across the picture, from west to east."""
NODATA_CORNER = 0.12
"""Legs of the corner without data (the swath's edge), as a fraction of the side."""
PIXELS_OF_ADJACENCY = 5
"""Least number of pixels for the scale of the surroundings' light, on the grid of that light.
A band with a coarser grid has fewer. Between these pixels the light is interpolated."""
PREVIEW_EDGE = 343
CONTROL_POINTS = 9
Numbers = npt.NDArray[np.uint16]
Degrees = npt.NDArray[np.float64]


@dataclass
class Picture:
    """A scene seen by MSI; ask for `render` first.

    Attributes
    ----------
    scene
        The place and its weather.
    level
        ``L1C`` or ``L2A``.
    size
        Pixels of the 10 m grid.
    moment
        Time of sensing.
    reflectances
        Resolution in metres, band to numbers of files.
    classes
        Resolution (20 and 60 m; 10 m where masks need it) to scene classes.
    """

    scene: Scene
    level: str
    size: int
    moment: datetime
    reflectances: dict[int, dict[str, Numbers]] = field(default_factory=dict)
    classes: dict[int, npt.NDArray[np.uint8]] = field(default_factory=dict)

    @cached_property
    def side_m(self) -> int:
        """Length of a side."""
        return self.size * 10

    @cached_property
    def sun(self) -> tuple[float, float]:
        """Zenith and azimuth of the sun at the centre, used for the whole picture."""
        longitude, latitude = self.locate(np.array([0.5]), np.array([0.5]))
        zenith, azimuth = solar_position(self.moment, longitude, latitude)
        return float(zenith[0]), float(azimuth[0])

    def locate(self, across: npt.ArrayLike, down: npt.ArrayLike) -> tuple[Degrees, Degrees]:
        """Return longitude and latitude of places in fractions of the side."""
        transformer = Transformer.from_crs(CRS, 4326, always_xy=True)
        east = LEFT_M + self.side_m * np.asarray(across, np.float64)
        longitude, latitude = transformer.transform(
            east, TOP_M - self.side_m * np.asarray(down, np.float64)
        )
        return np.asarray(longitude), np.asarray(latitude)

    def detector_at(self, across: npt.ArrayLike) -> npt.NDArray[np.uint8]:
        """Return the detector that sees a place, in fractions of the side from the west."""
        number = np.clip(np.floor(np.asarray(across) * len(DETECTORS)), 0, len(DETECTORS) - 1)
        return np.asarray(np.asarray(DETECTORS)[number.astype(int)], np.uint8)

    def look_from(self, across: npt.ArrayLike) -> tuple[Field, Field]:
        """Return view zenith and azimuth: MSI's detectors look forward and backward in turns."""
        place = np.asarray(across, np.float64)
        zenith = 3.0 + 4.0 * place + 0.4 * (self.detector_at(place) % 2)
        azimuth = np.where(self.detector_at(place) % 2 == 0, 104.0, 112.0)
        return zenith.astype(np.float32), azimuth.astype(np.float32)

    def fields_of(self, resolution_m: int, start: int, stop: int) -> SceneFields:
        """Sample the scene at the pixel centres of rows `start` to `stop`.

        Positions are interpolated between control points: the map is smooth to a centimetre.
        """
        edge = self.side_m // resolution_m
        across = (np.arange(edge) + 0.5) / edge
        down = (np.arange(start, stop) + 0.5) / edge
        nodes = np.linspace(0, 1, CONTROL_POINTS)
        grid = self.locate(*np.meshgrid(nodes, nodes))
        weights = [_interpolation(item, nodes) for item in (down, across)]
        longitude, latitude = (weights[0] @ item @ weights[1].T for item in grid)
        return self.scene.sample(longitude, latitude)

    def gap_of(self, resolution_m: int, start: int, stop: int) -> Mask:
        """Return a mask of the upper right corner, where the swath has no data."""
        edge = self.side_m // resolution_m
        across = (np.arange(edge) + 0.5) / edge
        down = (np.arange(start, stop) + 0.5) / edge
        return np.asarray((1 - across)[None, :] + down[:, None] < NODATA_CORNER)

    def radiometry(self, band: Band, resolution_m: int) -> Radiometry:
        """Return the band's view of the picture."""
        edge = self.side_m // resolution_m
        zenith, azimuth = self.look_from((np.arange(edge) + 0.5) / edge)
        return Radiometry(band, Geometry(*self.sun, zenith, azimuth))

    def render(self, progress: Progress | None = None) -> None:
        """Fill `reflectances` and `classes`.

        Noise depends only on seed, day and band, not on the size of strips.
        """
        pixels = sum((self.side_m // item) ** 2 for item in (10, 20, 60))
        done = 0
        native: dict[str, Numbers] = {}
        for resolution in (60, 20, 10):
            edge = self.side_m // resolution
            looks = [self.radiometry(item, resolution) for item in native_bands(resolution)]
            pixel, surroundings = self._see_surroundings(looks)
            noises = [self._noise(item.band) for item in looks]
            for item in looks:
                native[item.band.name] = np.empty((edge, edge), np.uint16)
            self.classes[resolution] = np.empty((edge, edge), np.uint8)
            for rows in _strips(edge, 60 // resolution):
                fields = self.fields_of(resolution, rows.start, rows.stop)
                gap = self.gap_of(resolution, rows.start, rows.stop)
                self.classes[resolution][rows] = np.where(gap, 0, classify(fields))
                for look, noise, coarse in zip(looks, noises, surroundings, strict=True):
                    around = _refine(coarse, rows, pixel // resolution)
                    reflectance = look.view.look(look.view.light_ground(fields), around, fields)
                    reflectance = look.add_noise(reflectance, noise)
                    corrected = (
                        look.correct(reflectance, fields.cloud)
                        if self.level == "L2A"
                        else reflectance
                    )
                    native[look.band.name][rows] = _pack(corrected, gap)
                done += gap.size
                if progress is not None:
                    progress(done / pixels, f"{resolution} m")
        self._resample(native)

    def _noise(self, band: Band) -> np.random.Generator:
        day = self.moment.date().toordinal()
        return np.random.default_rng([self.scene.seed, 2, day, band.number])

    def _see_surroundings(self, looks: list[Radiometry]) -> tuple[int, list[Field]]:
        """Return a pixel size in metres and the surroundings' reflectance on it, band by band.

        The grid is coarser if light spreads wider, so memory does not grow with the picture.
        """
        finest = scale_adjacency(self.scene.side_km) / PIXELS_OF_ADJACENCY
        fitting = (item for item in (60, 20, 10) if item <= finest)
        pixel = max(next(fitting, 10), looks[0].band.resolution_m)
        fields = self.fields_of(pixel, 0, self.side_m // pixel)
        grounds = (look.view.light_ground(fields) for look in looks)
        return pixel, [see_surroundings(ground, fields, pixel) for ground in grounds]

    def _resample(self, native: dict[str, Numbers]) -> None:
        for resolution in (10, 20, 60):
            names = (
                [item.name for item in native_bands(resolution)]
                if self.level == "L1C"
                else L2A_BANDS[resolution]
            )
            self.reflectances[resolution] = {
                name: _resample(native[name], BANDS[name].resolution_m, resolution)
                for name in names
            }

    def true_colour(self, resolution_m: int) -> npt.NDArray[np.uint8]:
        """Return red, green and blue from 1 to 255, and 0 for no data."""
        bands = self.reflectances[resolution_m]
        planes = []
        for name in ("B04", "B03", "B02"):
            value = (bands[name].astype(np.float32) - OFFSET) / QUANTIFICATION
            bright = np.clip(value / BRIGHTEST, 0, 1) ** (1 / GAMMA)
            planes.append(np.where(bands[name] == 0, 0, 1 + 254 * bright).astype(np.uint8))
        return np.stack(planes)

    def retrieved_aerosol(self) -> float:
        """Return the optical thickness that the correction assumed."""
        return RETRIEVED_AEROSOL * AIR.aerosol_550

    def share(self, *classes: int) -> float:
        """Return the percentage of the picture's data in these scene classes."""
        numbers = self.classes[20]
        valid = numbers > 0
        return float(100 * np.isin(numbers, classes).sum() / max(int(valid.sum()), 1))


def _strips(edge: int, multiple: int) -> Iterator[slice]:
    """Give rows of about `STRIP_PIXELS`, whole pixels of 60 m."""
    rows = multiple * max(1, STRIP_PIXELS // (edge * multiple))
    for start in range(0, edge, rows):
        yield slice(start, min(start + rows, edge))


def _interpolation(places: Degrees, nodes: Degrees) -> Degrees:
    """Return the weights of Lagrange's polynomial through the nodes, ``(place, node)``."""
    weights = np.ones((len(places), len(nodes)))
    for number, node in enumerate(nodes):
        for other in np.delete(nodes, number):
            weights[:, number] *= (places - other) / (node - other)
    return weights


def _refine(coarse: Field, rows: slice, factor: int) -> Field:
    """Return a field on rows of a grid that is finer by a factor, interpolated linearly."""
    if factor == 1:
        return coarse[rows]
    everywhere = np.arange(len(coarse) * factor)
    upper, lower, weight = _find_nodes(everywhere[rows], factor, len(coarse))
    band = coarse[upper] + weight[:, np.newaxis] * (coarse[lower] - coarse[upper])
    left, right, weight = _find_nodes(everywhere, factor, len(coarse))
    return np.asarray(band[:, left] + weight * (band[:, right] - band[:, left]), np.float32)


def _find_nodes(
    pixels: npt.NDArray[np.intp], factor: int, nodes: int
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Field]:
    """Return the coarse pixels before and behind the centres of fine ones, and the latter's weight.

    Beyond the outermost centres the field keeps the outermost values.
    """
    place = np.clip((pixels + 0.5) / factor - 0.5, 0, nodes - 1)
    before = place.astype(np.intp)
    behind = np.minimum(before + 1, nodes - 1)
    return before, behind, np.asarray(place - before, np.float32)


def _resample(numbers: Numbers, from_m: int, to_m: int) -> Numbers:
    """Average valid pixels to a coarser grid, or repeat pixels on a finer grid."""
    if to_m == from_m:
        return numbers
    if to_m < from_m:
        factor = from_m // to_m
        return numbers.repeat(factor, axis=0).repeat(factor, axis=1)
    factor = to_m // from_m
    edge = numbers.shape[0] // factor
    blocks = numbers.reshape(edge, factor, edge, factor)
    total = blocks.sum(axis=(1, 3), dtype=np.float32)
    is_full = (blocks > 0).all(axis=(1, 3))
    return np.where(is_full, np.rint(total / factor**2), 0).astype(np.uint16)


def _pack(reflectance: Field, gap: Mask) -> Numbers:
    numbers = np.rint(reflectance * np.float32(QUANTIFICATION) + np.float32(OFFSET))
    return np.where(gap, 0, np.clip(numbers, 1, 65534)).astype(np.uint16)
