"""Open a product twice; prints the seconds of each as JSON, imports left out.

Usage: python -m tests.benchmarks.open_ours PRODUCT
"""

import json
import sys
import time

import skerry.products.netcdf.opening
import skerry.products.safe.reading
import skerry.products.zarr_opening  # noqa: F401
from skerry.products.opening import open_product


def main() -> None:
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        open_product(sys.argv[1])
        seconds.append(time.perf_counter() - started)
    print(json.dumps(seconds))


if __name__ == "__main__":
    main()
