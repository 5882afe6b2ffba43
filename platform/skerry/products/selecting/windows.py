"""The window of a product that an area of interest needs: rows and columns, grid by grid."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.geom import Geometry

from skerry.products.grids import grid_of
from skerry.products.selecting.pieces import NOWHERE, Piece, bound_common, split_area
from skerry.products.selecting.radar import find_image_window, find_points
from skerry.products.selecting.touching import find_span, find_touched_window

WHOLE = ("conditions/geometry", "conditions/meteorology")
"""Coarse grids of Sentinel-2: angles and weather, which are interpolated to pixels."""

Window = dict[str, slice]
"""Dimension to its rows or columns."""
_NEARLY = 1e-6
"""Share of a pixel: a smaller overlap does not count, as coordinates are not more exact."""


@dataclass(frozen=True)
class _Swath:
    """A grid of pixels with longitude and latitude: where it is in the tree, and its size."""

    name: str
    path: str
    data: xr.Dataset

    @property
    def dims(self) -> tuple[str, str]:
        return tuple(map(str, self.data["latitude"].dims))  # type: ignore[return-value]

    @property
    def shape(self) -> tuple[int, int]:
        return tuple(self.data["latitude"].shape)  # type: ignore[return-value]


def find_area_windows(
    tree: xr.DataTree, area: Geometry, paths: Collection[str]
) -> dict[str, Window]:
    """Return the window of each group that an area needs.

    Parameters
    ----------
    tree
        The product.
    area
        The area.
    paths
        Paths of the selected groups: the coarsest raster of them sets the bounds of all.

    Returns
    -------
    dict
        Group path to window; groups that stay whole are not in it. A group that the area misses
        has an empty window.
    """
    pieces = list(split_area(area))
    windows = _find_raster_windows(tree, area, pieces, paths)
    windows |= _find_swath_windows(
        tree,
        lambda swath: find_touched_window(swath.data["latitude"], swath.data["longitude"], pieces),
    )
    return windows | _find_radar_windows(tree, pieces)


def find_period_windows(tree: xr.DataTree, first: Any, last: Any) -> dict[str, Window]:
    """Return the window of each group that the time from `first` to `last` (datetime64) needs."""
    windows = _find_swath_windows(tree, lambda swath: _find_rows(swath, first, last))
    for node in tree.subtree:
        data = node.to_dataset()
        for dim in ("time", "azimuth_time"):
            measured = dim == "time" or node.name == "measurements"
            if measured and dim in data.dims and dim in data.coords and data.data_vars:
                windows[node.path] = {dim: find_span(_is_between(data[dim], first, last))}
    return windows


def join_windows(some: dict[str, Window], others: dict[str, Window]) -> dict[str, Window]:
    """Return the common part of both windows of each group."""
    joined = some | others
    for path in some.keys() & others.keys():
        joined[path] = some[path] | others[path]
        for dim in some[path].keys() & others[path].keys():
            own, other = some[path][dim], others[path][dim]
            start, stop = max(own.start, other.start), min(own.stop, other.stop)
            joined[path][dim] = slice(start, stop) if stop > start else slice(0, 0)
    return joined


def _find_raster_windows(
    tree: xr.DataTree, area: Geometry, pieces: list[Piece], paths: Collection[str]
) -> dict[str, Window]:
    """Return the same ground on all rasters of a reference system, in whole pixels of each.

    All windows cover the same ground: the touched pixels of the coarsest raster.
    """
    rasters: dict[Any, list[tuple[GeoBox, str, xr.Dataset]]] = {}
    for path in paths:
        data = tree[path].to_dataset()
        if path.strip("/").startswith(WHOLE) or not data.data_vars:
            continue
        grid = grid_of(data)
        if grid is not None:
            rasters.setdefault(str(grid.crs), []).append((grid, path, data))
    windows: dict[str, Window] = {}
    for members in rasters.values():
        grid, _, coarsest = max(members, key=lambda item: abs(item[0].affine.a))
        bounds = bound_common(area, pieces, grid)
        window = _find_pixels_within(coarsest, grid, bounds, touch=True)
        # Coordinates of a single row or column do not tell the pixel's size, so cut the grid.
        ground = grid[window["y"], window["x"]]
        edges = NOWHERE if 0 in ground.shape else tuple(ground.boundingbox.bbox)
        windows |= {
            path: _find_pixels_within(data, own, edges, touch=False) for own, path, data in members
        }
    return windows


def _find_pixels_within(
    data: xr.Dataset, grid: GeoBox, bounds: tuple[float, ...], *, touch: bool
) -> Window:
    """Return the pixels with centres in the bounds, or with areas that touch the bounds.

    Bounds that end between two pixels touch only the inner pixel; a point there touches both.
    """
    west, south, east, north = bounds
    window = {}
    for dim, low, high, step in (
        ("y", south, north, abs(grid.affine.e)),
        ("x", west, east, abs(grid.affine.a)),
    ):
        centres = data[dim].to_numpy()
        reach = step * (0.5 - _NEARLY) if touch else 0.0
        if touch and high - low < step * _NEARLY:
            reach = step * (0.5 + _NEARLY)
        window[dim] = find_span((centres > low - reach) & (centres < high + reach))
    return window


def _find_swath_windows(
    tree: xr.DataTree, measure: Callable[[_Swath], tuple[slice, slice]]
) -> dict[str, Window]:
    """Return windows of swaths that cover the same ground on all grids of a view."""
    swaths = list(_list_swaths(tree))
    windows: dict[str, Window] = {}
    for family in _group_families(swaths):
        base = family[0]
        rows, columns = _unite([_coarsen(measure(item), item, base) for item in family])
        rows, columns = _widen_to_tie_points(tree, base, rows, columns)
        for swath in family:
            scale = swath.shape[0] // base.shape[0]
            window = {
                dim: slice(item.start * scale, item.stop * scale)
                for dim, item in zip(swath.dims, (rows, columns), strict=True)
            }
            for path in _list_members(tree, swath, alone=len(swaths) == 1):
                windows[path] = window
        windows |= _find_tie_windows(tree, base, rows, columns)
    return windows


def _coarsen(window: tuple[slice, slice], swath: _Swath, base: _Swath) -> tuple[slice, slice]:
    scale = swath.shape[0] // base.shape[0]
    rows, columns = (slice(item.start // scale, -(-item.stop // scale)) for item in window)
    return rows, columns


def _list_swaths(tree: xr.DataTree) -> Iterator[_Swath]:
    """Yield the measurements' grids that have longitude and latitude for each pixel."""
    for node in tree.subtree:
        inner = node.path.strip("/")
        if not inner.startswith("measurements") or inner.endswith(("orphans", "orphan")):
            continue
        data = node.to_dataset()
        if {"latitude", "longitude"} <= set(data.variables) and data["latitude"].ndim == 2:  # noqa: PLR2004
            yield _Swath(inner.rpartition("/")[2], node.path, data)


