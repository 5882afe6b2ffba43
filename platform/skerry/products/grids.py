"""The grid of a dataset: shape, transform at pixel edges, coordinate reference system."""

import numpy as np
import odc.geo.xr  # noqa: F401 -- registers the accessor
import xarray as xr
from odc.geo.geobox import GeoBox


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
    if not all(np.issubdtype(data[axis].dtype, np.number) for axis in ("y", "x")):
        return None
    grid = data.odc.geobox
    return grid if isinstance(grid, GeoBox) and grid.crs is not None else None
