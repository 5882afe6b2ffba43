"""Cutting a window out of a product, with what its attributes say of its place."""

from typing import Any

import xarray as xr

from skerry.products.grids import grid_of
from skerry.products.selecting.areas import project_area
from skerry.products.selecting.windows import Window


def cut_window(data: xr.Dataset, window: Window) -> xr.Dataset:
    """Return the rows and columns of a window, and attributes that fit them."""
    cut = data.isel({dim: one for dim, one in window.items() if dim in data.sizes})
    return _place(cut) if window else cut


def _place(data: xr.Dataset) -> xr.Dataset:
    """Bring what attributes say of a raster's place up to date."""
    if 0 in data.sizes.values() or (grid := grid_of(data)) is None:
        return data
    place = {
        "proj:bbox": list(grid.boundingbox.bbox),
        "proj:shape": list(grid.shape),
        "proj:transform": [*grid.affine][:9],
    }
    for variable in data.data_vars.values():
        variable.attrs = variable.attrs | {
            key: one for key, one in place.items() if key in variable.attrs
        }
    return data


def outline_item(tree: xr.DataTree, discovery: dict[str, Any]) -> dict[str, Any]:
    """Return the item with the bounding box and the outline of what is left."""
    for node in tree.subtree:
        data = node.to_dataset(inherit=False)
        if not node.path.startswith("/measurements") or 0 in data.sizes.values():
            continue
        grid = grid_of(data)
        if grid is not None:
            outline = project_area(grid.extent, "EPSG:4326")
            discovery["geometry"] = outline.json
            discovery["bbox"] = list(outline.boundingbox.bbox)
            if "proj:bbox" in (properties := dict(discovery.get("properties") or {})):
                properties["proj:bbox"] = list(grid.boundingbox.bbox)
                discovery["properties"] = properties
            return discovery
        if {"latitude", "longitude"} <= set(data.variables) and data["latitude"].ndim == 2:  # noqa: PLR2004
            return discovery | _outline_swath(data)
    return discovery


def _outline_swath(data: xr.Dataset) -> dict[str, Any]:
    rows, columns = data["latitude"].shape
    corners = [(0, 0), (0, columns - 1), (rows - 1, columns - 1), (rows - 1, 0), (0, 0)]
    dims = data["latitude"].dims
    points = [
        [
            float(data[name].isel({dims[0]: row, dims[1]: column}))
            for name in ("longitude", "latitude")
        ]
        for row, column in corners
    ]
    longitudes, latitudes = zip(*points, strict=True)
    return {
        "geometry": {"type": "Polygon", "coordinates": [points]},
        "bbox": [min(longitudes), min(latitudes), max(longitudes), max(latitudes)],
    }
