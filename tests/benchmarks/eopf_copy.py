"""Read a product with eopf and write it back packed; runs in the reference environment.

Prints the seconds of the work, imports left out.

Usage: python eopf_copy.py IN.zarr OUT_FOLDER
"""

import sys
import time
from pathlib import Path

from eopf.common.constants import OpeningMode
from eopf.store.zarr import EOZarrStore


def main() -> None:
    started = time.perf_counter()
    source = EOZarrStore(sys.argv[1], mask_and_scale=False)
    product = source.load()
    Path(sys.argv[2]).mkdir()
    target = EOZarrStore(sys.argv[2], mask_and_scale=False)
    target.open(mode=OpeningMode.CREATE_OVERWRITE)
    target["copy"] = product
    target.close()
    source.close()
    print(f"seconds {time.perf_counter() - started:.3f}")


if __name__ == "__main__":
    main()
