"""What `writing` measures, one subject a process: prints the seconds of its work.

Usage: python -m tests.benchmarks.writing_subjects SUBJECT OUT IN [URL USER]
"""

import itertools
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numcodecs
import numpy as np
import zarr

import skerry.products.cogs.writing
import skerry.products.eopf.writing
import skerry.products.geozarr.writing
import skerry.products.netcdf.writing  # noqa: F401 -- imports are left out of the time
from skerry.client.login import Login
from skerry.client.session import Session
from skerry.pipelines.importing import import_product
from skerry.products import open_product, write_product

CHUNK, SHARD = 256, 2048


def to_geozarr(out: Path, place: Path) -> None:
    """All variables with all levels, sharded, packed integers kept."""
    write_product(open_product(place), out, form="geozarr", chunk=CHUNK, shard=SHARD)


def code_alone(_out: Path, place: Path) -> None:
    """Decode every large chunk and encode it in chunks of `CHUNK`, on all cores; write nothing.

    The coarser levels, a third as much again, are encoded from the same numbers.
    """
    group = zarr.open_group(place, mode="r")
    arrays = [item for _, item in group.members(max_depth=None) if isinstance(item, zarr.Array)]
    work = [
        (item, place / item.path / ".".join(map(str, key)))
        for item in arrays
        if item.ndim > 1
        for key in np.ndindex(*item.cdata_shape)
    ]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda pair: _code_chunk(*pair), work))


def _code_chunk(array: Any, file: Path) -> None:
    codec = numcodecs.Blosc("zstd", 3, shuffle=2)
    numbers = np.empty(array.chunks, array.dtype)
    codec.decode(file.read_bytes(), out=numbers)
    rows, columns = numbers.shape[-2:]
    places = itertools.product(range(0, rows, CHUNK), range(0, columns, CHUNK))
    for count, (row, column) in enumerate(places, start=1):
        block = np.ascontiguousarray(numbers[..., row : row + CHUNK, column : column + CHUNK])
        for _ in range(1 + (count % 3 == 0)):
            codec.encode(block)


def decode_safe(_out: Path, place: Path) -> None:
    """Let GDAL decode every JPEG 2000 file of a product, with all cores; write nothing."""
    import rasterio

    with rasterio.Env(GDAL_NUM_THREADS="ALL_CPUS"):
        for file in sorted(place.rglob("*.jp2")):
            with rasterio.open(file) as source:
                source.read()


def import_once(place: Path, url: str, user: str) -> None:
    """Import a product and take the item away again; print the seconds of the import."""
    with Session(Login(url, os.environ["SKERRY_TOKEN"], user)) as session:
        started = time.perf_counter()
        done = import_product(place, session=session)
        seconds = time.perf_counter() - started
        session.request("DELETE", done.reference.path)
    print(f"seconds {seconds:.3f}")


def main() -> None:
    subject, out, place = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if subject == "import":
        import_once(place, *sys.argv[4:])
        return
    subjects = {"geozarr": to_geozarr, "limit": code_alone, "decode-safe": decode_safe}
    started = time.perf_counter()
    if subject in subjects:
        subjects[subject](out, place)
    else:
        write_product(open_product(place), out, form=subject.removeprefix("safe-"))
    print(f"seconds {time.perf_counter() - started:.3f}")


if __name__ == "__main__":
    main()
