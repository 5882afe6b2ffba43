"""Write a product as one NetCDF-4 file, CF-1.11, piece by piece."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.core.memory import MEMORY_BYTES
from skerry.core.progress import Progress
from skerry.products.coding.cf import encode, find_coding, list_reserved
from skerry.products.coding.codecs import Codec
from skerry.products.coding.json_values import set_apart
from skerry.products.filling.layout import Edge, Layout, Wishes
from skerry.products.filling.loop import Filling, fill
from skerry.products.filling.sources import find_source
from skerry.products.grids import renew_place
from skerry.products.netcdf.attributes import (
    GROUP_RESERVED,
    RELATED,
    RESERVED,
    put_attributes,
)
from skerry.products.netcdf.chunks import Hdf5Chunks
from skerry.storage.writing import make_aside

CONVENTIONS = "CF-1.11"
USUAL_CHUNK = 512
LONGEST = 2**31
USUAL = Codec("zlib", 4, "byte")
"""The codec for variables whose own codec NetCDF lacks."""


def write_netcdf(
    product: xr.DataTree | xr.Dataset,
    path: Path | str,
    *,
    chunk: Edge = None,
    codec: Codec | str | None = None,
    progress: Progress | None = None,
    memory_bytes: int = MEMORY_BYTES,
) -> None:
    """Write a product as one NetCDF-4 file.

    Values are packed as their encoding says, and stored in its chunks, which are
    compressed side by side. The file appears under its name only when complete.

    Parameters
    ----------
    product
        A tree as `open_product` gives it, or one dataset.
    path
        The file to make.
    chunk
        Edge of a chunk in pixels, or dimension to length, for all variables; by default each
        variable's own, and 512 where it has none.
    codec
        Compression for all variables (``zlib:5``, ``zlib:5:byte``, ``none``); by default each
        variable's own where NetCDF has it, else ``zlib:4:byte``.
    progress
        Called with the completed fraction and the variable that was written.
    memory_bytes
        Approximate limit of memory for writing, in addition to what the process already uses.

    Raises
    ------
    ConflictError
        If `path` exists, or another writer makes it meanwhile.
    InvalidInputError
        If a variable has a type that NetCDF-4 has not (complex, float16), or NetCDF-4 has no
        such codec.
    """
    wishes = Wishes.of(chunk, None, codec)
    if wishes.codec is not None:
        wishes.codec.to_hdf5()
    tree = product if isinstance(product, xr.DataTree) else xr.DataTree(product)
    with make_aside(Path(path)) as aside, _create_file(aside) as file:
        fill(_make_groups(file, tree, wishes), memory_bytes, progress)


@contextmanager
def _create_file(path: Path) -> Iterator[Any]:
    """Give a new file; where the disk refuses, raise the system's error and not HDF5's."""
    import h5netcdf  # type: ignore[import-untyped]

    try:
        with h5netcdf.File(path, "w", libver="latest") as file:
            yield file
    except RuntimeError as error:
        number = re.search(r"errno = (\d+)", str(error))
        if number is None:
            raise
        code = int(number[1])
        raise OSError(code, os.strerror(code), str(path)) from error


def _make_groups(file: Any, tree: xr.DataTree, wishes: Wishes) -> list[Filling]:
    """Make all groups and variables; return what goes into them."""
    fillings = []
    for node in tree.subtree:
        group = file if node.path == "/" else file.create_group(node.path)
        data = renew_place(node.to_dataset(inherit=False))
        variables, attrs = _encode_dataset(data)
        attrs = set_apart(attrs, (*RESERVED, *GROUP_RESERVED))
        extra = {"Conventions": CONVENTIONS} if node.path == "/" else {}
        put_attributes(group, {**attrs, **extra}, None)
        unlimited = set(data.encoding.get("unlimited_dims", ()))
        _create_dimensions(group, data, unlimited)
        for name, variable in variables.items():
            label = f"{node.path.rstrip('/')}/{name}"
            sink = _create_variable(group, label, variable, wishes, unlimited)
            values = data.variables[name]
            source = find_source(values, find_coding(name, values), variable.dtype)
            fillings.append(Filling(label, variable, sink, source))
    return fillings


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
    """Return variables as stored on disk, with CF's ``coordinates`` and ``grid_mapping``."""
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
    dataset = xr.Dataset(encoded, attrs=data.attrs).set_coords(listed)
    variables, attrs = xr.conventions.encode_dataset_coordinates(dataset)
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
    group: Any, label: str, variable: xr.Variable, wishes: Wishes, unlimited: set[Any]
) -> Hdf5Chunks:
    import h5py  # type: ignore[import-untyped]

    text = variable.dtype.kind in "UOTS"
    dtype = h5py.string_dtype() if text else variable.dtype
    if dtype.kind == "c" or (dtype.kind == "f" and dtype.itemsize not in (4, 8)):
        raise InvalidInputError(
            f"{label} holds {variable.dtype}, which NetCDF-4 cannot hold.",
            remedy="Turn it into float32 or float64, or write Zarr.",
        )
    options: dict[str, Any] = {}
    layout = Layout(variable.shape, variable.dtype, variable.shape)
    if variable.ndim and variable.size:
        layout = _lay_out(variable, wishes, unlimited)
        options = {**layout.codec.to_hdf5(), "chunks": layout.chunks}
    attrs = dict(variable.attrs)
    fill = attrs.pop("_FillValue", None)
    if fill is not None and not text:
        options["fillvalue"] = fill
    name = label.rpartition("/")[2]
    sink = group.create_variable(name, variable.dims, dtype, **options)
    put_attributes(sink, attrs, None if text else dtype)
    return Hdf5Chunks(sink, layout)


def _lay_out(variable: xr.Variable, wishes: Wishes, unlimited: set[Any]) -> Layout:
    rasters = {str(dim) for dim in variable.dims[-2:]}
    usual = {
        str(dim): min(size, USUAL_CHUNK) if dim in rasters else size
        for dim, size in variable.sizes.items()
    }
    # Along what may grow a chunk may be longer than what is there.
    shape = tuple(LONGEST if dim in unlimited else size for dim, size in variable.sizes.items())
    chunks = wishes.choose_chunks(variable, shape, lambda dim, _size: usual[dim])
    codec = wishes.choose_codec(variable.encoding, USUAL, Codec.to_hdf5)
    fill_value = variable.attrs.get("_FillValue")
    return Layout(variable.shape, variable.dtype, chunks, None, codec, fill_value)
