"""The grid of a dataset: shape, transform at pixel edges, coordinate reference system."""

from typing import Any

import numpy as np
import numpy.typing as npt
import odc.geo.xr  # noqa: F401 -- registers the accessor
import xarray as xr
from odc.geo.geobox import GeoBox

UNEVEN = 0.1
"""How far, in pixels, a coordinate may lie from where an even spacing puts it. Coordinates that
were stored as float32 degrees need some of it."""


def north_up(data: xr.Dataset) -> xr.Dataset:
    """Return the dataset with its northernmost row first."""
    if "y" in data.coords and data.sizes.get("y", 0) > 1 and data["y"][0] < data["y"][-1]:
        return data.isel(y=slice(None, None, -1))
    return data


def grid_of(data: xr.Dataset | xr.DataArray) -> GeoBox | None:
    """Return the grid of a dataset, or None if it is no georeferenced raster.

    Parameters
    ----------
    data
        With dimensions ``y`` and ``x`` last, coordinates of pixel centres on a regular grid, and
        a coordinate reference system (CF grid mapping ``spatial_ref``).
    """
    if not {"y", "x"} <= set(data.dims) or not {"y", "x", "spatial_ref"} <= set(data.coords):
        return None
    if not all(_is_even(data[axis].to_numpy()) for axis in ("y", "x")):
        return None
    grid = data.odc.geobox
    return grid if isinstance(grid, GeoBox) and grid.crs is not None else None


def _is_even(centres: npt.NDArray[Any]) -> bool:
    """Return whether coordinates are numbers on an even spacing."""
    if not np.issubdtype(centres.dtype, np.number) or not np.isfinite(centres).all():
        return False
    if len(centres) < 2:  # noqa: PLR2004 -- no spacing
        return True
    even = np.linspace(centres[0], centres[-1], len(centres))
    step = abs(float(even[1] - even[0]))
    return step > 0 and float(np.abs(centres - even).max()) <= UNEVEN * step
