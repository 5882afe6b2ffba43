"""Products as NetCDF-4 files: groups as the tree has them, CF-1.11, read lazily."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.core.progress import Progress
from skerry.products.canonical import assemble_tree
from skerry.products.cf import check_sizes, decode, encode, index_coordinates, list_reserved
from skerry.products.codecs import Codec, codec_of
from skerry.products.eopf.json_values import put_back, set_apart
from skerry.products.hdf5_attributes import check_file
from skerry.products.netcdf_attributes import (
    GROUP_RESERVED,
    RESERVED,
    put_attributes,
    read_attributes,
)
from skerry.products.strips import Counter, iterate_blocks
from skerry.products.zarr_stores import Place
from skerry.storage.writing import make_aside

CONVENTIONS = "CF-1.11"
USUAL = Codec("zlib", 4, "byte")
"""The codec of variables whose own NetCDF does not have."""
RELATED = (
    "bounds", "climatology", "geometry", "node_coordinates", "node_count", "part_node_count",
    "interior_ring", "cell_measures", "formula_terms",
)  # fmt: skip
"""Attributes that name other variables, which xarray takes away or, if not there, drops."""
READ_BYTES = 16 * 2**20
"""Size of the blocks computed at once, about; whole multiples of the stored chunks."""


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
    counter = Counter(progress, total=sum(int(one.size) for one in blocks.values()))
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
        str(name): encode(str(name), one, _set_apart(one, data))
        for name, one in data.variables.items()
    }
    for name, one in encoded.items():
        own = one.encoding.get("grid_mapping")
        if own is None and "spatial_ref" in data.coords and {"y", "x"} <= set(one.dims):
            own = "spatial_ref"
        if own is not None and name in data.data_vars:
            one.attrs["grid_mapping"] = own
    mappings = {one.attrs.get("grid_mapping") for one in encoded.values()}
    # Grid mappings are named by `grid_mapping`, never in CF's list of coordinates.
    listed = [str(name) for name in data.coords if name not in mappings]
    named = xr.Dataset(encoded, attrs=data.attrs).set_coords(listed)
    variables, attrs = xr.conventions.encode_dataset_coordinates(named)
    return {str(name): one for name, one in variables.items()}, dict(attrs)


def _set_apart(variable: xr.Variable, data: xr.Dataset) -> dict[str, Any]:
    """Return attributes, those apart that NetCDF has another use for or that name what is gone."""
    loose = [
        key
        for key in RELATED
        if key in variable.attrs
        and not {one for one in str(variable.attrs[key]).split() if not one.endswith(":")}
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
        wanted = [int(one) for one in own]
    else:
        wanted = list(variable.shape)
        for axis in range(max(0, variable.ndim - 2), variable.ndim):
            wanted[axis] = min(wanted[axis], 512)
    wanted = [
        int(chunks.get(str(name), one)) for name, one in zip(variable.dims, wanted, strict=True)
    ]
    if unlimited & set(variable.dims):
        return tuple(max(1, one) for one in wanted)
    return tuple(max(1, min(one, size)) for one, size in zip(wanted, variable.shape, strict=True))


def open_netcdf_product(place: Place) -> xr.DataTree:
    """Open a NetCDF-4 file lazily: any groups, or a flat CF file.

    Returns
    -------
    xarray.DataTree
        Named after the file without its suffix; CF-decoded, dask arrays, packing and storage in
        the encodings.

    Raises
    ------
    InvalidInputError
        If the file is damaged, no NetCDF-4, or has an attribute too large for metadata.
    """
    source = place if isinstance(place, Path) else place.open()
    try:
        check_file(source, str(place))
        # All groups through one open file: opening it for each takes their number squared.
        raw = xr.open_groups(
            source,  # type: ignore[arg-type]
            engine="h5netcdf",
            mask_and_scale=False,
            decode_times=False,
            decode_coords="all",
            create_default_indexes=False,
            cache=False,
            phony_dims="sort",
        )
        datasets = {group: _decode_group(one, group, place) for group, one in raw.items()}
    except (OSError, LookupError, ValueError, TypeError, RuntimeError) as error:
        raise InvalidInputError(
            f"{place} is no readable NetCDF-4 file ({type(error).__name__}: {error}).",
            remedy="Fetch it again; NetCDF 3 is turned into NetCDF-4 with nccopy -4.",
        ) from error
    if not any(one.variables for one in datasets.values()):
        raise InvalidInputError(f"{place} holds no variable.", remedy="Give a complete product.")
    return assemble_tree(datasets, place.name.removesuffix(place.suffix))


def _decode_group(raw: xr.Dataset, group: str, place: Place) -> xr.Dataset:
    from dask.base import tokenize

    stamp = place.stat().st_mtime_ns if isinstance(place, Path) else 0
    variables = {}
    check_sizes(raw.attrs, f"{group} in {place}")
    for name, one in raw.variables.items():
        label = f"{group.rstrip('/')}/{name} in {place}"
        check_sizes(one.attrs, label)
        one.attrs |= {key: one.encoding[key] for key in RELATED if key in one.encoding}
        one.encoding = _storage_of(one)
        lazy = _make_lazy(one, f"{name}-{tokenize(str(place), stamp, group, name)}", label)
        lazy.attrs = read_attributes(lazy.attrs)
        variables[name] = decode(lazy)
    attrs = read_attributes(raw.attrs)
    if group == "/":
        attrs = {key: one for key, one in attrs.items() if key != "Conventions"}
    data = xr.Dataset(
        {name: variables[name] for name in raw.data_vars}, attrs=put_back(attrs)
    ).assign_coords({name: variables[name] for name in raw.coords})
    data.encoding = {
        key: one for key, one in raw.encoding.items() if key == "unlimited_dims" and one
    }
    return index_coordinates(data)


@dataclass(frozen=True)
class _Stored:
    """A variable in a file, read where asked for, with errors that name it."""

    variable: xr.Variable
    label: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of each dimension."""
        return self.variable.shape

    @property
    def ndim(self) -> int:
        """Number of dimensions."""
        return self.variable.ndim

    @property
    def dtype(self) -> np.dtype[Any]:
        """Number type as stored."""
        found: np.dtype[Any] = self.variable.dtype
        return found

    def __getitem__(self, key: Any) -> Any:
        try:
            return self.variable[key].to_numpy()
        except (OSError, RuntimeError, ValueError) as error:
            raise InvalidInputError(
                f"{self.label} cannot be read: {error}.",
                remedy="The file is damaged: fetch it again from its provider.",
            ) from error