def _group_families(swaths: list[_Swath]) -> list[list[_Swath]]:
    """Group grids that are whole multiples of each other, such as 500 m and 1 km of a view."""
    families: list[list[_Swath]] = []
    for swath in sorted(swaths, key=lambda item: item.shape):
        for family in families:
            base = family[0].shape
            factors = [size / small for size, small in zip(swath.shape, base, strict=True)]
            if factors[0] == factors[1] and factors[0].is_integer():
                family.append(swath)
                break
        else:
            families.append([swath])
    return families


def _find_rows(swath: _Swath, first: Any, last: Any) -> tuple[slice, slice]:
    """Return the rows of a time, with all columns if there is any row."""
    if "time_stamp" not in swath.data.variables:
        return slice(0, swath.shape[0]), slice(0, swath.shape[1])
    rows = find_span(_is_between(swath.data["time_stamp"], first, last))
    return rows, slice(0, swath.shape[1] if rows.stop else 0)


def _is_between(times: xr.DataArray, first: Any, last: Any) -> npt.NDArray[np.bool_]:
    moments = times.to_numpy()
    inside = np.ones(moments.shape, np.bool_)
    if first is not None:
        inside &= moments >= first
    if last is not None:
        inside &= moments <= last
    return inside


def _unite(pairs: list[tuple[slice, slice]]) -> tuple[slice, slice]:
    """Return the rows and columns that hold all windows that are not empty."""
    full = [pair for pair in pairs if pair[0].stop > pair[0].start]
    if not full:
        return slice(0, 0), slice(0, 0)
    rows, columns = (
        slice(min(pair[axis].start for pair in full), max(pair[axis].stop for pair in full))
        for axis in (0, 1)
    )
    return rows, columns


def _list_members(tree: xr.DataTree, swath: _Swath, *, alone: bool) -> Iterator[str]:
    """Yield the groups on a swath's grid: groups below it, or all if there is a single grid."""
    for node in tree.subtree:
        parts = node.path.strip("/").split("/")
        if not alone and swath.name not in parts:
            continue
        sizes = node.to_dataset().sizes
        shared = [dim for dim in swath.dims if dim in sizes]
        if shared and all(
            sizes[dim] == size
            for dim, size in zip(swath.dims, swath.shape, strict=True)
            if dim in shared
        ):
            yield node.path


def _tie_steps(tree: xr.DataTree, swath: _Swath) -> tuple[int, int] | None:
    """Return pixels per tie point, along and across, if tie points span the image evenly."""
    for node in tree.subtree:
        sizes = node.to_dataset().sizes
        if {"tp_rows", "tp_columns"} <= set(sizes):
            steps = [
                (pixels - 1) / max(sizes[dim] - 1, 1)
                for dim, pixels in zip(("tp_rows", "tp_columns"), swath.shape, strict=True)
            ]
            if all(step.is_integer() and step > 0 for step in steps):
                return int(steps[0]), int(steps[1])
    return None


def _widen_to_tie_points(
    tree: xr.DataTree, swath: _Swath, rows: slice, columns: slice
) -> tuple[slice, slice]:
    """Widen a window so that it begins and ends at tie points, as the whole image does."""
    steps = _tie_steps(tree, swath)
    if steps is None or rows.stop == rows.start:
        return rows, columns
    widened = []
    for item, step, size in zip((rows, columns), steps, swath.shape, strict=True):
        start = item.start // step * step
        stop = min(-(-(item.stop - 1) // step) * step + 1, size)
        widened.append(slice(start, max(stop, start + 1)))
    return widened[0], widened[1]


def _find_tie_windows(
    tree: xr.DataTree, swath: _Swath, rows: slice, columns: slice
) -> dict[str, Window]:
    steps = _tie_steps(tree, swath)
    if steps is None:
        return {}
    empty = rows.stop == rows.start
    window = {
        dim: slice(0, 0) if empty else slice(item.start // step, (item.stop - 1) // step + 1)
        for dim, item, step in zip(("tp_rows", "tp_columns"), (rows, columns), steps, strict=True)
    }
    return {
        node.path: window for node in tree.subtree if set(window) <= set(node.to_dataset().sizes)
    }


def _find_radar_windows(tree: xr.DataTree, pieces: list[Piece]) -> dict[str, Window]:
    """Return windows of Sentinel-1 images, by their ground control points."""
    windows: dict[str, Window] = {}
    for path in tree.groups:
        points = find_points(tree, path)
        if points is not None:
            windows[path] = find_image_window(points, tree[path].to_dataset(), pieces)
    return windows
