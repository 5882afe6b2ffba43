"""Cut a window out of a product and update the attributes about its place."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from skerry.products.grids import describe_place, grid_of, renew_place
from skerry.products.selecting.outlining import outline_cut
from skerry.products.selecting.windows import Window


def cut_window(data: xr.Dataset, window: Window) -> xr.Dataset:
    """Return the rows and columns of a window, and attributes that fit them."""
    cut = data.isel({dim: item for dim, item in window.items() if dim in data.sizes})
    grid = grid_of(data) if {"y", "x"} <= set(window) else None
    return cut if grid is None else renew_place(cut, grid[window["y"], window["x"]])


def outline_items(result: xr.DataTree, product: xr.DataTree, windows: Mapping[str, Window]) -> None:
    """Update the items of a cut product and of its members.

    Each item gets the geometry and the bounding box of the first georeferenced measurements at or
    below it; an item without such measurements stays unchanged.

    Parameters
    ----------
    result
        The cut product.
    product
        The product before the cut.
    windows
        Group path to the window of the cut.
    """
    for node in result.subtree:
        item = node.attrs.get("stac_discovery")
        if isinstance(item, dict):
            node.attrs["stac_discovery"] = _outline_item(item, node, product, windows)


def _outline_item(
    item: dict[str, Any],
    owner: xr.DataTree,
    product: xr.DataTree,
    windows: Mapping[str, Window],
) -> dict[str, Any]:
    for node in owner.subtree:
        data = node.to_dataset(inherit=False)
        if "measurements" not in node.path.split("/"):
            continue
        outline = outline_cut(product, node.path, data, windows.get(node.path, {}))
        if outline is None:
            continue
        geometry, box = outline
        before = product[node.path].to_dataset()
        return item | {"geometry": geometry, "bbox": box} | _place_item(item, data, before)
    return item


def _place_item(item: dict[str, Any], data: xr.Dataset, before: xr.Dataset) -> dict[str, Any]:
    """Return the properties with the place of a cut group, if they had its place before."""
    properties = dict(item.get("properties") or {})
    was = describe_place(before)
    for key, value in describe_place(data).items():
        recorded = properties.get(key)
        # All resolutions share a box; shape and transform belong to a single resolution.
        if isinstance(recorded, list) and (
            key == "proj:bbox" or recorded == was[key][: len(recorded)]
        ):
            properties[key] = value[: len(recorded)]
    return {"properties": properties} if "properties" in item else {}
