"""From one grid to another: rasters by warping, swaths by their pixels' longitude and latitude.

All steps are lazy: a chunk of the target reads only the part of the source that it needs. Missing
data does not spread: a pixel of the target has a value if the source has a value at its place.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal

import dask.array as da
import numpy as np
import xarray as xr
from odc.geo.geobox import GeoBox
from odc.geo.xr import xr_coords

from skerry.core.errors import InvalidInputError
from skerry.processors.selection import find_variable
from skerry.processors.tie_points import (
    interpolate_tie_points,
    is_azimuth,
    locate_by_coordinates,
    locate_evenly,
)
from skerry.products.coding.packing import allow_gaps
from skerry.products.grids import grid_of
from skerry.products.selecting.pieces import NOWHERE, bound_common, split_area
from skerry.products.swath_blocks import map_swath

Method = Literal["nearest", "linear", "mean", "mode"]
METHODS: Final = {"nearest": "nearest", "linear": "bilinear", "mean": "average", "mode": "mode"}
"""Our names to GDAL's."""
_PACKING: Final = ("dtype", "scale_factor", "add_offset", "_FillValue")
_COARSER = 1.5
"""From this ratio of the target's to the source's pixel size on, pixels become means."""
_AS_LARGE = 0.99
"""From this ratio on pixels count as equally large: sizes in degrees are approximate."""


def choose_method(variable: xr.DataArray, ratio: float) -> Method:
    """Return how a variable is brought to pixels `ratio` times as large.

    In larger pixels classes become the most frequent class and measurements become their mean; in
    smaller pixels classes stay and measurements are interpolated linearly. Bits take the nearest
    pixel, and so do azimuths, which jump and have no mean.
    """
    if "flag_values" in variable.attrs and "flag_masks" not in variable.attrs:
        return "mode" if ratio > _COARSER else "nearest"
    if variable.dtype.kind != "f" or "flag_meanings" in variable.attrs or is_azimuth(variable):
        return "nearest"
    return "mean" if ratio > _COARSER else "linear"


def regrid_raster(
    data: xr.Dataset, target: GeoBox, *, method: Method | None = None, chunk: int = 1024
) -> xr.Dataset:
    """Bring a raster to another grid, of another resolution, place or reference system.

    Parameters
    ----------
    data
        ``(..., y, x)`` with a grid mapping; other variables are left out.
    target
        The grid.
    method
        For all variables; by default `choose_method` for each. Means and modes are over the
        source pixels in each pixel of the target, without the gaps; smaller pixels have neither.
    chunk
        Edge of the result's chunks for lazy data.

    Returns
    -------
    xarray.Dataset
        ``(..., y, x)`` on the target's grid, in degrees too, so that every format can be written;
        types, attributes and packing as they were; NaN (whole numbers: the packing's fill value,
        else 0) off the source. Empty of values, not an error, where the
        source misses the target.

    Raises
    ------
    InvalidInputError
        If the data are not a georeferenced raster, the method is unknown, or it is mean or mode and
        the target's pixels are smaller than the source's: GDAL would spread values to pixels
        beside them.
    """
    from odc.geo.xr import xr_reproject

    _check_target(target)
    source = grid_of(data)
    if source is None:
        raise InvalidInputError(
            "The data are not a georeferenced raster.",
            remedy="Give (y, x) with a spatial_ref; for a swath use regrid_swath.",
        )
    if not _meet(source, target):
        return _leave_empty(data, target, chunk)
    ratio = _compare_sizes(source, target)
    result = {}
    for name, variable in data.data_vars.items():
        if not {"y", "x"} <= set(variable.dims):
            continue
        method_name = _check_method(method or choose_method(variable, ratio), ratio)
        if method_name == "nearest" and _is_finer(source, target):
            result[name] = _finish(_repeat(variable, target, chunk), variable)
            continue
        lazily: dict[str, Any] = {"chunks": (chunk, chunk)} if variable.chunks is not None else {}
        warped = xr_reproject(
            _to_float(variable), target, resampling=METHODS[method_name], dst_nodata=np.nan,
            always_yx=True, **lazily,
        )  # fmt: skip
        if variable.dtype.kind != "f":
            warped = warped.fillna(_fill_of(variable)).astype(variable.dtype)
        result[name] = _finish(warped, variable)
    return xr.Dataset(result, attrs=data.attrs)


