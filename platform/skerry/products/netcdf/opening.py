"""Open a NetCDF-4 file lazily: its groups become one tree."""

from typing import Any

import numpy as np
import xarray as xr
from dask.base import tokenize

from skerry.core.errors import InvalidInputError
from skerry.products.coding.cf import check_sizes, decode, index_coordinates
from skerry.products.coding.json_values import put_back
from skerry.products.coding.places import split_mapping
from skerry.products.coding.sizes import check_open_file
from skerry.products.healing.canonical import assemble_tree
from skerry.products.healing.wounds import Wounds
from skerry.products.netcdf.attributes import RELATED, read_attributes
from skerry.products.netcdf.reading import Entry, Group, read_groups
from skerry.products.netcdf.windows import Windows, reading, version_of
from skerry.products.stores.zarr_stores import Place

READ_BYTES = 16 * 2**20
"""Size of the blocks computed at once, about; whole multiples of the stored chunks."""


def open_netcdf_product(place: Place, *, product_type: str | None = None) -> xr.DataTree:
    """Open a NetCDF-4 file lazily: any groups, or a flat CF file.

    Returns
    -------
    xarray.DataTree
        Named after the file without its suffix; CF-decoded, dask arrays, packing and storage in
        the encodings.

    Raises
    ------
    InvalidInputError
        If the file is damaged, no NetCDF-4, leads out of itself, or has an attribute too large
        for metadata.
    """
    version = version_of(place)
    wounds = Wounds()
    try:
        with reading(place, version) as file:
            check_open_file(file, str(place))
            groups = read_groups(file)
        datasets = {group.path: _decode_group(group, place, version, wounds) for group in groups}
    except (OSError, LookupError, ValueError, TypeError, RuntimeError) as error:
        raise InvalidInputError(
            f"{place} is not a readable NetCDF-4 file ({type(error).__name__}: {error}).",
            remedy="Fetch it again; NetCDF 3 is turned into NetCDF-4 with nccopy -4.",
        ) from error
    if not any(dataset.variables for dataset in datasets.values()):
        raise InvalidInputError(f"{place} holds no variable.", remedy="Give a complete product.")
    return assemble_tree(
        datasets, place.name.removesuffix(place.suffix), wounds=wounds, product_type=product_type
    )


def _decode_group(group: Group, place: Place, version: int, wounds: Wounds) -> xr.Dataset:
    check_sizes(group.attrs, f"{group.path} in {place}")
    for name, wrong in group.unread:
        path = f"{group.path.rstrip('/')}/{name}"
        wounds.leave("types", f"{path} is of {wrong}, which Skerry does not read, and left out")
    raw = {}
    for entry in group.variables:
        label = f"{group.path.rstrip('/')}/{entry.name} in {place}"
        check_sizes(entry.attrs, label)
        windows = Windows(place, version, entry.inside, label, entry.shape, entry.dtype)
        raw[entry.name] = _join_characters(entry.name, _make_lazy(entry, windows))
    attrs = read_attributes(group.attrs)
    coordinates = _take_coordinates(attrs, set(raw))
    variables = {}
    for name, item in raw.items():
        item.attrs = read_attributes(item.attrs)
        coordinates |= _take_coordinates(item.attrs, set(raw))
        if "grid_mapping" in item.attrs:
            item.encoding["grid_mapping"] = str(item.attrs.pop("grid_mapping"))
            mappings = {mapping for mapping, _ in split_mapping(item.encoding["grid_mapping"])}
            coordinates |= mappings & set(raw)
        variables[name] = decode(item, f"{group.path.rstrip('/')}/{name} in {place}")
    if group.path == "/":
        attrs = {key: item for key, item in attrs.items() if key != "Conventions"}
    coordinates |= {name for name, item in variables.items() if item.dims == (name,)}
    data = xr.Dataset(
        {name: item for name, item in variables.items() if name not in coordinates},
        coords=xr.Coordinates({name: variables[name] for name in coordinates}, indexes={}),
        attrs=put_back(attrs),
    )
    if group.unlimited:
        data.encoding = {"unlimited_dims": group.unlimited}
    return index_coordinates(data)


def _take_coordinates(attrs: dict[str, Any], there: set[str]) -> set[str]:
    """Return the names of coordinates and related variables; those of CF 5 leave the attributes."""
    listed: set[str] = set()
    for key in ("coordinates", *RELATED):
        words = str(attrs.get(key, "")).split()
        names = {word for word in words if not word.endswith(":")}
        if names and names <= there:
            listed |= names
            if key == "coordinates":
                del attrs[key]
    return listed


def _join_characters(name: str, variable: xr.Variable) -> xr.Variable:
    """Return texts that stand as characters along a dimension (NetCDF-3's way) as texts."""
    if variable.dtype != "S1":
        return variable
    joined: xr.Variable = xr.conventions.decode_cf_variable(
        name, variable, mask_and_scale=False, decode_times=False
    )
    joined.encoding = {}
    return joined


def _make_lazy(entry: Entry, windows: Windows) -> xr.Variable:
    import dask.array as da

    if not entry.dims:
        return xr.Variable((), windows[()], entry.attrs, entry.storage)
    # How long texts are is known when they are read.
    source = windows[...] if entry.dtype.kind == "O" else windows
    data = da.from_array(  # type: ignore[no-untyped-call]
        source,
        chunks=_read_chunks(entry),
        name=f"netcdf-{tokenize(str(windows.place), windows.version, windows.inside)}",
        asarray=False,
        meta=np.empty((0,) * len(entry.dims), source.dtype),
    )
    return xr.Variable(entry.dims, data, entry.attrs, entry.storage)


def _read_chunks(entry: Entry) -> tuple[int, ...]:
    """Return chunks for computing: several stored ones each, so that graphs stay small."""
    sizes = list(entry.storage.get("chunks", entry.shape))
    cells = int(np.prod(sizes)) * entry.dtype.itemsize
    for axis in reversed(range(len(sizes))):
        fit = max(1, READ_BYTES // max(cells, 1))
        grown = min(sizes[axis] * fit, entry.shape[axis])
        cells = cells // max(sizes[axis], 1) * max(grown, 1)
        sizes[axis] = max(grown, 1)
    return tuple(sizes)
