"""Convert a product with eopf-geozarr, sharded and packed; runs in its own environment.

Prints the seconds of the work, imports left out.

Usage: python eopf_geozarr_convert.py IN.zarr OUT.zarr
"""

import sys
import time

from eopf_geozarr.conversion.open_source import open_source_datatree
from eopf_geozarr.s2_optimization.s2_converter import convert_s2_optimized


def main() -> None:
    started = time.perf_counter()
    product = open_source_datatree(sys.argv[1])
    convert_s2_optimized(
        product, output_path=sys.argv[2], enable_sharding=True, spatial_chunk=256,
        compression_level=3, validate_output=False, keep_scale_offset=True,
    )  # fmt: skip
    print(f"seconds {time.perf_counter() - started:.3f}")


if __name__ == "__main__":
    main()