def regrid_swath(
    data: xr.Dataset,
    target: GeoBox,
    *,
    method: Method | None = None,
    radius_m: float | None = None,
    chunk: int = 512,
) -> xr.Dataset:
    """Bring a swath to a grid by the longitude and latitude of its pixels.

    Parameters
    ----------
    data
        Variables of two dimensions with 2-D ``latitude`` and ``longitude`` of the same. The
        coordinates are read once, thinned, when this is called.
    target
        The grid.
    method
        ``nearest``: the nearest pixel (a kd-tree: pyresample). ``linear``: between the four pixels
        around a place, found from the nearest one and the swath's spacing there; the nearest where
        the spacing tells nothing (duplicated pixels) or a neighbour is missing. By default linear
        for measurements, nearest for whole numbers and flags, which are never mixed.
    radius_m
        How far a pixel's value reaches; by default 0.75 of the swath's pixel diagonal.
    chunk
        Edge of the result's chunks.

    Returns
    -------
    xarray.Dataset
        ``(y, x)`` on the target's grid, lazy, types, attributes and packing as they were; NaN
        (whole numbers: the packing's fill value, else 0) farther than the radius from any pixel.
        Empty of values, not an error, where the swath misses the target.

    Raises
    ------
    InvalidInputError
        If there is no 2-D longitude and latitude, or the method or radius is not valid.
    """
    if not {"latitude", "longitude"} <= set(data.variables) or data["latitude"].ndim != 2:  # noqa: PLR2004
        raise InvalidInputError(
            "The data have no 2-D latitude and longitude.",
            remedy="Give a measurements group of a swath product.",
        )
    _check_target(target)
    if radius_m is not None and not 0 < radius_m < 1e6:  # noqa: PLR2004 -- false for NaN too
        raise InvalidInputError(f"The radius is {radius_m} m.", remedy="Give metres.")
    plans: dict[str, tuple[xr.DataArray, bool, Any]] = {}
    for name, variable in data.data_vars.items():
        if variable.dims != data["latitude"].dims:
            continue
        resampling = method or choose_method(variable, 1.0)
        if resampling not in {"nearest", "linear"}:
            raise InvalidInputError(
                f"The method {resampling!r} is not for swaths.", remedy="Give nearest or linear."
            )
        linear = resampling == "linear" and choose_method(variable, 1.0) == "linear"
        plans[str(name)] = (variable, linear, _fill_of(variable))
    arrays = map_swath(
        data["latitude"], data["longitude"], plans, target, radius_m=radius_m, chunk=chunk
    )
    coords = xr_coords(target, always_yx=True)
    return xr.Dataset(
        {
            name: _finish(xr.DataArray(array, dims=("y", "x"), coords=coords), plans[name][0])
            for name, array in arrays.items()
        },
        attrs=data.attrs,
    )


