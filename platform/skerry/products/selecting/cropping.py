"""Cut a window out of a product and update the attributes about its place."""

from collections.abc import Mapping
from typing import Any

import xarray as xr
from odc.geo.geobox import GeoBox

from skerry.products.grids import grid_of
from skerry.products.selecting.outlining import outline_cut
from skerry.products.selecting.windows import Window


def cut_window(data: xr.Dataset, window: Window) -> xr.Dataset:
    """Return the rows and columns of a window, and attributes that fit them."""
    cut = data.isel({dim: item for dim, item in window.items() if dim in data.sizes})
    grid = grid_of(data) if {"y", "x"} <= set(window) else None
    if grid is None or 0 in cut.sizes.values():
        return cut
    return _place(cut, grid[window["y"], window["x"]])


def _place(data: xr.Dataset, grid: GeoBox) -> xr.Dataset:
    """Update the attributes about a raster's place.

    A grid mapping without a transform gets one if there is only one row or column: its coordinate
    does not tell the pixel's size.
    """
    place = _describe_grid(grid)
    thin = 1 in grid.shape
    for variable in data.data_vars.values():
        variable.attrs = variable.attrs | {
            key: item for key, item in place.items() if key in variable.attrs
        }
    for name, item in data.coords.items():
        if "GeoTransform" in item.attrs or (thin and name == "spatial_ref"):
            mapping = item.variable.copy()
            mapping.attrs["GeoTransform"] = " ".join(map(str, grid.affine.to_gdal()))
            data = data.assign_coords({name: mapping})
    return data


def _describe_place(data: xr.Dataset) -> dict[str, list[Any]]:
    """Return the projection attributes of a raster, the shape of a swath."""
    grid = grid_of(data)
    if grid is not None:
        return _describe_grid(grid)
    return {"proj:shape": list(data["latitude"].shape)} if "latitude" in data.variables else {}


def _describe_grid(grid: GeoBox) -> dict[str, list[Any]]:
    return {
        "proj:bbox": list(grid.boundingbox.bbox),
        "proj:shape": list(grid.shape),
        "proj:transform": [*grid.affine][:9],
    }


def outline_items(result: xr.DataTree, whole: xr.DataTree, windows: Mapping[str, Window]) -> None:
    """Update the items of a cut product and of its members.

    Each gets the geometry and the bounding box of the first measurements at or below it that have
    a place; an item without any stays as it is.

    Parameters
    ----------
    result
        The cut product.
    whole
        The product before.
    windows
        Group path to the window of the cut.
    """
    for node in result.subtree:
        item = node.attrs.get("stac_discovery")
        if isinstance(item, dict):
            node.attrs["stac_discovery"] = _outline_item(item, node, whole, windows)


def _outline_item(
    item: dict[str, Any],
    owner: xr.DataTree,
    whole: xr.DataTree,
    windows: Mapping[str, Window],
) -> dict[str, Any]:
    for node in owner.subtree:
        data = node.to_dataset(inherit=False)
        if "measurements" not in node.path.split("/"):
            continue
        outline = outline_cut(whole, node.path, data, windows.get(node.path, {}))
        if outline is None:
            continue
        geometry, box = outline
        before = whole[node.path].to_dataset()
        return item | {"geometry": geometry, "bbox": box} | _place_item(item, data, before)
    return item


def _place_item(item: dict[str, Any], data: xr.Dataset, before: xr.Dataset) -> dict[str, Any]:
    """Return the properties with the place of a cut group, if they had its place before."""
    properties = dict(item.get("properties") or {})
    was = _describe_place(before)
    for key, value in _describe_place(data).items():
        recorded = properties.get(key)
        # All resolutions share a box; shape and transform belong to a single resolution.
        if isinstance(recorded, list) and (
            key == "proj:bbox" or recorded == was[key][: len(recorded)]
        ):
            properties[key] = value[: len(recorded)]
    return {"properties": properties} if "properties" in item else {}
