"""Which of a tree's groups hold measurements."""

import xarray as xr

MEASUREMENTS = "/measurements"


def list_rasters(product: xr.DataTree) -> list[tuple[str, xr.Dataset]]:
    """Return the groups with georeferenced rasters, as path and dataset.

    Groups under ``/measurements`` when there are any, else all of them.
    """
    found = [
        (node.path, node.to_dataset())
        for node in product.subtree
        if {"y", "x", "spatial_ref"} <= set(node.coords)
        and any(one.dims[-2:] == ("y", "x") for one in node.data_vars.values())
    ]
    measured = [one for one in found if one[0].startswith(MEASUREMENTS)]
    return measured or found