def regrid_product(
    tree: xr.DataTree,
    target: GeoBox,
    variables: Sequence[str],
    *,
    method: Method | None = None,
    radius_m: float | None = None,
) -> xr.Dataset:
    """Bring variables of an OLCI, SLSTR or raster product to one grid.

    Parameters
    ----------
    tree
        The product.
    target
        The grid.
    variables
        Paths. The group of the first one says the source's grid (of SLSTR: view and stripe); tie
        points are interpolated to it first, other variables are of the same rows and columns.
    method, radius_m
        As in `regrid_swath` and `regrid_raster`.

    Returns
    -------
    xarray.Dataset
        As of these, with the product's title, and an attribute `simulated` if the product is.

    Raises
    ------
    InvalidInputError
        If the product lacks a variable, or a variable does not fit the first variable's grid.
    """
    if isinstance(variables, str) or not variables:
        raise InvalidInputError(
            f"There is nothing to regrid: {variables!r}.", remedy="Give a list of paths."
        )
    first = find_variable(tree, variables[0])
    group = variables[0].strip("/").rpartition("/")[0]
    home = tree[group].to_dataset()
    plans = {}
    for path in variables:
        variable = find_variable(tree, path)
        if variable.dims == first.dims and variable.shape == first.shape:
            spread = variable
        else:
            spread = _spread(tree, path, variable, first, home)
        plans[str(variable.name)] = spread.drop_vars(spread.coords)
    attrs = {"title": tree.attrs["title"]} if "title" in tree.attrs else {}
    if (tree.attrs.get("other_metadata") or {}).get("simulated"):
        attrs["simulated"] = True
    data = xr.Dataset(plans, coords=home.coords, attrs=attrs)
    if grid_of(data) is not None:
        return regrid_raster(data, target, method=method)
    return regrid_swath(data, target, method=method, radius_m=radius_m)


def _spread(
    tree: xr.DataTree, path: str, variable: xr.DataArray, image: xr.DataArray, home: xr.Dataset
) -> xr.DataArray:
    """Interpolate tie points to the image's pixels."""
    if set(variable.dims) == {"tp_rows", "tp_columns"}:
        return interpolate_tie_points(variable, *locate_evenly(image, variable))
    group = path.strip("/").rpartition("/")[0]
    ties = tree[group].to_dataset()
    if group.endswith("geometry_to") and "x" not in ties.variables:
        # SLSTR's views share one grid of tie points; only the nadir view's group has its position.
        nadir = tree[f"{group.removesuffix('to')}tn"].to_dataset()
        ties = ties.assign_coords({name: nadir[name] for name in ("x", "y")})
    if {"x", "y"} <= set(ties.variables) & set(home.variables) and variable.dims == ties["x"].dims:
        rows, columns = locate_by_coordinates(
            home["y"].drop_vars(home["y"].coords),
            home["x"].drop_vars(home["x"].coords),
            ties["y"][:, 0],
            ties["x"][0, :],
        )
        return interpolate_tie_points(variable, rows, columns)
    raise InvalidInputError(
        f"{path} {dict(variable.sizes)} is neither on the grid {dict(image.sizes)} nor on its "
        "tie points.",
        remedy="Regrid variables of one grid at a time.",
    )


def _check_target(target: Any) -> None:
    if not isinstance(target, GeoBox) or target.crs is None or 0 in target.shape:
        raise InvalidInputError(
            f"{target!r:.100} is not a grid on Earth.",
            remedy="Give a GeoBox with a reference system, rows and columns.",
        )


def _meet(source: GeoBox, target: GeoBox) -> bool:
    """Tell whether two grids have an area in common."""
    bounds = bound_common(target.extent, list(split_area(target.extent)), source)
    return bounds != NOWHERE


def _leave_empty(data: xr.Dataset, target: GeoBox, chunk: int) -> xr.Dataset:
    """Return a raster's variables on a grid where they have no values."""
    result = {}
    for name, variable in data.data_vars.items():
        if not {"y", "x"} <= set(variable.dims):
            continue
        leading = {dim: size for dim, size in variable.sizes.items() if dim not in {"y", "x"}}
        fill = np.nan if variable.dtype.kind == "f" else _fill_of(variable)
        shape = (*leading.values(), *target.shape)
        chunks = (*leading.values(), chunk, chunk)
        values: Any = (
            np.full(shape, fill, variable.dtype)
            if variable.chunks is None
            else da.full(shape, fill, dtype=variable.dtype, chunks=chunks)  # type: ignore[no-untyped-call]
        )
        coords = xr_coords(target, always_yx=True)
        empty = xr.DataArray(values, dims=(*leading, "y", "x"), coords=coords, name=name)
        kept = {dim: data[dim].variable for dim in leading if dim in data.coords}
        result[name] = _finish(empty.assign_coords(kept), variable)
    return xr.Dataset(result, attrs=data.attrs)


