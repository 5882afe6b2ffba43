"""Print, as JSON, what rio-tiler's GeoZarr reader sees in a folder; runs in the peers' environment.

Usage: ``.peers/bin/python tests/peers/read_geozarr.py FOLDER VARIABLE``, where
VARIABLE is ``group:name``, or the name alone at the root.
"""

import json
import sys
import warnings

import zarr

with warnings.catch_warnings():
    # The reader announces itself as experimental.
    warnings.filterwarnings("ignore", message=".*experimental.*")
    from rio_tiler.experimental.zarr import GroupReader


def main(folder: str, variable: str) -> None:
    group = zarr.open_group(folder, mode="r")
    with GroupReader(input=group) as reader:
        name, _, short = variable.rpartition(":")
        metadata = reader.get_group_metadata(name or None)
        levels = metadata["arrays"][short]
        seen = {
            "crs": reader.crs.to_epsg(),
            "bounds": list(reader.bounds),
            "variable_bounds": list(reader.get_bounds(variables=variable, crs=reader.crs)),
            "variables": sorted(one["long_name"] for one in reader.list_variables()),
            "levels": [
                {
                    "shape": [one["height"], one["width"]],
                    "transform": list(one["transform"])[:6],
                    "crs": one["crs"].to_epsg(),
                }
                for one in levels
            ],
        }
    json.dump(seen, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
