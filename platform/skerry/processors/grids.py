"""Grids: bringing a layer to the pixels of another, and telling whether scenes share one."""

import re
from collections.abc import Sequence
from typing import Any, Final

import dask
import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from skerry.core.errors import InvalidInputError

_AXES: Final = ("y", "x")
_PLACES: Final = ("latitude", "longitude")
_CRS_NAME: Final = re.compile(r'\w+\["([^"]{1,60})"')
_ROUNDING: Final = 1e-6
"""Pixels by which rounding may push a pixel's centre off the edge of a coarser one."""


def fit_to_grid(
    values: xr.DataArray, like: xr.DataArray | xr.Dataset, *, names: tuple[str, str], remedy: str
) -> xr.DataArray:
    """Bring a layer to a grid: as it is where it lies there, else from its nearest pixels.

    Parameters
    ----------
    values
        Flags or numbers, with dimensions of `like`. Rasters (1-D coordinates ``y`` and ``x``) may
        have another resolution; other layers must have the grid's sizes.
    like
        Something on the grid.
    names
        What the errors call the layer and the grid.
    remedy
        What the errors advise.

    Returns
    -------
    xarray.DataArray
        Without coordinates, so that it aligns by position; of the same dtype; as lazy as `values`,
        in the chunks of `like` where pixels were looked up, each reading what it covers.

    Raises
    ------
    InvalidInputError
        If the layer does not cover the grid, or is not a raster and of other sizes. The message
        names both grids.
    """
    places = _find_pixels(values, like)
    fitted = values.isel(places)
    if any(like.sizes.get(str(dim)) != size for dim, size in fitted.sizes.items()) or any(
        (place < 0).any() for place in places.values()
    ):
        raise InvalidInputError(
            f"{names[0]} {_describe(values)} do not fit {names[1]} {_describe(like)}.",
            remedy=remedy,
        )
    bare = fitted.drop_vars(fitted.coords)
    return bare.chunk(_list_chunks(like, bare)) if places and bare.chunks is not None else bare


def check_scenes(scenes: Sequence[xr.Dataset], variables: Sequence[str]) -> None:
    """Refuse scenes with different variables or different grids.

    Coordinates of swaths are compared by value, all of them in one pass over their chunks, unless
    they are the same lazy arrays.

    Raises
    ------
    InvalidInputError
        If a scene lacks a variable, or its grid (dimensions, sizes, coordinates, reference
        system, latitude and longitude) is not that of the first one.
    """
    first = scenes[0]
    if not variables:
        raise InvalidInputError(
            "There are no variables to composite.", remedy="Name some of the products' variables."
        )
    template = first[variables[0]]
    for place, scene in enumerate(scenes):
        if missing := [name for name in variables if name not in scene.data_vars]:
            raise InvalidInputError(
                f"Scene {place} lacks {', '.join(missing)}.",
                remedy="Composite variables that all scenes have.",
            )
        same = all(
            scene[name].dims == template.dims and scene[name].shape == template.shape
            for name in variables
        )
        if not same or not _share_axes(scene, first, template) or not _share_crs(scene, first):
            raise InvalidInputError(
                f"Scene {place} is on another grid than scene 0: {_describe(scene)} and "
                f"{_describe(first)}.",
                remedy="Bring the scenes to one grid first: skerry.products.regridding.",
            )
    _check_places([_pick_places(scene, template) for scene in scenes])


def _find_pixels(
    values: xr.DataArray, like: xr.DataArray | xr.Dataset
) -> dict[str, npt.NDArray[np.intp]]:
    """Return a raster's nearest pixels by axis, -1 where there are none; empty where all fit."""
    if not all(axis in values.indexes and axis in like.indexes for axis in _AXES):
        return {}
    indexes = {axis: (values.indexes[axis], like.indexes[axis]) for axis in _AXES}
    if all(item.equals(other) for item, other in indexes.values()):
        return {}
    return {axis: _find_nearest(item, target) for axis, (item, target) in indexes.items()}


