"""What rio-tiler's GeoZarr `GroupReader` sees in stores, as JSON on standard output.

Runs in the peers' environment. Usage: python describe_geozarr.py STORE…
"""

import json
import sys
import warnings
from typing import Any

import zarr
from rasterio.transform import array_bounds
from rio_tiler.errors import RioTilerExperimentalWarning

warnings.simplefilter("error")
warnings.filterwarnings(
    "ignore", message="This module is experimental", category=RioTilerExperimentalWarning
)


def describe(level: dict[str, Any]) -> dict[str, Any]:
    """Return one array of one level."""
    return {
        "crs": level["crs"].to_string(),
        "shape": [level["height"], level["width"]],
        "transform": list(level["transform"])[:6],
        "bounds": list(array_bounds(level["height"], level["width"], level["transform"])),
    }


def describe_store(path: str) -> dict[str, Any]:
    """Return each group's place and levels."""
    from rio_tiler.experimental.zarr import GroupReader

    root = zarr.open_group(path, mode="r")
    groups: dict[str, Any] = {}
    with GroupReader(input=root) as whole:
        for variable in whole.list_variables():
            group = variable["group"] or ""
            arrays = whole.get_group_metadata(group or None)["arrays"]
            groups.setdefault(group, {"multiscale": variable["multiscale"], "variables": {}})
            groups[group]["variables"][variable["name"]] = [
                describe(level) for level in arrays[variable["name"]]
            ]
    for name, result in groups.items():
        with GroupReader(input=root[name] if name else root) as reader:
            result["crs"] = reader.crs.to_string()
            result["bounds"] = list(reader.bounds)
            result["transform"] = list(reader.transform)[:6]
            result["zooms"] = [reader.minzoom, reader.maxzoom]
    return groups


if __name__ == "__main__":
    json.dump([describe_store(path) for path in sys.argv[1:]], sys.stdout)
