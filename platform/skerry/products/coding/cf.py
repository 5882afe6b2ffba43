"""Encode variables as CF stores them, and decode them: packing, times, texts, attributes.

Source: NetCDF Climate and Forecast Metadata Conventions 1.11, sections 2.5.1, 4.4 and 8.1.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr
from dask.base import is_dask_collection

from skerry.core.errors import InvalidInputError
from skerry.products.coding.json_values import put_back, set_apart
from skerry.products.coding.packing import (
    DECODED,
    FACTORS,
    Packing,
    find_packing,
    fit_fill,
    packing_of,
    values_type,
)
from skerry.products.coding.sizes import MAX_METADATA_BYTES
from skerry.products.coding.stored_numbers import MISSING, UNSIGNED, read_numbers
from skerry.products.coding.times import CLOCK, choose_clock, find_clock
from skerry.storage.remote import too_large

STORAGE = ("chunks", "shards", "compressors", "filters", "serializer", "grid_mapping")
"""Keys of an encoding about storage, not about the meaning of the numbers."""
LISTS = ("flag_values", "flag_masks")
PACKING = (*FACTORS, "_FillValue", DECODED)
"""Stored attributes that define how numbers become values."""

EOPF = "_eopf_attrs"
HIDDEN = "_cf_attrs"
STRUCTURE = (
    "_ARRAY_DIMENSIONS", "dimensions", "coordinates", "dtype", "short_name", "fill_value",
    "eopf_is_masked", "eopf_is_scaled", "eopf_target_dtype", "_eopf_decode_datetime64", DECODED,
    "decoded",
)  # fmt: skip
"""Attributes of arrays about their storage, not about the variable."""
RESERVED = ("coordinates", "dtype", DECODED, UNSIGNED, MISSING)
"""Attributes that describe storage; a variable's own attributes may not have these names."""


def encode(name: str, values: xr.Variable, attrs: Mapping[str, Any] | None = None) -> xr.Variable:
    """Return a variable as it is stored on disk; lazy values stay lazy.

    Parameters
    ----------
    name
        Name of the variable, for messages.
    values
        The variable of a canonical tree.
    attrs
        Its attributes, after names that the format reserves were set apart; by default only
        the names that CF reserves.

    Returns
    -------
    xarray.Variable
        Numbers or texts; ``scale_factor``, ``add_offset``, ``_FillValue``, ``units`` and
        ``calendar`` of times, ``dtype`` of booleans and spans of time, and if necessary
        `DECODED` are among the attributes; ``encoding`` keeps the storage's settings.

    Raises
    ------
    InvalidInputError
        When computed, if values are missing and the packing has no number for that.
    """
    kind = values.dtype.kind
    values = values.copy(deep=False)
    values.attrs = set_apart(values.attrs, list_reserved(values)) if attrs is None else dict(attrs)
    if kind in "Mm":
        encoded = _encode_times(values)
    elif kind == "b":
        attrs = values.attrs | {"dtype": "bool"}
        encoded = xr.Variable(values.dims, values.data.astype(np.int8), attrs)
    elif kind in "UOT":
        encoded = xr.Variable(values.dims, _encode_texts(name, values).data, values.attrs)
    else:
        encoded = _encode_numbers(name, values)
    encoded.encoding = {key: item for key, item in values.encoding.items() if key in STORAGE}
    return encoded


def list_reserved(values: xr.Variable) -> tuple[str, ...]:
    """Return `RESERVED`, and the attributes that would make readers take numbers for times."""
    times = values.dtype.kind in "Mm" or find_clock(values.attrs, values.dtype) is not None
    return (*RESERVED, *CLOCK) if times else RESERVED


def set_apart_array(variable: xr.Variable) -> dict[str, Any]:
    """Return a variable's attributes; names that Zarr readers use for the array are set apart."""
    names = (*STRUCTURE, EOPF, HIDDEN, *list_reserved(variable))
    return set_apart(variable.attrs, names, ("proj:",), nothing=True)


def _encode_times(values: xr.Variable) -> xr.Variable:
    """Encode times and spans; this loads all of them, because their units depend on all."""
    moments = values.to_numpy()
    clock = choose_clock(moments, values.encoding)
    return xr.Variable(values.dims, clock.encode(moments), values.attrs | clock.attrs)


def _encode_texts(name: str, values: xr.Variable) -> xr.Variable:
    def check(texts: Any) -> Any:
        texts = np.asarray(texts).astype(object)
        odd = next((item for item in texts.flat if not isinstance(item, str)), None)
        if odd is not None or any(item is None for item in texts.flat):
            raise InvalidInputError(
                f"The variable {name!r} holds objects that are not text, such as {odd!r}.",
                remedy="Turn them into text, numbers or times, or leave the variable out.",
            )
        return texts

    return _map(values, check, object)


