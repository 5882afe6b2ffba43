"""The resolution levels of one variable, open for tiles, and windows of their cells."""

import math
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from skerry.core.errors import SkerryError, UnavailableError
from skerry.products.coding.packing import Packing
from skerry.storage.chunk_cache import ChunkCache

_HALF = 180.0  # degrees


@dataclass(frozen=True, eq=False)
class Level:
    """A resolution of a variable.

    Attributes
    ----------
    path
        Of the array inside the store.
    transform
        Pixel edges to coordinates, without rotation.
    height, width
        Cells in y and x.
    chunk_height, chunk_width
        Cells of one stored chunk.
    array
        The open Zarr array, dimensions (y, x), read lazily.
    """

    path: str
    transform: Affine
    height: int
    width: int
    chunk_height: int
    chunk_width: int
    array: Any

    @property
    def resolution(self) -> float:
        """Size of a cell along x, in units of the coordinate reference system."""
        return abs(float(self.transform.a))

    def read_chunk(self, row: int, column: int) -> NDArray[Any]:
        """Read and decode one chunk (dims y, x, stored dtype); edge chunks are cut to the array.

        Raises
        ------
        UnavailableError
            If its bytes are damaged.
        ForbiddenError, InvalidInputError
            If it is behind a symbolic link, or would be too large when decoded.
        """
        top, left = row * self.chunk_height, column * self.chunk_width
        try:
            window = self.array[top : top + self.chunk_height, left : left + self.chunk_width]
        except SkerryError as error:
            where = f"chunk {row}/{column} of {self.path!r}"
            raise type(error)(f"{error.what} It is the {where}.", remedy=error.remedy) from None
        except (OSError, RuntimeError, ValueError, EOFError, zlib.error) as error:
            raise UnavailableError(
                f"The chunk {row}/{column} of {self.path!r} cannot be read: {error}.",
                remedy="Import the product again: its bytes are damaged or gone.",
            ) from error
        return np.ascontiguousarray(window)


@dataclass(frozen=True, eq=False)
class Pyramid:
    """All resolutions of one variable, finest first.

    Attributes
    ----------
    identity
        Identifies the content, not the place: each content version has its own identity.
    crs
        Coordinate reference system as pyproj reads it: ``EPSG:32632`` or WKT.
    dtype
        Of the numbers as the store has them.
    packing
        Says what they mean: values in the variable's units.
    """

    identity: str
    crs: str
    dtype: np.dtype[Any]
    packing: Packing
    levels: tuple[Level, ...]

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north of the finest level's pixel edges, in `crs`."""
        finest = self.levels[0]
        a, _, left, _, e, top = finest.transform[:6]
        right, bottom = left + a * finest.width, top + e * finest.height
        return min(left, right), min(top, bottom), max(left, right), max(top, bottom)

    @cached_property
    def circle(self) -> float | None:
        """Length of the whole Earth along x, in units of `crs`; None unless x is a longitude."""
        from pyproj import CRS

        crs = CRS.from_user_input(self.crs)
        return 2 * math.pi / crs.axis_info[0].unit_conversion_factor if crs.is_geographic else None

    @property
    def geographic_bounds(self) -> tuple[float, float, float, float]:
        """West, south, east, north in degrees (WGS 84); west > east across the antimeridian."""
        from pyproj import Transformer

        transformer = Transformer.from_crs(self.crs, "OGC:CRS84", always_xy=True)
        west, south, east, north = transformer.transform_bounds(*self.bounds)
        if self.circle is None or (west >= -_HALF and east <= _HALF):
            return west, south, east, north
        if east - west >= 2 * _HALF:
            return -_HALF, south, _HALF, north
        west, east = ((edge + _HALF) % (2 * _HALF) - _HALF for edge in (west, east))
        return west, south, east if east > -_HALF else _HALF, north


def read_window(
    cache: ChunkCache, pyramid: Pyramid, level: Level, rows: tuple[int, int], cols: tuple[int, int]
) -> NDArray[Any]:
    """Return the cells ``[rows[0]:rows[1], cols[0]:cols[1]]`` of a level, through the cache.

    Parameters
    ----------
    rows, cols
        Half-open ranges of cells inside the level, neither of them empty.

    Returns
    -------
    ndarray
        Dims (y, x) in the stored dtype. Read-only when it is a view of one chunk.
    """
    height, width = level.chunk_height, level.chunk_width
    first_row, last_row = rows[0] // height, (rows[1] - 1) // height
    first_col, last_col = cols[0] // width, (cols[1] - 1) // width

    def fetch(row: int, col: int) -> NDArray[Any]:
        key = (pyramid.identity, level.path, row, col)
        return cache.get(key, lambda: level.read_chunk(row, col))

    if first_row == last_row and first_col == last_col:
        top, left = first_row * height, first_col * width
        chunk = fetch(first_row, first_col)
        return chunk[rows[0] - top : rows[1] - top, cols[0] - left : cols[1] - left]
    window = np.empty((rows[1] - rows[0], cols[1] - cols[0]), level.array.dtype)
    for row in range(first_row, last_row + 1):
        top = row * height
        y0, y1 = max(rows[0], top), min(rows[1], top + height)
        for col in range(first_col, last_col + 1):
            left = col * width
            x0, x1 = max(cols[0], left), min(cols[1], left + width)
            chunk = fetch(row, col)
            target = window[y0 - rows[0] : y1 - rows[0], x0 - cols[0] : x1 - cols[0]]
            target[...] = chunk[y0 - top : y1 - top, x0 - left : x1 - left]
    return window
