"""Open a NetCDF-4 file lazily: its groups become one tree."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from skerry.core.errors import InvalidInputError
from skerry.products.coding.cf import check_sizes, decode, index_coordinates
from skerry.products.coding.codecs import Codec
from skerry.products.coding.json_values import put_back
from skerry.products.coding.sizes import check_file
from skerry.products.healing.canonical import assemble_tree
from skerry.products.netcdf.attributes import RELATED, read_attributes
from skerry.products.stores.zarr_stores import Place

READ_BYTES = 16 * 2**20
"""Size of the blocks computed at once, about; whole multiples of the stored chunks."""


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
        datasets = {group: _decode_group(item, group, place) for group, item in raw.items()}
    except (OSError, LookupError, ValueError, TypeError, RuntimeError) as error:
        raise InvalidInputError(
            f"{place} is no readable NetCDF-4 file ({type(error).__name__}: {error}).",
            remedy="Fetch it again; NetCDF 3 is turned into NetCDF-4 with nccopy -4.",
        ) from error
    if not any(dataset.variables for dataset in datasets.values()):
        raise InvalidInputError(f"{place} holds no variable.", remedy="Give a complete product.")
    return assemble_tree(datasets, place.name.removesuffix(place.suffix))


def _decode_group(raw: xr.Dataset, group: str, place: Place) -> xr.Dataset:
    from dask.base import tokenize

    stamp = place.stat().st_mtime_ns if isinstance(place, Path) else 0
    variables = {}
    check_sizes(raw.attrs, f"{group} in {place}")
    for name, item in raw.variables.items():
        label = f"{group.rstrip('/')}/{name} in {place}"
        check_sizes(item.attrs, label)
        item.attrs |= {key: item.encoding[key] for key in RELATED if key in item.encoding}
        item.encoding = _storage_of(item)
        lazy = _make_lazy(item, f"{name}-{tokenize(str(place), stamp, group, name)}", label)
        lazy.attrs = read_attributes(lazy.attrs)
        variables[name] = decode(lazy)
    attrs = read_attributes(raw.attrs)
    if group == "/":
        attrs = {key: item for key, item in attrs.items() if key != "Conventions"}
    data = xr.Dataset(
        {name: variables[name] for name in raw.data_vars}, attrs=put_back(attrs)
    ).assign_coords({name: variables[name] for name in raw.coords})
    data.encoding = {
        key: item for key, item in raw.encoding.items() if key == "unlimited_dims" and item
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
        kept["chunks"] = tuple(int(item) for item in found["chunksizes"])
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