def find_coding(name: str, values: xr.Variable) -> Packing | None:
    """Return how `encode` turns a variable's numbers into those on disk; None if it does not."""
    packing = packing_of(values, name)
    fill = fit_fill(values.encoding.get("_FillValue"), values.dtype)
    if packing is None and values.dtype.kind == "f" and fill is not None and not np.isnan(fill):
        return Packing(values.dtype, values.dtype, missing=(fill,), name=name)
    return packing


def _encode_numbers(name: str, values: xr.Variable) -> xr.Variable:
    packing = find_coding(name, values)
    fill = fit_fill(values.encoding.get("_FillValue"), values.dtype)
    attrs = {} if fill is None else {"_FillValue": fill}
    attrs = attrs if packing is None else packing.attrs
    stored = values.dtype if packing is None else packing.stored
    if "_FillValue" in attrs:
        attrs["_FillValue"] = stored.type(attrs["_FillValue"])
    attrs = {**values.attrs, **attrs}
    if values.dtype != values_type(stored, attrs):
        attrs[DECODED] = values.dtype.name
    if packing is not None:
        values = _map(values, packing.encode, stored)
    return xr.Variable(values.dims, values.data, attrs)


def _map(values: xr.Variable, function: Callable[[Any], Any], dtype: Any) -> xr.Variable:
    data = values.data
    if is_dask_collection(data):
        meta = np.empty((0,) * values.ndim, dtype)
        return xr.Variable(values.dims, data.map_blocks(function, dtype=meta.dtype, meta=meta))
    return xr.Variable(values.dims, function(np.asarray(data)))


def decode(raw: xr.Variable, name: str = "a variable") -> xr.Variable:
    """Return the decoded variable; lazy values stay lazy. The inverse of `encode`.

    Scaled floating-point numbers lose their packing. All other packing is kept; if the file has
    several numbers for gaps, the encoding names only the first.

    Parameters
    ----------
    raw
        Numbers that are not decoded yet, with their CF attributes, as a backend gives them.
    name
        Name of the variable, for messages.

    Raises
    ------
    InvalidInputError
        If a scale or an offset is not a number.
    """
    storage = {key: item for key, item in raw.encoding.items() if key in STORAGE}
    attrs = {str(key): _plain(str(key), item) for key, item in raw.attrs.items()}
    numbers = read_numbers(raw.dtype, attrs, name)
    attrs = numbers.attrs
    if numbers.dtype != raw.dtype:
        raw = raw.astype(numbers.dtype)
    clock = find_clock(attrs, raw.dtype, numbers.missing)
    coding = clock or find_packing(raw.dtype, attrs, missing=numbers.missing)
    if attrs.get("dtype") == "bool" and raw.dtype.kind in "iu":
        values, meaning = raw.astype(bool), {}
        del attrs["dtype"]
    else:
        values = raw if coding is None else _map(raw, coding.decode, coding.dtype)
        meaning = {key: attrs[key] for key in PACKING if key in attrs and key != DECODED}
        if raw.dtype.kind == "f" and set(FACTORS) & set(meaning):
            meaning = {}
        if clock is not None:
            meaning |= clock.encoding
            attrs = {key: item for key, item in attrs.items() if key not in CLOCK}
        if coding is not None:
            meaning["dtype"] = raw.dtype
    attrs = {key: item for key, item in attrs.items() if key not in PACKING}
    return xr.Variable(raw.dims, values.data, put_back(attrs), meaning | storage)


def _plain(name: str, value: Any) -> Any:
    """Return an attribute as a plain Python value; flags are always a list."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    return value if name not in LISTS or isinstance(value, list) else [value]


def index_coordinates(data: xr.Dataset) -> xr.Dataset:
    """Read each coordinate of one dimension once and index it.

    Open the data with ``create_default_indexes=False`` and then call this: each chunk of a
    coordinate is read once. xarray's own indexing reads it several times.
    """
    loaded = {
        name: xr.Variable(item.dims, item.to_numpy(), item.attrs, item.encoding)
        for name, item in data.coords.items()
        if item.ndim == 1
    }
    return data.drop_vars(list(loaded)).assign_coords(loaded)


def check_sizes(attrs: Mapping[Any, Any], where: str) -> None:
    """Refuse attributes that are too large for metadata; the error names `where` they are.

    Raises
    ------
    InvalidInputError
        If an attribute has more than `MAX_METADATA_BYTES`.
    """
    for name, value in attrs.items():
        size = len(value) if isinstance(value, str | bytes) else np.asarray(value).nbytes
        if size > MAX_METADATA_BYTES:
            raise too_large(f"The attribute {name} of {where}", size, MAX_METADATA_BYTES)
