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

from skerry.products.coding.cf import EOPF, HIDDEN, STRUCTURE
from skerry.products.coding.json_values import TYPES, from_json, put_back
from skerry.products.coding.packing import DECODED, FACTORS, Packing, find_packing, fit_fill
from skerry.products.coding.places import split_mapping
from skerry.products.coding.stored_numbers import (
    IN_NUMBERS,
    MISSING,
    UNSIGNED,
    StoredNumbers,
    are_scaled,
    fit_number,
    read_dtype,
    read_factor,
    read_fill,
    read_numbers,
)
from skerry.products.coding.times import CLOCK, Clock, find_clock
from skerry.products.healing.wounds import Wounds
from skerry.products.stores.stored import Decode, StoredArray, make_lazy

_READ = (*STRUCTURE, "_FillValue", TYPES)
_IN_NUMBERS = {UNSIGNED, MISSING, *IN_NUMBERS}
_ZARR_2 = 2
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
        Gets what was healed.
    """
    own = dict(array.attrs)
    own = from_json(own, own.get(TYPES, {}))
    eopf = own.pop(EOPF, None) or {}
    hidden = own.pop(HIDDEN, None) or {}
    merged = {key: item for key, item in (eopf | own | hidden).items() if item is not None}
    facts = {key: merged.pop(key) for key in _IN_NUMBERS & set(merged)}
    numbers = read_numbers(array.dtype, facts, path)
    merged |= numbers.attrs
    clock = _find_clock(array, own | hidden, merged, numbers)
    packing = {} if clock is not None else _find_source(array, path, own, eopf | hidden, numbers)
    attrs = _clean_attributes(merged, packing, path, wounds)
    encoding = _describe_storage(array) | packing
    if "grid_mapping" in attrs:
        encoding["grid_mapping"] = attrs.pop("grid_mapping")
    if clock is not None:
        encoding |= clock.encoding
        attrs = {key: item for key, item in attrs.items() if key not in CLOCK}
        coding: Clock | Packing | None = clock
    else:
        coding = _choose_packing(array, own, merged, packing, numbers)
    if coding is not None:
        stored = StoredArray(array, coding.decode, coding.dtype)
    else:
        stored = StoredArray(array, *_choose_text(array, str(merged.get("dtype", ""))))
    if stored.dtype.kind in "iu":
        encoding |= {"dtype": stored.dtype}
        fill = fit_fill(encoding.pop("_FillValue", None), stored.dtype)
        encoding |= {} if fill is None else {"_FillValue": fill}
    return xr.Variable(list_dims(array, merged), make_lazy(stored), put_back(attrs), encoding)


def list_dims(array: Any, attrs: dict[str, Any]) -> tuple[str, ...]:
    """Return the names of an array's dimensions, of Zarr 2 or 3."""
    names = attrs.get("_ARRAY_DIMENSIONS") or getattr(array.metadata, "dimension_names", None)
    if names is None or len(names) != array.ndim:
        names = [f"dim_{number}" for number in range(array.ndim)]
    return tuple(str(name) for name in names)


def list_coordinates(array: Any) -> list[str]:
    """Return the names of the coordinates that an array's attributes list."""
    own = dict(array.attrs)
    listed = own.get("coordinates") or (own.get(HIDDEN) or {}).get("coordinates") or ""
    names = listed.split() if isinstance(listed, str) else list(listed)
    names += [mapping for mapping, _ in split_mapping(own.get("grid_mapping"))]
    return [str(name) for name in names]


def _find_clock(
    array: Any, own: dict[str, Any], merged: dict[str, Any], numbers: StoredNumbers
) -> Clock | None:
    """Return how times or spans are counted.

    A ``fill_value`` in the attributes is that of the source, whose units may have been others.
    """
    fill = _find_own_fill(array, own)
    attrs: dict[str, Any] = {key: merged[key] for key in CLOCK if key in merged}
    return find_clock(
        attrs, numbers.dtype, _list_missing(_fit(fill, array, numbers.dtype), numbers)
    )


def _find_own_fill(array: Any, own: dict[str, Any]) -> Any:
    """Return the fill value of the array itself, not that of its source."""
    fill = own.get("_FillValue")
    return array.fill_value if fill is None and array.metadata.zarr_format == _ZARR_2 else fill


def _fit(fill: Any, array: Any, dtype: np.dtype[Any]) -> Any:
    """Return a fill value as a number of the intended type, None if it is not a number."""
    if fill is None or array.dtype.kind not in "iuf":
        return None
    return fit_number(read_fill(fill, array.dtype), dtype)


