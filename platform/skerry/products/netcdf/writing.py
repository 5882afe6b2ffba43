"""Write a product as one NetCDF-4 file, CF-1.11, strip by strip."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.core.progress import Progress
from skerry.products.coding.cf import encode, list_reserved
from skerry.products.coding.codecs import Codec, codec_of
from skerry.products.coding.json_values import set_apart
from skerry.products.netcdf.attributes import (
    GROUP_RESERVED,
    RELATED,
    RESERVED,
    put_attributes,
)
from skerry.products.stores.strips import Counter, iterate_blocks
from skerry.storage.writing import make_aside

CONVENTIONS = "CF-1.11"
USUAL = Codec("zlib", 4, "byte")
"""The codec of variables whose own NetCDF does not have."""


def write_netcdf(
    product: xr.DataTree | xr.Dataset,
    path: Path | str,
    *,
    chunks: Mapping[str, int] | None = None,
    codec: Codec | None = None,
    progress: Progress | None = None,
) -> None:
    """Write a product as one NetCDF-4 file.

    Values are packed as their encoding says, and stored in its chunks. Strips of rows are
    computed and written one after the other, so memory stays bounded. The file appears under its
    name only when complete.

    Parameters
    ----------
    product
        A tree as `open_product` gives it, or one dataset.
    path
        The file to make.
    chunks
        Dimension to chunk length, for all variables; by default each variable's own.
    codec
        Compression for all variables (``zlib:5``, ``zlib:5:byte``, ``none``); by default each
        variable's own where NetCDF has it, else ``zlib:4:byte``.
    progress
        Told the fraction done and the variable written.

    Raises
    ------
    ConflictError
        If `path` exists, or another writer makes it meanwhile.
    InvalidInputError
        If a variable has a type that NetCDF-4 has not (complex, float16), or NetCDF-4 has no
        such codec.
    """
    import h5netcdf  # type: ignore[import-untyped]

    if codec is not None:
        codec.to_hdf5()
    wishes = _Wishes(dict(chunks or {}), codec)
    tree = product if isinstance(product, xr.DataTree) else xr.DataTree(product)
    with (
        make_aside(Path(path)) as aside,
        h5netcdf.File(aside, "w", libver="latest") as file,
    ):
        _write_groups(file, tree, wishes, progress)


@dataclass(frozen=True)
class _Wishes:
    """How variables are to be stored, where that is not as they were."""

    chunks: dict[str, int]
    codec: Codec | None


def _write_groups(file: Any, tree: xr.DataTree, wishes: _Wishes, progress: Progress | None) -> None:
    sinks: dict[str, Any] = {}
    blocks: dict[str, xr.Variable] = {}
    for node in tree.subtree:
        group = file if node.path == "/" else file.create_group(node.path)
        data = node.to_dataset(inherit=False)
        variables, attrs = _encode_dataset(data)
        attrs = set_apart(attrs, (*RESERVED, *GROUP_RESERVED))
        extra = {"Conventions": CONVENTIONS} if node.path == "/" else {}
        put_attributes(group, {**attrs, **extra}, None)
        unlimited = set(data.encoding.get("unlimited_dims", ()))
        _create_dimensions(group, data, unlimited)
        for name, variable in variables.items():
            label = f"{node.path.rstrip('/')}/{name}"
            sinks[label] = _create_variable(group, label, variable, wishes, unlimited)
            blocks[label] = variable
    counter = Counter(progress, total=sum(int(item.size) for item in blocks.values()))
    for label, place, block in iterate_blocks(blocks):
        sinks[label][place or ...] = block
        counter.add(int(np.size(block)), label.rpartition("/")[2])


def _create_dimensions(group: Any, data: xr.Dataset, unlimited: set[Any]) -> None:
    for name, size in data.sizes.items():
        if _visible_size(group, str(name)) != size:
            group.dimensions[str(name)] = None if name in unlimited else int(size)
            if name in unlimited:
                group.resize_dimension(str(name), int(size))


def _visible_size(group: Any, name: str) -> int | None:
    """Return the size of a dimension that a group has or inherits."""
    while group is not None:
        if name in group.dimensions:
            return int(group.dimensions[name].size)
        group = group.parent if group.name != "/" else None
    return None


def _encode_dataset(data: xr.Dataset) -> tuple[dict[str, xr.Variable], dict[str, Any]]:
    """Return variables as they stand on disk, with CF's ``coordinates`` and ``grid_mapping``."""
    encoded = {
        str(name): encode(str(name), item, _set_apart(item, data))
        for name, item in data.variables.items()
    }
    for name, item in encoded.items():
        own = item.encoding.get("grid_mapping")
        if own is None and "spatial_ref" in data.coords and {"y", "x"} <= set(item.dims):
            own = "spatial_ref"
        if own is not None and name in data.data_vars:
            item.attrs["grid_mapping"] = own
    mappings = {item.attrs.get("grid_mapping") for item in encoded.values()}
    # Grid mappings are named by `grid_mapping`, never in CF's list of coordinates.
    listed = [str(name) for name in data.coords if name not in mappings]
    named = xr.Dataset(encoded, attrs=data.attrs).set_coords(listed)
    variables, attrs = xr.conventions.encode_dataset_coordinates(named)
    return {str(name): item for name, item in variables.items()}, dict(attrs)


