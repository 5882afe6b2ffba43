"""Packed numbers and physical values: ``physical = number * scale_factor + add_offset``."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import dask.array as da
import numpy as np
import numpy.typing as npt
import xarray as xr

NARROW_BYTES = 2
"""Packed integers of at most so many bytes become float32, wider ones float64."""
BLOCK_PIXELS = 2**17
"""Numbers that are worked on at once."""


def decode_numbers(
    numbers: npt.NDArray[Any],
    *,
    scale: float,
    offset: float,
    missing: tuple[float, ...],
    dtype: str = "float32",
) -> npt.NDArray[Any]:
    """Turn packed numbers into floating-point values, `missing` ones into NaN."""

    def decode(part: npt.NDArray[Any]) -> npt.NDArray[Any]:
        if scale == 1 and offset == 0:
            values: npt.NDArray[Any] = part.astype(dtype)
        else:
            values = np.asarray(part * np.float64(scale) + np.float64(offset), dtype)
        for one in missing:
            values[part == one] = np.nan
        return values

    return _map_blocks(decode, numbers, dtype)


def encode_values(values: npt.NDArray[Any], encoding: Mapping[str, Any]) -> npt.NDArray[Any]:
    """Turn physical values into packed integers, NaN into the fill value.

    Values out of the type's range are clipped to it; a value that would land on the fill value
    moves to the number next to it, so that a measurement never becomes a gap.
    """
    dtype = np.dtype(encoding["dtype"])
    fill = int(encoding["_FillValue"])
    limits = np.iinfo(dtype)
    neighbour = fill + 1 if fill < limits.max else fill - 1

    def encode(part: npt.NDArray[Any]) -> npt.NDArray[Any]:
        numbers = (part - encoding["add_offset"]) / encoding["scale_factor"]
        gaps = np.isnan(numbers)
        rounded = np.rint(np.where(gaps, fill, numbers))
        packed = np.clip(rounded, limits.min, limits.max).astype(dtype)
        packed[(packed == fill) & ~gaps] = neighbour
        return packed

    return _map_blocks(encode, values, dtype)


def _map_blocks(
    change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]],
    numbers: npt.NDArray[Any],
    dtype: npt.DTypeLike,
) -> npt.NDArray[Any]:
    """Apply `change` part by part, so that what it needs in between stays in the cache."""
    changed = np.empty(numbers.shape, dtype)
    flat, target = numbers.reshape(-1), changed.reshape(-1)
    for start in range(0, flat.size, BLOCK_PIXELS):
        part = slice(start, start + BLOCK_PIXELS)
        target[part] = change(flat[part])
    return changed


def packing_of(variable: xr.DataArray | xr.Variable) -> dict[str, Any] | None:
    """Return a variable's packing if its encoding has one, else None."""
    encoding = variable.encoding
    if not np.issubdtype(variable.dtype, np.floating) or "_FillValue" not in encoding:
        return None
    if encoding["_FillValue"] is None or "dtype" not in encoding:
        return None
    if not np.issubdtype(np.dtype(encoding["dtype"]), np.integer):
        return None
    return {
        "dtype": np.dtype(encoding["dtype"]).name,
        "scale_factor": float(encoding.get("scale_factor", 1.0)),
        "add_offset": float(encoding.get("add_offset", 0.0)),
        "_FillValue": int(encoding["_FillValue"]),
    }


def decoded_dtype(packed: str | np.dtype[Any]) -> np.dtype[Any]:
    """Return the type of the values that are stored as integers of type `packed`."""
    narrow = np.dtype(packed).itemsize <= NARROW_BYTES
    return np.dtype(np.float32 if narrow else np.float64)


def unpack(raw: xr.DataArray) -> xr.DataArray:
    """Decode a variable whose attributes hold its packing; leave others as they are.

    Returns
    -------
    xarray.DataArray
        float32 (float64 for more than 16 bits), NaN = fill value, as lazy as `raw`; the
        packing moves to ``encoding``.
    """
    keys = ("scale_factor", "add_offset", "_FillValue")
    if not np.issubdtype(raw.dtype, np.integer) or not any(key in raw.attrs for key in keys):
        raw.attrs.pop("_FillValue", None)
        return raw
    packing = {
        "dtype": raw.dtype.name,
        "scale_factor": float(raw.attrs.get("scale_factor", 1.0)),
        "add_offset": float(raw.attrs.get("add_offset", 0.0)),
        "_FillValue": int(raw.attrs.get("_FillValue", raw.attrs.get("fill_value", 0))),
    }
    values = raw.copy(data=_map_numbers(raw, packing))
    values.attrs = {key: value for key, value in raw.attrs.items() if key not in keys}
    values.encoding = packing | {
        key: one for key, one in raw.encoding.items() if key == "grid_mapping"
    }
    return values


def _map_numbers(raw: xr.DataArray, packing: dict[str, Any]) -> Any:
    arguments: dict[str, Any] = {
        "scale": packing["scale_factor"],
        "offset": packing["add_offset"],
        "missing": (packing["_FillValue"],),
        "dtype": decoded_dtype(packing["dtype"]).name,
    }
    if raw.chunks is None:
        return decode_numbers(raw.to_numpy(), **arguments)
    return da.map_blocks(  # type: ignore[no-untyped-call]
        partial(decode_numbers, **arguments),
        raw.data,
        dtype=arguments["dtype"],
        meta=np.empty((0,) * raw.ndim, arguments["dtype"]),
    )
