"""xpublish-tiles over a GeoZarr: every level a dataset of its own, so the client picks the level.

Usage: python serve_xpublish.py PORT STORE
"""

import sys

import uvicorn
import xarray as xr
import xpublish
import zarr
from xpublish_tiles.xpublish.tiles.plugin import TilesPlugin


def main(port: int, store: str) -> None:
    levels = zarr.open_group(store, mode="r").attrs["multiscales"]["layout"]
    datasets = {}
    for level in levels:
        name = level["asset"]
        data = xr.open_zarr(store, group=name, consolidated=False, chunks=None, decode_coords="all")
        data.attrs["_xpublish_id"] = f"level-{name}"
        datasets[f"level-{name}"] = data
    rest = xpublish.Rest(datasets, plugins={"tiles": TilesPlugin()})
    uvicorn.run(rest.app, host="127.0.0.1", port=port, access_log=False, log_level="warning")


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