def _make_lazy(variable: xr.Variable, name: str, label: str) -> xr.Variable:
    import dask.array as da

    stored = _Stored(variable, label)
    if not variable.ndim:
        return xr.Variable((), stored[()], variable.attrs, variable.encoding)
    data = da.from_array(  # type: ignore[no-untyped-call]
        stored, chunks=_read_chunks(variable), name=name, asarray=False,
        meta=np.empty((0,) * variable.ndim, variable.dtype),
    )  # fmt: skip
    return xr.Variable(variable.dims, data, variable.attrs, variable.encoding)


def _storage_of(variable: xr.Variable) -> dict[str, Any]:
    """Return how the file stores a variable, in the words of every other format."""
    found = variable.encoding
    kept: dict[str, Any] = {}
    if "grid_mapping" in found:
        kept["grid_mapping"] = found["grid_mapping"]
    if not variable.ndim:
        return kept
    if found.get("chunksizes"):
        kept["chunks"] = tuple(int(one) for one in found["chunksizes"])
    deflated = found.get("zlib") or found.get("compression") in ("zlib", "gzip")
    shuffle = "byte" if found.get("shuffle") else "none"
    level = int(found.get("complevel") or found.get("compression_opts") or 0)
    codec = Codec("zlib", level, shuffle) if deflated else Codec("none")
    kept["compressors"] = codec.to_configs()
    return kept


def _read_chunks(variable: xr.Variable) -> tuple[int, ...]:
    """Return chunks for computing: several stored ones each, so that graphs stay small."""
    stored = variable.encoding.get("chunks", variable.shape)
    sizes = list(stored)
    cells = int(np.prod(sizes)) * variable.dtype.itemsize
    for axis in reversed(range(variable.ndim)):
        fit = max(1, READ_BYTES // max(cells, 1))
        grown = min(sizes[axis] * fit, variable.shape[axis])
        cells = cells // max(sizes[axis], 1) * max(grown, 1)
        sizes[axis] = max(grown, 1)
    return tuple(sizes)
