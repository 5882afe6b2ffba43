"""Convert attributes to strict JSON and back; values that JSON cannot hold become text.

``NaN``, ``Infinity`` and bytes become text; ``types`` lists their paths, so that reading restores
them exactly. Arrays become lists, NumPy numbers become plain numbers, times become text.
An attribute whose name has a meaning for readers of a format is stored in `APART`. All formats
use these rules.
"""

import base64
import math
from collections.abc import Collection, Mapping
from datetime import date
from typing import Any

import numpy as np

from skerry.core.errors import InvalidInputError

TYPES = "json_types"
"""Attribute that notes the types of values written as text."""
APART = "kept_attributes"
"""Attribute that holds other attributes, whose names have a meaning for the format's readers."""
MAX_DEPTH = 64
"""Nested lists and dicts; Python's own JSON parser fails at a few hundred levels."""
MAX_BITS = 14_000
"""Most bits of an integer: Python writes and reads at most 4300 digits."""
_ENDINGS = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_SHOWN = 80


def to_json(attrs: dict[Any, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Return attributes as JSON values, and the path and type of values that became text.

    Raises
    ------
    InvalidInputError
        If a value is of a type that no attribute can have.
    """
    types: dict[str, str] = {}
    return _dict_to_json(attrs, "", types), types


def from_json(attrs: dict[str, Any], types: dict[str, str]) -> dict[str, Any]:
    """Return attributes as they were before `to_json`."""
    for path, kind in types.items():
        _restore(
            attrs,
            [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]],
            kind,
        )
    return attrs


def to_document(attrs: Mapping[Any, Any]) -> dict[str, Any]:
    """Return attributes as JSON values, with a note in them of the values that became text.

    Raises
    ------
    InvalidInputError
        As `to_json`.
    """
    values, types = to_json(dict(attrs))
    return values | {TYPES: types} if types else values


def from_document(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return attributes as they were before `to_document` and, before that, `set_apart`.

    Raises
    ------
    LookupError, ValueError, TypeError, AttributeError
        If the note in them is damaged.
    """
    return put_back(from_json(attrs, attrs.pop(TYPES, {})))


def set_apart(
    attrs: Mapping[Any, Any],
    names: Collection[str],
    prefixes: tuple[str, ...] = (),
    *,
    nothing: bool = False,
) -> dict[str, Any]:
    """Return attributes; names that a format reserves are set apart, together in `APART`.

    Parameters
    ----------
    attrs
        Attributes of a product, group or variable.
    names, prefixes
        Names, and beginnings of names, that the format reserves.
    nothing
        Whether the format reserves the value None, too.
    """
    own = {*names, TYPES, APART}
    apart = {
        str(key): value
        for key, value in attrs.items()
        if str(key) in own
        or str(key).startswith(prefixes)
        or not is_text(key)
        or key == ""
        or (nothing and value is None)
    }
    rest = {str(key): value for key, value in attrs.items() if str(key) not in apart}
    return rest | {APART: apart} if apart else rest


def put_back(attrs: dict[str, Any]) -> dict[str, Any]:
    """Return attributes as they were before `set_apart`."""
    apart = attrs.get(APART)
    if not isinstance(apart, dict):
        return attrs
    return {key: item for key, item in attrs.items() if key != APART} | apart


def is_text(value: Any) -> bool:
    """Tell whether every format can hold a text unchanged: valid characters without NUL."""
    text = str(value)
    return "\0" not in text and not any("\ud800" <= item <= "\udfff" for item in text)


def _escape(key: Any) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _to_json(value: Any, path: str, types: dict[str, str]) -> Any:
    if isinstance(value, np.ndarray | np.generic) and not isinstance(value, np.bytes_):
        value = value.tolist() if value.dtype.kind not in "mM" else value.astype(str).tolist()
    if not isinstance(value, dict | list | tuple | set | frozenset):
        return _single_to_json(value, path, types)
    if path.count("/") > MAX_DEPTH:
        raise _refuse(path, f"has more than {MAX_DEPTH} levels of nested lists or dicts")
    if isinstance(value, dict):
        return _dict_to_json(value, path, types)
    return [_to_json(item, f"{path}/{index}", types) for index, item in enumerate(value)]


def _single_to_json(value: Any, path: str, types: dict[str, str]) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        types[path] = "float"
        return _ENDINGS[str(value)]
    if isinstance(value, bytes):
        types[path] = "bytes"
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        raise _refuse(path, f"is an integer of {value.bit_length()} bits")
    if value is None or isinstance(value, int | float | str):
        return value
    raise _refuse(path, f"is a {type(value).__name__}")


def _dict_to_json(attrs: Mapping[Any, Any], path: str, types: dict[str, str]) -> dict[str, Any]:
    values = {
        str(key): _to_json(value, f"{path}/{_escape(key)}", types) for key, value in attrs.items()
    }
    if len(values) < len(attrs):
        raise _refuse(f"{path}/", "has names that are the same when written as text")
    return values


def _refuse(path: str, why: str) -> InvalidInputError:
    label = path[1:] if len(path) <= _SHOWN else f"{path[1:_SHOWN]}..."
    return InvalidInputError(
        f"The attribute {label!r} {why}, which no file can hold.",
        remedy="Turn it into text, numbers, lists or dicts.",
    )


def _restore(attrs: Any, keys: list[str], kind: str) -> None:
    for key in keys[:-1]:
        attrs = attrs[int(key) if isinstance(attrs, list) else key]
    last: Any = int(keys[-1]) if isinstance(attrs, list) else keys[-1]
    text = attrs[last]
    attrs[last] = base64.b64decode(text) if kind == "bytes" else float(text)