def _find_nearest(centres: pd.Index, targets: pd.Index) -> npt.NDArray[np.intp]:
    """Return the pixels that hold the wanted places, by the pixels' centres."""
    if not len(targets):
        return np.empty(0, np.intp)
    order = centres.is_monotonic_increasing or centres.is_monotonic_decreasing
    if not len(centres) or not order or not centres.is_unique:
        return np.full(len(targets), -1, np.intp)
    # A single pixel has no step, so its size is the extent of the targets around its middle.
    steps = np.abs(np.diff((centres if len(centres) > 1 else targets).to_numpy(np.float64)))
    width = float(np.median(steps)) if len(steps) else 0.0
    half = width / 2 * (1 if len(centres) > 1 else len(targets))
    reach = half + _ROUNDING * width
    return np.asarray(centres.get_indexer(targets, method="nearest", tolerance=reach), np.intp)


def _list_chunks(
    like: xr.DataArray | xr.Dataset, values: xr.DataArray
) -> dict[str, tuple[int, ...]]:
    """Return the chunks of the first lazy variable that has the dimensions of some values."""
    arrays = [like] if isinstance(like, xr.DataArray) else list(like.data_vars.values())
    for array in arrays:
        if array.chunks is not None and set(values.dims) <= set(array.dims):
            return {str(dim): array.chunksizes[dim] for dim in values.dims}
    return {}


def _share_axes(scene: xr.Dataset, first: xr.Dataset, template: xr.DataArray) -> bool:
    return all(
        (axis in scene.coords) == (axis in first.coords)
        and (axis not in first.coords or first[axis].equals(scene[axis]))
        for axis in template.dims
    )


def _share_crs(scene: xr.Dataset, first: xr.Dataset) -> bool:
    """Tell whether two reference systems are one, as far as both are known."""
    texts = [_read_crs(item) for item in (scene, first)]
    if not all(texts) or texts[0] == texts[1]:
        return True
    from pyproj import CRS

    return bool(CRS(texts[0]) == CRS(texts[1]))


def _read_crs(scene: xr.DataArray | xr.Dataset) -> str:
    for coord in scene.coords.values():
        if coord.ndim == 0 and (
            text := coord.attrs.get("crs_wkt") or coord.attrs.get("spatial_ref")
        ):
            return str(text)
    return ""


def _pick_places(scene: xr.Dataset, template: xr.DataArray) -> dict[str, xr.DataArray]:
    """Return latitude and longitude of a swath's pixels, as far as the scene has them."""
    places = {}
    for name, item in scene.coords.items():
        what = str(item.attrs.get("standard_name") or name)
        if what in _PLACES and item.ndim > 1 and set(item.dims) <= set(template.dims):
            places[what] = item
    return places


def _check_places(places: list[dict[str, xr.DataArray]]) -> None:
    first = places[0]
    lazily: Any = dask  # untyped
    checks: list[Any] = []
    for item in places[1:]:
        if item.keys() == first.keys():
            checks.append([_compare(item[key], first[key]) for key in first])
        else:
            checks.append([False])
    for place, same in enumerate(lazily.compute(*checks), 1):
        if not all(same):
            raise InvalidInputError(
                f"Scene {place} is a swath of another place than scene 0: latitude and longitude "
                "of its pixels differ.",
                remedy="Bring the scenes to one grid first: "
                "skerry.products.regridding.regrid_swath.",
            )


def _compare(array: xr.DataArray, other: xr.DataArray) -> Any:
    """Return whether all values are equal, lazily where one is lazy."""
    if array.dims != other.dims or array.shape != other.shape:
        return False
    if array.data is other.data or (
        array.chunks is not None
        and other.chunks is not None
        and array.data.name == other.data.name  # of the same values, says Dask
    ):
        return True
    both = array.variable == other.variable
    gaps = array.variable.isnull() & other.variable.isnull()
    return (both | gaps).all().data


def _describe(data: xr.DataArray | xr.Dataset) -> str:
    """Name a grid: its sizes, where it begins and ends, and its reference system."""
    spans = [
        f", {axis} {data.indexes[axis][0]:.10g} to {data.indexes[axis][-1]:.10g}"
        for axis in _AXES
        if axis in data.indexes and len(data.indexes[axis])
    ]
    crs = _CRS_NAME.match(_read_crs(data))
    return f"{dict(data.sizes)}{''.join(spans)}{f' in {crs[1]}' if crs else ''}"
