"""Variables that a group sees: its own, and those of the groups above."""

from collections.abc import Mapping

import xarray as xr


def find_in_scope(tree: Mapping[str, xr.Dataset], path: str, name: str) -> xr.Variable | None:
    """Return a variable of the group at `path` or of the nearest group above that has it.

    `tree` has a dataset for each path. Groups may be absent from it.
    """
    while True:
        group = tree.get(path)
        if group is not None and name in group.variables:
            return group.variables[name]
        if path == "/":
            return None
        path = path.rpartition("/")[0] or "/"
