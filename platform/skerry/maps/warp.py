"""From a web mercator tile to cells of a level: nearest neighbour through a small control grid.

The exact projection is computed at 17 x 17 points of a tile and interpolated bilinearly to its
256 x 256 pixel centres. From zoom 5 on the error stays below 2 % of a pixel; below zoom 5, where
a tile spans much of the Earth, 65 x 65 points keep it there.
"""

import math
import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from skerry.core.errors import InvalidInputError
from skerry.maps.levels import Level, Pyramid
from skerry.maps.mercator import EARTH_HALF

TILE_SIZE = 256
"""Pixels along a side of a tile."""

MAX_ZOOM = 22
"""The deepest zoom that tiles have: 4 cm pixels."""

_WIDE_ZOOM = 5
_LIMIT_CELLS = 4096 * 4096
_LIMIT_CHUNKS = 4096
_FAR = 1e30  # for points outside the projection's domain; finite, so it interpolates
_thread = threading.local()

Plane = NDArray[np.float64]


class WindowReader(Protocol):
    """Reads cells of one level: half-open row and column ranges to an array (y, x)."""

    def __call__(
        self, level: Level, rows: tuple[int, int], cols: tuple[int, int], /
    ) -> NDArray[Any]:
        """Return the cells of that window."""


@dataclass(frozen=True)
class Sample:
    """A tile's stored numbers.

    Attributes
    ----------
    values
        Dims (y, x), 256 x 256, stored dtype; arbitrary where not `inside`.
    inside
        Same shape, True for pixels on the product; None if all pixels are on it.
    """

    values: NDArray[Any]
    inside: NDArray[np.bool_] | None


def tile_bounds(z: int, x: int, y: int) -> tuple[float, float, float, float]:
    """Return west, south, east, north of a tile in web mercator metres (EPSG:3857)."""
    side = 2 * EARTH_HALF / 2**z
    west, north = -EARTH_HALF + x * side, EARTH_HALF - y * side
    return west, north - side, west + side, north


@lru_cache(maxsize=4096)
def locate_tile(crs: str, z: int, x: int, y: int) -> tuple[Plane, Plane]:
    """Return the control grid of a tile: x and y in `crs`, each (n, n), row 0 in the north."""
    west, south, east, north = tile_bounds(z, x, y)
    count = 17 if z >= _WIDE_ZOOM else 65
    grid_x, grid_y = np.meshgrid(np.linspace(west, east, count), np.linspace(north, south, count))
    xs, ys = _transformer(crs).transform(grid_x, grid_y)
    outside = ~(np.isfinite(xs) & np.isfinite(ys))
    xs[outside] = ys[outside] = _FAR
    return xs, ys


def choose_level(pyramid: Pyramid, grid: tuple[Plane, Plane]) -> Level:
    """Return the level whose cells come nearest in size to the tile's pixels (by ratio).

    The pixel's size is measured at the control point nearest to the product's centre.
    """
    xs, ys = grid
    west, south, east, north = pyramid.bounds
    distance = np.hypot(xs - (west + east) / 2, ys - (south + north) / 2)
    steps = len(xs) - 1
    row, col = divmod(int(np.argmin(distance)), len(xs))
    col = min(col, steps - 1)
    pixel = np.hypot(xs[row, col + 1] - xs[row, col], ys[row, col + 1] - ys[row, col])
    pixel = max(float(pixel) / (TILE_SIZE / steps), 1e-12)
    return min(pyramid.levels, key=lambda level: abs(np.log(level.resolution / pixel)))


def list_turns(circle: float | None) -> tuple[float, ...]:
    """Return what may be added to x and still is the same place; longitudes repeat themselves."""
    return (0.0,) if circle is None else (0.0, circle, -circle)


def sample_tile(
    level: Level, grid: tuple[Plane, Plane], read: WindowReader, circle: float | None = None
) -> Sample | None:
    """Return the stored numbers under a tile's pixel centres; None when it misses the level.

    Parameters
    ----------
    level, grid
        The level, and the tile's control grid in its reference system.
    read
        Reads the level's cells.
    circle
        Length of the whole Earth along x where x is a longitude: levels may reach beyond 180
        degrees.
    """
    sample = None
    for turn in list_turns(circle):
        further = _sample_once(level, (grid[0] + turn, grid[1]) if turn else grid, read)
        if sample is None:
            sample = further
        elif further is not None and sample.inside is not None:
            inside = np.True_ if further.inside is None else further.inside
            values = np.where(sample.inside, sample.values, further.values)
            sample = Sample(values, sample.inside | inside)
        if sample is not None and sample.inside is None:
            break
    return sample


