"""What a benchmark measures of ours, one subject a process: prints the seconds of its work.

Usage: python -m tests.benchmarks.subjects SUBJECT OUT IN [IN ...]

Imports are left out of the time, as they are of a peer's.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from skerry.processors.chlorophyll import ndci
from skerry.processors.composite import composite_products
from skerry.processors.flags import select_flags
from skerry.processors.turbidity import turbidity_dogliotti2015
from skerry.products import open_product
from skerry.products.eopf import write_eopf_zarr
from skerry.products.regridding import regrid_raster

R10, R20 = "measurements/reflectance/r10m", "measurements/reflectance/r20m"
SCL = "conditions/mask/l2a_classification/r20m"
COMPOSITE_BANDS = ("b03", "b04", "b05", "b8a")
WATER = "water"


def copy(out: Path, place: Path) -> None:
    """Read a product and write it back packed."""
    write_eopf_zarr(open_product(place), out, zarr_format=2, profile="2025")


def indices(out: Path, place: Path) -> None:
    """Turbidity, NDCI and a water mask of a whole scene at 10 m."""
    red, nir, edge, classes = _read_bands(place)
    water = select_flags(classes, WATER)
    results = {
        "turbidity": turbidity_dogliotti2015(red, nir).where(water),
        "ndci": ndci(red, edge).where(water),
        "water": water,
    }
    _write(out, results)


def indices_floor(out: Path, place: Path) -> None:
    """Read the same bands and write as many numbers, with no arithmetic."""
    red, nir, edge, classes = _read_bands(place)
    both = red.copy(data=red.data.map_blocks(lambda one, _: one, nir.data, dtype=red.dtype))
    _write(out, {"turbidity": both, "ndci": edge, "water": classes})


def composite(out: Path, *places: Path) -> None:
    """The best of three days in four bands at 20 m."""
    result = composite_products(
        [open_product(place) for place in places],
        group=R20, variables=list(COMPOSITE_BANDS), days=3, method="most-recent",
        flag_group=SCL, valid_flags="water | vegetation | not_vegetated",
    )  # fmt: skip
    _write(out, dict(result.data_vars))


def composite_floor(out: Path, *places: Path) -> None:
    """Read the same bands and classes of all days; write one day's, with no arithmetic."""
    trees = [open_product(place) for place in places]
    bands = {name: trees[-1][R20][name] for name in COMPOSITE_BANDS}
    for tree in trees[:-1]:
        for name in COMPOSITE_BANDS:
            _read_chunks(tree[R20][name])
    for tree in trees:
        _read_chunks(tree[SCL]["scl"])
    _write(out, bands)


def _read_chunks(variable: xr.DataArray) -> None:
    for block in variable.data.blocks.ravel():
        block.compute(scheduler="synchronous")


def _read_bands(place: Path) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray, xr.DataArray]:
    """Return b04, b08, b05 and the classes, all on the 10 m grid."""
    tree = open_product(place)
    fine = tree[R10]
    red = fine["b04"]
    return red, fine["b08"], _refine(tree, R20, "b05", red), _refine(tree, SCL, "scl", red)


def _refine(tree: xr.DataTree, path: str, name: str, fine: xr.DataArray) -> xr.DataArray:
    """Bring a variable of 20 m to the 10 m grid."""
    data = tree[path].to_dataset()[[name]]
    return regrid_raster(data, fine.odc.geobox, method="nearest", chunk=fine.chunks[0][0])[name]


def _write(out: Path, results: dict[str, xr.DataArray]) -> None:
    """Write float32 and, for masks, bytes: the same number types for a subject and its floor."""
    data = xr.Dataset(
        {name: one.astype(np.uint8) if one.dtype == bool else one for name, one in results.items()}
    ).drop_encoding()
    write_eopf_zarr(xr.DataTree.from_dict({"/measurements": data}, name=out.stem), out)


SUBJECTS: dict[str, Callable[..., None]] = {
    "copy": copy,
    "indices": indices,
    "indices-floor": indices_floor,
    "composite": composite,
    "composite-floor": composite_floor,
}


def main() -> None:
    subject, out, *places = sys.argv[1:]
    started = time.perf_counter()
    SUBJECTS[subject](Path(out), *(Path(place) for place in places))
    print(f"seconds {time.perf_counter() - started:.3f}")


if __name__ == "__main__":
    main()
