"""Variables as CF keeps them on disk, and back: packing, times, booleans, texts, attributes.

Source: NetCDF Climate and Forecast Metadata Conventions 1.11, sections 2.5.1, 4.4 and 8.1.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from skerry.products.packing import decode_numbers, decoded_dtype, encode_values, packing_of
from skerry.products.zarr_stores import MAX_METADATA_BYTES
from skerry.storage.remote import too_large

STORAGE = ("chunks", "shards", "compressors", "filters", "serializer", "grid_mapping")
"""Keys of an encoding that say how numbers are stored, not what they mean."""
IN_NUMBERS = ("valid_min", "valid_max", "valid_range", "flag_values", "flag_masks")
"""Attributes that CF gives in the type of the numbers on disk."""
LISTS = ("flag_values", "flag_masks")
_FIRST_INSTANT = np.datetime64("1970-01-01", "ns")


def encode(name: str, values: xr.Variable) -> xr.Variable:
    """Return a variable as it stands on disk, as lazy as it is.

    Returns
    -------
    xarray.Variable
        Numbers or texts; ``scale_factor``, ``add_offset``, ``_FillValue``, ``units`` and
        ``calendar`` of times, and ``dtype`` of booleans are among the attributes; ``encoding``
        keeps what says how it is stored.
    """
    kind = values.dtype.kind
    kept = {key: one for key, one in values.encoding.items() if key in STORAGE}
    if kind in "Mmb":
        encoded = _encode_by_xarray(name, values)
    elif kind in "UOT":
        encoded = xr.Variable(values.dims, values.data.astype(object), values.attrs)
    else:
        encoded = _encode_numbers(values)
    encoded.encoding = kept
    return encoded


def _encode_by_xarray(name: str, values: xr.Variable) -> xr.Variable:
    """Encode times and booleans, which are loaded first where they are times."""
    keys = ("units", "calendar", "dtype", "_FillValue")
    kept = {key: one for key, one in values.encoding.items() if key in keys and one is not None}
    if values.dtype.kind == "b":
        kept = {}
    else:
        values = values.load()
        kept = kept if "units" in kept else {}
        if values.dtype.kind == "M" and not kept:
            kept = {"units": _choose_units(values), "calendar": "proleptic_gregorian"}
            kept["dtype"] = "int64"
        if np.isnat(values.to_numpy()).any() and np.dtype(kept.get("dtype", "f8")).kind == "i":
            kept.setdefault("_FillValue", np.iinfo(np.int64).min)
    plain_values = xr.Variable(values.dims, values.data, values.attrs, kept)
    return xr.conventions.encode_cf_variable(plain_values, name=name)


def _choose_units(values: xr.Variable) -> str:
    """Return the coarsest unit in which all times are whole numbers."""
    whole = values.to_numpy().astype("datetime64[ns]").astype(np.int64)
    whole = whole[~np.isnat(values.to_numpy())]
    for unit, size in (("seconds", 10**9), ("milliseconds", 10**6), ("microseconds", 10**3)):
        if not (whole % size).any():
            return f"{unit} since 1970-01-01"
    return "nanoseconds since 1970-01-01"


def _encode_numbers(values: xr.Variable) -> xr.Variable:
    packing = packing_of(values)
    attrs = dict(values.attrs)
    if packing is not None:
        dtype = np.dtype(packing["dtype"])
        values = _map(values, encode_values, dtype, {"encoding": packing})
        attrs |= {key: packing[key] for key in _PACKING if key in packing}
    else:
        dtype = values.dtype
        attrs |= {key: one for key in _PACKING if (one := values.encoding.get(key)) is not None}
        if dtype.kind == "f":
            arguments = {
                "scale": float(attrs.get("scale_factor", 1)),
                "offset": float(attrs.get("add_offset", 0)),
                "fill": attrs.get("_FillValue"),
            }
            values = _map(values, _pack_floats, dtype, arguments)
    if "_FillValue" in attrs:
        attrs["_FillValue"] = dtype.type(attrs["_FillValue"])
    return xr.Variable(values.dims, values.data, attrs)


def _map(values: xr.Variable, function: Any, dtype: Any, arguments: dict[str, Any]) -> xr.Variable:
    mapped: xr.Variable = xr.apply_ufunc(
        function, values, kwargs=arguments, dask="parallelized", output_dtypes=[np.dtype(dtype)]
    )
    return mapped


def _pack_floats(values: Any, scale: float, offset: float, fill: float | None) -> Any:
    numbers = values
    if (scale, offset) != (1.0, 0.0):
        numbers = ((values - np.float64(offset)) / np.float64(scale)).astype(values.dtype)
    if fill is None or math.isnan(fill):
        return numbers
    return np.where(np.isnan(values), values.dtype.type(fill), numbers)


def decode(name: str, raw: xr.Variable) -> xr.Variable:
    """Return what a variable on disk means, as lazy as it is; the inverse of `encode`.

    Parameters
    ----------
    name
        Its name, for messages.
    raw
        Numbers with their CF attributes, as a backend gives them undecoded.
    """
    storage = {key: one for key, one in raw.encoding.items() if key in STORAGE}
    units = raw.attrs.get("units")
    timed = isinstance(units, str) and " since " in units
    if timed or raw.attrs.get("dtype") in ("bool", "timedelta64[ns]"):
        decoded = xr.conventions.decode_cf_variable(
            name, raw, decode_times=True, decode_timedelta=not timed
        )
    else:
        decoded = _unpack(raw)
    decoded.attrs = {str(key): _plain(str(key), one) for key, one in decoded.attrs.items()}
    decoded.encoding = {
        key: one for key, one in decoded.encoding.items() if key in _MEANING
    } | storage
    return decoded


_PACKING = ("scale_factor", "add_offset", "_FillValue")
_MEANING = ("dtype", "scale_factor", "add_offset", "_FillValue", "units", "calendar")


def _unpack(raw: xr.Variable) -> xr.Variable:
    """Decode packed integers and fill values; flags stay the integers that they are."""
    attrs = {key: one for key, one in raw.attrs.items() if key not in _PACKING}
    packing = {key: _plain(key, raw.attrs[key]) for key in _PACKING if key in raw.attrs}
    flags = any(key in attrs for key in LISTS)
    if raw.dtype.kind not in "iuf" or not packing or flags:
        return xr.Variable(raw.dims, raw.data, attrs, packing)
    fill = packing.get("_FillValue")
    dtype = raw.dtype if raw.dtype.kind == "f" else decoded_dtype(raw.dtype)
    arguments = {
        "scale": float(packing.get("scale_factor", 1)),
        "offset": float(packing.get("add_offset", 0)),
        "missing": () if fill is None or math.isnan(fill) else (fill,),
        "dtype": dtype.name,
    }
    values = _map(raw, decode_numbers, dtype, arguments)
    if raw.dtype.kind != "f":
        packing |= {"scale_factor": arguments["scale"], "add_offset": arguments["offset"]}
    return xr.Variable(raw.dims, values.data, attrs, packing | {"dtype": raw.dtype})


def _plain(name: str, value: Any) -> Any:
    """Return an attribute as a plain Python value, flags always as a list."""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    elif isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return value if name not in LISTS or isinstance(value, list) else [value]


def index_coordinates(data: xr.Dataset) -> xr.Dataset:
    """Read each coordinate of one dimension once and index it.

    Opening with ``create_default_indexes=False`` and this reads a chunk of a coordinate once;
    xarray's own indexing reads it several times.
    """
    loaded = {
        name: xr.Variable(one.dims, one.to_numpy(), one.attrs, one.encoding)
        for name, one in data.coords.items()
        if one.ndim == 1
    }
    return data.drop_vars(list(loaded)).assign_coords(loaded)


def check_sizes(attrs: Mapping[Any, Any], where: str) -> None:
    """Refuse attributes too large to be metadata, naming `where` they stand.

    Raises
    ------
    InvalidInputError
        If one has more than `MAX_METADATA_BYTES`.
    """
    for name, value in attrs.items():
        size = len(value) if isinstance(value, str | bytes) else np.asarray(value).nbytes
        if size > MAX_METADATA_BYTES:
            raise too_large(f"The attribute {name} of {where}", size, MAX_METADATA_BYTES)
