"""Attributes of NetCDF-4 files.

Attributes that NetCDF cannot hold (dictionaries, booleans, None, lists of mixed types, bytes,
integers of more than 64 bits) are stored as JSON text; ``json_attributes`` of the same group or
variable is the list of their names.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from skerry.products.coding.cf import LISTS
from skerry.products.coding.json_values import TYPES, from_json, is_text, to_json
from skerry.products.coding.stored_numbers import IN_NUMBERS

RELATED = (
    "bounds", "climatology", "geometry", "node_coordinates", "node_count", "part_node_count",
    "interior_ring", "cell_measures", "formula_terms",
)  # fmt: skip
"""Attributes that name other variables: xarray removes or drops them."""
JSON_NAMES = "json_attributes"
HIDDEN = (
    "CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_NCProperties", "_nc3_strict",
    "_Netcdf4Dimid", "_Netcdf4Coordinates",
)  # fmt: skip
"""Attributes in which NetCDF-4 stores dimensions; readers do not show them."""
RESERVED = (JSON_NAMES, *HIDDEN)
GROUP_RESERVED = ("Conventions", "coordinates")
INTEGERS = range(-(2**63), 2**63)
KNOWN_JSON = ("stac_discovery", "other_metadata", "processing_history")
"""Attributes that other writers, too, write as JSON text."""


def put_attributes(place: Any, attrs: Mapping[Any, Any], dtype: Any) -> None:
    """Write attributes; those that NetCDF cannot hold as JSON text.

    Parameters
    ----------
    place
        A group or variable of an h5netcdf file.
    attrs
        Any that have none of `RESERVED`.
    dtype
        Type of the variable's numbers on disk; None for groups and texts.

    Raises
    ------
    InvalidInputError
        If one is of a type that no attribute can have.
    """
    stored = place.attrs  # h5netcdf looks the place up in the file each time it is asked for them
    as_json: list[str] = []
    types: dict[str, str] = {}
    for name in map(str, attrs):
        # As it will be read, with NaN and bytes; arrays as lists.
        value = from_json(*to_json({name: attrs[name]}))[name]
        numbers = _fit_numbers(name, value, dtype)
        if numbers is not None:
            stored[name] = numbers
        elif _is_native(value) and name not in KNOWN_JSON:
            stored[name] = _shrink(value)
        else:
            written, odd = to_json({name: value})
            stored[name] = json.dumps(written[name], allow_nan=False)
            as_json.append(name)
            types |= odd
    if as_json:
        stored[JSON_NAMES] = json.dumps(as_json)
    if types:
        stored[TYPES] = json.dumps(types)


def _fit_numbers(name: str, value: Any, dtype: Any) -> Any:
    """Return numbers in the type on disk; None if that type does not hold them."""
    values = value if isinstance(value, list) else [value]
    kinds = {"i": {int}, "u": {int}, "f": {float}}
    fits = dtype is not None and {type(item) for item in values} == kinds.get(dtype.kind)
    if not fits or name not in IN_NUMBERS or (value is values and _is_single(name, values)):
        return None
    numbers = np.asarray(value)
    with np.errstate(all="ignore"):
        fitted = numbers.astype(dtype) if numbers.dtype.kind in "iuf" else numbers
    return fitted if fitted.dtype == dtype and fitted.tolist() == value else None


def _is_single(name: str, values: list[Any]) -> bool:
    """Tell whether a list would be read back as its only value."""
    return len(values) == 1 and name not in LISTS


def _is_native(value: Any) -> bool:
    values = value if isinstance(value, list) else [value]
    kinds = {type(item) for item in values}
    if (value is values and len(values) == 1) or kinds not in ({int}, {float}, {str}):
        return False
    return all(item in INTEGERS if kinds == {int} else is_text(item) for item in values)


def _shrink(value: Any) -> Any:
    """Return integers as 32 bits if they fit, for older readers."""
    if isinstance(value, str) or (isinstance(value, list) and isinstance(value[0], str)):
        return value
    numbers = np.asarray(value)
    if numbers.dtype.kind == "i" and numbers.min() > -(2**31) and numbers.max() < 2**31:
        numbers = numbers.astype(np.int32)
    return numbers if numbers.ndim else numbers[()]


def read_attributes(stored: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes as plain values; JSON texts become the values that they stand for.

    Raises
    ------
    LookupError, ValueError, TypeError
        If ``json_attributes`` or a JSON text is damaged.
    """
    attrs = {str(key): _plain(value) for key, value in stored.items()}
    listed = str(attrs.pop(JSON_NAMES, ""))
    names = json.loads(listed) if listed.startswith("[") else listed.split()
    types = dict(json.loads(str(attrs.pop(TYPES, "{}"))))
    for name in {*names, *(item for item in KNOWN_JSON if item in attrs)}:
        if isinstance(attrs.get(name), str):
            try:
                attrs[name] = json.loads(attrs[name])
            except ValueError:
                if name in names:
                    raise
    attrs = from_json(attrs, types)
    for name in LISTS:
        if name in attrs and not isinstance(attrs[name], list):
            attrs[name] = [attrs[name]]
    return attrs


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value