def _is_finer(source: GeoBox, target: GeoBox) -> bool:
    """Tell whether `target` divides each pixel of `source` into equal pixels."""
    factor = round(source.resolution.x / target.resolution.x)
    return (
        factor > 1
        and source.crs == target.crs
        and bool(source.zoom_to(target.shape).affine.almost_equals(target.affine, 1e-9))
        and target.shape == (source.shape.y * factor, source.shape.x * factor)
    )


def _repeat(variable: xr.DataArray, target: GeoBox, chunk: int) -> xr.DataArray:
    """Repeat each pixel: the nearest pixel without a warp."""
    factor = target.shape.y // variable.sizes["y"]
    leading = variable.dims[:-2]
    numbers = variable.data
    if variable.chunks is None:
        numbers = numbers.repeat(factor, axis=-2).repeat(factor, axis=-1)
    else:
        edge = max(1, chunk // factor)
        numbers = numbers.rechunk({-2: edge, -1: edge})
        sizes = numbers.chunks
        numbers = numbers.map_blocks(
            lambda block: block.repeat(factor, axis=-2).repeat(factor, axis=-1),
            chunks=(*sizes[:-2], *(tuple(factor * axi for axi in axis) for axis in sizes[-2:])),
            dtype=variable.dtype,
        )
    coordinates = {
        name: item
        for name, item in variable.coords.items()
        if not {"y", "x"} & set(item.dims) and name != "spatial_ref"
    }
    coords = {**coordinates, **xr_coords(target, always_yx=True)}
    return xr.DataArray(numbers, dims=(*leading, "y", "x"), coords=coords, name=variable.name)


def _compare_sizes(source: GeoBox, target: GeoBox) -> float:
    """Return how many times as long the target's pixels are, near the target's centre."""
    if source.crs == target.crs:
        return float(abs(target.resolution.x) / abs(source.resolution.x))
    here = _pixel_m(source)
    return _pixel_m(target) / here


def _pixel_m(grid: GeoBox) -> float:
    metres_per_unit = 111_195.0 if grid.crs is not None and grid.crs.geographic else 1.0
    return float(abs(grid.resolution.y)) * metres_per_unit


def _check_method(method: str, ratio: float) -> str:
    if method not in METHODS:
        raise InvalidInputError(
            f"The method {method!r} is unknown.", remedy=f"Give one of {', '.join(METHODS)}."
        )
    if method in {"mean", "mode"} and ratio < _AS_LARGE:
        raise InvalidInputError(
            f"The method {method!r} is for pixels as large as the source's or larger; the target's "
            f"are {ratio:.3g} times as large.",
            remedy="Give nearest or linear, or a coarser target.",
        )
    return method


def _fill_of(variable: xr.DataArray) -> Any:
    if variable.dtype.kind == "f":
        return np.nan
    fill = variable.encoding.get("_FillValue", variable.attrs.get("_FillValue"))
    return 0 if fill is None else fill


def _to_float(variable: xr.DataArray) -> xr.DataArray:
    """Return numbers with only NaN for no data; whole numbers become float64.

    If GDAL gets a whole number for no data, it changes values that equal it. The fill value of
    packed measurements, often 0, must not be compared with their values.
    """
    fill = variable.encoding.get("_FillValue")
    wide = variable.copy(deep=False)
    if variable.dtype.kind != "f":
        wide = variable.astype("float64")
        wide = wide if fill is None else wide.where(variable != fill)
    hidden = ("nodata", "_FillValue")
    wide.attrs = {key: item for key, item in variable.attrs.items() if key not in hidden}
    wide.encoding = {key: item for key, item in variable.encoding.items() if key not in hidden}
    return wide


def _finish(result: xr.DataArray, source: xr.DataArray) -> xr.DataArray:
    """Give a result the attributes and packing of its source."""
    result.attrs = {key: item for key, item in source.attrs.items() if not key.startswith("proj:")}
    packing = {key: item for key, item in source.encoding.items() if key in _PACKING}
    result.encoding = allow_gaps(packing, result.dtype) | {"grid_mapping": "spatial_ref"}
    return result