def _sample_once(level: Level, grid: tuple[Plane, Plane], read: WindowReader) -> Sample | None:
    transform = level.transform
    cols, rows = (grid[0] - transform.c) / transform.a, (grid[1] - transform.f) / transform.e
    # A bilinear surface stays within its control points: they bound the window.
    col_range = _clip_range(cols, level.width)
    row_range = _clip_range(rows, level.height)
    if col_range is None or row_range is None:
        return None
    pixel_cols, pixel_rows = _interpolate(cols), _interpolate(rows)
    inside = None
    if not (_all_within(cols, level.width) and _all_within(rows, level.height)):
        inside = (pixel_cols >= 0) & (pixel_cols < level.width)
        inside &= (pixel_rows >= 0) & (pixel_rows < level.height)
        if not inside.any():
            return None
        np.clip(pixel_cols, col_range[0], col_range[1] - 1, out=pixel_cols)
        np.clip(pixel_rows, row_range[0], row_range[1] - 1, out=pixel_rows)
    _check_window(level, row_range, col_range)
    window = read(level, row_range, col_range)
    # Inside, numbers are not negative, so that truncation is floor.
    index = (pixel_rows.astype(np.int32) - row_range[0]) * np.int32(window.shape[1])
    index += pixel_cols.astype(np.int32) - col_range[0]
    return Sample(window.reshape(-1).take(index, mode="clip"), inside)


def _clip_range(numbers: Plane, size: int) -> tuple[int, int] | None:
    low, high = float(numbers.min()), float(numbers.max())
    if low >= size or high < 0:
        return None
    return max(int(low), 0), min(int(high), size - 1) + 1


def _check_window(level: Level, rows: tuple[int, int], cols: tuple[int, int]) -> None:
    cells = (rows[1] - rows[0]) * (cols[1] - cols[0])
    if cells > _LIMIT_CELLS:
        raise InvalidInputError(
            f"A tile of this zoom covers {cells:,} cells: the product has no overview for it.",
            remedy="Zoom in, or write the product again with Skerry's overview levels.",
        )
    chunks = math.prod(
        (stop - 1) // size - start // size + 1
        for (start, stop), size in ((rows, level.chunk_height), (cols, level.chunk_width))
    )
    if chunks > _LIMIT_CHUNKS:
        raise InvalidInputError(
            f"A tile of this zoom needs {chunks:,} chunks; at most {_LIMIT_CHUNKS:,} are read.",
            remedy="Write the product again, in larger chunks: 256 x 256 pixels, say.",
        )


def _all_within(numbers: Plane, size: int) -> bool:
    return bool(numbers.min() >= 0 and numbers.max() < size)


def _interpolate(control: Plane) -> Plane:
    """Return the bilinear surface (256, 256) at pixel centres of control points (n, n).

    Plain arithmetic: a matrix product would wake the threads of the BLAS library, which fight
    over the processors with the threads that draw.
    """
    wide = _stretch(np.ascontiguousarray(control.T))
    return _stretch(np.ascontiguousarray(wide.T))


def _stretch(control: Plane) -> Plane:
    """Interpolate along the first axis: (n, m) to (256, m)."""
    cell = TILE_SIZE // (len(control) - 1)
    share = ((np.arange(cell) + 0.5) / cell)[None, :, None]
    surface = np.diff(control, axis=0)[:, None, :] * share
    surface += control[:-1, None, :]
    return surface.reshape(TILE_SIZE, control.shape[1])


def _transformer(crs: str) -> Any:
    """Return this thread's transformer from web mercator (PROJ contexts are per thread)."""
    from pyproj import Transformer

    transformers = _thread.__dict__.setdefault("transformers", {})
    if crs not in transformers:
        transformers[crs] = Transformer.from_crs("EPSG:3857", crs, always_xy=True)
    return transformers[crs]