def _list_missing(fill: Any, numbers: StoredNumbers) -> tuple[float, ...]:
    """Return all numbers that stand for no measurement, the fill value first."""
    fills = () if fill is None or np.isnan(fill) else (fill,)
    return tuple(dict.fromkeys((*fills, *numbers.missing)))


def _find_source(
    array: Any, path: str, own: dict[str, Any], eopf: dict[str, Any], numbers: StoredNumbers
) -> dict[str, Any]:
    """Return what the encoding keeps: ``dtype, scale_factor, add_offset, _FillValue``."""
    stored_floats = array.dtype.kind == "f"
    source = eopf if stored_floats and EOPF in array.attrs else {**eopf, **own}
    if stored_floats and are_scaled(array.dtype, own):
        return {"dtype": array.dtype}
    packed = any(source.get(key) is not None for key in FACTORS)
    fill = source.get("_FillValue", source.get("fill_value"))
    if fill is None and array.metadata.zarr_format == _ZARR_2:
        # Zarr 2 has no other place for it. The values of a dimension are never missing (CF 2.5.1).
        axis = list_dims(array, own) == (path.rpartition("/")[2],)
        fill = array.fill_value if not axis or packed or EOPF in array.attrs else None
    dtype = read_dtype(source.get("dtype"), numbers.dtype) if stored_floats else numbers.dtype
    encoding: dict[str, Any] = {"dtype": dtype}
    for key in FACTORS:
        if source.get(key) is not None:
            encoding[key] = read_factor(source[key], f"The {key} of {path}")
    fill = _fit(fill, array, dtype)
    if fill is None and numbers.missing:
        fill = numbers.missing[0]
    return encoding if fill is None else encoding | {"_FillValue": fill}


def _clean_attributes(
    merged: dict[str, Any], packing: dict[str, Any], path: str, wounds: Wounds
) -> dict[str, Any]:
    attrs = {
        key: value
        for key, value in merged.items()
        if key not in _READ
        and key not in FACTORS
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
            "_".join(str(attr).split()) for attr in attrs["flag_meanings"]
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


def _choose_packing(
    array: Any,
    own: dict[str, Any],
    merged: dict[str, Any],
    source: dict[str, Any],
    numbers: StoredNumbers,
) -> Packing | None:
    """Return how numbers become values, None if they are values or texts already."""
    stored = numbers.dtype
    flags = {key: item for key, item in merged.items() if key.startswith("flag_")}
    decoded = {DECODED: merged[DECODED]} if DECODED in merged else {}
    if stored.kind == "f":
        scaled = are_scaled(stored, own)
        attrs = {key: own[key] for key in FACTORS if scaled and key in own}
        fill = source.get("_FillValue")
        if attrs and (own_fill := _find_own_fill(array, own)) is not None:
            attrs["_FillValue"] = read_fill(own_fill, stored)
        elif fill is not None and _stands_for_nothing(fill, source):
            attrs["_FillValue"] = fill
    else:
        attrs = source
    missing = _list_missing(fit_fill(attrs.get("_FillValue"), stored), numbers)
    coding = find_packing(stored, attrs | flags | decoded, missing=missing)
    return Packing(stored, stored) if coding is None and stored != array.dtype else coding


def _choose_text(array: Any, dtype_name: str) -> tuple[Decode | None, np.dtype[Any]]:
    """Return how texts are read, and their type; other values are unchanged."""
    if array.dtype.kind not in "OT":
        return None, array.dtype
    text = np.dtype(dtype_name) if dtype_name.startswith(("<U", "U")) else None
    return partial(_as_text, dtype=text), text or np.dtype(object)


def _stands_for_nothing(fill: float, packing: dict[str, Any]) -> bool:
    """Tell whether floating-point numbers equal to the source's fill value are missing.

    They are not missing where the packing can give that very number: 0 is the fill value of
    packed reflectances, and also a reflectance.
    """
    if packing["dtype"].kind not in "iu":
        return bool(np.isfinite(fill))
    number = (fill - packing.get("add_offset", 0.0)) / packing.get("scale_factor", 1.0)
    limits = np.iinfo(packing["dtype"])
    return number == fill or not limits.min <= round(number) <= limits.max


def _as_text(values: npt.NDArray[Any], *, dtype: np.dtype[Any] | None) -> npt.NDArray[Any]:
    # NumPy gives texts of any length a width only by way of Python's own.
    return np.array(values.tolist(), dtype=str if dtype is None else dtype).reshape(values.shape)
