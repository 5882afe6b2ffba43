"""Write a product as GeoZarr: Zarr v3 with multiscales, spatial and proj conventions."""

from pathlib import Path
from typing import Any

import xarray as xr
import zarr

from skerry.core.memory import MEMORY_BYTES
from skerry.core.progress import Progress
from skerry.products.coding.cf import find_coding
from skerry.products.coding.codecs import Codec
from skerry.products.coding.zarr_conventions import describe_level
from skerry.products.filling.layout import NO_SHARDS, Edge, Wishes
from skerry.products.filling.loop import Filling, fill
from skerry.products.filling.zarr_draft import ZarrDraft, put_attributes
from skerry.products.geozarr.attributes import attributes_of_group, encode_for_zarr, write_other
from skerry.products.geozarr.levels import CHUNK, make_multiscale, raster_variables
from skerry.products.grids import grid_of, north_up, refuse_swaths
from skerry.products.stores.stored import StoredArray, make_lazy
from skerry.storage.writing import make_aside


def write_geozarr(
    product: xr.DataTree | xr.Dataset,
    path: Path | str,
    *,
    chunk: Edge = CHUNK,
    shard: Edge = NO_SHARDS,
    codec: Codec | str | None = None,
    leave_out: tuple[str, ...] = (),
    progress: Progress | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> None:
    """Write a product as a GeoZarr folder, with overviews.

    Every group with rasters (dimensions ``y`` and ``x``, a coordinate reference system) becomes a
    multiscale group with the levels ``0``, ``1``, ... inside; other groups are written as they
    are. Values that were read from packed integers are packed again the same way; rows run from
    north to south. All levels are made in one pass over the numbers. The folder appears under
    its name only when complete.

    Parameters
    ----------
    product
        A tree as `open_product` gives it, or one dataset ``(y, x)``.
    path
        The folder to make.
    chunk
        Edge of a chunk in pixels; None for each variable's own chunks, 512 where it has none.
    shard
        Edge of a shard in pixels, a multiple of the chunk's; 0 for no shards; None for each
        variable's own.
    codec
        Compression; by default each variable's own where Zarr 3 has it, else ``blosc-zstd:3``.
    leave_out
        Group paths that are not written, with all below them, such as ``quality/mask``.
    progress
        Called with the completed fraction and the variable that was written.
    memory_bytes
        Approximate limit of memory for writing, in addition to what the process already uses.

    Raises
    ------
    ConflictError
        If `path` exists, or another writer makes it meanwhile.
    InvalidInputError
        If `product` has no raster (a swath), Zarr 3 has no such codec, or `shard` is not a multiple
        of `chunk` (of a variable's own chunks where that is None).
    """
    wishes = Wishes.of(chunk, shard, codec)
    if wishes.codec is not None:
        wishes.codec.to_zarr3()
    tree = product if isinstance(product, xr.DataTree) else xr.DataTree(product)
    refuse_swaths(tree, "GeoZarr")
    with make_aside(Path(path)) as folder:
        fill(_make_store(_list_groups(tree, leave_out), folder, wishes), memory_bytes, progress)


def read_written(
    product: xr.DataTree | xr.Dataset, path: Path | str, *, leave_out: tuple[str, ...] = ()
) -> xr.DataTree:
    """Return a product whose rasters are read, lazily, from the GeoZarr just written of it.

    What the product says of itself is known and not read again, so it needs no healing. Only the
    numbers of its source may be slow to read, or to compute, a second time.

    Parameters
    ----------
    product, path, leave_out
        As they were given to `write_geozarr`.
    """
    tree = product if isinstance(product, xr.DataTree) else xr.DataTree(product)
    root = zarr.open_group(path, mode="r")
    groups = _list_groups(tree, leave_out)
    for name, data in groups.items():
        if grid_of(data) is None:
            continue
        finest: Any = root[f"{name}/0".strip("/")]
        for raster in raster_variables(data):
            coding = find_coding(str(raster.name), raster.variable)
            decode = None if coding is None else coding.decode
            stored = StoredArray(finest[str(raster.name)], decode, raster.dtype)
            groups[name] = groups[name].assign({raster.name: raster.copy(data=make_lazy(stored))})
    return xr.DataTree.from_dict(
        {name or "/": data for name, data in groups.items()}, name=tree.name
    )


def _list_groups(product: xr.DataTree, leave_out: tuple[str, ...]) -> dict[str, xr.Dataset]:
    skipped = tuple(f"{item.strip('/')}/" for item in leave_out)
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


def _make_store(groups: dict[str, xr.Dataset], folder: Path, wishes: Wishes) -> list[Filling]:
    """Make all groups and arrays; return the rasters, which have no numbers yet."""
    grids = {name: grid for name, data in groups.items() if (grid := grid_of(data)) is not None}
    draft = ZarrDraft(folder, zarr_format=3)
    root = draft.root
    fillings = []
    for name, data in groups.items():
        if name in grids:
            fillings += make_multiscale(draft, _make_group(root, name), data, grids[name], wishes)
        else:
            place = _make_group(root, name)
            put_attributes(place, attributes_of_group(data))
            for item, numbers in encode_for_zarr(data).items():
                write_other(place, item, numbers)
    if "" not in grids and len({item.boundingbox for item in grids.values()}) == 1:
        # The whole product covers one box: write it at the top, on the finest grid.
        finest = min(grids.values(), key=lambda item: abs(item.affine.a))
        put_attributes(root, describe_level(finest))
    draft.write()
    return fillings


def _make_group(root: zarr.Group, name: str) -> zarr.Group:
    return root.require_group(name) if name else root
