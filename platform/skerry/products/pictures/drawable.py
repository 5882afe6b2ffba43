"""Find the variables of a written product that a map can draw."""

from pathlib import Path
from typing import Any

import numpy as np
import zarr

from skerry.products.coding.stored_numbers import read_numbers, read_packing

KEPT = (
    "long_name", "units", "comment", "display_min", "display_max", "colormap",
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
        Name to ``path`` (multiscale group and variable), ``long_name``, ``units``, ``display_min``,
        ``display_max``, ``colormap`` and, for classes, ``flag_values``, ``flag_meanings``,
        ``flag_colors``: the form of an item's ``skerry:variables``. Numbers that come without a
        range get their 2nd and 98th percentile. A variable that several groups have stands for
        its finest resolution, and a measurement before anything else of that name; measurements
        come first. Variables whose bits are flags are left out: no palette shows them.
    """
    best: dict[str, tuple[tuple[bool, float], dict[str, Any]]] = {}
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
            if variable not in best or rank < best[variable][0]:
                coarsest = group[f"{layout['layout'][-1]['asset']}/{variable}"]
                entry = {"path": f"{name}/{variable}".lstrip("/"), **_describe(array, coarsest)}
                best[variable] = (rank, entry)
    # stable sorting keeps the store's order within measurements and within the other groups
    ordered = sorted(best, key=lambda variable: best[variable][0][0])
    return {variable: best[variable][1] for variable in ordered}


def _describe(array: Any, coarsest: Any) -> dict[str, Any]:
    facts = read_numbers(array.dtype, array.attrs, array.path).attrs
    entry = {key: facts[key] for key in KEPT if key in facts}
    if "flag_values" not in entry and not {"display_min", "display_max"} <= set(entry):
        entry = _find_range(coarsest) | entry
    return entry


def _find_range(coarsest: Any) -> dict[str, float]:
    """Return the 2nd and the 98th percentile of an overview as the range."""
    packing = read_packing(coarsest.dtype, coarsest.attrs, coarsest.path)
    values = packing.decode(np.asarray(coarsest[...]))
    values = values[np.isfinite(values)]
    if not values.size:
        return {}
    low, high = (float(f"{item:.3g}") for item in np.percentile(values, (2, 98)))
    return {"display_min": low, "display_max": high}
