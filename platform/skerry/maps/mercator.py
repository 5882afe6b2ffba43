"""Web mercator (EPSG:3857): the square of the XYZ tiles. Spherical, as tiles use it."""

import numpy as np
from numpy.typing import NDArray

EARTH_HALF = 20037508.342789244
"""Half the width of the web mercator square in metres: pi times 6378137 m."""

_LATITUDE_LIMIT = 85.05112878  # where the square ends


def project(longitude: NDArray[np.float64], latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return web mercator metres, shape (..., 2), of degrees."""
    limited = np.radians(np.clip(latitude, -_LATITUDE_LIMIT, _LATITUDE_LIMIT))
    x = longitude / 180 * EARTH_HALF
    y = np.log(np.tan(np.pi / 4 + limited / 2)) / np.pi * EARTH_HALF
    return np.stack([x, y], axis=-1)
