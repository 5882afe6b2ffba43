"""One array of an EOPF Zarr and its canonical variable.

Products in the world keep a variable's meaning in two places: the array's own attributes (what
CF readers see) and ``_eopf_attrs`` (what EOPF CPM sees). Packed integers have their packing in
either; the floating-point numbers that Sentinel-1 and Sentinel-3 products of 2025 store have
the packing of the source in ``_eopf_attrs`` alone, where it must not be applied again.
"""

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from skerry.products.cf import LISTS
from skerry.products.eopf.attributes import DECODED, EOPF, HIDDEN
from skerry.products.eopf.healing import Wounds
from skerry.products.eopf.json_values import TYPES, from_json
from skerry.products.packing import decode_numbers, decoded_dtype
from skerry.products.stored import Decode, StoredArray, make_lazy

_PACKING = ("scale_factor", "add_offset")
_STRUCTURE = (
    "_ARRAY_DIMENSIONS", "dimensions", "coordinates", "dtype", "short_name", "fill_value",
    "_FillValue", "eopf_is_masked", "eopf_is_scaled", "eopf_target_dtype",
    "_eopf_decode_datetime64", DECODED, "decoded", TYPES,
)  # fmt: skip
_UNITS = ("units", "data_units", "unit")
_COUNTS = "digital_counts"


def read_variable(array: Any, path: str, wounds: Wounds) -> xr.Variable:
    """Return the canonical variable of a Zarr array, lazily.

    Parameters
    ----------
    array
        The Zarr array, of either format.
    path
        Its path in the product, for what is reported.
    wounds
        Told what was healed.
    """
    own = dict(array.attrs)
    own = from_json(own, own.get(TYPES, {}))
    eopf = own.pop(EOPF, None) or {}
    hidden = own.pop(HIDDEN, None) or {}
    merged = {key: one for key, one in (eopf | own | hidden).items() if one is not None}
    packing = _find_packing(array, own, eopf | hidden)
    attrs = _clean_attributes(merged, packing, path, wounds)
    encoding = _describe_storage(array) | packing
    if "grid_mapping" in attrs:
        encoding["grid_mapping"] = attrs.pop("grid_mapping")
    decode, dtype, times = _choose_decoding(array, attrs, merged, packing)
    for key in times:
        encoding[key] = attrs.pop(key)
    if dtype.kind in "mM":
        # What is stored counts time; a packing named beside it is that of the source.
        encoding = {key: one for key, one in encoding.items() if key not in packing}
        encoding["dtype"] = array.dtype
    data = make_lazy(StoredArray(array, decode, dtype))
    return xr.Variable(list_dims(array, merged), data, attrs, encoding)


