"""Outline a product after a cut, by its grid, its pixels or its control points."""

from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import xarray as xr
from odc.geo.geom import Geometry

from skerry.products.grids import grid_of
from skerry.products.outlines import Outline, outline_grid, outline_ring, project_area
from skerry.products.selecting.pieces import split_area
from skerry.products.selecting.radar import find_points, locate
from skerry.products.swath_blocks import to_degrees, to_vectors

Numbers = npt.NDArray[Any]

_EDGE_POINTS = 32
"""How many places to use along each edge: 40 km apart in Sentinel-3's swath."""


def bound_area(area: Geometry) -> list[float]:
    """Return west, south, east, north, degrees, of an area; infinite if it is off the Earth."""
    pieces = list(split_area(area))
    if len(pieces) != 1:
        return list(project_area(area, "EPSG:4326").boundingbox.bbox)
    around = shapely.convex_hull(pieces[0].shape)
    return outline_ring(*pieces[0].to_degrees(around))[1]


def outline_cut(
    product: xr.DataTree, path: str, data: xr.Dataset, window: dict[str, slice]
) -> Outline | None:
    """Return the outline of a cut group, None if it has no place.

    Parameters
    ----------
    product
        The product before the cut: places half a pixel outside of the cut are between its pixels.
    path
        The group.
    data
        The group after the cut.
    window
        The window of the cut.
    """
    if 0 in data.sizes.values():
        return None
    grid = grid_of(data)
    if grid is not None:
        return outline_grid(grid)
    before = product[path].to_dataset()
    if {"latitude", "longitude"} <= set(before.variables) and before["latitude"].ndim == 2:  # noqa: PLR2004
        return _outline_swath(before, window)
    points = find_points(product, path)
    if points is None:
        return None
    numbers = [np.asarray(data[name]) for name in ("line", "pixel")]
    lines, pixels = _walk(*((number.min() - 0.5, number.max() + 0.5) for number in numbers))
    return outline_ring(*to_degrees(locate(points, lines, pixels)))


def _outline_swath(data: xr.Dataset, window: dict[str, slice]) -> Outline | None:
    latitude = data["latitude"]
    sizes = zip(latitude.dims, latitude.shape, strict=True)
    cut = [window.get(str(dim), slice(0, size)) for dim, size in sizes]
    rows, columns = _walk(*((item.start - 0.5, item.stop - 0.5) for item in cut))
    around = [
        np.clip(np.floor(item), 0, max(size - 2, 0)).astype(int)
        for item, size in zip((rows, columns), latitude.shape, strict=True)
    ]
    down, across = rows - around[0], columns - around[1]
    place = np.zeros((len(rows), 3))
    for below, beside in ((0, 0), (0, 1), (1, 0), (1, 1)):
        index = {
            dim: xr.DataArray(np.minimum(low + more, size - 1), dims="point")
            for dim, low, more, size in zip(
                latitude.dims, around, (below, beside), latitude.shape, strict=True
            )
        }
        corner = [data[name].isel(index).to_numpy() for name in ("latitude", "longitude")]
        share = (down if below else 1 - down) * (across if beside else 1 - across)
        place += to_vectors(*corner) * share[:, None]
    if not np.isfinite(place).all(axis=1).any():
        return None
    return outline_ring(*to_degrees(place))


def _walk(rows: tuple[float, float], columns: tuple[float, float]) -> tuple[Numbers, Numbers]:
    """Return the rows and columns of places along the edges, once around."""
    way = np.arange(_EDGE_POINTS) / _EDGE_POINTS
    there, back = np.zeros(_EDGE_POINTS), np.ones(_EDGE_POINTS)
    down = np.concatenate([there, way, back, 1 - way])
    right = np.concatenate([way, back, 1 - way, there])
    return rows[0] + (rows[1] - rows[0]) * down, columns[0] + (columns[1] - columns[0]) * right
