"""The value of a variable at a place: the cell of its finest level, unpacked."""

from typing import Any

import numpy as np

from skerry.core.errors import InvalidInputError
from skerry.maps.colour import Style
from skerry.maps.levels import Pyramid, read_window
from skerry.maps.warp import list_turns
from skerry.products.coding.packing import Packing
from skerry.storage.chunk_cache import ChunkCache

_DIGITS = 12  # fewer than float64 has: 3 * 0.1 is 0.3
_EAST, _NORTH = 180, 90


def read_point(
    pyramid: Pyramid, chunks: ChunkCache, longitude: float, latitude: float
) -> float | None:
    """Return the physical value of the cell at a place.

    Parameters
    ----------
    longitude, latitude
        Degrees, WGS 84.

    Returns
    -------
    float or None
        None outside of the product and where it has no data or no finite value.

    Raises
    ------
    InvalidInputError
        If there is no such place on Earth.
    """
    if not (abs(longitude) <= _EAST and abs(latitude) <= _NORTH):
        raise InvalidInputError(
            f"There is no place at longitude {longitude:g} and latitude {latitude:g}.",
            remedy="Give degrees: longitude from -180 to 180, latitude from -90 to 90.",
        )
    from pyproj import Transformer

    level = pyramid.levels[0]
    transformer = Transformer.from_crs("OGC:CRS84", pyramid.crs, always_xy=True)
    x, y = transformer.transform(longitude, latitude)
    row = (y - level.transform.f) / level.transform.e
    columns_around = (
        (x + turn - level.transform.c) / level.transform.a for turn in list_turns(pyramid.circle)
    )
    column = next((item for item in columns_around if 0 <= item < level.width), None)
    if column is None or not 0 <= row < level.height:  # infinite numbers neither
        return None
    rows, columns = (int(row), int(row) + 1), (int(column), int(column) + 1)
    window = read_window(chunks, pyramid, level, rows, columns)
    return _unpack(window.astype(pyramid.packing.stored, copy=False)[0, 0], pyramid.packing)


def _unpack(number: Any, packing: Packing) -> float | None:
    """Return a value in as many digits as its number has, None where there is no measurement."""
    scale, offset = packing.factors
    if number in packing.missing:
        return None
    if number.dtype.kind != "f" and (scale, offset) == (1, 0):
        return int(number)
    value = float(number) * scale + offset
    if not np.isfinite(value):
        return None
    if number.dtype == np.float32:
        return float(str(np.float32(value)))
    return float(f"{value:.{_DIGITS}g}")


def name_class(style: Style, value: float | None) -> str:
    """Return the meaning of a class; empty when the style has no classes, or not this one."""
    return next((kind.meaning for kind in style.categories if kind.value == value), "")