def list_dims(array: Any, attrs: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of an array's dimensions, of Zarr 2 or 3."""
    names = attrs.get("_ARRAY_DIMENSIONS") or getattr(array.metadata, "dimension_names", None)
    if names is None or len(names) != array.ndim:
        names = [f"dim_{number}" for number in range(array.ndim)]
    return tuple(str(one) for one in names)


def list_coordinates(array: Any) -> list[str]:
    """Return the names of the coordinates that an array's attributes list."""
    own = dict(array.attrs)
    listed = own.get("coordinates") or (own.get(HIDDEN) or {}).get("coordinates") or ""
    names = listed.split() if isinstance(listed, str) else list(listed)
    if own.get("grid_mapping"):
        names.append(own["grid_mapping"])
    return [str(one) for one in names]


def _find_packing(array: Any, own: dict[str, Any], eopf: dict[str, Any]) -> dict[str, Any]:
    """Return what the encoding keeps: ``dtype, scale_factor, add_offset, _FillValue``."""
    stored_floats = array.dtype.kind == "f"
    source = eopf if stored_floats and EOPF in array.attrs else {**eopf, **own}
    fill = source.get("_FillValue", source.get("fill_value"))
    if fill is None and array.metadata.zarr_format == 2:  # noqa: PLR2004 -- the format's name
        # CPM's own writing leaves the fill value to the array.
        fill = array.fill_value if EOPF in array.attrs or _is_packed(source) else None
    packed = str(source.get("dtype", array.dtype)) if stored_floats else array.dtype
    packing: dict[str, Any] = {"dtype": _read_dtype(packed, array.dtype)}
    packing |= {key: float(source[key]) for key in _PACKING if source.get(key) is not None}
    if fill is not None and array.dtype.kind in "iuf":
        number = read_fill(fill, array.dtype)
        integer = packing["dtype"].kind in "iu" and np.isfinite(number)
        packing["_FillValue"] = int(number) if integer else number
    if packing["dtype"].kind in "iu" and packing.get("_FillValue") is not None:
        limits = np.iinfo(packing["dtype"])
        if not limits.min <= packing["_FillValue"] <= limits.max:
            del packing["_FillValue"]
    return packing


def _is_packed(attrs: dict[str, Any]) -> bool:
    return any(attrs.get(key) is not None for key in _PACKING)


def _read_dtype(text: Any, fallback: np.dtype[Any]) -> np.dtype[Any]:
    try:
        found = np.dtype(text)
    except TypeError:
        return fallback
    return found if found.kind in "iuf" else fallback


def read_fill(value: Any, dtype: np.dtype[Any]) -> float:
    """Return a fill value as a number; Zarr 3 attributes of xarray have floats in base64."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return float(xr.backends.zarr.FillValueCoder.decode(value, dtype))
    return value if isinstance(value, int) else float(value)


def _clean_attributes(
    merged: dict[str, Any], packing: dict[str, Any], path: str, wounds: Wounds
) -> dict[str, Any]:
    attrs = {
        key: value
        for key, value in merged.items()
        if key not in _STRUCTURE
        and key not in _PACKING
        and key not in _UNITS
        and not key.startswith("proj:")
    }
    units = next((merged[key] for key in _UNITS if merged.get(key) is not None), None)
    if units is not None:
        if "units" not in merged:
            old = next(key for key in _UNITS if key in merged)
            wounds.add("attribute-names", f"{path}: {old} is called units in CF")
        # Counts are the unit of the packed numbers; CF speaks of the values'.
        attrs["units"] = "1" if units == _COUNTS and "scale_factor" in packing else units
    if attrs.get("standard_name") == "unknown":
        del attrs["standard_name"]
    if isinstance(attrs.get("flag_meanings"), list | tuple):
        attrs["flag_meanings"] = " ".join(
            "_".join(str(one).split()) for one in attrs["flag_meanings"]
        )
    return attrs


def _describe_storage(array: Any) -> dict[str, Any]:
    storage: dict[str, Any] = {
        "chunks": tuple(array.chunks),
        "compressors": tuple(array.compressors),
        "filters": tuple(array.filters),
    }
    if array.shards is not None:
        storage["shards"] = tuple(array.shards)
    return storage


def _choose_decoding(  # noqa: PLR0911 -- one a kind of array
    array: Any, attrs: dict[str, Any], merged: dict[str, Any], packing: dict[str, Any]
) -> tuple[Decode | None, np.dtype[Any], tuple[str, ...]]:
    """Return how numbers become values, the values' type, and attributes of time."""
    stored: np.dtype[Any] = array.dtype
    units = str(attrs.get("units", ""))
    if stored.kind in "iuf" and " since " in units:
        times = tuple(key for key in ("units", "calendar") if key in attrs)
        decode = partial(decode_times, units=units, calendar=str(attrs.get("calendar", "")))
        return decode, np.dtype("datetime64[ns]"), times
    given_dtype = str(merged.get("dtype", ""))
    if stored.kind in "if" and given_dtype in ("<m8[ns]", "timedelta64[ns]"):
        # The first is EOPF's spelling, always nanoseconds; the second CF's, in any unit.
        named = given_dtype != "<m8[ns]"
        spans: Decode = partial(decode_spans, units=units) if named else _as_timedelta
        return spans, np.dtype("timedelta64[ns]"), ("units",) if named else ()
    if stored.kind in "OTU":
        text = np.dtype(given_dtype) if given_dtype.startswith(("<U", "U")) else None
        if stored.kind == "U":
            return None, stored, ()
        return partial(_as_text, dtype=text), text or np.dtype(object), ()
    given = np.dtype(merged.get(DECODED, np.float64))
    if stored.kind in "iuf" and given.kind in "iu":
        return partial(_as_numbers, dtype=given), given, ()
    if stored.kind in "iu":
        flags = any(key in attrs for key in LISTS)
        if flags or ("_FillValue" not in packing and not _is_packed(packing)):
            return None, stored, ()
        dtype = np.dtype(merged.get(DECODED, decoded_dtype(stored)))
        return _bind(packing, dtype), dtype, ()
    fill = packing.get("_FillValue")
    if stored.kind == "f":
        dtype = given if DECODED in merged else stored
        gaps = fill is not None and _stands_for_nothing(fill, packing)
        if gaps or dtype != stored:
            return _bind({"_FillValue": fill} if gaps else {}, dtype), dtype, ()
    return None, stored, ()


def _stands_for_nothing(fill: float, packing: dict[str, Any]) -> bool:
    """Tell whether floating-point numbers equal to the source's fill value are missing.

    Not so where the packing can stand for that very number: 0 is the fill value of packed
    reflectances, and a reflectance.
    """
    if packing["dtype"].kind not in "iu":
        return bool(np.isfinite(fill))
    number = (fill - packing.get("add_offset", 0.0)) / packing.get("scale_factor", 1.0)
    limits = np.iinfo(packing["dtype"])
    return number == fill or not limits.min <= round(number) <= limits.max


def _bind(packing: dict[str, Any], dtype: np.dtype[Any]) -> Decode:
    return partial(
        decode_numbers,
        scale=packing.get("scale_factor", 1.0),
        offset=packing.get("add_offset", 0.0),
        missing=(packing["_FillValue"],) if "_FillValue" in packing else (),
        dtype=dtype.name,
    )


def decode_times(
    numbers: npt.NDArray[Any], *, units: str, calendar: str
) -> npt.NDArray[np.datetime64]:
    """Turn numbers of CF time into datetime64[ns]; the smallest int64 into NaT."""
    from xarray.coding.times import decode_cf_datetime

    gaps = (
        numbers == np.iinfo(np.int64).min if numbers.dtype == np.int64 else np.isnan(numbers * 1.0)
    )
    times = decode_cf_datetime(
        np.where(gaps, 0, numbers), units, calendar or "standard", use_cftime=False
    )
    return np.where(gaps, np.datetime64("NaT", "ns"), times).astype("datetime64[ns]")


def decode_spans(numbers: npt.NDArray[Any], *, units: str) -> npt.NDArray[np.timedelta64]:
    """Turn numbers of CF time spans into timedelta64[ns]; the smallest int64 and NaN into NaT."""
    from xarray.coding.times import decode_cf_timedelta

    gaps = (
        numbers == np.iinfo(np.int64).min if numbers.dtype == np.int64 else np.isnan(numbers * 1.0)
    )
    spans = decode_cf_timedelta(np.where(gaps, 0, numbers), units)
    return np.where(gaps, np.timedelta64("NaT", "ns"), spans).astype("timedelta64[ns]")


def _as_timedelta(numbers: npt.NDArray[Any]) -> npt.NDArray[np.timedelta64]:
    return numbers.astype(np.int64).view("timedelta64[ns]")


def _as_numbers(values: npt.NDArray[Any], *, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    return values.astype(dtype)


def _as_text(values: npt.NDArray[Any], *, dtype: np.dtype[Any] | None) -> npt.NDArray[Any]:
    # NumPy gives texts of any length a width only by way of Python's own.
    return np.array(values.tolist(), dtype=str if dtype is None else dtype).reshape(values.shape)
