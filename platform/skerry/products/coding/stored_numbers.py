"""What attributes say about stored numbers, however a file spells it, as NumPy and Python have it.

Sources: NetCDF Climate and Forecast Metadata Conventions 1.11, sections 2.2, 2.5.1, 3.5 and 8.1;
NetCDF Users Guide, attribute conventions (``_Unsigned``, ``missing_value``). What is read stands in
the table "What of CF is read" of platform/library/formats.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from skerry.core.errors import InvalidInputError
from skerry.products.coding.packing import FACTORS, fit_fill

IN_NUMBERS = ("valid_min", "valid_max", "valid_range", "flag_values", "flag_masks")
"""Attributes that CF gives in the type of the numbers on disk."""
UNSIGNED = "_Unsigned"
MISSING = "missing_value"
_SIGNS = {"true": ("i", "u"), "false": ("u", "i")}
"""Text of `UNSIGNED` to the kind of type that is stored and the kind that is meant."""


@dataclass(frozen=True)
class StoredNumbers:
    """Numbers of a file, as they are meant.

    Attributes
    ----------
    dtype
        Type that is meant: unsigned where ``_Unsigned`` says so.
    attrs
        Without ``_Unsigned`` and ``missing_value``; ``scale_factor`` and ``add_offset`` are floats,
        ``_FillValue`` is the first of `missing`, and what CF gives in numbers is of `dtype`.
    missing
        All numbers that stand for no measurement, but NaN.
    """

    dtype: np.dtype[Any]
    attrs: dict[str, Any]
    missing: tuple[float, ...]


def read_numbers(stored: np.dtype[Any], attrs: Mapping[str, Any], name: str) -> StoredNumbers:
    """Return what numbers of type `stored` with CF attributes are meant to be.

    Parameters
    ----------
    stored
        Type of the numbers as the file has them.
    attrs
        Plain values.
    name
        Of the variable, for messages.

    Raises
    ------
    InvalidInputError
        If a scale or an offset is no number.
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
    given = (*_list(read.pop("_FillValue", None)), *_list(attrs.get(MISSING)))
    fills = [fit_number(item, dtype) for item in given]
    known = list(dict.fromkeys(item for item in fills if item is not None))
    missing = tuple(item for item in known if not np.isnan(item))
    if missing or known:
        read["_FillValue"] = missing[0] if missing else known[0]
    return StoredNumbers(dtype, read, missing)


def fit_number(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return a number, however it is spelt, as a plain one of a type; None where it is none."""
    return fit_fill(_turn(_read_number(value), dtype), dtype)


def read_factor(value: Any, what: str) -> float:
    """Return a scale or an offset, which may stand as text.

    Raises
    ------
    InvalidInputError
        If it is no number; `what` begins the message.
    """
    numbers = [_read_number(item) for item in _list(value)]
    if len(numbers) != 1 or numbers[0] is None:
        raise InvalidInputError(
            f"{what} is {value!r:.60}, which is no number.",
            remedy="Give the variable one number there, or take the attribute away.",
        )
    return float(numbers[0])


def _choose_type(stored: np.dtype[Any], unsigned: Any) -> np.dtype[Any]:
    """Return the type that is meant; NetCDF-3 has no unsigned integers."""
    kinds = _SIGNS.get(str(unsigned).strip().lower())
    if kinds is None or stored.kind != kinds[0]:
        return stored
    return np.dtype(f"{stored.byteorder}{kinds[1]}{stored.itemsize}")


def _turn(value: Any, dtype: np.dtype[Any]) -> Any:
    """Return whole numbers out of an integer type's range as the type has the same bits."""
    if isinstance(value, list):
        return [_turn(item, dtype) for item in value]
    if dtype.kind not in "iu" or not isinstance(value, int):
        return value
    limits, span = np.iinfo(dtype), 2 ** (8 * dtype.itemsize)
    inside = -span // 2 <= value < span
    return (value - limits.min) % span + limits.min if inside else value


def _list(value: Any) -> list[Any]:
    """Return the values of an attribute that may have one, several or none."""
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None:
        return []
    return list(value) if isinstance(value, list | tuple) else [value]


def _read_number(value: Any) -> Any:
    """Return a number, also one that stands as text; None where there is none."""
    if isinstance(value, str | bytes):
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    return value if isinstance(value, int) else None
