"""Open a product with eopf; runs in the reference environment.

Prints the seconds as JSON (a list of one), imports left out.

Usage: python open_eopf.py PRODUCT
"""

import json
import sys
import time
import warnings

import rasterio  # noqa: F401 -- before netCDF4, beside which it crashes when imported later
from eopf.store.safe import EOSafeStore
from eopf.store.zarr import EOZarrStore


def main() -> None:
    warnings.simplefilter("ignore")
    place = sys.argv[1]
    started = time.perf_counter()
    store = EOZarrStore(place) if place.endswith(".zarr") else EOSafeStore(place)
    store.open()
    store.load()
    store.close()
    seconds = [time.perf_counter() - started]
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
