"""What a benchmark measures of ours, one subject a process: prints the seconds of its work.

Usage: python -m tests.benchmarks.subjects SUBJECT OUT IN [IN ...]

Imports are left out of the time, as they are of a peer's. A floor reads what its subject reads and
writes what its subject wrote, the same numbers, with the same reader, scheduler, chunks and codec:
only the arithmetic is missing. It takes the numbers from plain files, mapped into memory.
"""

import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import dask.array as da
import numpy as np
import xarray as xr
import zarr

from skerry.cli.main import run
from skerry.pipelines import converting  # noqa: F401 -- imports are left out of the time
from skerry.processors.chlorophyll import ndci
from skerry.processors.composite import composite_products
from skerry.processors.flags import select_flags
from skerry.processors.turbidity import turbidity_dogliotti2015
from skerry.products import open_product
from skerry.products.eopf.writing import write_eopf_zarr
from skerry.products.regridding import regrid_raster

R10, R20 = "measurements/reflectance/r10m", "measurements/reflectance/r20m"
SCL = "conditions/mask/l2a_classification/r20m"
COMPOSITE_BANDS = ("b03", "b04", "b05", "b8a")
WATER = "water"


def copy(out: Path, place: Path) -> None:
    """Read a product and write it back packed."""
    write_eopf_zarr(open_product(place), out, zarr_format=2, profile="2025")


def rechunk(out: Path, place: Path) -> None:
    """`skerry convert` with other chunks: the numbers of the bands are decoded and encoded."""
    assert run(["convert", str(place), str(out), "--format", "eopf-zarr", "--chunks", "1830"]) == 0


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
    """Read the same bands; write the same results."""
    _write(out, _recall(_folder_beside(out, "indices"), _read_bands(place)))


def composite(out: Path, *places: Path, method: str = "most-recent") -> None:
    """The last valid of three days in four bands at 20 m."""
    result = composite_products(
        [open_product(place) for place in places],
        group=R20, variables=list(COMPOSITE_BANDS), days=3, method=method,
        flag_group=SCL, valid_flags="water | vegetation | not_vegetated",
    )  # fmt: skip
    _write(out, dict(result.data_vars))


def composite_median(out: Path, *places: Path) -> None:
    """The median of three days in four bands at 20 m."""
    composite(out, *places, method="median")


def composite_floor(out: Path, *places: Path) -> None:
    """Read the same bands and classes of all days; write the same results."""
    trees = [open_product(place) for place in places]
    read = [tree[R20][name] for tree in trees for name in COMPOSITE_BANDS]
    read += [tree[SCL]["scl"] for tree in trees]
    _write(out, _recall(_folder_beside(out, "composite"), read))


def keep_results(product: Path) -> None:
    """Keep a subject's results as plain files, for its floor."""
    folder = _folder_beside(product, product.stem)
    folder.mkdir()
    for name, array in zarr.open_group(product / "measurements", mode="r").arrays():
        if array.ndim > 1:
            np.save(folder / f"{name}.npy", array[...])


def _folder_beside(out: Path, subject: str) -> Path:
    return out.with_name(f"{subject}.results")


def _recall(folder: Path, read: Sequence[xr.DataArray]) -> dict[str, xr.DataArray]:
    """Return results kept in `folder`; computing the first of them reads all of `read` as well."""
    grid = read[0]
    numbers = [da.asarray(item.data).rechunk(grid.chunks) for item in read]
    results = {}
    for file in sorted(folder.glob("*.npy")):
        array = np.load(file, mmap_mode="r")
        leading = array.ndim - grid.ndim
        values = da.from_array(array.reshape(array.shape[leading:]), chunks=grid.chunks)
        if not results:
            values = da.map_blocks(_take_first, values, *numbers, dtype=array.dtype)
        dims = ("time", *grid.dims)[-array.ndim :]
        results[file.stem] = xr.DataArray(values[(None,) * leading], dims=dims).assign_coords(
            {name: grid.coords[name] for name in grid.dims}
        )
    return results


def _take_first(values: np.ndarray, *_: np.ndarray) -> np.ndarray:
    return np.array(values)


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
        {
            name: item.astype(np.uint8) if item.dtype == bool else item
            for name, item in results.items()
        }
    ).drop_encoding()
    write_eopf_zarr(xr.DataTree.from_dict({"/measurements": data}, name=out.stem), out)


SUBJECTS: dict[str, Callable[..., None]] = {
    "copy": copy,
    "rechunk": rechunk,
    "indices": indices,
    "indices-floor": indices_floor,
    "composite": composite,
    "composite-median": composite_median,
    "composite-floor": composite_floor,
}


def main() -> None:
    subject, out, *places = sys.argv[1:]
    started = time.perf_counter()
    SUBJECTS[subject](Path(out), *(Path(place) for place in places))
    print(f"seconds {time.perf_counter() - started:.3f}")


if __name__ == "__main__":
    main()
