"""Land on the globe: Natural Earth's country polygons, where the machine has them.

Source: Natural Earth, 1:110m Admin 0 (public domain), as pyogrio carries it among its fixtures.
Without it the base map has a graticule and no land.
"""

from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from skerry.maps.warp import EARTH_HALF

_SHAPEFILE = "tests/fixtures/naturalearth_lowres/naturalearth_lowres.shp"
_LATITUDE_LIMIT = 85.05112878  # where web mercator's square ends


@dataclass(frozen=True, eq=False)
class Ring:
    """A closed outline in web mercator metres.

    Attributes
    ----------
    points
        Shape (n, 2): x, y.
    bounds
        West, south, east, north.
    is_hole
        Whether it cuts out of the polygon before it (a lake, an enclave).
    """

    points: NDArray[np.float64]
    bounds: tuple[float, float, float, float]
    is_hole: bool


def project(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return web mercator metres, shape (..., 2), of degrees (spherical, as tiles use it)."""
    limited = np.radians(np.clip(latitude, -_LATITUDE_LIMIT, _LATITUDE_LIMIT))
    x = longitude / 180 * EARTH_HALF
    y = np.log(np.tan(np.pi / 4 + limited / 2)) / np.pi * EARTH_HALF
    return np.stack([x, y], axis=-1)


@cache
def load_land() -> tuple[Ring, ...]:
    """Return the land's rings, each polygon's hull before its holes; empty when not installed."""
    package = find_spec("pyogrio")
    if package is None or package.origin is None:
        return ()
    path = Path(package.origin).parent / _SHAPEFILE
    return tuple(_read_rings(path)) if path.is_file() else ()


def _read_rings(path: Path) -> list[Ring]:
    import shapely
    from pyogrio.raw import read  # type: ignore[import-untyped]

    geometries = shapely.from_wkb(read(path, columns=[])[2])
    rings = []
    for polygon in shapely.get_parts(geometries):
        for at, ring in enumerate((polygon.exterior, *polygon.interiors)):
            degrees = shapely.get_coordinates(ring)
            points = project(degrees[:, 0], degrees[:, 1])
            (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
            bounds = (float(west), float(south), float(east), float(north))
            rings.append(Ring(points, bounds, is_hole=at > 0))
    return rings
