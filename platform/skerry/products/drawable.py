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
        groups have stands under its name for the finest resolution and nowhere else, except that
        masks (``detector_footprint``, ``quality/mask``) never hide a measurement.
    """
    found: dict[str, tuple[float, dict[str, Any]]] = {}
    root = zarr.open_group(path, mode="r")
    groups = {"": root, **{name: one for name, one in root.members(None) if _is_group(one)}}
    for name, group in sorted(groups.items()):
        if "multiscales" not in group.attrs:
            continue
        layout: Any = group.attrs["multiscales"]
        finest = layout["layout"][0]
        step = abs(finest["spatial:transform"][0])
        for variable, array in group[finest["asset"]].arrays():
            if array.ndim != 2:  # noqa: PLR2004 -- y, x
                continue
            rank = (not name.startswith("measurements") and name != "", step)
            if variable not in found or rank < found[variable][0]:
                found[variable] = (rank, _describe(f"{name}/{variable}".lstrip("/"), array))
    return {name: entry for name, (_, entry) in found.items()}


def _is_group(member: Any) -> bool:
    return isinstance(member, zarr.Group)


def _describe(path: str, array: Any) -> dict[str, Any]:
    attrs = dict(array.attrs)
    return {"path": path, **{key: attrs[key] for key in KEPT if key in attrs}}
