"""Write a product as GeoZarr: Zarr v3 with multiscales, spatial and proj conventions."""

import shutil
import warnings
from pathlib import Path

import xarray as xr
import zarr
from zarr.storage import LocalStore

from skerry.core.errors import ConflictError, InvalidInputError
from skerry.products.conventions import describe_level
from skerry.products.grids import grid_of, north_up
from skerry.products.levels import CHUNK, Counter, Progress, raster_variables, write_multiscale
from skerry.products.zarr_attributes import plain


def write_geozarr(
    product: xr.DataTree | xr.Dataset,
    path: Path | str,
    *,
    chunk: int = CHUNK,
    leave_out: tuple[str, ...] = (),
    progress: Progress | None = None,
) -> None:
    """Write a product as a GeoZarr folder, with overviews.

    Every group with rasters (dimensions ``y`` and ``x``, a coordinate reference system) becomes a
    multiscale group with the levels ``0``, ``1``, ... inside; other groups are written as they
    are. Values that were read from packed integers are packed again the same way; rows run from
    north to south; coordinates of text are left out. Rows are computed and written strip by
    strip, so memory stays bounded. The folder appears under its name only when complete.

    Parameters
    ----------
    product
        A tree as `open_product` gives it, or one dataset ``(y, x)``.
    path
        The folder to make.
    chunk
        Edge of a chunk in pixels.
    leave_out
        Group paths that are not written, with all below them, such as ``quality/mask``.
    progress
        Told the fraction done and the variable written.

    Raises
    ------
    ConflictError
        If `path` exists.
    InvalidInputError
        If `product` has no raster.
    """
    target = Path(path)
    if target.exists():
        raise ConflictError(
            f"{target} exists already.", remedy="Remove it or write to another place."
        )
    partial = target.with_name(f".{target.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        _write_store(_list_groups(product, leave_out), partial, chunk, progress)
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _list_groups(
    product: xr.DataTree | xr.Dataset, leave_out: tuple[str, ...]
) -> dict[str, xr.Dataset]:
    if isinstance(product, xr.Dataset):
        return {"": _arrange(product)}
    skipped = tuple(f"{one.strip('/')}/" for one in leave_out)
    return {
        node.path.strip("/"): _arrange(node.to_dataset(inherit=False))
        for node in product.subtree
        if not f"{node.path.strip('/')}/".startswith(skipped or ("\0",))
    }


def _arrange(data: xr.Dataset) -> xr.Dataset:
    """Return the dataset north up, with rows and columns last."""
    if {"y", "x"} <= set(data.dims):
        return north_up(data).transpose(..., "y", "x")
    return data


def _write_store(
    groups: dict[str, xr.Dataset], folder: Path, chunk: int, progress: Progress | None
) -> None:
    grids = {name: grid for name, data in groups.items() if (grid := grid_of(data)) is not None}
    if not grids:
        raise InvalidInputError(
            "The product has no raster: no group has dimensions y and x, regular coordinates and "
            "a coordinate reference system.",
            remedy="Name the dimensions y and x and give the system with "
            "dataset.rio.write_crs('EPSG:...').",
        )
    store = LocalStore(folder)
    root = zarr.create_group(store=store, zarr_format=3)
    counter = Counter(progress)
    counter.total = sum(
        int(one.size) * 4 // 3 for name in grids for one in raster_variables(groups[name])
    )
    for name, data in groups.items():
        if name in grids:
            write_multiscale(_make_group(root, name), data, grids[name], chunk, counter)
        elif data.variables:
            data.to_zarr(store, group=name or None, mode="a", zarr_format=3, consolidated=False)
        else:
            _make_group(root, name).attrs.update(plain(data.attrs))
    if "" not in grids and len({one.boundingbox for one in grids.values()}) == 1:
        # The whole product covers one box: say so at the top, on the finest grid.
        finest = min(grids.values(), key=lambda one: abs(one.affine.a))
        root.attrs.update(describe_level(finest))
    with warnings.catch_warnings():
        # Every reader of Zarr v3 that knows consolidated metadata reads these; others pass by.
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
        zarr.consolidate_metadata(store)


def _make_group(root: zarr.Group, name: str) -> zarr.Group:
    return root.require_group(name) if name else root
