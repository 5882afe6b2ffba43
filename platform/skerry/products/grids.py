"""Grids: shape, transform at pixel edges, reference system; and the groups that have a grid."""

from typing import Any

import numpy as np
import numpy.typing as npt
import odc.geo.xr  # noqa: F401 -- registers the accessor
import xarray as xr
from affine import Affine
from odc.geo.geobox import GeoBox

from skerry.core.errors import InvalidInputError

MEASUREMENTS = "/measurements"
UNEVEN = 0.1
"""How far, in pixels, a coordinate may differ from an even spacing. Coordinates that were stored
as float32 degrees need this tolerance."""

_GDAL = "GeoTransform"
_EVEN = 1e-3
"""How far, in pixels, the last centre may be from the place that the first two centres give."""


def north_up(data: xr.Dataset) -> xr.Dataset:
    """Return the dataset with its northernmost row first."""
    if "y" in data.coords and data.sizes.get("y", 0) > 1 and data["y"][0] < data["y"][-1]:
        return data.isel(y=slice(None, None, -1))
    return data


def grid_of(data: xr.Dataset | xr.DataArray) -> GeoBox | None:
    """Return the grid of a dataset, or None if it is not a georeferenced raster.

    Parameters
    ----------
    data
        With dimensions ``y`` and ``x`` last, coordinates of pixel centres on a regular grid, and
        a coordinate reference system (CF grid mapping ``spatial_ref``).
    """
    if not {"y", "x"} <= set(data.dims) or not {"y", "x", "spatial_ref"} <= set(data.coords):
        return None
    if not all(is_even(data[axis].to_numpy()) for axis in ("y", "x")):
        return None
    grid = data.odc.geobox
    if not isinstance(grid, GeoBox) or grid.crs is None:
        return None
    return _spread(grid, data["y"].to_numpy(), data["x"].to_numpy())


def _spread(grid: GeoBox, y: npt.NDArray[Any], x: npt.NDArray[Any]) -> GeoBox:
    """Return a grid whose pixels have the mean distance of the centres along each axis.

    odc-geo takes the distance of the first two centres, which is coarse for degrees as float32:
    over thousands of pixels the error is a third of a pixel. Grids that differ by less stay as they
    are.
    """
    a, b, c, d, e, f = grid.affine[:6]
    if b or d:
        return grid
    (e, f), (a, c) = (
        _place_axis(centres.astype(np.float64), step, edge)
        for centres, step, edge in ((y, e, f), (x, a, c))
    )
    return GeoBox(grid.shape, Affine(a, b, c, d, e, f), grid.crs)


def _place_axis(centres: npt.NDArray[Any], step: float, edge: float) -> tuple[float, float]:
    """Return the step and the first edge of an axis."""
    count = len(centres) - 1
    mean = float(centres[-1] - centres[0]) / count if count else step
    if abs(mean - step) * count <= _EVEN * abs(step):
        return step, edge
    return mean, float(centres[0]) - mean / 2


def describe_grid(raster: xr.DataArray | xr.Dataset) -> dict[str, Any]:
    """Return ``proj:code``, ``proj:shape``, ``proj:transform`` and ``proj:bbox`` of a raster.

    Parameters
    ----------
    raster
        Dims ``(y, x)`` with even coordinates of pixel centres and a ``spatial_ref``.

    Raises
    ------
    InvalidInputError
        If it is not such a raster, or its system has no EPSG code.
    """
    data = raster if isinstance(raster, xr.Dataset) else raster.to_dataset(name="raster")
    grid = grid_of(data)
    if grid is None or grid.crs is None or grid.crs.epsg is None:
        system = "none" if grid is None or grid.crs is None else str(grid.crs)
        raise InvalidInputError(
            f"The raster's CRS is {system:.100}, which has no EPSG code.",
            remedy="Set a system with a code, for example dataset.rio.write_crs(32633).",
        )
    box = grid.boundingbox
    return {
        "proj:code": f"EPSG:{grid.crs.epsg}",
        "proj:shape": [int(grid.shape.y), int(grid.shape.x)],
        "proj:transform": [float(number) for number in grid.affine[:6]],
        "proj:bbox": [box.left, box.bottom, box.right, box.top],
    }