def _set_apart(variable: xr.Variable, data: xr.Dataset) -> dict[str, Any]:
    """Return attributes, those apart that NetCDF has another use for or that name what is gone."""
    loose = [
        key
        for key in RELATED
        if key in variable.attrs
        and not {part for part in str(variable.attrs[key]).split() if not part.endswith(":")}
        <= set(data.variables)
    ]
    return set_apart(variable.attrs, (*RESERVED, *loose, *list_reserved(variable)))


def _create_variable(
    group: Any, label: str, variable: xr.Variable, wishes: _Wishes, unlimited: set[Any]
) -> Any:
    import h5py  # type: ignore[import-untyped]

    text = variable.dtype.kind in "UOTS"
    dtype = h5py.string_dtype() if text else variable.dtype
    if dtype.kind == "c" or (dtype.kind == "f" and dtype.itemsize not in (4, 8)):
        raise InvalidInputError(
            f"{label} holds {variable.dtype}, which NetCDF-4 has not.",
            remedy="Turn it into float32 or float64, or write Zarr.",
        )
    options: dict[str, Any] = {}
    if variable.ndim and variable.size:
        options = _choose_codec(variable, wishes.codec).to_hdf5()
        options["chunks"] = _choose_chunks(variable, wishes.chunks, unlimited)
    attrs = dict(variable.attrs)
    fill = attrs.pop("_FillValue", None)
    if fill is not None and not text:
        options["fillvalue"] = fill
    name = label.rpartition("/")[2]
    sink = group.create_variable(name, variable.dims, dtype, **options)
    put_attributes(sink, attrs, None if text else dtype)
    return sink


def _choose_codec(variable: xr.Variable, codec: Codec | None) -> Codec:
    own = codec or codec_of(variable.encoding)
    if own is None:
        return USUAL
    try:
        own.to_hdf5()
    except InvalidInputError:
        return USUAL
    return own


def _choose_chunks(
    variable: xr.Variable, chunks: dict[str, int], unlimited: set[Any]
) -> tuple[int, ...]:
    own = variable.encoding.get("chunks")
    if own is not None and len(own) == variable.ndim:
        wanted = [int(item) for item in own]
    else:
        wanted = list(variable.shape)
        for axis in range(max(0, variable.ndim - 2), variable.ndim):
            wanted[axis] = min(wanted[axis], 512)
    wanted = [
        int(chunks.get(str(name), item)) for name, item in zip(variable.dims, wanted, strict=True)
    ]
    if unlimited & set(variable.dims):
        return tuple(max(1, item) for item in wanted)
    return tuple(max(1, min(item, size)) for item, size in zip(wanted, variable.shape, strict=True))
