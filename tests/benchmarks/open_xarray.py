"""Open a NetCDF file with xarray; prints the seconds as JSON, imports left out.

Usage: python -m tests.benchmarks.open_xarray FILE
"""

import json
import sys
import time

import dask.array
import h5netcdf  # type: ignore[import-untyped]  # noqa: F401
import xarray as xr


def main() -> None:
    dask.array.zeros(1)  # type: ignore[no-untyped-call]
    started = time.perf_counter()
    xr.open_datatree(sys.argv[1], engine="h5netcdf", chunks={}, decode_coords="all")
    print(json.dumps([time.perf_counter() - started]))


if __name__ == "__main__":
    main()
