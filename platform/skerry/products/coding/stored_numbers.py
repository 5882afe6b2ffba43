"""Read the attributes of stored numbers, in every spelling, as plain Python values.

Sources: NetCDF Climate and Forecast Metadata Conventions 1.11, sections 2.2, 2.5.1, 3.5 and 8.1;
NetCDF Users Guide, attribute conventions (``_Unsigned``, ``missing_value``). The table
"What of CF is read" in platform/library/formats.md lists what is read.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from skerry.core.errors import InvalidInputError
from skerry.products.coding.packing import FACTORS, Packing, find_packing, fit_fill

IN_NUMBERS = ("valid_min", "valid_max", "valid_range", "flag_values", "flag_masks")
"""Attributes that CF gives in the type of the numbers on disk."""
UNSIGNED = "_Unsigned"
MISSING = "missing_value"
_SIGNS = {"true": ("i", "u"), "false": ("u", "i")}
"""Text of `UNSIGNED` to the kind of the stored type and the kind of the intended type."""


@dataclass(frozen=True)
class StoredNumbers:
    """What the numbers of a file are meant to be.

    Attributes
    ----------
    dtype
        The intended type: unsigned where ``_Unsigned`` says so.
    attrs
        Attributes without ``_Unsigned`` and ``missing_value``. ``scale_factor`` and
        ``add_offset`` are floats, ``_FillValue`` is the first of `missing`, and other numbers
        that CF defines have the type `dtype`.
    missing
        All numbers that mean no measurement, except NaN.
    """

    dtype: np.dtype[Any]
    attrs: dict[str, Any]
    missing: tuple[float, ...]


def read_numbers(stored: np.dtype[Any], attrs: Mapping[str, Any], name: str) -> StoredNumbers:
    """Return the intended type and attributes of numbers of type `stored` with CF attributes.

    Parameters
    ----------
    stored
        Type of the numbers as the file has them.
    attrs
        Attributes as plain values.
    name
        Name of the variable, for messages.

    Raises
    ------
    InvalidInputError
        If a scale or an offset is not a number.
    """
    if stored.kind not in "iuf":
        return StoredNumbers(stored, dict(attrs), ())
    dtype = _choose_type(stored, attrs.get(UNSIGNED))
    read = {key: item for key, item in attrs.items() if key not in (UNSIGNED, MISSING)}
    for key in IN_NUMBERS:
        if dtype != stored and key in read:
            read[key] = _turn(read[key], dtype)
    for key in FACTORS:
        if read.get(key) is not None:
            read[key] = read_factor(read[key], f"The {key} of {name}")
    texts = (*_list(read.pop("_FillValue", None)), *_list(attrs.get(MISSING)))
    fills = [fit_number(item, dtype) for item in texts]
    numbers = list(dict.fromkeys(item for item in fills if item is not None))
    missing = tuple(item for item in numbers if not np.isnan(item))
    if missing or numbers:
        read["_FillValue"] = missing[0] if missing else numbers[0]
    return StoredNumbers(dtype, read, missing)


def read_packing(stored: np.dtype[Any], attrs: Mapping[str, Any], name: str) -> Packing:
    """Return how numbers of a Zarr array become floating-point values by the array's attributes.

    Flags and 64-bit integers, too, are taken as values that may be missing.

    Raises
    ------
    InvalidInputError
        If a scale or an offset is not a number.
    ValueError
        If the fill value is not a number.
    """
    facts = dict(attrs)
    if not are_scaled(stored, facts):
        facts = {key: item for key, item in facts.items() if key not in FACTORS}
    fill = facts.get("_FillValue", facts.get("fill_value"))
    if fill is not None:
        facts["_FillValue"] = read_fill(fill, stored)
    numbers = read_numbers(stored, facts, name)
    wide = np.dtype(np.float64)
    packing = find_packing(numbers.dtype, numbers.attrs, wide, numbers.missing)
    return packing or Packing(numbers.dtype, wide)


def are_scaled(stored: np.dtype[Any], attrs: Mapping[str, Any]) -> bool:
    """Tell whether numbers are scaled by the factors that the attributes of their array give.

    EOPF products decode them, and keep the source's factors and integer type as attributes.
    """
    if not any(attrs.get(key) is not None for key in FACTORS):
        return False
    return stored.kind != "f" or (
        not attrs.get("eopf_is_scaled") and read_dtype(attrs.get("dtype"), stored).kind == "f"
    )


def read_dtype(text: Any, fallback: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that a text names; `fallback` where it names no type of numbers."""
    try:
        dtype = fallback if text is None else np.dtype(text)  # NumPy reads None as float64
    except TypeError:
        return fallback
    return dtype if dtype.kind in "iuf" else fallback


def spell_fill(fill: Any, dtype: np.dtype[Any]) -> Any:
    """Return a fill value as xarray writes it to an attribute of Zarr 3: floats in base64."""
    from xarray.backends.zarr import FillValueCoder

    return FillValueCoder.encode(fill, dtype) if dtype.kind == "f" else fill


def read_fill(value: Any, dtype: np.dtype[Any]) -> float:
    """Return a fill value as a number; the inverse of `spell_fill`. Reads numbers in text, too.

    Raises
    ------
    ValueError
        If it is not a number.
    """
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            if dtype.kind != "f":
                raise
            return float(np.frombuffer(base64.b64decode(value, validate=True), "<f8").item())
    return value if isinstance(value, int) else float(value)


def fit_number(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return a number in any spelling as a plain number of a type; None if it is not a number."""
    return fit_fill(_turn(_read_number(value), dtype), dtype)


def read_factor(value: Any, what: str) -> float:
    """Return a scale or an offset, which may be written as text.

    Raises
    ------
    InvalidInputError
        If it is not a number; the message begins with `what`.
    """
    numbers = [_read_number(item) for item in _list(value)]
    if len(numbers) != 1 or numbers[0] is None:
        raise InvalidInputError(
            f"{what} is {value!r:.60}, which is not a number.",
            remedy="Set the attribute to a single number, or remove it.",
        )
    return float(numbers[0])


def _choose_type(stored: np.dtype[Any], unsigned: Any) -> np.dtype[Any]:
    """Return the intended type; NetCDF-3 cannot store unsigned integers."""
    kinds = _SIGNS.get(str(unsigned).strip().lower())
    if kinds is None or stored.kind != kinds[0]:
        return stored
    return np.dtype(f"{stored.byteorder}{kinds[1]}{stored.itemsize}")


def _turn(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return whole numbers out of an integer type's range as the type reads their bits."""
    if isinstance(value, list):
        return [_turn(item, dtype) for item in value]
    if dtype.kind not in "iu" or not isinstance(value, int):
        return value
    limits, span = np.iinfo(dtype), 2 ** (8 * dtype.itemsize)
    inside = -span // 2 <= value < span
    return (value - limits.min) % span + limits.min if inside else value


def _list(value: Any) -> list[Any]:
    """Return the values of an attribute that may hold no, a single or several values."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _read_number(value: Any) -> Any:
    """Return a number, also from text; None if the value is not a number."""
    if isinstance(value, str | bytes):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value if isinstance(value, int) else None