def renew_place(data: xr.Dataset, grid: GeoBox | None = None) -> xr.Dataset:
    """Return a dataset whose attributes about its place are those of its coordinates.

    A selection with xarray leaves old ``GeoTransform`` and ``proj:`` attributes, which are wrong
    then, and GDAL and rioxarray prefer them to coordinates.

    Parameters
    ----------
    data
        A raster; anything else stays unchanged.
    grid
        The raster's grid, if the caller knows it. A grid mapping without a transform then gets one
        if there is only one row or column: its coordinate does not tell the pixel's size.
    """
    if 0 in data.sizes.values():
        return data
    thin = grid is not None and 1 in grid.shape
    grid = grid_of(data) if grid is None else grid
    if grid is None:
        return data
    place = _describe_box(grid)
    data = data.copy()
    for variable in data.data_vars.values():
        stated = {key: variable.attrs[key] for key in place if key in variable.attrs}
        wrong = {key: place[key] for key, item in stated.items() if not _agrees(key, item, grid)}
        variable.attrs = variable.attrs | wrong
    for name, item in data.coords.items():
        text = item.attrs.get(_GDAL, "" if thin and name == "spatial_ref" else None)
        if text is not None and not _agrees(_GDAL, str(text).split(), grid):
            mapping = item.variable.copy(deep=False)
            mapping.attrs = item.attrs | {_GDAL: " ".join(map(str, grid.affine.to_gdal()))}
            data = data.assign_coords({name: mapping})
    return data


def describe_place(data: xr.Dataset) -> dict[str, list[Any]]:
    """Return the projection attributes of a raster, the shape of a swath."""
    grid = grid_of(data)
    if grid is not None:
        return _describe_box(grid)
    return {"proj:shape": list(data["latitude"].shape)} if "latitude" in data.variables else {}


def _describe_box(grid: GeoBox) -> dict[str, list[Any]]:
    return {
        "proj:bbox": list(grid.boundingbox.bbox),
        "proj:shape": list(grid.shape),
        "proj:transform": [*grid.affine][:9],
    }


def _agrees(key: str, value: Any, grid: GeoBox) -> bool:
    """Tell whether an attribute about a place fits a grid; exact where the grid is about right."""
    try:
        numbers = [float(item) for item in value]
        if key == "proj:shape":
            return numbers == list(grid.shape)
        if key == "proj:bbox":
            actual, expected = numbers, list(grid.boundingbox.bbox)
        else:
            transform = Affine.from_gdal(*numbers) if key == _GDAL else Affine(*numbers[:6])
            actual, expected = (_list_ends(item, grid) for item in (transform, grid.affine))
    except (TypeError, ValueError):
        return False
    near = UNEVEN * abs(grid.affine.a)
    return len(actual) == len(expected) and bool(np.allclose(actual, expected, rtol=0, atol=near))


def _list_ends(transform: Affine, grid: GeoBox) -> list[float]:
    """Return where a transform has the first and the last corner of a grid's pixels."""
    return [*(transform * (0, 0)), *(transform * (grid.shape.x, grid.shape.y))]


def list_rasters(product: xr.DataTree) -> list[tuple[str, xr.Dataset]]:
    """Return the groups with georeferenced rasters, as path and dataset.

    Groups under ``/measurements`` when there are any, else all of them.
    """
    rasters = [
        (node.path, node.to_dataset())
        for node in product.subtree
        if {"y", "x", "spatial_ref"} <= set(node.coords)
        and any(variable.dims[-2:] == ("y", "x") for variable in node.data_vars.values())
    ]
    measured = [item for item in rasters if item[0].startswith(MEASUREMENTS)]
    return measured or rasters


def refuse_swaths(tree: xr.DataTree, form: str) -> None:
    """Refuse a product without a grid for its measurements.

    Raises
    ------
    InvalidInputError
        If no group (under ``/measurements``, where there is such a group) is a raster with
        dimensions ``y`` and ``x``, regular coordinates and a coordinate reference system, or
        the rasters have no pixel.
    """
    nodes = list(tree.subtree)
    measured = [item for item in nodes if MEASUREMENTS in item.path]
    if any(grid_of(item.to_dataset()) is not None for item in measured or nodes):
        return
    example = next((item for item in measured or nodes if item.data_vars), None)
    sizes = [variable.size for node in measured or nodes for variable in node.data_vars.values()]
    if sizes and not any(sizes):
        raise InvalidInputError(
            f"{form} holds rasters on grids only, and the product has no pixel.",
            remedy="Write EOPF Zarr or NetCDF, or choose an area on the product.",
        )
    what = "no variable" if example is None else f"{example.path} {dict(example.sizes)}"
    raise InvalidInputError(
        f"{form} holds rasters on grids only, and the product has no raster: no group has "
        f"dimensions y and x, regular coordinates and a coordinate reference system ({what}).",
        remedy="Regrid a swath first (skerry.products.regridding), write EOPF Zarr or NetCDF, or "
        "name the dimensions y and x and give the system with dataset.rio.write_crs('EPSG:...').",
    )


def is_even(centres: npt.NDArray[Any]) -> bool:
    """Tell whether coordinates are evenly spaced numbers."""
    if not np.issubdtype(centres.dtype, np.number) or not np.isfinite(centres).all():
        return False
    if len(centres) < 2:  # noqa: PLR2004 -- no spacing
        return True
    even = np.linspace(centres[0], centres[-1], len(centres))
    step = abs(float(even[1] - even[0]))
    return step > 0 and float(np.abs(centres - even).max()) <= UNEVEN * step
