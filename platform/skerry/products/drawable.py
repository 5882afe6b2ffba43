"""What of a written product a map can draw."""

from pathlib import Path
from typing import Any

import zarr

KEPT = (
    "long_name", "units", "valid_min", "valid_max", "colormap",
    "flag_values", "flag_meanings", "flag_colors",
)  # fmt: skip


def find_drawable(path: Path | str) -> dict[str, dict[str, Any]]:
    """List the two-dimensional multiscale variables of a GeoZarr.

    Parameters
    ----------
    path
        The folder that `write_geozarr` made.

    Returns
    -------
    dict
        Name to ``path`` (multiscale group and variable), ``long_name``, ``units``, ``valid_min``,
        ``valid_max``, ``colormap`` and, for classes, ``flag_values``, ``flag_meanings``,
        ``flag_colors``: the form of an item's ``skerry:variables``. A variable that several
        groups have stands for its finest resolution, and a measurement before anything else of
        that name. Variables whose bits are flags are left out: no palette shows them.
    """
    found: dict[str, tuple[tuple[bool, float], dict[str, Any]]] = {}
    root = zarr.open_group(path, mode="r")
    members = {"": root, **dict(root.members(None))}
    for name, group in sorted(members.items()):
        if not isinstance(group, zarr.Group) or "multiscales" not in group.attrs:
            continue
        layout: Any = group.attrs["multiscales"]
        finest = layout["layout"][0]
        step = abs(float(finest["spatial:transform"][0]))
        auxiliary = bool(name) and not name.startswith("measurements")
        level: Any = group[finest["asset"]]
        for variable, array in level.arrays():
            rank = (auxiliary, step)
            if array.ndim != 2 or "flag_masks" in array.attrs:  # noqa: PLR2004 -- y, x
                continue
            if variable not in found or rank < found[variable][0]:
                found[variable] = (rank, _describe(f"{name}/{variable}".lstrip("/"), array))
    return {name: entry for name, (_, entry) in found.items()}


def _describe(path: str, array: Any) -> dict[str, Any]:
    attrs = dict(array.attrs)
    return {"path": path, **{key: attrs[key] for key in KEPT if key in attrs}}
